/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: head and body in one send, with a deadline for slow readers. */
#include "http/internal.h"

#include "base/fiber.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static const char fixed_lines[] = "X-Content-Type-Options: nosniff\r\n"
                                  "Referrer-Policy: no-referrer\r\n"
                                  "X-Frame-Options: DENY\r\n"
                                  "Cross-Origin-Resource-Policy: same-origin\r\n";

/* Drops the first n bytes of the vectors. */
static void iov_skip(struct iovec **iov, int *count, size_t n)
{
    while (*count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

/* What was sent, or the negative number of the error. Of its own because its caller may
 * change threads, and the compiler takes errno for one place. */
static __attribute__((noinline)) ssize_t send_now(int fd, struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    do
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

bool reply_send(struct exchange *x, struct iovec *iov, int n)
{
    struct pollfd pfd = {.fd = x->guest->fd, .events = POLLOUT};
    int64_t deadline_ms = 0;

    while (!x->gone && n > 0) {
        ssize_t sent = send_now(pfd.fd, iov, n);

        if (sent >= 0) {
            iov_skip(&iov, &n, (size_t)sent);
            continue;
        }
        if (sent != -EAGAIN && sent != -EWOULDBLOCK) {
            x->gone = true;
            break;
        }
        fiber_blocks();
        if (!deadline_ms)
            deadline_ms = clock_mono_ms() + http_limits.body_timeout_ms;
        if (clock_mono_ms() >= deadline_ms ||
            poll(&pfd, 1, (int)(deadline_ms - clock_mono_ms())) <= 0)
            x->gone = true;
    }
    return !x->gone;
}

static const char *date_text(struct http_job *job)
{
    int64_t now_s = clock_wall_ms() / 1000;

    if (now_s != job->date_s) {
        time_t t = (time_t)now_s;
        struct tm tm;

        (void)gmtime_r(&t, &tm);
        (void)strftime(job->date, sizeof job->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        job->date_s = now_s;
    }
    return job->date;
}

/* Whether the ready header lines hold that one. */
static bool lines_have(const char *lines, const char *name)
{
    size_t len = strlen(name);

    while (lines && *lines) {
        if (strncasecmp(lines, name, len) == 0 && lines[len] == ':')
            return true;
        lines = strchr(lines, '\n');
        lines = lines ? lines + 1 : NULL;
    }
    return false;
}

void reply_head(struct exchange *x, int status, const char *headers, const char *cache)
{
    struct strbuf *out = &x->job->out;

    strbuf_clear(out);
    strbuf_str(out, "HTTP/1.1 ");
    strbuf_uint(out, (uint64_t)status);
    strbuf_char(out, ' ');
    strbuf_str(out, mg_get_response_code_text(x->conn, status));
    strbuf_str(out, "\r\nDate: ");
    strbuf_str(out, date_text(x->job));
    strbuf_str(out, x->close ? "\r\nConnection: close\r\n" : "\r\nConnection: keep-alive\r\n");
    strbuf_add(out, fixed_lines, sizeof fixed_lines - 1);
    if (!lines_have(headers, "Cache-Control")) {
        strbuf_str(out, "Cache-Control: ");
        strbuf_str(out, cache);
        strbuf_str(out, "\r\n");
    }
    if (!lines_have(headers, "Content-Security-Policy"))
        strbuf_str(out, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n");
    if (headers)
        strbuf_str(out, headers);
}

void http_reply(struct http_request *req, const struct http_response *response)
{
    struct exchange *x = req->impl;
    struct strbuf *out = &x->job->out;
    bool empty = response->status == 204 || response->status == 304 || response->status < 200;
    bool head_only = req->method && strcmp(req->method, "HEAD") == 0;
    struct iovec iov[2];
    int n = 1;

    if (x->replied)
        return;
    x->replied = true;
    x->close = x->close || response->close || atomic_load(&x->server->stopping);
    body_settle(x);
    reply_head(x, response->status, response->headers, "no-store");
    if (response->content_type && !empty) {
        strbuf_str(out, "Content-Type: ");
        strbuf_str(out, response->content_type);
        strbuf_str(out, "\r\n");
    }
    if (!empty) {
        strbuf_str(out, "Content-Length: ");
        strbuf_uint(out, response->len);
        strbuf_str(out, "\r\n");
    }
    strbuf_str(out, "\r\n");
    iov[0] = (struct iovec){.iov_base = out->data, .iov_len = out->len};
    if (!empty && !head_only && response->len > 0)
        iov[n++] =
            (struct iovec){.iov_base = (void *)(uintptr_t)response->body, .iov_len = response->len};
    (void)reply_send(x, iov, n);
}

void reply_refusal(struct http_request *req, int status, const char *message)
{
    const char *code = status == 413 || status == 414 || status == 431 ? "RESOURCE_EXHAUSTED"
                       : status >= 500                                 ? "INTERNAL"
                                                                       : "INVALID_ARGUMENT";
    char *body = arena_printf(req->arena, "{\"error\":{\"status\":\"%s\",\"message\":\"%s\"}}",
                              code, message);

    http_reply(req, &(struct http_response){.status = status,
                                            .content_type = "application/json",
                                            .body = body,
                                            .len = strlen(body),
                                            .close = true});
}
