/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it. */
#pragma once

#include "base/busy_poll.h"
#include "base/clock.h"
#include "http/http.h"

#include <civetweb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

enum {
    HEAD_MAX = 64 * 1024,  /* bytes of request line and headers */
    PATH_MAX_BYTES = 2048, /* decoded */
    STREAM_PENDING_MAX = 256 * 1024,
    OUT_KEEP = 64 * 1024,        /* a worker's buffer is not kept beyond */
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

/* A worker's at the loop; under its lock, but for since_ms. */
struct seat {
    struct worker *next; /* of those that have one, or wait for one */
    bool seated;
    bool waits;               /* for a seat */
    pthread_cond_t cond;      /* there is one */
    _Atomic int64_t since_ms; /* when what it does began; 0 waits for events */
};

/* What can be ready for a worker. */
struct item {
    enum { ITEM_GUEST, ITEM_JOB } kind;
    struct item *next; /* in the list of those that are ready */
};

/* A connection. Not freed before the loop is: events name it. */
struct guest {
    struct item item;
    struct guest *prev, *next; /* of all; next alone of those not in use */
    int fd;
    atomic_int state;            /* of guest.c */
    bool ending;                 /* it was given up: what still comes is dropped */
    bool begun;                  /* bytes of a request have come */
    _Atomic int64_t deadline_ms; /* for the next, or the rest of one, while idle */
    char *kept;                  /* bytes that no request has yet */
    size_t kept_len;
    char peer[INET_ADDRSTRLEN];
};

/* A request on its way and where it runs. Not freed before the loop is. */
struct http_job {
    struct item item;
    struct http_loop *loop;
    struct fiber *fiber;
    struct arena arena;
    struct strbuf out;    /* response heads and events are made here */
    struct strbuf answer; /* http_request.out */
    struct guest *guest;
    struct worker *worker;               /* and civetweb's connection, until it waits for */
    struct mg_connection *conn;          /* the first time */
    bool close;                          /* the guest, after it */
    bool body_read;                      /* whole */
    bool taken;                          /* the guest is not the loop's any more */
    _Atomic int64_t until_ms;            /* it waits for events until then; 0 does not */
    struct http_job *next, *next_of_all; /* next: of those not in use */
    int64_t date_s;                      /* second that date shows */
    char date[32];
};

/* One civetweb worker thread. What civetweb takes for its connection is a ticket: a
 * descriptor for which nobody else has a use. The connections are the loop's, and
 * come to a worker for one request each. */
struct worker {
    struct http_server *server;
    int ticket;           /* -1 none */
    bool closing;         /* civetweb is about to close it */
    struct guest *guest;  /* the connection whose request civetweb reads; NULL none */
    struct http_job *job; /* for this request */
    char *in;             /* PEEK_MAX + 1 bytes; NULL before the first use */
    size_t in_at, in_len; /* of the request, which civetweb has not received */
    bool whole;           /* it is all of the request */
    bool busy;            /* in the handler's part of the request */
    const char *buf_end;  /* end of civetweb's buffer for heads */
    bool head_full;       /* the last receive of a head filled it */
    int64_t received;     /* bytes of the guest */
    int64_t consumed;     /* of these, by requests that are done; -1 not known */
    int64_t deadline_ms;  /* of the body being read; 0 none */
    bool timed_out;       /* deadline_ms passed */
    struct seat seat;     /* at the loop */
    struct busy_poll waiting;
};

enum body_state { BODY_UNREAD, BODY_READ, BODY_BROKEN };

/* One request on its way; http_request.impl. On the handler's stack. */
struct exchange {
    struct mg_connection *conn;
    const struct mg_request_info *info;
    struct worker *worker; /* until the body is read */
    struct http_job *job;
    struct guest *guest;
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
    _Atomic(struct http_loop *) loop;
    struct stream_loop *streams; /* NULL for the admin listener */
    struct trusted *trusted;
    atomic_int in_flight;
    atomic_bool stopping;
};

/* ---- request.c ----------------------------------------------------------- */
/* civetweb's begin_request: everything goes through here. */
int request_begin(struct mg_connection *conn);
/* A job that waited can go on. */
void request_go_on(struct http_job *job);
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
/* Once nothing of the request is left to be read the job may wait at the loop. */
void body_permit(struct exchange *x);
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
/* Takes the connection of the request out of the loop; the caller owns the descriptor.
 * Fails near the descriptor limit, sooner than new connections do, so that
 * streams are refused before calls are. */
enum status handoff_take(struct exchange *x, int *ret_fd) MUST_CHECK;
/* Raises the descriptor limit and keeps one in reserve. */
void handoff_prepare(void);
/* Marks this thread as the one in which civetweb accepts for the server. */
void handoff_attach_master(struct http_server *server);
/* Puts the loop before civetweb, which gets no connections but tickets. */
enum status handoff_loop(struct http_server *server, struct error *err) MUST_CHECK;
/* Whether a new connection's descriptor leaves enough for the rest of the
 * process. */
bool handoff_has_room(int fd);
/* Answers 503 and closes. */
void handoff_turn_away(int fd);
/* The same for the next connection of a listener when no descriptor is left. */
void handoff_turn_away_one(int listener);

/* ---- peek.c ---------------------------------------------------------------- */
enum { PEEK_MAX = 16 * 1024 }; /* a request larger than this is read as it comes */
/* Whether a worker would not have to wait for more of the request in bytes
 * (which end with NUL), and how long it is: SIZE_MAX when that is not known. What is
 * malformed is whole: the worker refuses it. */
bool peek_is_whole(const char *bytes, size_t len, size_t *ret_len);

/* ---- run.c ----------------------------------------------------------------- */
struct http_job *http_job_new(struct http_loop *loop);
void http_job_free(struct http_job *job);
/* Runs fn(job) on the job's fiber; false: it waits, and job_go_on will be called when it
 * can go on. */
bool http_job_start(struct http_job *job, void (*fn)(void *job));
bool http_job_go_on(struct http_job *job);

/* ---- loop.c ---------------------------------------------------------------- */
/* Accepts from civetweb's listening socket in its place. NULL on failure. */
struct http_loop *http_loop_start(int listener, int workers);
/* No further connection is accepted; those that wait are closed. Requests go on. */
void http_loop_stop(struct http_loop *loop);
/* Nothing runs any more: the workers leave. */
void http_loop_end(struct http_loop *loop);
void http_loop_free(struct http_loop *loop);
int http_loop_listener(const struct http_loop *loop);
/* Readable while http_loop_ticket has something to give, and once the loop is stopping. */
int http_loop_ticket_fd(struct http_loop *loop);
bool http_loop_stopping(struct http_loop *loop);
/* A ticket for civetweb, of which too few workers are here; -1 and EAGAIN none. */
int http_loop_ticket(struct http_loop *loop);
/* civetweb closes the worker's. */
void http_loop_ticket_gone(struct http_loop *loop, struct worker *w);
/* Does what is ready until there is a request for civetweb to read, the worker's guest
 * and job. False once the loop has ended. */
bool http_loop_turn(struct http_loop *loop, struct worker *w);
/* The thread's worker, if it has a seat, leaves it to another: it is about to wait. */
void http_loop_leave(struct http_loop *loop);
/* guest.c. A guest's request is done: waits for its next one, or closes it. */
void http_loop_give_guest(struct http_loop *loop, struct guest *guest, bool close);
/* guest.c. Takes its descriptor out of the loop. */
int http_loop_take_out(struct http_loop *loop, struct guest *guest);
void http_loop_give_job(struct http_loop *loop, struct http_job *job);
/* One that waited can be gone on with. */
void http_loop_job_ready(struct http_loop *loop, struct http_job *job);
bool http_loop_watch(struct http_loop *loop, struct http_job *job, int fd, uint32_t events);

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
