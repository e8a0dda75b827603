/* SPDX-License-Identifier: Apache-2.0 */
/* mcp-runner: holds the children of stdio servers and carries exchanges with
 * them over the bus. What each part does for the others.
 *
 *   registry.c   the servers, as MAL_MCPS tells them
 *   lease.c      who owns which child, bucket MAL_LEASES
 *   slot.c       a child that is held: started when needed, stopped when idle
 *   program.c    the program in it: environment, folder, end, what it prints
 *   heard.c      what a child says besides its answers
 *   exchange.c   one request from the bus
 *   frame.c      what goes back of it
 *   tally.c      how requests went, for mcp-health
 *   rpcs.c       Open, Describe, Check
 *   service.c    settings, start and stop */
#pragma once

#include "base/ids.h"
#include "base/settings.h"
#include "bus/bus.h"
#include "child/child.h"
#include "downstream/downstream.h"
#include "mal/mcp_health/v1/state.pb-c.h"
#include "mal/mcp_runner/v1/mcp_runner.api.h"
#include "mal/mcp_runner/v1/mcp_runner.server.h"
#include "mcp/secret.h"

#include <pthread.h>
#include <stdatomic.h>

struct runner_settings {
    const char *stdio_allow, *secret_keys, *env_allow, *dir, *hub_dir;
    int64_t idle_stop_s, start_s, max_children, max_calls;
};
extern struct runner_settings runner_config;
extern const struct setting runner_setting_table[];

/* This runner has no such child (any more); nothing was carried out. */
#define REASON_MOVED "MCP_MOVED"

enum { KEY_SIZE = 160, CALLER_SIZE = 81, WORDS_SIZE = 200 };

/* A server as it was told; immutable, counted. */
struct config {
    atomic_int refs;
    struct arena arena;
    const McpHealth__Server *server;
};

/* Since mcp-health was told. */
struct tally {
    int ok, doubts, failed;
    int64_t ok_ms, failed_ms; /* of the last ones */
    bool changed;             /* its lists */
    char words[400];          /* of the last one that went wrong */
};

struct entry {
    struct entry *next;
    char id[65];
    struct config *config;
    bool well; /* its child has started since it was told so */
    int changes;
    struct tally tally;
};

/* A child that is held. */
struct slot {
    struct slot *next; /* under runner->lock, as are refs and gone */
    int refs;          /* the table's, and of whoever uses it */
    bool gone;         /* not in the table any more */
    struct runner *runner;
    struct config *config;
    char key[KEY_SIZE], server[65], caller[CALLER_SIZE];
    char *capabilities;
    struct downstream *down;
    atomic_llong used_ms;
    atomic_bool closing;
    atomic_int mute;     /* checks in a row that it did not answer */
    int64_t told_second; /* of the thread that reads the child, as is told */
    int told;
    atomic_bool missed;    /* more was said than was told */
    atomic_int generation; /* of the program: another one each time it is started */

    pthread_mutex_t lock; /* what follows; of the start */
    pthread_cond_t changed;
    bool starting;
    struct downstream_session *session;

    pthread_mutex_t wish_lock; /* what follows: resources to hear of, wish.c */
    char **wishes;
    size_t n_wishes;

    pthread_mutex_t child_lock; /* what follows */
    struct child child;
    int64_t started_ms, not_before_ms;
    unsigned failures;
    bool hopeless; /* it cannot be started as it is registered */
    struct arena secrets_arena;
    const char **secrets;   /* values that must not be logged, NULL-terminated */
    char words[WORDS_SIZE]; /* last line of its stderr */
};

struct exchange;
struct ears;

struct runner {
    struct bus *bus;
    char id[TOKEN_SIZE];
    struct secret_keys keys;
    struct bus_kv *servers, *leases;
    struct bus_kv_watch *watch;
    struct bus_server *any, *own;
    struct bus_takers *calls;
    struct bus_sub *words, *pings;
    struct ears *ears;
    pthread_t minder, renewer;
    bool has_minder, has_renewer;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool shown, stopping;
    struct entry *entries;
    struct slot *slots, *ending; /* in the table; out of it, their children not ended yet */
    int n_slots, n_children, n_threads, n_exchanges;
    struct exchange *exchanges;
    atomic_ullong starts, crashes;
};

/* ---- process.c ------------------------------------------------------------------- */

int runner_main(int argc, char **argv);

/* ---- service.c ------------------------------------------------------------------- */

/* Bus, buckets and rpcs; the runner is filled as far as that went. */
enum status runner_start(struct runner *runner, struct bus *bus, struct error *err) MUST_CHECK;
/* Its numbers for the page of metrics; called only while metric_callbacks_live says
 * that the runner runs. */
void runner_metrics(struct runner *runner);
/* Undoes whatever runner_start did; no child is left. */
void runner_stop(struct runner *runner);
/* Runs fn on a thread of its own; false when there are none. */
bool runner_spawn(struct runner *runner, void (*fn)(void *arg), void *arg);

/* ---- rpcs.c ---------------------------------------------------------------------- */

/* What another runner asks of the owner. */
enum status runner_own_open(struct call *call, const ProtobufCMessage *request,
                            ProtobufCMessage *reply) MUST_CHECK;
enum status runner_own_describe(struct call *call, const ProtobufCMessage *request,
                                ProtobufCMessage *reply) MUST_CHECK;

/* ---- registry.c ------------------------------------------------------------------- */

enum status registry_open(struct runner *runner, struct error *err) MUST_CHECK;
void registry_close(struct runner *runner);
struct config *config_ref(struct config *config);
void config_unref(struct config *config);
/* A reference to what is told of the server, at once or within the time; NOT_FOUND,
 * FAILED_PRECONDITION. */
enum status registry_get(struct runner *runner, const char *id, int wait_ms,
                         struct config **ret_config, struct error *err) MUST_CHECK;
/* NULL when it is not told any more. With runner->lock held. */
struct entry *registry_entry(struct runner *runner, const char *id);

/* ---- lease.c ----------------------------------------------------------------------- */

/* "server" or "server.caller", as the policy says. */
void lease_key(const struct config *config, const char *caller, char out[KEY_SIZE]);
/* Who owns the key; we do when nobody did. */
enum status lease_take(struct runner *runner, const char *key, char out[TOKEN_SIZE],
                       struct error *err) MUST_CHECK;
/* The owner does not answer: it is ours now, unless somebody was faster. */
void lease_seize(struct runner *runner, const char *key, const char *owner);
/* Renews those of all slots; drops slots whose lease somebody else has. */
void *lease_run(void *arg);

/* ---- slot.c ------------------------------------------------------------------------ */

/* Whose child, and what to declare to it. */
struct wanted {
    struct config *config;
    const char *key, *caller, *capabilities;
};
/* A reference to the slot of a key that is leased to us, made when there is none. */
enum status slot_get(struct runner *runner, const struct wanted *wanted, struct slot **ret_slot,
                     struct error *err) MUST_CHECK;
/* Until neither a slot nor a child of the key is left here. */
void slot_await_end(struct runner *runner, const char *key, int64_t deadline_ms);
/* A reference to the one that is there, or NULL. */
struct slot *slot_find(struct runner *runner, const char *key);
void slot_unref(struct slot *slot);
/* Its session, once the child has started; at most until that time. */
enum status slot_session(struct slot *slot, int64_t deadline_ms,
                         struct downstream_session **ret_session, struct error *err) MUST_CHECK;
/* Out of the table and, on a thread of its own, to its end. With runner->lock held. */
void slot_retire(struct slot *slot);
/* Looks after children: reaps, stops idle ones. */
void *slot_mind(void *arg);

/* ---- heard.c ----------------------------------------------------------------------- */

/* For struct downstream_session_options; arg is the slot. */
void heard_from(struct downstream_session *session, const struct downstream_message *msg,
                void *arg);
/* Tells that more was said, when there was. */
void heard_settle(struct slot *slot);
/* Tells that the child was started, and was asked for nothing yet. */
void heard_start(struct slot *slot);

/* ---- wish.c ------------------------------------------------------------------------ */

/* Listens to what gateways wish to hear of the child. */
enum status wish_listen(struct slot *slot, struct downstream_session *session,
                        struct error *err) MUST_CHECK;
void wish_done(struct slot *slot);

/* ---- program.c ----------------------------------------------------------------------- */

void program_init(struct slot *slot);
void program_done(struct slot *slot);
/* For struct downstream_program; arg is the slot. */
enum status program_start(void *arg, int *ret_to_child, int *ret_from_child, struct error *err);
void program_stop(void *arg);
/* Notes the end of a child that ended by itself. */
void program_look(struct slot *slot);
/* How long until it may be started; -1: not at all as it is registered. */
int64_t program_wait_ms(struct slot *slot);

/* ---- ears.c: what children print to stderr --------------------------------------------- */

struct ears *ears_new(void);
void ears_free(struct ears *ears);
/* Takes over the descriptor. */
void ears_add(struct ears *ears, int fd, struct slot *slot);
/* Reads what is still there, closes; nothing of the slot is used afterwards. */
void ears_remove(struct ears *ears, struct slot *slot);

/* ---- exchange.c -------------------------------------------------------------------------- */

enum status exchanges_open(struct runner *runner, struct error *err) MUST_CHECK;
/* Whether that runner is there. */
bool exchanges_ping(struct runner *runner, const char *id);
/* Those that run have ended when this returns, or the time is over. */
void exchanges_close(struct runner *runner, int timeout_ms);

/* ---- tally.c ----------------------------------------------------------------------------- */

/* A call was answered (err NULL) or failed so. */
void tally_count(struct runner *runner, const char *server, const struct error *err);
void tally_send(struct runner *runner);
