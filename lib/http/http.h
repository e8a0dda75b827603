/* SPDX-License-Identifier: Apache-2.0 */
/* civetweb behind one handler: request reading with limits and deadlines,
 * responses in one write, event streams handed to one epoll thread. No other
 * folder includes civetweb.h. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/settings.h"
#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct http_server;

/* One request; borrowed by the handler, everything in it lives until it
 * returns. */
struct http_request {
    const char *method;
    const char *path;    /* percent-decoded, no "..", "//", NUL or backslash */
    const char *query;   /* as sent, "" when none */
    const char *peer;    /* address of the client (X-Forwarded-For behind a trusted proxy) */
    struct arena *arena; /* the worker's, reset after the request */
    struct strbuf *out;  /* the worker's, empty: room for an answer, kept for the next one */
    void *impl;
};

/* First value, NULL when absent; names ignore case. */
const char *http_header(const struct http_request *req, const char *name);
/* How often the header was sent. */
int http_header_count(const struct http_request *req, const char *name);
/* Reads the body into the arena: at most limit bytes within the body deadline.
 * RESOURCE_EXHAUSTED-like failures are already turned into 413, 408 or 400 by
 * returning that HTTP status in *ret_http_status; answer it and stop. */
enum status http_body(struct http_request *req, size_t limit, const char **ret_body,
                      size_t *ret_len, int *ret_http_status) MUST_CHECK;

struct http_response {
    int status;
    const char *content_type; /* NULL = no body */
    const void *body;
    size_t len;
    const char *headers; /* further ready header lines, each with \r\n; NULL none */
    bool close;          /* end the connection afterwards */
};
/* One buffer, one write, Content-Length; security headers are added. */
void http_reply(struct http_request *req, const struct http_response *response);

/* Whether the client has gone (EOF or reset seen without reading). */
bool http_client_gone(struct http_request *req);

/* ---- an event stream inside a running call (stays on the worker) -------- */
/* Sends the head of an SSE response; from then on only http_sse_* . headers as
 * above. */
enum status http_sse_begin(struct http_request *req, const char *headers) MUST_CHECK;
/* One event: optional id, data without raw newlines. CANCELLED when the client
 * has gone. */
enum status http_sse_event(struct http_request *req, const char *id, const char *data,
                           size_t len) MUST_CHECK;
enum status http_sse_comment(struct http_request *req) MUST_CHECK;
void http_sse_end(struct http_request *req);

/* ---- idle streams (owned by the epoll thread) ---------------------------- */
struct http_stream;
/* Hands the request's connection over: sends the SSE head and `first` (ready
 * SSE text, may be NULL), frees the worker. on_close runs once on the epoll
 * thread when the client left, the stream was ended or the server stops; after
 * it the handle is dead. Fails with RESOURCE_EXHAUSTED near the descriptor or
 * stream limit; then nothing was sent and the handler answers 503. */
enum status http_stream_open(struct http_request *req, const char *headers, const char *first,
                             void (*on_close)(struct http_stream *stream, void *arg), void *arg,
                             struct http_stream **ret_stream) MUST_CHECK;
/* Queues ready SSE text; any thread. A client that does not read is cut off
 * when its buffer passes 256 KiB. */
void http_stream_send(struct http_stream *stream, const char *text, size_t len);
/* Sends the text (may be NULL), then closes. */
void http_stream_end(struct http_stream *stream, const char *text, size_t len);

/* ---- server -------------------------------------------------------------- */
struct http_options {
    const char *bind; /* host:port; port 0 = any */
    int workers;
    int max_streams;
    void (*handler)(struct http_request *req, void *arg);
    void *arg;
    bool admin; /* small and plain: no streams */
};
enum status http_server_start(struct http_server **ret_server, const struct http_options *options,
                              struct error *err) MUST_CHECK;
int http_server_port(const struct http_server *server);
/* Threads of a listener that is not the admin one. */
int64_t http_workers(void);
void http_server_stats(const struct http_server *server, uint64_t *ret_streams,
                       uint64_t *ret_in_flight);
/* Stops accepting, ends streams with their on_close, waits for running
 * requests. */
void http_server_stop(struct http_server *server);

extern const struct setting http_settings[];
