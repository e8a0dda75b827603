/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/downstream share. */
#pragma once

#include "base/clock.h"
#include "downstream/conn.h"
#include "downstream/downstream.h"
#include "downstream/fault.h"
#include "downstream/sse.h"
#include "mcp/mirror.h"

#include <stdatomic.h>

enum { SESSION_ID_SIZE = HTTP1_VALUE_MAX };

struct pipe;
struct watch;

/* What a server said of itself; immutable, counted. JSON texts or NULL. */
struct facts {
    atomic_int refs;
    enum mcp_version version;
    int64_t ttl_ms;
    char *capabilities, *server_info, *instructions; /* owned; instructions is plain text */
};
struct facts *facts_new(void);
struct facts *facts_ref(struct facts *facts);
void facts_unref(struct facts *facts);

enum era { ERA_UNKNOWN, ERA_MODERN, ERA_LEGACY };

struct downstream {
    /* Never changes. */
    struct arena arena;
    const char *id;
    bool stdio;
    struct url url;
    const char *headers; /* ready lines of every request */
    const char *post;    /* the same of a message's POST, its first line included */
    const char *client_info;
    enum mcp_version newest;
    struct downstream_limits limits;
    struct downstream_program program;
    void (*observe)(enum downstream_fault fault, int64_t duration_us, void *arg);
    void *observe_arg;
    struct resolver *resolver;

    pthread_mutex_t lock; /* what follows */
    struct conn *idle;    /* last used first */
    int n_idle;
    bool stopped, has_idle;
    struct downstream_exchange *running;
    int n_running;
    enum era era;
    struct facts *facts; /* of a modern server */

    pthread_mutex_t probe_lock; /* one probe at a time */

    pthread_mutex_t tools_lock; /* what follows */
    struct arena tools_arena;
    struct tool_mirrors *tools; /* by name */
    size_t n_tools;

    bool reaped; /* with next_reaped: reap.c's, under its lock */
    struct downstream *next_reaped;

    atomic_ullong next_id;
};

/* Mirrored arguments of one tool. */
struct tool_mirrors {
    const char *name;
    struct mirrors mirrors;
};

enum { LEVEL_SIZE = 16 };

struct downstream_session {
    struct downstream *server;
    char *capabilities;
    struct strbuf headers; /* lines of all its requests */
    void (*on_message)(struct downstream_session *session, const struct downstream_message *msg,
                       void *arg);
    void *arg;
    bool modern;
    struct downstream_shared shared;

    pthread_mutex_t lock; /* what follows */
    struct facts *facts;
    char id[SESSION_ID_SIZE]; /* legacy HTTP; "" = none was given */
    uint64_t generation;
    char level[LEVEL_SIZE]; /* legacy: of its logs, as last asked for; "" = none */
    uint64_t level_told;    /* generation that was told, or needs not be */
    struct pipe *pipe;      /* stdio */
    struct watch *watch;    /* HTTP */
    uint64_t listen_id;     /* modern stdio */

    pthread_mutex_t init_lock; /* one initialize at a time */
};

/* ---- server.c --------------------------------------------------------------- */

/* A connection that can be used, from the pool unless fresh. NULL: err is set. */
struct conn *server_connect(struct downstream *server, struct waiter *waiter, int64_t deadline_ms,
                            bool fresh, struct error *err);
/* Back into the pool, or closed when it cannot be used again. */
void server_give(struct downstream *server, struct conn *conn);
/* The failure of a transfer; verb: "answer", "take the request". */
enum status server_fault_io(struct downstream *server, enum conn_io io, const char *verb,
                            struct error *err);
/* Default deadline of what has none. */
int64_t server_deadline(const struct downstream *server, int64_t deadline_ms);
int64_t server_probe_deadline(const struct downstream *server, int64_t deadline_ms);

/* ---- tools.c: mirrored arguments of the tools that were listed --------------- */

/* One item of a list. */
struct listed {
    const struct json *json;
    const struct json_node *node;
    bool drop; /* cannot be used */
};
/* Replaces what is known; marks tools that cannot be used over HTTP. */
void tools_learn(struct downstream *server, struct listed *tools, size_t n);
/* Header lines for a call. */
void tools_put_headers(struct downstream *server, struct strbuf *out, const char *tool,
                       const struct json *json, const struct json_node *arguments);

/* ---- session.c --------------------------------------------------------------- */

/* State of the session for one request. */
struct session_view {
    enum mcp_version version;
    uint64_t generation;
    char id[SESSION_ID_SIZE];
};
void session_look(struct downstream_session *session, struct session_view *ret_view);
/* A legacy session of that generation is gone: initializes anew (*ret_anew) unless
 * somebody did so already. */
enum status session_renew(struct downstream_session *session, uint64_t generation,
                          int64_t deadline_ms, bool *ret_anew, struct error *err) MUST_CHECK;
/* Without a conversation yet. */
struct downstream_session *session_new(struct downstream *server,
                                       const struct downstream_session_options *options);
void session_free(struct downstream_session *session);

/* ---- share.c ------------------------------------------------------------------- */

/* Goes on with the session that another process saved; false: there is none, or the
 * same as here. */
bool share_take(struct downstream_session *session);
/* Saves the session that was just initialized; when another process was faster, its
 * session is taken and this one ended. */
void share_give(struct downstream_session *session);
/* Whether the server still knows the session (ping); true when in doubt. */
bool session_alive(struct downstream_session *session, uint64_t generation, int64_t deadline_ms);

/* ---- post.c: messages that get no answer ---------------------------------------- */

/* POSTs a notification or a response; ST_OK for 2xx. */
enum status post_message(struct downstream_session *session, const struct strbuf *body,
                         int64_t deadline_ms, struct error *err) MUST_CHECK;
/* notifications/cancelled of one's own request, within a short time. */
void post_cancelled(struct downstream_session *session, uint64_t id);
/* DELETE of a legacy session. */
void post_delete(struct downstream_session *session, const struct session_view *view,
                 int64_t deadline_ms);
/* Header lines of a session, for requests of any method. */
void post_put_session(struct strbuf *out, const struct session_view *view);
