/* SPDX-License-Identifier: Apache-2.0 */
/* Idle event streams: one thread watches all of them, pings them and is the
 * only one that closes them. */
#include "http/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    DISCARD_BYTES = 4096,
    DISCARD_TIMES = 16,
    USER_TIMEOUT_MS = 60 * 1000, /* unacknowledged bytes: the peer is gone */
};

void stream_loop_wake(struct stream_loop *loop)
{
    uint64_t one = 1;

    (void)!write(loop->wake_fd, &one, sizeof one);
}

static void append(struct stream_loop *loop, struct http_stream *s)
{
    s->next = NULL;
    s->prev = loop->last;
    if (loop->last)
        loop->last->next = s;
    else
        loop->first = s;
    loop->last = s;
}

static void detach(struct stream_loop *loop, struct http_stream *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        loop->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        loop->last = s->prev;
}

/* Throws away what the client sends; false when it does not stop. */
static bool discard_input(int fd)
{
    char drop[DISCARD_BYTES];

    for (int i = 0; i < DISCARD_TIMES; i++) {
        ssize_t n = recvfrom(fd, drop, sizeof drop, MSG_DONTWAIT, NULL, NULL);

        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    return false;
}

static void close_stream(struct http_stream *s)
{
    struct stream_loop *loop = s->loop;
    int fd;

    (void)pthread_mutex_lock(&loop->lock);
    detach(loop, s);
    (void)pthread_mutex_unlock(&loop->lock);
    (void)pthread_mutex_lock(&s->lock);
    fd = s->fd;
    s->fd = -1;
    (void)pthread_mutex_unlock(&s->lock);
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    (void)shutdown(fd, SHUT_WR);
    (void)discard_input(fd); /* unread bytes would turn the end into a reset */
    (void)close(fd);
    if (s->on_close)
        s->on_close(s, s->arg);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->pending);
    free(s);
    (void)atomic_fetch_sub(&loop->count, 1);
}

static void handle_event(struct http_stream *s, uint32_t events)
{
    bool keep = !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));

    /* fd is changed by this thread only. */
    if (keep && (events & EPOLLIN))
        keep = discard_input(s->fd);
    if (keep && (events & EPOLLOUT))
        keep = stream_flush(s);
    if (!keep)
        stream_doom(s);
}

static void close_doomed(struct stream_loop *loop)
{
    for (;;) {
        struct http_stream *s;

        (void)pthread_mutex_lock(&loop->lock);
        s = loop->doomed;
        if (s)
            loop->doomed = s->doomed_next;
        (void)pthread_mutex_unlock(&loop->lock);
        if (!s)
            return;
        close_stream(s);
    }
}

/* Sends the pings that are due; returns the milliseconds to the next. */
static int ping_due(struct stream_loop *loop)
{
    int64_t now = clock_mono_ms();

    for (;;) {
        struct http_stream *s;
        int64_t wait;

        (void)pthread_mutex_lock(&loop->lock);
        s = loop->first;
        wait = s ? s->ping_ms - now : -1;
        if (s && wait <= 0) {
            detach(loop, s);
            s->ping_ms = now + loop->ping_every_ms;
            append(loop, s);
        }
        (void)pthread_mutex_unlock(&loop->lock);
        if (!s || wait > 0)
            return (int)wait;
        stream_ping(s);
    }
}

static bool is_stopping(struct stream_loop *loop)
{
    bool stopping;

    (void)pthread_mutex_lock(&loop->lock);
    stopping = loop->stopping;
    (void)pthread_mutex_unlock(&loop->lock);
    return stopping;
}

static void *run(void *arg)
{
    struct stream_loop *loop = arg;
    struct epoll_event events[EVENTS];
    struct http_stream *s;

    (void)pthread_setname_np(pthread_self(), "streams");
    while (!is_stopping(loop)) {
        int wait_ms = ping_due(loop), n;

        close_doomed(loop);
        n = epoll_wait(loop->epoll_fd, events, EVENTS, wait_ms);
        for (int i = 0; i < n; i++) {
            uint64_t count;

            if (events[i].data.ptr)
                handle_event(events[i].data.ptr, events[i].events);
            else
                (void)!read(loop->wake_fd, &count, sizeof count);
        }
        close_doomed(loop);
    }
    for (;;) {
        (void)pthread_mutex_lock(&loop->lock);
        s = loop->first;
        (void)pthread_mutex_unlock(&loop->lock);
        if (!s)
            return NULL;
        close_stream(s);
    }
}

/* ---- life ----------------------------------------------------------------------- */

bool stream_loop_full(struct stream_loop *loop)
{
    return atomic_load(&loop->count) >= loop->max_streams;
}

uint64_t stream_loop_count(struct stream_loop *loop)
{
    return loop ? atomic_load(&loop->count) : 0;
}

static bool enlist(struct stream_loop *loop, struct http_stream *s)
{
    bool stopping;

    (void)pthread_mutex_lock(&loop->lock);
    stopping = loop->stopping;
    if (!stopping) {
        append(loop, s);
        (void)atomic_fetch_add(&loop->count, 1);
    }
    (void)pthread_mutex_unlock(&loop->lock);
    return !stopping;
}

enum status stream_loop_add(struct stream_loop *loop, const struct stream_new *new_stream,
                            struct http_stream **ret_stream)
{
    struct http_stream *s = calloc(1, sizeof *s);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
    int timeout_ms = USER_TIMEOUT_MS;
    bool keep;

    if (!s) {
        (void)close(new_stream->fd);
        return ST_RESOURCE_EXHAUSTED;
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    s->loop = loop;
    s->fd = new_stream->fd;
    s->on_close = new_stream->on_close;
    s->arg = new_stream->arg;
    s->ping_ms = clock_mono_ms() + loop->ping_every_ms;
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    *ret_stream = s;
    /* Others see it from here on, but the epoll thread cannot close it before
     * the lock is released. */
    (void)pthread_mutex_lock(&s->lock);
    keep = stream_put(s, new_stream->head, new_stream->head_len) &&
           stream_put(s, new_stream->first, new_stream->first_len);
    if (!enlist(loop, s)) {
        (void)pthread_mutex_unlock(&s->lock);
        (void)close(s->fd);
        (void)pthread_mutex_destroy(&s->lock);
        free(s->pending);
        free(s);
        return ST_RESOURCE_EXHAUSTED;
    }
    keep = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) == 0 && keep;
    if (!keep)
        stream_doom(s);
    (void)pthread_mutex_unlock(&s->lock);
    return ST_OK;
}

static enum status loop_failed(struct stream_loop *loop, struct error *err)
{
    stream_loop_free(loop);
    return error_set(err, ST_INTERNAL, "cannot start the thread of the event streams");
}

enum status stream_loop_start(struct stream_loop **ret_loop, int max_streams, int64_t ping_ms,
                              struct error *err)
{
    struct stream_loop *loop = calloc(1, sizeof *loop);
    struct epoll_event event = {.events = EPOLLIN};

    if (!loop)
        return error_set(err, ST_INTERNAL, "out of memory");
    (void)pthread_mutex_init(&loop->lock, NULL);
    loop->ping_every_ms = ping_ms;
    loop->max_streams = (size_t)max_streams;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0 ||
        pthread_create(&loop->thread, NULL, run, loop) != 0)
        return loop_failed(loop, err);
    *ret_loop = loop;
    return ST_OK;
}

void stream_loop_stop(struct stream_loop *loop)
{
    if (!loop)
        return;
    (void)pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    (void)pthread_mutex_unlock(&loop->lock);
    stream_loop_wake(loop);
    (void)pthread_join(loop->thread, NULL);
}

void stream_loop_free(struct stream_loop *loop)
{
    if (!loop)
        return;
    if (loop->epoll_fd >= 0)
        (void)close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        (void)close(loop->wake_fd);
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop);
}
