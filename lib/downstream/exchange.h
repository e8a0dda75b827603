/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange from the inside: exchange.c has what both transports share,
 * exchange_http.c and pipe.c move the bytes. */
#pragma once

#include "downstream/internal.h"

enum exchange_state {
    EXCHANGE_HEAD,   /* sent; the response's head is awaited */
    EXCHANGE_JSON,   /* its body is one message */
    EXCHANGE_EVENTS, /* its body is an event stream */
    EXCHANGE_RESUME, /* the stream ended early and can be taken up again */
    EXCHANGE_QUEUE,  /* stdio */
    EXCHANGE_OVER,   /* the last message was given, or a failure */
};

/* A message that a pipe's thread sorted to its exchange; owned by the queue. */
struct queued {
    struct queued *next;
    struct arena arena;
    struct downstream_message msg;
    size_t bytes;
};

struct downstream_exchange {
    struct downstream *server;
    struct downstream_session *session;
    struct downstream_exchange *next, *previous; /* server->running */
    struct waiter waiter;
    _Atomic int64_t deadline_ms;
    int64_t time_ms;    /* that it was given */
    bool shunned;       /* no questions of the session's stream; under server->lock */
    atomic_bool closed; /* by downstream_stop */
    int64_t started_us;
    enum downstream_fault fault;
    bool sent, answered;

    /* The request. */
    char *method, *client;  /* client: NULL none */
    struct strbuf tail;     /* what follows the id in the JSON text */
    struct strbuf mirrored; /* Mcp-Method, Mcp-Name, Mcp-Param-* */
    struct strbuf headers;  /* further lines */
    uint64_t id, token;
    bool modern, handshake, repeatable, lets_wait;
    bool repeated, renewed, adopted, relearned; /* what was tried again */
    struct session_view view;                   /* of the session when it was sent */

    /* The response. */
    enum exchange_state state;
    struct conn *conn; /* NULL when none is held */
    struct strbuf body;
    bool body_read;
    struct sse sse;
    bool has_sse;
    const char *piece; /* of the body, received and not read */
    size_t piece_len, reply_bytes;
    int64_t resume_ms;
    unsigned resumes;
    int http_status;
    struct arena arena; /* of the message given last */
    struct json json;   /* read last; of a 2025-03-26 server maybe several messages */
    const struct json_node *batch_next, *batch_end;

    /* What others sorted to it (queue.h); under the waiter's lock. */
    struct queued *first, **last;
    size_t n_queued, bytes_queued;
    enum downstream_fault queue_fault;
    const char *queue_why; /* static */
    struct queued *given;  /* holds the message given last; the puller's */
    /* Of the pipe, under its lock. */
    struct pipe *pipe;
    struct downstream_exchange *pipe_next, *pipe_previous;
    bool settled; /* its answer has come */
};

/* downstream_begin; handshake: not counted, the session is not there yet. */
enum status exchange_begin(struct downstream_session *session,
                           const struct downstream_request *request, bool handshake, bool modern,
                           struct downstream_exchange **ret_exchange, struct error *err) MUST_CHECK;
/* Ends the exchange with that failure. */
enum status exchange_fail(struct downstream_exchange *x, enum downstream_fault fault,
                          struct error *err, const char *fmt, ...) PRINTF(4, 5);
/* The same after err was set by something else. */
enum status exchange_failed(struct downstream_exchange *x, const struct error *err,
                            enum status status);
/* The server works on it and has to be told that nobody waits any more. */
bool exchange_given_up(const struct downstream_exchange *x);
/* A fresh id, for sending again. */
void exchange_number(struct downstream_exchange *x);
void exchange_put_json(struct strbuf *out, const struct downstream_exchange *x);
/* How many bytes that adds. */
size_t exchange_json_len(const struct downstream_exchange *x);

/* ---- render.c ---------------------------------------------------------------- */

/* Method and params of the request as x->tail, and its mirrored headers. */
enum status render_request(struct downstream_exchange *x, const struct downstream_request *request,
                           struct error *err) MUST_CHECK;
/* Mirrored headers again, from the tail. */
void render_headers(struct downstream_exchange *x);

/* ---- inbound.c ------------------------------------------------------------------ */

enum inbound {
    INBOUND_PASS, /* *ret_msg is for whoever pulls */
    INBOUND_SKIP, /* nobody's */
    INBOUND_PING, /* to be answered with {} */
    INBOUND_BAD,  /* no message */
};
/* Sorts one JSON value that came. own: id of the request; token: that of its
 * progress. */
enum inbound inbound_read(struct arena *arena, const struct json *json,
                          const struct json_node *node, uint64_t own, uint64_t token,
                          struct downstream_message *ret_msg);
/* An id or token of ours that came back; false when it is none. */
bool inbound_number(const struct json *json, const struct json_node *node, uint64_t *ret_number);
/* Whether a legacy server takes back a question. */
bool inbound_withdraws(const struct downstream_message *msg);
/* The limits for parsing what a server says. */
struct json_limits inbound_limits(const struct downstream *server);

/* ---- http_send.c ---------------------------------------------------------------- */

/* POSTs the request as it is now; a connection that was kept may turn out to be
 * closed, then on a new one. */
enum status http_send(struct downstream_exchange *x, bool fresh, struct error *err) MUST_CHECK;
/* GETs the rest of a stream that broke off. */
enum status http_send_resume(struct downstream_exchange *x, struct error *err) MUST_CHECK;
/* The connection is not used any more, by this exchange or (keep false) at all. */
void http_let_go(struct downstream_exchange *x, bool keep);

/* ---- exchange_http.c ---------------------------------------------------------------- */

enum status http_begin(struct downstream_exchange *x, struct error *err) MUST_CHECK;
/* As downstream_next, until that time. */
enum status http_next(struct downstream_exchange *x, int64_t until_ms,
                      struct downstream_message *ret_msg, struct error *err) MUST_CHECK;
/* Gives the connection back or closes it; tells a legacy server of the end when
 * the exchange was not finished. */
void http_end(struct downstream_exchange *x);
