/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: connecting, sending and receiving within a deadline. */
#include "downstream/conn.h"

#include "base/clock.h"
#include "base/fiber.h"
#include "downstream/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DRAIN_MAX = 4096, SLICE_MS = 1000 };

/* Waits for the events on a fiber, for one round of wait_for; false where there is none. */
static bool wait_on_fiber(int fd, short events, const struct waiter *waiter, int64_t deadline_ms)
{
    struct fiber *fiber = fiber_that_waits();

    if (!fiber || !fiber_watch(fiber, fd, (uint32_t)events) ||
        (waiter->wake_fd >= 0 && !fiber_watch(fiber, waiter->wake_fd, POLLIN))) {
        fiber_blocks();
        return false;
    }
    fiber_wait(fiber, deadline_ms);
    return true;
}

/* Waits for the events; the reasons why not. Of its own because its callers may change
 * threads, and the compiler takes errno for one place. */
static __attribute__((noinline)) enum conn_io wait_for(int fd, short events, struct waiter *waiter,
                                                       int64_t deadline_ms)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = events},
                               {.fd = waiter->wake_fd, .events = POLLIN}};
        int64_t left = deadline_ms - clock_mono_ms();
        bool waited = left > 0 && wait_on_fiber(fd, events, waiter, deadline_ms);
        int n = poll(fds, waiter->wake_fd >= 0 ? 2 : 1,
                     left > 0 && !waited ? (int)(left < 3600000 ? left : 3600000) : 0);
        eventfd_t count;

        if (n < 0 && errno != EINTR)
            return CONN_BROKEN;
        if (n > 0 && fds[1].revents) {
            (void)eventfd_read(waiter->wake_fd, &count);
            return CONN_WOKEN;
        }
        if (n > 0)
            return CONN_OK;
        if (waiter_cancelled(waiter))
            return CONN_CANCELLED;
        if (left <= 0)
            return CONN_TIMEOUT;
    }
}

/* The same, whatever else there is to see. */
static enum conn_io insist(int fd, short events, struct waiter *waiter, int64_t deadline_ms)
{
    enum conn_io io;

    do {
        io = wait_for(fd, events, waiter, deadline_ms);
    } while (io == CONN_WOKEN);
    return io;
}

/* ---- receiving and sending ------------------------------------------------- */

static __attribute__((noinline)) enum conn_io plain_read(struct conn *conn, short *ret_events)
{
    ssize_t n = recv(conn->fd, conn->in, sizeof(conn->in), MSG_DONTWAIT);

    *ret_events = POLLIN;
    if (n > 0) {
        conn->in_len = (size_t)n;
        return CONN_OK;
    }
    if (n == 0)
        return CONN_EOF;
    return errno == EAGAIN || errno == EINTR ? CONN_AGAIN : CONN_BROKEN;
}

enum conn_io conn_read_now(struct conn *conn, short *ret_events)
{
    if (conn->in_at < conn->in_len)
        return CONN_OK;
    conn->in_at = conn->in_len = 0;
    if (conn->ssl == NULL)
        return plain_read(conn, ret_events);
    return tls_read(conn->ssl, conn->in, sizeof(conn->in), &conn->in_len, ret_events);
}

/* On a fiber that waits apart from its thread, and for nothing else. */
static enum conn_io fiber_read(struct conn *conn, struct fiber *fiber, struct waiter *waiter,
                               int64_t deadline_ms)
{
    enum conn_io io = CONN_AGAIN;
    short events;

    while (io == CONN_AGAIN && fiber_watch(fiber, conn->fd, POLLIN)) {
        fiber_wait(fiber, deadline_ms);
        conn->in_at = conn->in_len = 0;
        io = plain_read(conn, &events);
        if (io != CONN_OK && waiter_cancelled(waiter))
            return CONN_CANCELLED;
        if (io == CONN_AGAIN && clock_mono_ms() >= deadline_ms)
            return CONN_TIMEOUT;
    }
    return io;
}

/* Waits and receives in one system call, as long as the deadline is farther than a
 * slice; whoever cancels shuts the socket down. */
static enum conn_io patient_read(struct conn *conn, struct waiter *waiter, int64_t deadline_ms)
{
    while (deadline_ms - clock_mono_ms() > SLICE_MS) {
        ssize_t n = recv(conn->fd, conn->in, sizeof(conn->in), 0);

        if (n > 0) {
            conn->in_at = 0;
            conn->in_len = (size_t)n;
            return CONN_OK;
        }
        if (waiter_cancelled(waiter))
            return CONN_CANCELLED;
        if (n == 0)
            return CONN_EOF;
        if (errno != EAGAIN && errno != EINTR)
            return CONN_BROKEN;
    }
    return CONN_AGAIN;
}

enum conn_io conn_recv(struct conn *conn, struct waiter *waiter, int64_t deadline_ms)
{
    short events = POLLIN;
    /* An answer is hardly ever there at once; TLS may hold decoded bytes. */
    bool wait_first = conn->ssl == NULL;

    if (wait_first && waiter->wake_fd < 0 && conn->in_at == conn->in_len) {
        struct fiber *fiber = fiber_that_waits();
        enum conn_io io;

        if (fiber) {
            io = fiber_read(conn, fiber, waiter, deadline_ms);
        } else {
            fiber_blocks();
            io = patient_read(conn, waiter, deadline_ms);
        }
        if (io != CONN_AGAIN)
            return io;
    }
    for (;;) {
        enum conn_io io = CONN_AGAIN;

        if (conn->in_at < conn->in_len)
            return CONN_OK;
        if (!wait_first)
            io = conn_read_now(conn, &events);
        wait_first = false;
        if (io == CONN_AGAIN)
            io = wait_for(conn->fd, events, waiter, deadline_ms);
        else if (io != CONN_OK && waiter_cancelled(waiter))
            return CONN_CANCELLED;
        if (io != CONN_OK)
            return io;
    }
}

enum conn_io conn_send(struct conn *conn, struct waiter *waiter, int64_t deadline_ms,
                       size_t *ret_sent)
{
    *ret_sent = 0;
    while (*ret_sent < conn->out.len) {
        const char *bytes = conn->out.data + *ret_sent;
        size_t len = conn->out.len - *ret_sent, sent = 0;
        short events = POLLOUT;
        enum conn_io io = CONN_OK;

        if (conn->ssl != NULL) {
            io = tls_write(conn->ssl, bytes, len, &sent, &events);
        } else {
            ssize_t n = send(conn->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

            if (n >= 0)
                sent = (size_t)n;
            else
                io = errno == EAGAIN || errno == EINTR ? CONN_AGAIN : CONN_BROKEN;
        }
        *ret_sent += sent;
        if (io == CONN_AGAIN)
            io = insist(conn->fd, events, waiter, deadline_ms);
        if (io != CONN_OK)
            return waiter_cancelled(waiter) ? CONN_CANCELLED : io;
    }
    return CONN_OK;
}

/* What is left of the last response; the answer itself was taken. */
static bool drain(struct conn *conn)
{
    size_t dropped = 0, len;
    const char *body;
    short events;

    while (conn->http.state == HTTP1_BODY && dropped < DRAIN_MAX &&
           conn_read_now(conn, &events) == CONN_OK) {
        conn->in_at += http1_feed(&conn->http, conn->in + conn->in_at, conn->in_len - conn->in_at,
                                  &body, &len);
        dropped += len;
    }
    return conn->http.state == HTTP1_DONE && conn->http.head.keep;
}

bool conn_fresh(struct conn *conn)
{
    short events;

    return drain(conn) && conn->in_at == conn->in_len && conn_read_now(conn, &events) == CONN_AGAIN;
}

/* ---- connecting --------------------------------------------------------------- */

static int start_connect(const struct address *address, bool *ret_refused)
{
    int one = 1;
    int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *ret_refused = false;
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (const struct sockaddr *)&address->addr, address->len) != 0 &&
        errno != EINPROGRESS)
        *ret_refused = true;
    return fd;
}

static enum conn_io finish_connect(int fd, struct waiter *waiter, int64_t deadline_ms,
                                   const char **ret_why)
{
    socklen_t len = sizeof(int);
    int error = 0;
    enum conn_io io;

    if (!waiter_enter(waiter, fd))
        return CONN_CANCELLED;
    io = insist(fd, POLLOUT, waiter, deadline_ms);
    waiter_leave(waiter);
    if (waiter_cancelled(waiter))
        return CONN_CANCELLED;
    if (io != CONN_OK)
        return io;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0)
        return CONN_OK;
    *ret_why = strerrordesc_np(error);
    return CONN_BROKEN;
}

/* One address; its descriptor, or -1. */
static int try_address(const struct address *address, struct waiter *waiter, int64_t deadline_ms,
                       enum conn_io *ret_io, const char **ret_why)
{
    bool refused;
    int fd = start_connect(address, &refused);

    *ret_io = CONN_BROKEN;
    if (fd < 0 || refused)
        *ret_why = strerrordesc_np(errno);
    else
        *ret_io = finish_connect(fd, waiter, deadline_ms, ret_why);
    if (*ret_io == CONN_OK)
        return fd;
    if (*ret_io == CONN_TIMEOUT)
        *ret_why = "the connection takes too long";
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* The first address that answers; each gets its share of the time. */
static int connect_any(struct resolver *resolver, struct waiter *waiter, int64_t deadline_ms,
                       enum conn_io *ret_io, const char **ret_why)
{
    struct address *addresses = calloc(RESOLVE_MAX, sizeof(*addresses));
    int fd = -1, n;

    if (addresses == NULL)
        abort();
    *ret_io = CONN_BROKEN;
    n = resolver_get(resolver, waiter, deadline_ms, addresses, ret_why);
    for (int i = 0; i < n && fd < 0 && *ret_io != CONN_CANCELLED; i++) {
        int64_t now = clock_mono_ms(), share = (deadline_ms - now) / (n - i);

        fd = try_address(&addresses[i], waiter, now + (share > 0 ? share : 0), ret_io, ret_why);
    }
    if (fd < 0)
        resolver_forget(resolver);
    if (waiter_cancelled(waiter))
        *ret_io = CONN_CANCELLED;
    free(addresses);
    return fd;
}

static enum conn_io shake_hands(struct conn *conn, const struct url *url, struct waiter *waiter,
                                int64_t deadline_ms, const char **ret_why)
{
    enum conn_io io = CONN_AGAIN;
    short events = POLLOUT;

    conn->ssl = tls_new(conn->fd, url->host, url->numeric);
    if (conn->ssl == NULL) {
        *ret_why = "TLS cannot be set up";
        return CONN_BROKEN;
    }
    if (!waiter_enter(waiter, conn->fd))
        return CONN_CANCELLED;
    while (io == CONN_AGAIN) {
        io = tls_handshake(conn->ssl, &events, ret_why);
        if (io == CONN_AGAIN && (io = insist(conn->fd, events, waiter, deadline_ms)) == CONN_OK)
            io = CONN_AGAIN;
    }
    waiter_leave(waiter);
    if (io == CONN_TIMEOUT)
        *ret_why = "the TLS handshake takes too long";
    return io != CONN_OK && waiter_cancelled(waiter) ? CONN_CANCELLED : io;
}

/* For patient_read; whoever must not wait says so to the kernel each time. */
static void let_wait(int fd)
{
    const struct timeval slice = {.tv_sec = SLICE_MS / 1000};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

struct conn *conn_open(const struct url *url, struct resolver *resolver, struct waiter *waiter,
                       int64_t deadline_ms, enum conn_io *ret_io, const char **ret_why)
{
    struct conn *conn;
    int fd = connect_any(resolver, waiter, deadline_ms, ret_io, ret_why);

    if (fd < 0)
        return NULL;
    conn = malloc(sizeof(*conn));
    if (conn == NULL)
        abort();
    memset(conn, 0, offsetof(struct conn, in));
    conn->fd = fd;
    if (!url->tls)
        let_wait(fd);
    else
        *ret_io = shake_hands(conn, url, waiter, deadline_ms, ret_why);
    if (*ret_io == CONN_OK)
        return conn;
    conn_close(conn);
    return NULL;
}

void conn_close(struct conn *conn)
{
    if (conn == NULL)
        return;
    tls_free(conn->ssl);
    (void)close(conn->fd);
    strbuf_done(&conn->out);
    http1_done(&conn->http);
    free(conn);
}
