/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams: within a call on the worker, or handed over to the epoll
 * thread. */
#include "http/internal.h"

#include <string.h>
#include <unistd.h>

static const char ping[] = ": ping\n\n";

/* The body ends with the connection: no length, no chunks. */
static void sse_head(struct exchange *x, const char *headers)
{
    x->close = true;
    body_settle(x);
    reply_head(x, 200, headers, "no-cache, no-transform");
    strbuf_str(&x->job->out, "Content-Type: text/event-stream\r\n"
                             "X-Accel-Buffering: no\r\n\r\n");
}

static enum status sse_flush(struct http_request *req)
{
    struct exchange *x = req->impl;
    struct iovec iov = {.iov_base = x->job->out.data, .iov_len = x->job->out.len};

    return reply_send(x, &iov, 1) ? ST_OK : ST_CANCELLED;
}

enum status http_sse_begin(struct http_request *req, const char *headers)
{
    struct exchange *x = req->impl;

    if (x->replied)
        return ST_INTERNAL;
    x->replied = x->sse = true;
    sse_head(x, headers);
    return sse_flush(req);
}

enum status http_sse_event(struct http_request *req, const char *id, const char *data, size_t len)
{
    struct exchange *x = req->impl;
    struct strbuf *out = &x->job->out;

    if (!x->sse || http_client_gone(req))
        return ST_CANCELLED;
    strbuf_clear(out);
    if (id) {
        strbuf_str(out, "id: ");
        strbuf_str(out, id);
        strbuf_char(out, '\n');
    }
    /* A line break inside would end the field: each line is one of its own. */
    for (;;) {
        const char *end = memchr(data, '\n', len);
        size_t line = end ? (size_t)(end - data) : len;

        strbuf_str(out, "data: ");
        strbuf_add(out, data, line);
        strbuf_char(out, '\n');
        if (!end)
            break;
        data += line + 1;
        len -= line + 1;
    }
    strbuf_char(out, '\n');
    return sse_flush(req);
}

enum status http_sse_comment(struct http_request *req)
{
    struct exchange *x = req->impl;

    if (!x->sse || http_client_gone(req))
        return ST_CANCELLED;
    strbuf_clear(&x->job->out);
    strbuf_add(&x->job->out, ping, sizeof ping - 1);
    return sse_flush(req);
}

void http_sse_end(struct http_request *req)
{
    struct exchange *x = req->impl;

    x->sse = false; /* civetweb closes when the handler returns */
}

enum status http_stream_open(struct http_request *req, const char *headers, const char *first,
                             void (*on_close)(struct http_stream *stream, void *arg), void *arg,
                             struct http_stream **ret_stream)
{
    struct exchange *x = req->impl;
    struct stream_loop *loop = x->server->streams;
    struct stream_new made = {.on_close = on_close, .arg = arg};
    struct strbuf *out = &x->job->out;

    if (!loop || x->replied)
        return ST_FAILED_PRECONDITION;
    if (atomic_load(&x->server->stopping) || stream_loop_full(loop))
        return ST_RESOURCE_EXHAUSTED;
    TRY(handoff_take(x, &made.fd));
    x->replied = x->handed_off = true;
    sse_head(x, headers);
    made.head = out->data;
    made.head_len = out->len;
    made.first = first;
    made.first_len = first ? strlen(first) : 0;
    return stream_loop_add(loop, &made, ret_stream);
}
