/* SPDX-License-Identifier: Apache-2.0 */
/* The pipes of a child: starting, reading, writing, ending. */
#include "downstream/pipe.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, UNSENT_MAX = 32 * 1024 * 1024, ALONE_MS = 20, SLICE_MS = 5 };

/* ---- writing ---------------------------------------------------------------------- */

/* With the lock held: what the child takes now. False when it takes nothing any
 * more. */
static bool flush(struct pipe *pipe)
{
    struct strbuf *unsent = &pipe->unsent;

    while (pipe->unsent_at < unsent->len) {
        ssize_t n =
            write(pipe->to_child, unsent->data + pipe->unsent_at, unsent->len - pipe->unsent_at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        pipe->unsent_at += (size_t)n;
    }
    strbuf_clear(unsent);
    pipe->unsent_at = 0;
    return true;
}

bool pipe_write(struct pipe *pipe, const char *text, size_t len)
{
    bool taken = false, left = false;

    (void)pthread_mutex_lock(&pipe->lock);
    if (!pipe->broken && !pipe->deaf && !pipe->stopping &&
        pipe->unsent.len - pipe->unsent_at + len < UNSENT_MAX) {
        strbuf_add(&pipe->unsent, text, len);
        strbuf_char(&pipe->unsent, '\n');
        pipe->deaf = !flush(pipe);
        taken = !pipe->deaf;
        left = taken && pipe->unsent.len > 0;
    }
    (void)pthread_mutex_unlock(&pipe->lock);
    if (left)
        (void)eventfd_write(pipe->wake_fd, 1);
    return taken;
}

bool pipe_broken(struct pipe *pipe)
{
    bool broken;

    (void)pthread_mutex_lock(&pipe->lock);
    broken = pipe->broken || pipe->deaf;
    (void)pthread_mutex_unlock(&pipe->lock);
    return broken;
}

/* ---- reading --------------------------------------------------------------------- */

/* With pipe->reading held, as the next. */
static void sort_bytes(struct pipe *pipe, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t used;
        enum lines_state state = lines_feed(&pipe->lines, bytes, len, &used);

        bytes += used;
        len -= used;
        if (state == LINES_LINE)
            pipe_sort(pipe, pipe->lines.line.data, pipe->lines.line.len);
        else if (state == LINES_TOO_LONG)
            pipe_sort_too_long(pipe, &pipe->lines.outline);
    }
}

/* False when the child has closed its end. */
static bool read_some(struct pipe *pipe)
{
    ssize_t n = read(pipe->from_child, pipe->chunk, CHUNK);

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n > 0)
        sort_bytes(pipe, pipe->chunk, (size_t)n);
    return n > 0;
}

/* Whether the thread is told that there is something to read; a hang-up it is told
 * of in any case, but once. */
static bool watch(struct pipe *pipe, int operation, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : EPOLLONESHOT};

    return epoll_ctl(pipe->watch_fd, operation, pipe->from_child, &event) == 0;
}

static bool is_alone(struct pipe *pipe, struct downstream_exchange *x)
{
    bool alone;

    (void)pthread_mutex_lock(&pipe->lock);
    alone = pipe->waiting == x && x->pipe_next == NULL && !pipe->stopping;
    (void)pthread_mutex_unlock(&pipe->lock);
    return alone;
}

static bool waits(struct downstream_exchange *x)
{
    bool still;

    (void)pthread_mutex_lock(&x->waiter.lock);
    still = x->first == NULL && x->queue_fault == DOWNSTREAM_FAULT_NONE && !x->waiter.cancelled;
    (void)pthread_mutex_unlock(&x->waiter.lock);
    return still;
}

void pipe_read_alone(struct pipe *pipe, struct downstream_exchange *x, int64_t until_ms)
{
    struct pollfd fd = {.fd = pipe->from_child, .events = POLLIN};
    int64_t now = clock_mono_ms();

    if (until_ms > now + ALONE_MS)
        until_ms = now + ALONE_MS;
    if (pthread_mutex_trylock(&pipe->reading) != 0)
        return;
    if (is_alone(pipe, x) && watch(pipe, EPOLL_CTL_MOD, false)) {
        while (now < until_ms && waits(x) && is_alone(pipe, x)) {
            if (poll(&fd, 1, until_ms - now < SLICE_MS ? (int)(until_ms - now) : SLICE_MS) > 0 &&
                !read_some(pipe))
                break; /* the thread is told, too */
            now = clock_mono_ms();
        }
        (void)watch(pipe, EPOLL_CTL_MOD, true);
    }
    (void)pthread_mutex_unlock(&pipe->reading);
}

/* ---- the thread --------------------------------------------------------------------- */

/* False when the child has closed its end; who reads in our place gives back soon. */
static bool read_unless_borrowed(struct pipe *pipe)
{
    bool go_on;

    if (pthread_mutex_trylock(&pipe->reading) != 0)
        return true;
    go_on = read_some(pipe);
    (void)pthread_mutex_unlock(&pipe->reading);
    return go_on;
}

/* What to wait for; false when it is over. A child that does not listen any more
 * may still have something to say. */
static bool look(struct pipe *pipe, int *ret_write_fd)
{
    bool go_on;

    (void)pthread_mutex_lock(&pipe->lock);
    go_on = !pipe->stopping;
    pipe->deaf = pipe->deaf || !flush(pipe);
    *ret_write_fd = !pipe->deaf && pipe->unsent.len > 0 ? pipe->to_child : -1;
    (void)pthread_mutex_unlock(&pipe->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct pipe *pipe = arg;
    int write_fd;

    (void)pthread_setname_np(pthread_self(), "stdio");
    while (look(pipe, &write_fd)) {
        struct pollfd fds[] = {{.fd = pipe->watch_fd, .events = POLLIN},
                               {.fd = pipe->wake_fd, .events = POLLIN},
                               {.fd = write_fd, .events = POLLOUT}};
        eventfd_t count;

        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            (void)eventfd_read(pipe->wake_fd, &count);
        if (fds[0].revents && !read_unless_borrowed(pipe))
            break;
    }
    (void)pthread_mutex_lock(&pipe->lock);
    pipe->broken = true;
    (void)pthread_mutex_unlock(&pipe->lock);
    pipe_fail_all(pipe, DOWNSTREAM_FAULT_LOST, "ended before it answered");
    return NULL;
}

/* ---- life --------------------------------------------------------------------------- */

struct pipe *pipe_ref(struct downstream_session *session)
{
    struct pipe *pipe;

    (void)pthread_mutex_lock(&session->lock);
    pipe = session->pipe;
    if (pipe != NULL) {
        (void)pthread_mutex_lock(&pipe->lock);
        pipe->refs++;
        (void)pthread_mutex_unlock(&pipe->lock);
    }
    (void)pthread_mutex_unlock(&session->lock);
    return pipe;
}

void pipe_unref(struct pipe *pipe)
{
    bool last;

    (void)pthread_mutex_lock(&pipe->lock);
    last = --pipe->refs == 0;
    (void)pthread_mutex_unlock(&pipe->lock);
    if (!last)
        return;
    (void)close(pipe->from_child);
    (void)close(pipe->wake_fd);
    (void)close(pipe->watch_fd);
    lines_done(&pipe->lines);
    strbuf_done(&pipe->unsent);
    free(pipe->chunk);
    (void)pthread_mutex_destroy(&pipe->reading);
    (void)pthread_mutex_destroy(&pipe->lock);
    free(pipe);
}

static struct pipe *pipe_new(struct downstream_session *session, int to_child, int from_child)
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));

    if (pipe == NULL || (pipe->chunk = malloc(CHUNK)) == NULL)
        abort();
    pipe->server = session->server;
    pipe->session = session;
    pipe->to_child = to_child;
    pipe->from_child = from_child;
    pipe->refs = 1;
    pipe->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pipe->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    lines_init(&pipe->lines, session->server->limits.message_bytes);
    (void)pthread_mutex_init(&pipe->reading, NULL);
    (void)pthread_mutex_init(&pipe->lock, NULL);
    (void)fcntl(to_child, F_SETFL, fcntl(to_child, F_GETFL) | O_NONBLOCK);
    (void)fcntl(from_child, F_SETFL, fcntl(from_child, F_GETFL) | O_NONBLOCK);
    return pipe;
}

enum status pipe_open(struct downstream_session *session, struct error *err)
{
    struct downstream *server = session->server;
    struct error why = {0};
    int to_child = -1, from_child = -1;
    struct pipe *pipe;

    if (server->program.start(server->program.arg, &to_child, &from_child, &why) != ST_OK)
        return fault_set(err, server->id, DOWNSTREAM_FAULT_CONNECT, "cannot be started: %s",
                         why.message);
    pipe = pipe_new(session, to_child, from_child);
    if (pipe->wake_fd < 0 || !watch(pipe, EPOLL_CTL_ADD, true) ||
        pthread_create(&pipe->thread, NULL, run, pipe) != 0) {
        (void)close(to_child);
        pipe_unref(pipe);
        server->program.stop(server->program.arg);
        return fault_set(err, server->id, DOWNSTREAM_FAULT_CONNECT,
                         "cannot be started: the hub is out of threads or descriptors");
    }
    (void)pthread_mutex_lock(&session->lock);
    session->pipe = pipe;
    (void)pthread_mutex_unlock(&session->lock);
    return ST_OK;
}

void pipe_close(struct downstream_session *session)
{
    struct pipe *pipe;

    (void)pthread_mutex_lock(&session->lock);
    pipe = TAKE(session->pipe);
    (void)pthread_mutex_unlock(&session->lock);
    if (pipe == NULL)
        return;
    (void)pthread_mutex_lock(&pipe->lock);
    pipe->stopping = true;
    (void)pthread_mutex_unlock(&pipe->lock);
    (void)eventfd_write(pipe->wake_fd, 1);
    (void)pthread_join(pipe->thread, NULL);
    /* Nobody reads in its place any more. */
    (void)pthread_mutex_lock(&pipe->reading);
    (void)pthread_mutex_unlock(&pipe->reading);
    (void)pthread_mutex_lock(&pipe->lock);
    (void)close(pipe->to_child);
    pipe->to_child = -1;
    (void)pthread_mutex_unlock(&pipe->lock);
    session->server->program.stop(session->server->program.arg);
    pipe_unref(pipe);
}
