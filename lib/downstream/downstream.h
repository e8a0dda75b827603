/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of MCP: calling other people's servers, over Streamable HTTP
 * and stdio, in every revision. Used by the gateway (HTTP, straight from its
 * workers) and by mcp-runner (stdio).
 *
 *   downstream            one configured server: address, limits, pooled connections, verdict
 *                         about its era. Thread safe, lives as long as the process knows it.
 *   downstream_session    one conversation: declared capabilities, agreed revision, and for
 *                         legacy servers what initialize made. Thread safe. Whoever owns the
 *                         callers decides who shares one (principal and capabilities).
 *   downstream_exchange   one request and everything the server says until it is answered, in
 *                         the order it said it. Pulled by one thread at a time; which thread
 *                         may change (a call that is parked until its caller comes back).
 *
 * Everything blocks its caller within a deadline and nothing else. A server that
 * is slow, dead, floods or sends rubbish fails its own exchanges: each failure
 * names the server and has a reason of enum downstream_fault. Nothing here
 * translates between eras (mcp/bridge.h) or knows callers' credentials. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "mcp/version.h"
#include "wire/json.h"

#include <stdint.h>

/* ---- failures ------------------------------------------------------------ */

/* X(name, status, the server is to blame, text): the reason of a failure, in
 * error.reason as text. "To blame" is what health may conclude from one call. */
#define DOWNSTREAM_FAULTS(X)                                                                       \
    X(NONE, ST_OK, false, "")                                                                      \
    X(CONNECT, ST_UNAVAILABLE, true, "MCP_UNREACHABLE") /* no connection, no process */            \
    X(LOST, ST_UNAVAILABLE, true, "MCP_LOST")           /* ended before the answer */              \
    X(PROTOCOL, ST_UNAVAILABLE, true, "MCP_PROTOCOL")   /* rubbish, wrong type, redirect */        \
    X(REFUSED, ST_UNAVAILABLE, true, "MCP_REFUSED")     /* another HTTP 4xx or 5xx */              \
    X(AUTH, ST_UNAVAILABLE, true, "MCP_AUTH")           /* HTTP 401 or 403 */                      \
    X(REVISION, ST_UNAVAILABLE, true, "MCP_REVISION")   /* no revision in common */                \
    X(TOO_LARGE, ST_RESOURCE_EXHAUSTED, false, "MCP_TOO_LARGE") /* beyond a limit of ours */       \
    X(THROTTLED, ST_RESOURCE_EXHAUSTED, false, "MCP_THROTTLED") /* HTTP 429 */                     \
    X(BUSY, ST_RESOURCE_EXHAUSTED, false, "MCP_BUSY")           /* max_calls are running */        \
    X(TIMEOUT, ST_DEADLINE_EXCEEDED, false, "MCP_TIMEOUT")                                         \
    X(CANCELLED, ST_CANCELLED, false, "MCP_CANCELLED")                                             \
    X(CLOSED, ST_UNAVAILABLE, false, "MCP_CLOSED") /* by us, or never configured */

enum downstream_fault {
#define X(name, status, blame, text) DOWNSTREAM_FAULT_##name,
    DOWNSTREAM_FAULTS(X)
#undef X
};
/* "MCP_TIMEOUT". */
const char *downstream_fault_text(enum downstream_fault fault);
/* Whether one such failure speaks against the server (passive health). */
bool downstream_fault_blames(enum downstream_fault fault);
/* Whether it may lie in the call as well as in the server: one that takes long, or one
 * that took the server or a connection down which others could use. A probe decides. */
bool downstream_fault_doubtful(enum downstream_fault fault);
/* Of an error that a function of this header set. */
enum downstream_fault downstream_fault_of(const struct error *err);

/* ---- a server ------------------------------------------------------------ */

/* 0 takes the default that is named. */
struct downstream_limits {
    int connect_ms;         /* 5,000: address, connection, TLS; start of a child */
    int probe_ms;           /* 10,000 (HTTP), 5,000 (stdio): server/discover, initialize */
    int call_ms;            /* 60,000: a request that names no deadline */
    int idle_ms;            /* 4,000: how long a connection may wait unused (uvicorn and Node
                             * close after 5 s); less when the server says so */
    int max_calls;          /* 64: exchanges at once; more fail with BUSY at once */
    uint32_t message_bytes; /* 10 MiB: one message, in a body, an event or a line */
    uint32_t reply_bytes;   /* 32 MiB: everything that one exchange brings */
    uint32_t depth;         /* 64: JSON nesting */
    uint32_t values;        /* 500,000: JSON values in one message */
    uint32_t pages;         /* 64: pages of one list */
    uint32_t queued;        /* 1,000: messages of one stdio exchange that nobody has pulled */
};

struct downstream_header {
    const char *name, *value; /* value is ready: references are resolved; never logged */
};

/* How a child of stdio comes to be; the child itself is somebody else's
 * (child/child.h). Both are called with no lock of the caller's needs, from the
 * thread that opens a session. */
struct downstream_program {
    /* Starts the program. Takes over both ends: to_child (its stdin),
     * from_child (its stdout), non-blocking or not, closed by this library. */
    enum status (*start)(void *arg, int *ret_to_child, int *ret_from_child, struct error *err);
    /* The pipes are closed; the program is to end. */
    void (*stop)(void *arg);
    void *arg;
};

struct downstream_options {
    const char *id;                          /* what errors and logs call the server */
    const char *url;                         /* http:// or https://; NULL for stdio */
    const struct downstream_header *headers; /* of every HTTP request */
    size_t n_headers;
    const struct downstream_program *program; /* stdio; copied */
    const char *client_info;                  /* Implementation as JSON; NULL = the hub's own */
    uint64_t first_id;  /* of requests; processes that share a session need ranges of their own */
    const char *newest; /* hold to this revision and older; NULL = newest */
    struct downstream_limits limits;
    /* After every exchange: how it went and how long until its answer. Any
     * thread, briefly. May be NULL. */
    void (*observe)(enum downstream_fault fault, int64_t duration_us, void *arg);
    void *observe_arg;
};

struct downstream;
/* Copies everything; connects to nothing. INVALID_ARGUMENT for a URL or header
 * that cannot be used (user name in the URL, fragment, control characters, a
 * header that belongs to the protocol). */
enum status downstream_new(const struct downstream_options *options, struct downstream **ret_server,
                           struct error *err) MUST_CHECK;
/* All of its sessions are closed before. Accepts NULL. */
void downstream_free(struct downstream *server);
/* Ends what runs with CLOSED and refuses what comes; for a server that was
 * taken away while exchanges hold it. */
void downstream_stop(struct downstream *server);
/* Forgets the verdict about its era, e.g. after it was redeployed. */
void downstream_forget(struct downstream *server);

/* ---- messages ------------------------------------------------------------ */

enum downstream_kind {
    DOWNSTREAM_NOTHING,      /* the time to wait is over; ask again */
    DOWNSTREAM_NOTIFICATION, /* method, params */
    DOWNSTREAM_REQUEST,      /* legacy: method, params, id: answer it (downstream_answer) */
    DOWNSTREAM_RESULT,       /* last: result */
    DOWNSTREAM_ERROR,        /* last: code, error */
    DOWNSTREAM_STALE,        /* sessions only: changes may have been missed, list again */
};

/* Borrowed until the next one is pulled, or for the time of the callback. */
struct downstream_message {
    enum downstream_kind kind;
    enum mcp_version version; /* of the server that says it */
    const char *method;       /* NULL for results and errors */
    struct json json;
    const struct json_node *id;     /* of a request */
    const struct json_node *params; /* NULL when absent */
    const struct json_node *result; /* an object */
    const struct json_node *error;  /* {code, message, data?} */
    int64_t code;                   /* of an error */
    int http_status;                /* under which the answer came; 0 over stdio */
    bool own_progress; /* notifications/progress with this exchange's token: put the caller's */
    bool unrelated;    /* a request that came on the session's stream: maybe of another exchange */
};

/* ---- sessions ------------------------------------------------------------ */

struct downstream_session;

/* A legacy HTTP session that several processes use as one. Both may block. */
struct downstream_shared {
    /* Appends what was saved last; false: nothing was. */
    bool (*load)(struct strbuf *out, void *arg);
    /* Saves in place of what was loaded or saved last; false: another process has
     * saved something since. What is saved holds the session's id: a secret. */
    bool (*save)(const char *text, size_t len, void *arg);
    void *arg;
};

struct downstream_session_options {
    /* ClientCapabilities as JSON that whoever uses the session can serve; legacy:
     * declared by initialize. NULL = none. */
    const char *capabilities;
    /* What belongs to no exchange: list_changed, updated, logs, requests, STALE.
     * One at a time, on a thread of the library, over HTTP the only one that reads
     * streams; must not block for long and must not close the session. NULL: dropped.
     * Requests on streams of sessions without capabilities, or with on_message NULL,
     * are refused by the library. */
    void (*on_message)(struct downstream_session *session, const struct downstream_message *msg,
                       void *arg);
    void *arg;
    /* HTTP: further headers of all its requests, copied; checked as the server's. */
    const struct downstream_header *headers;
    size_t n_headers;
    /* load NULL: not shared. Else the session's stream (downstream_hear) is opened by
     * whoever is chosen to have it, and closing does not end it unless asked to. */
    struct downstream_shared shared;
    int64_t deadline_ms; /* clock_mono_ms(); 0 = limits */
};

/* Finds the era (once per server) and, with a legacy server, initializes. */
enum status downstream_open(struct downstream *server,
                            const struct downstream_session_options *options,
                            struct downstream_session **ret_session, struct error *err) MUST_CHECK;
/* Ends watching, and a legacy session by DELETE (within wait_ms; 0 = do not
 * ask), frees. No exchange of it may be left. Accepts NULL. */
void downstream_close(struct downstream_session *session, int wait_ms);

/* What the server said of itself; JSON texts in the arena, NULL when not said. */
struct downstream_facts {
    enum mcp_version version;
    const char *capabilities, *server_info, *instructions;
    int64_t ttl_ms;      /* modern: how long the facts hold */
    bool has_session;    /* legacy HTTP: a session id was given */
    uint64_t generation; /* grows when the session was initialized anew */
};
void downstream_describe(struct downstream_session *session, struct arena *arena,
                         struct downstream_facts *ret_facts);
bool downstream_modern(struct downstream_session *session);

/* Goes on with a legacy HTTP session that another process saved as text (see shared). */
enum status downstream_resume(struct downstream *server,
                              const struct downstream_session_options *options, const char *saved,
                              size_t len, struct downstream_session **ret_session,
                              struct error *err) MUST_CHECK;

/* ---- requests ------------------------------------------------------------ */

struct downstream_request {
    const char *method;
    /* Params in the form of the server's era, without envelope: a node of the
     * caller's message (hot path) or text; both NULL = {}. Of params._meta the
     * keys that belong to a hop (prefix io.modelcontextprotocol, progressToken) are
     * left out, others are passed on. */
    const struct json *json;
    const struct json_node *params;
    const char *params_text;
    /* Takes the place of params.name (tools/call, prompts/get) or params.uri
     * (resources/read): what the server itself calls the thing. NULL = as is. */
    const char *target;
    const char *capabilities; /* modern: of this request's caller; NULL = the session's */
    /* Logs wanted from this level, NULL = none. Legacy: what the session has been told,
     * which is told again to one that begins anew. */
    const char *log_level;
    /* stdio: names who sends it, if any other request of theirs may be told just as well what
     * a legacy server asks in this one; NULL = nobody. */
    const char *client;
    bool progress; /* ask for progress */
    /* May be sent again when it is not known whether it was carried out (lists,
     * reads, tools declared idempotent by configuration). */
    bool repeatable;
    /* HTTP: on a fiber with a host, waiting for the answer may leave the thread; the
     * caller holds no lock then. */
    bool lets_wait;
    /* HTTP: further headers in place of the session's; NULL = those. */
    const struct downstream_header *headers;
    size_t n_headers;
    int64_t deadline_ms; /* clock_mono_ms(); 0 = limits.call_ms from now */
};

struct downstream_exchange;
/* Sends the request. It is repeated by itself, once, only when it cannot have
 * been carried out: the connection broke before all of it was sent, the server
 * answered that the legacy session is gone (after initializing anew), or that
 * mirrored headers do not match (after listing its tools); or when repeatable. */
enum status downstream_begin(struct downstream_session *session,
                             const struct downstream_request *request,
                             struct downstream_exchange **ret_exchange,
                             struct error *err) MUST_CHECK;
/* The next message; RESULT or ERROR is the last, as is any failure. Waits until
 * the request's deadline, but at most wait_ms (-1 = no such bound), then the
 * message is DOWNSTREAM_NOTHING. Pings are answered inside, answers to other
 * requests are dropped. */
enum status downstream_next(struct downstream_exchange *x, int wait_ms,
                            struct downstream_message *ret_msg, struct error *err) MUST_CHECK;
/* Answers a legacy server's request with result or error (ready JSON, the other
 * NULL). id is its id as written (json_raw). Any thread. */
enum status downstream_answer(struct downstream_session *session, const char *id, size_t id_len,
                              const char *result, const char *error, struct error *err) MUST_CHECK;
/* Gives the exchange up: whoever pulls gets CANCELLED at once, and the server is
 * told in the way of its era and transport by downstream_end. Any thread, any
 * number of times, while the exchange lives. */
void downstream_cancel(struct downstream_exchange *x);
/* A new deadline, for an exchange whose caller was asked something. */
void downstream_extend(struct downstream_exchange *x, int64_t deadline_ms);
/* Frees; one that is not finished is cancelled. Accepts NULL. */
void downstream_end(struct downstream_exchange *x);

/* A notification of the caller's side (notifications/roots/list_changed);
 * params ready JSON or NULL. */
enum status downstream_notify(struct downstream_session *session, const char *method,
                              const char *params, struct error *err) MUST_CHECK;

/* ---- on top of that ------------------------------------------------------ */

/* begin, next until the end, end. Messages before the last go to on_message. The
 * last one stays valid in the arena. ask answers what the server wants to know
 * (method elicitation/create, sampling/createMessage or roots/list) in either
 * era: writes the bare result and returns true; false refuses (legacy) or ends
 * the call (MRTR). At most 10 rounds. Both may be NULL. */
struct downstream_talk {
    void (*on_message)(const struct downstream_message *msg, void *arg);
    bool (*ask)(const char *method, const struct json *json, const struct json_node *params,
                struct strbuf *result, void *arg);
    void *arg;
};
enum status downstream_call(struct downstream_session *session,
                            const struct downstream_request *request,
                            const struct downstream_talk *talk, struct arena *arena,
                            struct downstream_message *ret_last, struct error *err) MUST_CHECK;

/* Every page of tools/list, resources/list, resources/templates/list or
 * prompts/list. A cursor that comes again, more pages or bytes than the limits
 * end the walk with PROTOCOL or TOO_LARGE. A capability that the server does not
 * have gives an empty list without asking. */
struct downstream_list {
    const char *const *items; /* each one JSON text, as the server wrote it */
    size_t n_items;
    size_t n_dropped; /* tools that HTTP clients have to leave out (x-mcp-header), logged */
    int64_t ttl_ms;   /* smallest of the pages; 0 when not said */
    bool is_public;   /* every page said cacheScope public */
};
enum status downstream_list(struct downstream_session *session, const char *method,
                            int64_t deadline_ms, struct arena *arena,
                            struct downstream_list *ret_list, struct error *err) MUST_CHECK;
/* The same as the text of one JSON array. */
enum status downstream_list_array(struct downstream_session *session, const char *method,
                                  int64_t deadline_ms, struct arena *arena, const char **ret_array,
                                  struct error *err) MUST_CHECK;

/* ping (legacy) or server/discover (modern). */
enum status downstream_check(struct downstream_session *session, int64_t deadline_ms,
                             int64_t *ret_us, struct error *err) MUST_CHECK;

/* A plain GET of the server's URL, for health pages: its HTTP status. */
enum status downstream_get(struct downstream *server, int64_t deadline_ms, int *ret_http_status,
                           struct error *err) MUST_CHECK;

/* What the session wants to hear of by on_message. Legacy: resources/subscribe
 * and a GET stream; modern: subscriptions/listen; both are kept up, with jitter,
 * and STALE is told after a gap. stdio: always heard, STALE when the program was started
 * anew. Replaces the wish before. */
struct downstream_wish {
    bool tools, prompts, resources;
    const char *const *uris;
    size_t n_uris;
};
enum status downstream_watch(struct downstream_session *session, const struct downstream_wish *wish,
                             struct error *err) MUST_CHECK;

/* Opens the stream of a legacy HTTP session, on which the server says what belongs
 * to no call, and waits until it is there, or cannot be; keeps it up. */
enum status downstream_hear(struct downstream_session *session, int64_t deadline_ms,
                            struct error *err) MUST_CHECK;
/* Whether an exchange runs here that a question on the session's stream is for. */
bool downstream_can_take(struct downstream_session *session);
/* The client is asked something that any exchange of the session may wait for: each has
 * the time that it was given at first from then on, and so many ms. */
void downstream_hold(struct downstream_session *session, int ms);
/* The exchange's client cannot be asked on it any more. */
void downstream_shun(struct downstream_exchange *x);
/* A message that came on the session's stream in another process: true when an
 * exchange here takes it, as when it had come here. That a question is withdrawn all of
 * them are told. */
bool downstream_inject(struct downstream_session *session, const char *text, size_t len);

/* Waits until the stream of the wish told last is open, or could not be opened. */
void downstream_watched(struct downstream_session *session, int64_t until_ms);
