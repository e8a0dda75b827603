/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies: in pieces, within a limit and a deadline of their own. */
#include "http/internal.h"

#include "base/fiber.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    PIECE = 16 * 1024,
    DIRECT_MAX = 64 * 1024, /* larger bodies grow as they come, not as announced */
    SETTLE_MS = 1000,
    LINGER_MS = 500,
    LINGER_BYTES = 4 * 1024 * 1024,
};

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* mg_read() that gives up at the deadline: civetweb waits for each piece at
 * most its request_timeout_ms, and our recv() fails once the deadline passed. */
static int read_piece(struct exchange *x, char *out, size_t len, int64_t deadline_ms)
{
    int n;

    x->worker->timed_out = false;
    x->worker->deadline_ms = deadline_ms;
    n = mg_read(x->conn, out, len);
    x->worker->deadline_ms = 0;
    return n;
}

void body_permit(struct exchange *x)
{
    if (x->body == BODY_READ && x->worker->received == x->worker->consumed)
        fiber_permit();
}

static enum status fail(struct exchange *x, int http_status, int *ret_http_status)
{
    x->body = BODY_BROKEN;
    x->close = true;
    *ret_http_status = http_status;
    return http_status == 413   ? ST_RESOURCE_EXHAUSTED
           : http_status == 408 ? ST_DEADLINE_EXCEEDED
                                : ST_INVALID_ARGUMENT;
}

/* A piece did not come whole: too slow, gone, or not chunked as announced. */
static enum status fail_read(struct exchange *x, int n, int *ret_http_status)
{
    struct pollfd pfd = {.fd = x->guest->fd, .events = POLLIN | POLLRDHUP};
    bool pending = poll(&pfd, 1, 0) > 0;

    if (x->worker->timed_out)
        return fail(x, 408, ret_http_status);
    /* A length that was not reached with nothing to read is a pause too long;
     * a chunk that fails is most often malformed. */
    return fail(x, !pending && (n >= 0 || !x->chunked) ? 408 : 400, ret_http_status);
}

static enum status read_direct(struct exchange *x, struct http_request *req, int64_t deadline_ms,
                               int *ret_http_status)
{
    size_t total = (size_t)x->info->content_length, len = 0;
    char *body = arena_alloc(req->arena, total + 1);

    while (len < total) {
        size_t want = total - len < PIECE ? total - len : PIECE;
        int n = read_piece(x, body + len, want, deadline_ms);

        if (n != (int)want)
            return fail_read(x, n, ret_http_status);
        len += want;
    }
    x->body_bytes = body;
    x->body_len = len;
    return ST_OK;
}

static enum status read_growing(struct exchange *x, struct http_request *req, size_t limit,
                                int64_t deadline_ms, int *ret_http_status)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    size_t total = x->chunked ? SIZE_MAX : (size_t)x->info->content_length;
    char *bytes;

    while (body.len < total) {
        size_t want = total - body.len < PIECE ? total - body.len : PIECE;
        int n;

        strbuf_reserve(&body, want);
        n = read_piece(x, body.data + body.len, want, deadline_ms);
        if (n < 0 || (!x->chunked && n != (int)want))
            return fail_read(x, n, ret_http_status);
        if (n == 0)
            break; /* the last chunk */
        body.len += (size_t)n;
        if (body.len > limit)
            return fail(x, 413, ret_http_status);
    }
    x->body_len = body.len;
    strbuf_add(&body, "", 0);
    bytes = strbuf_take(&body);
    bytes[x->body_len] = '\0';
    arena_defer(req->arena, free, bytes);
    x->body_bytes = bytes;
    return ST_OK;
}

enum status http_body(struct http_request *req, size_t limit, const char **ret_body,
                      size_t *ret_len, int *ret_http_status)
{
    struct exchange *x = req->impl;
    int64_t deadline_ms = clock_mono_ms() + http_limits.body_timeout_ms;

    *ret_http_status = 0;
    if (x->body == BODY_BROKEN)
        return fail(x, 400, ret_http_status);
    if (x->body == BODY_UNREAD) {
        if (!x->chunked && (uint64_t)x->info->content_length > limit)
            return fail(x, 413, ret_http_status);
        if (x->expects) {
            struct iovec iov = {.iov_base = (void *)(uintptr_t)continue_line,
                                .iov_len = sizeof continue_line - 1};

            x->expects = false;
            if (!reply_send(x, &iov, 1))
                return fail(x, 400, ret_http_status);
        }
        if (!x->chunked && x->info->content_length <= DIRECT_MAX)
            TRY(read_direct(x, req, deadline_ms, ret_http_status));
        else
            TRY(read_growing(x, req, limit, deadline_ms, ret_http_status));
        x->body = BODY_READ;
        body_permit(x);
    }
    *ret_body = x->body_bytes ? x->body_bytes : "";
    *ret_len = x->body_len;
    return ST_OK;
}

void body_settle(struct exchange *x)
{
    char drop[1024];
    int64_t left = x->info->content_length, deadline_ms = clock_mono_ms() + SETTLE_MS;

    if (x->body != BODY_UNREAD)
        return;
    if (x->chunked || x->expects || x->close || left > UNREAD_BODY_MAX) {
        x->body = BODY_BROKEN;
        x->close = true;
        return;
    }
    while (left > 0) {
        size_t want = left < (int64_t)sizeof drop ? (size_t)left : sizeof drop;

        if (read_piece(x, drop, want, deadline_ms) != (int)want) {
            x->body = BODY_BROKEN;
            x->close = true;
            return;
        }
        left -= (int64_t)want;
    }
    x->body = BODY_READ;
}

void body_linger(struct exchange *x)
{
    int64_t deadline_ms = clock_mono_ms() + LINGER_MS;
    struct pollfd pfd = {.fd = x->guest->fd, .events = POLLIN};
    char drop[4096];
    ssize_t total = 0;

    if (shutdown(pfd.fd, SHUT_WR) != 0)
        return;
    fiber_blocks();
    while (total < LINGER_BYTES) {
        int64_t left = deadline_ms - clock_mono_ms();
        ssize_t n;

        if (left <= 0 || poll(&pfd, 1, (int)left) <= 0)
            return;
        n = recvfrom(pfd.fd, drop, sizeof drop, MSG_DONTWAIT, NULL, NULL);
        if (n <= 0)
            return;
        total += n;
    }
}
