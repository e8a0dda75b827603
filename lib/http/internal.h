/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it. */
#pragma once

#include "base/clock.h"
#include "http/http.h"

#include <civetweb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

enum {
    HEAD_MAX = 64 * 1024,  /* bytes of request line and headers */
    PATH_MAX_BYTES = 2048, /* decoded */
    STREAM_PENDING_MAX = 256 * 1024,
    OUT_KEEP = 64 * 1024,        /* a worker's buffer is not kept beyond */
    STOP_WAIT_MS = 30 * 1000,    /* for running requests */
    UNREAD_BODY_MAX = 16 * 1024, /* read and dropped to keep a connection */
};

/* Set by settings.c. */
struct http_limits {
    int64_t workers;
    int64_t keepalive_ms;
    int64_t request_timeout_ms;
    int64_t body_timeout_ms;
    int64_t sse_keepalive_ms;
    int64_t max_streams;
    const char *trusted_proxies;
};
extern struct http_limits http_limits;

/* One civetweb worker thread. Heap: the thread's own stack and thread-local
 * storage share 100 KiB. */
struct worker {
    struct http_server *server;
    struct worker *prev, *next; /* under the server's lock */
    struct arena arena;
    struct strbuf out;    /* response heads and events are made here */
    struct strbuf answer; /* http_request.out */
    pthread_mutex_t lock; /* fd, against http_server_stop */
    int fd;               /* the connection civetweb last received from; -1 none */
    atomic_bool busy;     /* in the handler */
    const char *buf_end;  /* end of civetweb's buffer for heads */
    bool head_full;       /* the last receive of a head filled it */
    bool waits;           /* receives from the connection may wait a little */
    bool awaited;         /* civetweb was told of a request that is still to come */
    int64_t begun_ms;     /* when its worker got this connection */
    int64_t received;     /* bytes of this connection */
    int64_t consumed;     /* of these, by requests that are done; -1 not known */
    int64_t deadline_ms;  /* of the body being read; 0 none */
    bool timed_out;       /* deadline_ms passed */
    int64_t date_s;       /* second that date shows */
    char date[32];
};

enum body_state { BODY_UNREAD, BODY_READ, BODY_BROKEN };

/* One request on its way; http_request.impl. On the handler's stack. */
struct exchange {
    struct mg_connection *conn;
    const struct mg_request_info *info;
    struct worker *worker;
    struct http_server *server;
    enum body_state body;
    const char *body_bytes;
    size_t body_len;
    bool chunked;
    bool expects; /* 100-continue asked for and not yet sent */
    bool close;   /* after this response */
    bool replied;
    bool handed_off;
    bool sse;
    bool gone;       /* a write failed */
    size_t head_len; /* 0 not known */
};

struct http_server {
    struct mg_context *ctx;
    struct http_options options;
    int port;
    _Atomic(struct front *) front;
    struct stream_loop *streams; /* NULL for the admin listener */
    struct trusted *trusted;
    atomic_int in_flight;
    atomic_bool stopping;
    pthread_mutex_t lock; /* workers */
    struct worker *workers;
};

/* ---- request.c ----------------------------------------------------------- */
/* civetweb's begin_request: everything goes through here. */
int request_begin(struct mg_connection *conn);
/* civetweb's http_error: its own refusals, in our form. */
int request_refused(struct mg_connection *conn, int status, const char *message);

/* ---- check.c ------------------------------------------------------------- */
struct refusal {
    int status; /* 0 = acceptable */
    const char *message;
};
/* The rules of RFC 9112 that civetweb does not keep. Trims header values.
 * buf_end is the end of civetweb's buffer of HEAD_MAX bytes, NULL when not
 * known; the length is then not known either (0). */
struct refusal head_check(const struct mg_request_info *info, const char *buf_end,
                          size_t *ret_head_len);
/* Whether the client allows a further request on the connection, as civetweb
 * sees it. */
bool head_keeps_alive(const struct mg_request_info *info);
const char *head_get(const struct mg_request_info *info, const char *name);
int head_count(const struct mg_request_info *info, const char *name);

/* ---- path.c -------------------------------------------------------------- */
/* Percent-decodes raw (len bytes) into out (len + 1); false when it is no path
 * we serve: relative, badly encoded, not UTF-8, with control characters,
 * backslashes, encoded slashes, empty or dot segments. */
bool path_decode(const char *raw, size_t len, char *out);

/* ---- body.c -------------------------------------------------------------- */
/* Before an answer: reads and drops a small body nobody asked for, so that the
 * connection can be kept; otherwise marks it for closing. */
void body_settle(struct exchange *x);
/* After the answer to a body that was not read: gives the client a moment to
 * take the answer before the connection is closed under it. */
void body_linger(struct exchange *x);

/* ---- reply.c ------------------------------------------------------------- */
/* Sends all or fails at the deadline; false when the client is gone. */
bool reply_send(struct exchange *x, struct iovec *iov, int n);
/* A refusal in the shape of the REST errors; closes. */
void reply_refusal(struct http_request *req, int status, const char *message);
/* Status line, Date, Connection and the head's fixed lines into the worker's
 * buffer, which is emptied first. */
void reply_head(struct exchange *x, int status, const char *headers, const char *cache);

/* ---- handoff.c ----------------------------------------------------------- */
/* Makes this thread's receives known to the worker; NULL ends it. */
void handoff_attach(struct worker *worker);
/* Descriptor of the request's connection; -1 when it cannot be found. */
int handoff_fd(struct exchange *x);
/* Takes the connection away from civetweb; the caller owns the descriptor.
 * Fails near the descriptor limit, sooner than new connections do, so that
 * streams are refused before calls are. */
enum status handoff_take(struct exchange *x, int *ret_fd) MUST_CHECK;
/* Raises the descriptor limit and keeps one in reserve. */
void handoff_prepare(void);
/* Marks this thread as the one in which civetweb accepts for the server. */
void handoff_attach_master(struct http_server *server);
/* Puts the front before civetweb, which gets its connections from it only. */
enum status handoff_front(struct http_server *server, struct error *err) MUST_CHECK;
/* Whether a new connection's descriptor leaves enough for the rest of the
 * process. */
bool handoff_has_room(int fd);
/* Answers 503 and closes. */
void handoff_turn_away(int fd);
/* The same for the next connection of a listener when no descriptor is left. */
void handoff_turn_away_one(int listener);

/* ---- peek.c ---------------------------------------------------------------- */
enum { PEEK_MAX = 16 * 1024 }; /* a request larger than this is read by a worker */
/* Whether a worker would not have to wait for more of the request in bytes
 * (which end with NUL). What is malformed is whole: the worker refuses it. */
bool peek_is_whole(const char *bytes, size_t len);

/* ---- front.c --------------------------------------------------------------- */
struct front;
/* Accepts from civetweb's listening socket in its place. NULL on failure. */
struct front *front_start(int listener, int workers);
/* No further connection is accepted; those that wait are closed. */
void front_stop(struct front *front);
void front_free(struct front *front);
bool front_stopping(struct front *front);
/* Readable while front_accept has something to give. */
int front_ready_fd(struct front *front);
/* The next connection whose request has arrived; -1 and EAGAIN when none. */
int front_accept(struct front *front);
/* A worker has begun with a connection that front_accept gave. */
void front_begun(struct front *front);
/* A worker's connection is closed, or was taken from it. */
void front_ended(struct front *front);
/* Whether connections wait and no worker is free. */
bool front_starved(struct front *front);
/* Has fd wait for its next request; takes it on success only. */
bool front_park(struct front *front, int fd);

/* ---- stream.c ------------------------------------------------------------ */
struct stream_loop;
enum status stream_loop_start(struct stream_loop **ret_loop, int max_streams, int64_t ping_ms,
                              struct error *err) MUST_CHECK;
/* Closes every stream with its on_close, ends the thread. Accepts NULL. */
void stream_loop_stop(struct stream_loop *loop);
void stream_loop_free(struct stream_loop *loop);
bool stream_loop_full(struct stream_loop *loop);
uint64_t stream_loop_count(struct stream_loop *loop);
struct stream_new {
    int fd; /* taken, also on failure */
    const char *head;
    size_t head_len;
    const char *first;
    size_t first_len;
    void (*on_close)(struct http_stream *stream, void *arg);
    void *arg;
};
enum status stream_loop_add(struct stream_loop *loop, const struct stream_new *new_stream,
                            struct http_stream **ret_stream) MUST_CHECK;

/* ---- forwarded.c --------------------------------------------------------- */
struct trusted;
/* Parses a comma list of addresses and CIDR blocks; NULL in *ret_trusted for an
 * empty one. */
enum status trusted_parse(const char *list, struct trusted **ret_trusted,
                          struct error *err) MUST_CHECK;
void trusted_free(struct trusted *trusted);
/* The right-most address of the X-Forwarded-For headers that is no trusted
 * proxy, when peer is one; else peer. */
const char *trusted_client(const struct trusted *trusted, const char *peer,
                           const struct mg_request_info *info, struct arena *arena);
