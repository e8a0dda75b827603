/* SPDX-License-Identifier: Apache-2.0 */
/* One request: checked, given to the handler, and the connection left in a
 * state in which the next request starts where it should. */
#include "http/internal.h"

#include "base/log.h"

#include <poll.h>
#include <string.h>
#include <strings.h>

const char *http_header(const struct http_request *req, const char *name)
{
    const struct exchange *x = req->impl;

    return head_get(x->info, name);
}

int http_header_count(const struct http_request *req, const char *name)
{
    const struct exchange *x = req->impl;

    return head_count(x->info, name);
}

bool http_client_gone(struct http_request *req)
{
    struct exchange *x = req->impl;
    struct pollfd pfd = {.fd = handoff_fd(x), .events = POLLRDHUP};

    if (x->gone || pfd.fd < 0)
        return true;
    return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Fills req; false after answering a request that is none. */
static bool request_read(struct exchange *x, struct http_request *req)
{
    const struct mg_request_info *info = x->info;
    struct refusal refusal = head_check(info, x->worker->buf_end, &x->head_len);
    const char *raw = info->local_uri_raw;
    size_t len = raw ? strlen(raw) : 0;
    char *path;

    x->chunked = head_get(info, "Transfer-Encoding") != NULL;
    if (!x->chunked && info->content_length <= 0)
        x->body = BODY_READ; /* there is none */
    if (refusal.status) {
        x->body = BODY_BROKEN; /* whatever follows, it is no request */
        reply_refusal(req, refusal.status, refusal.message);
        return false;
    }
    if (len > PATH_MAX_BYTES) {
        reply_refusal(req, 414, "the path is too long");
        return false;
    }
    path = arena_alloc(req->arena, len + 1);
    if (!raw || !path_decode(raw, len, path)) {
        reply_refusal(req, 400, "the path is malformed");
        return false;
    }
    x->expects = head_get(info, "Expect") && x->body == BODY_UNREAD;
    x->close = !head_keeps_alive(info);
    req->path = path;
    req->query = info->query_string ? info->query_string : "";
    req->peer = trusted_client(x->server->trusted, info->remote_addr, info, req->arena);
    return true;
}

/* Keeps count of what of the connection's bytes is left in civetweb's buffer:
 * when nothing is, the connection can wait elsewhere. */
static void account(struct exchange *x)
{
    struct worker *w = x->worker;

    if (!x->head_len || x->chunked || x->close || w->consumed < 0)
        w->consumed = -1;
    else
        w->consumed +=
            (int64_t)x->head_len + (x->info->content_length > 0 ? x->info->content_length : 0);
}

static void request_run(struct exchange *x)
{
    struct http_request req = {
        .method = x->info->request_method,
        .path = "",
        .query = "",
        .peer = x->info->remote_addr,
        .arena = &x->worker->arena,
        .out = &x->worker->answer,
        .impl = x,
    };

    strbuf_clear(req.out);
    if (request_read(x, &req))
        x->server->options.handler(&req, x->server->options.arg);
    if (!x->replied)
        http_reply(&req, &(struct http_response){.status = 500, .close = true});
    if (x->body != BODY_READ)
        x->close = true;
    account(x);
    if (x->close || x->gone)
        mg_disable_connection_keep_alive(x->conn);
    if (x->body != BODY_READ && !x->gone && !x->handed_off)
        body_linger(x);
}

int request_begin(struct mg_connection *conn)
{
    struct worker *w = mg_get_thread_pointer(conn);
    struct exchange x = {
        .conn = conn,
        .info = mg_get_request_info(conn),
        .worker = w,
        .server = w->server,
    };

    (void)atomic_fetch_add(&x.server->in_flight, 1);
    atomic_store(&w->busy, true);
    request_run(&x);
    arena_reset(&w->arena);
    if (w->out.size > OUT_KEEP)
        strbuf_done(&w->out);
    if (w->answer.size > OUT_KEEP)
        strbuf_done(&w->answer);
    atomic_store(&w->busy, false);
    (void)atomic_fetch_sub(&x.server->in_flight, 1);
    return 200; /* for civetweb: done, whatever the answer was */
}

int request_refused(struct mg_connection *conn, int status, const char *message)
{
    struct worker *w = mg_get_thread_pointer(conn);
    struct exchange x = {
        .conn = conn,
        .info = mg_get_request_info(conn),
        .worker = w,
        .server = w->server,
        .body = BODY_BROKEN,
    };
    struct http_request req = {.method = "GET", .arena = &w->arena, .out = &w->answer, .impl = &x};

    /* "Malformed message" is also what civetweb 1.15 says of a head that is too
     * large or was not sent in time. */
    if (strcmp(message, "Malformed message") == 0)
        reply_refusal(&req, w->head_full ? 431 : 400,
                      w->head_full ? "the request's head is too large"
                                   : "the request's head is malformed or was not sent in time");
    else if (status == 505)
        reply_refusal(&req, status, "use HTTP/1.1");
    else
        reply_refusal(&req, status == 411 ? 400 : status, "the request is malformed");
    mg_disable_connection_keep_alive(conn);
    if (!x.gone)
        body_linger(&x);
    arena_reset(&w->arena);
    return 0;
}
