/* SPDX-License-Identifier: Apache-2.0 */
/* The private stack that `mal up` runs: one folder, one supervised process
 * each for Postgres, NATS, every service and every gateway. */
#pragma once

#include "cli.h"

#include <stdint.h>
#include <sys/types.h>

enum { STACK_CHILDREN_MAX = 32, STACK_GATEWAYS_MAX = 8, STACK_REPLICAS_MAX = 3 };

/* One supervised process. */
struct child {
    const char *name;  /* "postgres", "catalog", "gateway-2" */
    const char **argv; /* argv[0] is the absolute path */
    const char **env;  /* NULL-terminated NAME=value */
    const char *log;   /* file that takes stdout and stderr */
    int stop_signal;
    uid_t uid; /* to change to before exec; 0 = stay */
    gid_t gid;
    int admin_port; /* 0 = none */
    int port;       /* where it listens for clients, 0 = none */
    pid_t pid;      /* 0 = not running */
    int64_t started_ms, restart_at_ms;
    int backoff_ms;
};

struct stack {
    struct arena arena;
    const char *dir;
    const char *pg_data, *pg_socket; /* pg_data is outside dir when Postgres cannot reach it */
    const char *homes;               /* of stdio servers; outside dir when nobody cannot reach it */
    bool ephemeral, json;
    int n_gateways, n_replicas, port;
    int lock_fd;
    uid_t pg_uid; /* whom Postgres runs as when we are root */
    gid_t pg_gid;
    int nats_port;
    const char *key;
    struct child children[STACK_CHILDREN_MAX];
    size_t n_children;
};

/* ---- child.c ---- */
enum status child_start(struct child *child, struct error *err) MUST_CHECK;
/* Reaps what ended and schedules its restart (0.2 s doubled to 5 s, from the
 * start again after 10 s of life). True when something changed. */
bool stack_reap(struct stack *stack);
/* Starts what is due. True when something changed. */
bool stack_restart_due(struct stack *stack);
/* Stops in reverse order of starting: signal, grace, SIGKILL; no process is
 * left. */
void stack_stop(struct stack *stack);
struct child *stack_child(struct stack *stack, const char *name);
/* Appends an empty child with name and log file set. */
struct child *stack_add(struct stack *stack, const char *name);

/* ---- environment.c ---- */
/* Environment of a child: everything but MAL_*, the MAL_* that binary knows,
 * and the assignments given (NULL-terminated). */
const char **stack_env(struct stack *stack, const char *binary, const char *const *extra);
/* Whether the binary has the setting of an assignment "MAL_X=…". */
bool stack_binary_knows(struct stack *stack, const char *binary, const char *entry);

/* ---- cluster.c ---- */
/* Makes and starts the Postgres cluster, waits for it, applies the bootstrap. */
enum status stack_postgres(struct stack *stack, struct error *err) MUST_CHECK;
enum status stack_nats(struct stack *stack, struct error *err) MUST_CHECK;
/* URL for the superuser, or for a role with its password; in the arena. */
const char *stack_pg_url(struct stack *stack, const char *role, const char *password);
const char *stack_nats_url(struct stack *stack);

/* ---- secrets.c ---- */
/* Loads <dir>/secrets or makes it: random passwords by name. */
enum status secrets_load(struct stack *stack, struct error *err) MUST_CHECK;
/* A secret by name, made and stored when new; in the arena. */
const char *secret_get(struct stack *stack, const char *name);
/* MAL_SECRET_KEYS of the stack: one key, made and stored when new. */
const char *secret_sealing_key(struct stack *stack);
/* NAME=value lines of all secrets for a child's environment. */
enum status secrets_save(struct stack *stack, struct error *err) MUST_CHECK;

/* ---- services.c ---- */
/* Starts every service whose binary is there, waits until each is ready. */
enum status stack_services(struct stack *stack, struct error *err) MUST_CHECK;
enum status stack_gateways(struct stack *stack, struct error *err) MUST_CHECK;
/* Whether every MAL_* variable is known to some process of the stack. */
enum status stack_env_check(struct stack *stack, struct error *err) MUST_CHECK;
