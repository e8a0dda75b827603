/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of `mal bench`: everything is measured in one run against limits of the
 * same machine, and reported as ratios. */
#pragma once

#include "cli.h"

#include <stdint.h>
#include <sys/types.h>

enum { BENCH_PROCESSES_MAX = 16 };

/* The throw-away stack under test. */
struct bench_stack {
    pid_t pid;
    const char *url, *key, *pg_url, *base; /* base: url without /mcp */
    int port;
    struct {
        const char *name;
        pid_t pid;
    } processes[BENCH_PROCESSES_MAX];
    size_t n_processes;
};

/* What is asked again and again. */
struct bench_target {
    const char *url, *key;   /* key "" = none */
    const char *method;      /* "tools/call" */
    const char *name;        /* as in Mcp-Name */
    const char *params;      /* members of params, JSON */
    const char *words;       /* what a good answer holds; NULL: anything goes */
    const char *sessions;    /* of a server of 2025-11-25, with commas; NULL: 2026-07-28 */
    bool verify;             /* look at every answer, which takes time */
    const char *const *argv; /* of a stdio server, for bench_pipe */
};

struct bench_load {
    double rps;
    long requests; /* 0: nobody was served, and the figures mean nothing */
    long p50_us, p99_us;
    long errors;
};

/* ---- bench_stack.c ---- */
/* Starts `mal up --ephemeral --json` with the environment given besides. */
enum status bench_stack_start(struct arena *arena, struct bench_stack *stack,
                              struct error *err) MUST_CHECK;
void bench_stack_stop(struct bench_stack *stack);
/* Resident memory in KiB; 0 when the process is gone. */
long bench_rss_kib(pid_t pid);
pid_t bench_pid(const struct bench_stack *stack, const char *process);
/* Runs a command, collects what it prints; the exit code must be 0. */
enum status bench_run(struct arena *arena, const char *const *argv, char **ret_out,
                      struct error *err) MUST_CHECK;
/* Starts a server whose first line is its port and perhaps a blank and more, which
 * ret_more (may be NULL) gets. */
enum status bench_server_start(struct arena *arena, const char *const *argv, pid_t *ret_pid,
                               int *ret_port, const char **ret_more, struct error *err) MUST_CHECK;
void bench_server_stop(pid_t pid);

/* ---- bench_load.c ---- */
/* How many at once, load by load. */
enum { BENCH_LOADS = 3 };
extern const int bench_connections[BENCH_LOADS];
#define BENCH_SKILL "bench-skill"
/* Registers the skill of about 700 bytes that is read. */
enum status bench_skill(struct arena *arena, const struct bench_stack *stack,
                        struct error *err) MUST_CHECK;
struct bench_target bench_get_skill(const char *url, const char *key, const char *words);
/* One request, whose answer must be a good one. */
enum status bench_check(struct arena *arena, const struct bench_target *target,
                        struct error *err) MUST_CHECK;
/* Load by wrk; fails when a request fails or none is answered. */
enum status bench_call(struct arena *arena, const struct bench_target *target, int connections,
                       int seconds, struct bench_load *ret_load, struct error *err) MUST_CHECK;
/* The same without judging it. */
enum status bench_try(struct arena *arena, const struct bench_target *target, int connections,
                      int seconds, struct bench_load *ret_load, struct error *err) MUST_CHECK;
/* A second of load of which every single answer must hold the target's words. */
enum status bench_verify(struct arena *arena, const struct bench_target *target, int connections,
                         struct error *err) MUST_CHECK;
/* The middle one; sorts them. */
double bench_median(double *values, int n);
/* Transactions a second and mean latency of pgbench -S -M prepared. */
enum status bench_pgbench(struct arena *arena, const struct bench_stack *stack, int clients,
                          int seconds, double *ret_tps, struct error *err) MUST_CHECK;
enum status bench_pgbench_init(struct arena *arena, const struct bench_stack *stack,
                               struct error *err) MUST_CHECK;

/* ---- bench_idle.c ---- */
/* Opens n streams or connections and says what each costs the gateway in
 * resident bytes; *ret_workers = threads the gateway gained. */
enum status bench_streams(struct arena *arena, const struct bench_stack *stack, int n,
                          double *ret_bytes, int *ret_opened, struct error *err) MUST_CHECK;
enum status bench_sessions(struct arena *arena, const struct bench_stack *stack, int n,
                           double *ret_bytes, struct error *err) MUST_CHECK;
/* Resident KiB of the gateway while n clients that made one call stay open. */
enum status bench_clients(struct arena *arena, const struct bench_stack *stack, int n,
                          long *ret_kib, struct error *err) MUST_CHECK;
/* p99 of one client while n others hold half a request each. */
enum status bench_slow_clients(struct arena *arena, const struct bench_stack *stack, int n,
                               int seconds, struct bench_load *ret_load,
                               struct error *err) MUST_CHECK;

/* ---- bench_audit.c ---- */
/* Starts a second gateway of the stack, built without audit, and waits until it
 * answers the target, whose url becomes its own. */
enum status bench_unaudited_start(struct arena *arena, const struct bench_stack *stack,
                                  struct bench_target *target, pid_t *ret_pid,
                                  struct error *err) MUST_CHECK;
/* By how much of its throughput the audit slows the hub down, 0 to 1. */
enum status bench_audit(struct arena *arena, const struct bench_stack *stack, int clients,
                        int seconds, double *ret_share, struct error *err) MUST_CHECK;
