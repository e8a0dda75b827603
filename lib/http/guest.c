/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of a listener while no worker has their request: what has come of it
 * is kept until it is whole, and they end when that takes too long. */
#include "http/loop_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_MS = 500, EXPIRE_BURST = 64 };

enum guest_state {
    GUEST_GONE,
    GUEST_IDLE,
    GUEST_BUSY,      /* somebody's alone */
    GUEST_BUSY_NEWS, /* and something came meanwhile */
};

static const char timeout_answer[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                     "Connection: close\r\n\r\n";

struct guest *guest_new(struct http_loop *loop, int fd)
{
    struct sockaddr_in peer = {0};
    socklen_t len = sizeof peer;
    struct guest *guest;

    (void)pthread_mutex_lock(&loop->lock);
    guest = loop->spare_guests;
    if (guest)
        loop->spare_guests = guest->next;
    (void)pthread_mutex_unlock(&loop->lock);
    if (!guest && !(guest = calloc(1, sizeof *guest)))
        return NULL;
    guest->item.kind = ITEM_GUEST;
    guest->fd = fd;
    guest->begun = guest->ending = false;
    guest->prev = NULL;
    (void)getpeername(fd, (struct sockaddr *)&peer, &len);
    (void)inet_ntop(AF_INET, &peer.sin_addr, guest->peer, sizeof guest->peer);
    atomic_store(&guest->deadline_ms, clock_mono_ms() + http_limits.request_timeout_ms);
    atomic_store(&guest->state, GUEST_BUSY);
    (void)pthread_mutex_lock(&loop->lock);
    guest->next = loop->guests;
    if (guest->next)
        guest->next->prev = guest;
    loop->guests = guest;
    (void)pthread_mutex_unlock(&loop->lock);
    return guest;
}

/* Bytes that no request has yet. */
static void keep(struct guest *guest, const char *bytes, size_t len)
{
    char *kept = len ? malloc(len) : NULL;

    if (len && !kept)
        abort();
    if (len)
        memcpy(kept, bytes, len);
    free(guest->kept);
    guest->kept = kept;
    guest->kept_len = len;
}

/* Of one that is busy. */
static void guest_forget(struct http_loop *loop, struct guest *guest)
{
    keep(guest, NULL, 0);
    (void)pthread_mutex_lock(&loop->lock);
    if (guest->prev)
        guest->prev->next = guest->next;
    else
        loop->guests = guest->next;
    if (guest->next)
        guest->next->prev = guest->prev;
    atomic_store(&guest->state, GUEST_GONE);
    guest->next = loop->spare_guests;
    loop->spare_guests = guest;
    (void)pthread_mutex_unlock(&loop->lock);
}

void guest_close(struct http_loop *loop, struct guest *guest)
{
    int fd = guest->fd;

    guest_forget(loop, guest);
    (void)close(fd);
}

/* One that is idle is the caller's from here on. */
static bool guest_claim(struct guest *guest)
{
    int idle = GUEST_IDLE;

    return atomic_compare_exchange_strong(&guest->state, &idle, GUEST_BUSY);
}

bool guest_idles(struct guest *guest)
{
    int busy = GUEST_BUSY;

    if (atomic_compare_exchange_strong(&guest->state, &busy, GUEST_IDLE))
        return true;
    atomic_store(&guest->state, GUEST_BUSY);
    return false;
}

void guest_is_ready(struct http_loop *loop, struct guest *guest)
{
    (void)pthread_mutex_lock(&loop->lock);
    http_loop_put(&loop->ready_guests, &guest->item);
    http_loop_unlock(loop);
}

void guest_has_news(struct http_loop *loop, struct guest *guest)
{
    int state = GUEST_BUSY;

    while (!guest_claim(guest))
        if (atomic_compare_exchange_strong(&guest->state, &state, GUEST_BUSY_NEWS) ||
            state != GUEST_IDLE)
            return;
    guest_is_ready(loop, guest);
}

void http_loop_give_guest(struct http_loop *loop, struct guest *guest, bool close)
{
    if (close || atomic_load(&loop->stopping)) {
        guest_close(loop, guest);
        return;
    }
    guest->begun = false;
    atomic_store(&guest->deadline_ms, clock_mono_ms() + http_limits.keepalive_ms);
    if (!guest_idles(guest))
        guest_is_ready(loop, guest);
}

int http_loop_take_out(struct http_loop *loop, struct guest *guest)
{
    int fd = guest->fd;

    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    guest_forget(loop, guest);
    return fd;
}

/* What has come of the guest, into the worker's buffer; false: it has gone. */
static bool receive(struct worker *w, const struct guest *guest)
{
    ssize_t n;

    w->in_len = guest->kept_len;
    if (w->in_len)
        memcpy(w->in, guest->kept, w->in_len);
    n = recvfrom(guest->fd, w->in + w->in_len, PEEK_MAX - w->in_len, MSG_DONTWAIT, NULL, NULL);
    if (n > 0)
        w->in_len += (size_t)n;
    w->in[w->in_len] = '\0';
    return n > 0 || w->in_len == PEEK_MAX ||
           (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

/* There is a request to be read: the worker has its bytes, and what is behind them is
 * kept for the next. */
static void begin(struct worker *w, struct guest *guest, size_t len)
{
    w->whole = len != SIZE_MAX;
    if (!w->whole)
        len = w->in_len;
    keep(guest, w->in + len, w->in_len - len);
    if (len < w->in_len) /* the kernel will not tell of it */
        atomic_store(&guest->state, GUEST_BUSY_NEWS);
    w->in_at = 0;
    w->in_len = len;
}

bool guest_look(struct http_loop *loop, struct worker *w, struct guest *guest)
{
    size_t len;

    do {
        if (!receive(w, guest)) {
            guest_close(loop, guest);
            return false;
        }
        if (!guest->ending && w->in_len > 0 && peek_is_whole(w->in, w->in_len, &len)) {
            begin(w, guest, len);
            return true;
        }
        if (guest->ending)
            keep(guest, NULL, 0);
        else if (w->in_len > guest->kept_len)
            keep(guest, w->in, w->in_len);
        if (w->in_len > 0 && !guest->begun) {
            guest->begun = true;
            atomic_store(&guest->deadline_ms, clock_mono_ms() + http_limits.request_timeout_ms);
        }
    } while (!guest_idles(guest));
    return false;
}

/* A request has not come whole in time: says so, and leaves the client a moment to see
 * it before the connection is closed under it. */
static void give_up(struct http_loop *loop, struct guest *guest)
{
    (void)send(guest->fd, timeout_answer, sizeof timeout_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(guest->fd, SHUT_WR);
    guest->ending = true;
    atomic_store(&guest->deadline_ms, clock_mono_ms() + LINGER_MS);
    if (!guest_idles(guest))
        guest_is_ready(loop, guest);
}

/* Whether a request has come that no worker has had the time to look at. */
static bool has_bytes(const struct guest *guest)
{
    char c;

    return recvfrom(guest->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) > 0;
}

/* One that was idle for too long. */
static void overdue(struct http_loop *loop, struct guest *guest)
{
    if (guest->begun && !guest->ending)
        give_up(loop, guest);
    else if (!guest->ending && has_bytes(guest))
        guest_is_ready(loop, guest);
    else
        guest_close(loop, guest);
}

void guests_expire(struct http_loop *loop, bool all)
{
    struct guest *claimed[EXPIRE_BURST];
    int64_t now = clock_mono_ms();
    int n;

    do {
        n = 0;
        (void)pthread_mutex_lock(&loop->lock);
        for (struct guest *guest = loop->guests; guest && n < EXPIRE_BURST; guest = guest->next)
            if ((all || atomic_load(&guest->deadline_ms) <= now) && guest_claim(guest))
                claimed[n++] = guest;
        (void)pthread_mutex_unlock(&loop->lock);
        for (int i = 0; i < n; i++) {
            if (all)
                guest_close(loop, claimed[i]);
            else
                overdue(loop, claimed[i]);
        }
    } while (n == EXPIRE_BURST);
}
