/* SPDX-License-Identifier: Apache-2.0 */
/* One request: checked, given to the handler, and the connection left in a
 * state in which the next request starts where it should. */
#include "http/internal.h"

#include "base/fiber.h"
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
    struct pollfd pfd = {.fd = x->guest->fd, .events = POLLRDHUP};

    if (x->gone)
        return true;
    return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* A copy of the head: civetweb reads the next one while this request waits. */
static void keep_head(struct exchange *x, struct arena *arena)
{
    const struct mg_request_info *theirs = x->info;
    struct mg_request_info *own = arena_alloc(arena, sizeof *own);
    const char *from = theirs->request_method;
    char *to = arena_memdup(arena, from, x->head_len);

    memcpy(own, theirs, sizeof *own);
    for (int i = 0; i < own->num_headers; i++) {
        own->http_headers[i].name = to + (theirs->http_headers[i].name - from);
        own->http_headers[i].value = to + (theirs->http_headers[i].value - from);
    }
    own->request_method = to;
    if (own->query_string)
        own->query_string = to + (theirs->query_string - from);
    x->info = own;
}

/* Fills req; false after answering a request that is none. */
static bool request_read(struct exchange *x, struct http_request *req)
{
    struct refusal refusal = head_check(x->info, x->worker->buf_end, &x->head_len);
    const char *raw = x->info->local_uri_raw;
    size_t len = raw ? strlen(raw) : 0;
    const struct mg_request_info *info;
    char *path;

    if (x->head_len > 0)
        keep_head(x, req->arena);
    info = x->info;
    req->method = info->request_method;

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
    req->peer = trusted_client(x->server->trusted, arena_strdup(req->arena, x->guest->peer), info,
                               req->arena);
    return true;
}

/* Keeps count of what of the connection's bytes is left in civetweb's buffer, by what
 * civetweb itself took for head and body: only when nothing is, the worker may read
 * another connection's request. */
static void account(struct exchange *x)
{
    struct worker *w = x->worker;

    if (!x->head_len || x->chunked || x->close || w->consumed < 0)
        w->consumed = -1;
    else
        w->consumed +=
            (int64_t)x->head_len + (x->info->content_length > 0 ? x->info->content_length : 0);
}

/* On the job's fiber. */
static void request_run(void *arg)
{
    struct http_job *job = arg;
    struct exchange x = {
        .conn = job->conn,
        .info = mg_get_request_info(job->conn),
        .worker = job->worker,
        .job = job,
        .guest = job->guest,
        .server = job->worker->server,
    };
    struct http_request req = {
        .method = x.info->request_method,
        .path = "",
        .query = "",
        .peer = x.guest->peer,
        .arena = &job->arena,
        .out = &job->answer,
        .impl = &x,
    };

    strbuf_clear(req.out);
    job->taken = false;
    if (request_read(&x, &req)) {
        account(&x);
        body_permit(&x);
        x.server->options.handler(&req, x.server->options.arg);
    }
    if (!x.replied)
        http_reply(&req, &(struct http_response){.status = 500, .close = true});
    if (x.body != BODY_READ)
        x.close = true;
    job->close = x.close || x.gone;
    job->taken = x.handed_off;
    job->body_read = x.body == BODY_READ;
    if (x.body != BODY_READ && !x.gone && !x.handed_off)
        body_linger(&x);
    arena_reset(&job->arena);
    if (job->out.size > OUT_KEEP)
        strbuf_done(&job->out);
    if (job->answer.size > OUT_KEEP)
        strbuf_done(&job->answer);
    (void)atomic_fetch_sub(&x.server->in_flight, 1);
}

/* The request has ended on another worker's time. */
static void request_end(struct http_job *job)
{
    struct http_loop *loop = job->loop;

    if (!job->taken)
        http_loop_give_guest(loop, job->guest, job->close);
    http_loop_give_job(loop, job);
}

void request_go_on(struct http_job *job)
{
    if (http_job_go_on(job))
        request_end(job);
}

/* The request has ended on this worker. */
static void request_end_here(struct worker *w, struct mg_connection *conn)
{
    struct http_job *job = w->job;
    bool clean = w->received == w->consumed;

    if (!clean && !job->close && !w->whole)
        return; /* civetweb may have bytes of the connection's next request */
    if (!clean || (job->close && !job->body_read)) {
        w->closing = true; /* the ticket: what civetweb has is nobody's */
        mg_disable_connection_keep_alive(conn);
    }
    if (!job->taken)
        http_loop_give_guest(job->loop, w->guest, job->close);
    w->guest = NULL;
}

int request_begin(struct mg_connection *conn)
{
    struct worker *w = mg_get_thread_pointer(conn);
    struct http_job *job = w->job;
    bool ended;

    (void)atomic_fetch_add(&w->server->in_flight, 1);
    job->guest = w->guest;
    job->worker = w;
    job->conn = conn;
    w->busy = true;
    ended = http_job_start(job, request_run);
    w->busy = false;
    if (ended) {
        request_end_here(w, conn);
    } else {
        w->guest = NULL;
        w->job = NULL;
    }
    return 200; /* for civetweb: done, whatever the answer was */
}

static void refuse(struct worker *w, struct mg_connection *conn, int status, const char *message)
{
    struct exchange x = {
        .conn = conn,
        .info = mg_get_request_info(conn),
        .worker = w,
        .job = w->job,
        .guest = w->guest,
        .server = w->server,
        .body = BODY_BROKEN,
    };
    struct http_request req = {
        .method = "GET", .arena = &w->job->arena, .out = &w->job->answer, .impl = &x};

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
    arena_reset(&w->job->arena);
}

int request_refused(struct mg_connection *conn, int status, const char *message)
{
    struct worker *w = mg_get_thread_pointer(conn);

    if (w->guest && w->job) /* else the loop has ended */
        refuse(w, conn, status, message);
    return 0;
}
