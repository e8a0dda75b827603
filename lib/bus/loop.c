/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O thread of a connection: it reads, and sends what gathers (loop_send.c).
 * Incoming requests go from here straight into the servers' queues, without a thread of
 * cnats in between. And who has nothing to do but wait for the next message may read in
 * this thread's place (bus_loop_borrow): it has its message without being woken by
 * another thread. */
#include "loop_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LINGER_AGAIN_US = 20000 }; /* after a time in which no answer came */

struct drain {
    struct drain *next;
    void (*fn)(void *arg);
    void *arg;
};

natsStatus loop_control(struct loop *loop, int operation)
{
    struct epoll_event event = {0};
    int result = 0;

    pthread_mutex_lock(&loop->asking);
    event.data.fd = atomic_load(&loop->fd);
    if (!atomic_load(&loop->borrowed))
        event.events |= EPOLLIN;
    if (atomic_load(&loop->polls_write))
        event.events |= EPOLLOUT;
    if (event.data.fd >= 0)
        result = epoll_ctl(loop->epoll_fd, operation, event.data.fd, &event);
    pthread_mutex_unlock(&loop->asking);
    return result == 0 ? NATS_OK : NATS_ERR;
}

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;

    if (write(loop->wake_fd, &one, sizeof(one)) < 0)
        return; /* it is awake already */
}

static natsStatus on_attach(void **user_data, void *arg, natsConnection *nc, natsSock fd)
{
    struct loop *loop = arg;

    loop->nc = nc;
    atomic_store(&loop->fd, fd);
    atomic_store(&loop->stuck, false);
    atomic_store(&loop->polls_write, false);
    *user_data = loop;
    /* cnats leaves its sockets open to children. */
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    bus_loop_recall(loop);
    return loop_control(loop, EPOLL_CTL_ADD);
}

static natsStatus on_read(void *user_data, bool add)
{
    struct loop *loop = user_data;

    if (add)
        return NATS_OK;
    (void)loop_control(loop, EPOLL_CTL_DEL);
    atomic_store(&loop->fd, -1);
    bus_loop_recall(loop);
    return NATS_OK;
}

static natsStatus on_detach(void *user_data)
{
    (void)user_data;
    return NATS_OK;
}

static void run_drains(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    for (struct drain *drain = loop->drains; drain; drain = drain->next)
        drain->fn(drain->arg);
    pthread_mutex_unlock(&loop->lock);
}

/* Under loop->reading. */
static void read_socket(struct loop *loop)
{
    pthread_mutex_lock(loop->parsing);
    natsConnection_ProcessReadEvent(loop->nc);
    pthread_mutex_unlock(loop->parsing);
    run_drains(loop);
}

/* cnats would wait for something to read: makes sure that nobody took it. */
static void read_on_loop(struct loop *loop, unsigned loans)
{
    struct pollfd fd = {.fd = atomic_load(&loop->fd), .events = POLLIN};

    if (pthread_mutex_trylock(&loop->reading) != 0) {
        /* It is borrowed, and the kernel was not told yet: it would wake this thread
         * again and again, in the place of the one that is about to say so. */
        (void)loop_control(loop, EPOLL_CTL_MOD);
        return;
    }
    if (atomic_load(&loop->loans) == loans || poll(&fd, 1, 0) > 0)
        read_socket(loop);
    pthread_mutex_unlock(&loop->reading);
}

/* Whether something was read. */
static bool handle(struct loop *loop, const struct epoll_event *events, int n, unsigned loans)
{
    bool readable = false, writable = false;

    for (int i = 0; i < n; i++) {
        uint64_t count;
        if (events[i].data.fd == loop->wake_fd) {
            if (read(loop->wake_fd, &count, sizeof(count)) < 0)
                continue;
        } else {
            writable = (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
            readable = (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
            if (readable)
                read_on_loop(loop, loans);
        }
    }
    if (!readable || writable || !loop_holds_back(loop)) {
        loop->held_us = 0;
        loop_send(loop, writable);
    }
    return readable;
}

static int wait_events(struct loop *loop, struct epoll_event *events, int max)
{
    static const struct timespec linger = {.tv_nsec = LINGER_US * 1000L};
    int timeout = -1;

    if (atomic_load(&loop->lingers)) {
        int n = epoll_pwait2(loop->epoll_fd, events, max, &linger, NULL);
        if (n == 0)
            loop->not_before_us = clock_mono_us() + LINGER_AGAIN_US;
        if (n >= 0 || errno == EINTR)
            return n;
        loop->not_before_us = INT64_MAX; /* before Linux 5.11, or forbidden to a container */
        atomic_store(&loop->lingers, false);
    }
    if (atomic_load(&loop->want_write) && !atomic_load(&loop->polls_write))
        timeout = 0;
    return epoll_wait(loop->epoll_fd, events, max, timeout);
}

static void *run_loop(void *arg)
{
    struct loop *loop = arg;
    struct epoll_event events[4];
    bool read = false;

    while (!atomic_load(&loop->stop)) {
        unsigned loans = atomic_load(&loop->loans);
        atomic_store(&loop->lingers, loop_may_linger(loop, read));
        atomic_store(&loop->awake, false);
        int n = wait_events(loop, events, ARRAY_SIZE(events));
        atomic_store(&loop->awake, true);
        atomic_store(&loop->lingers, false);
        if (n < 0 && errno != EINTR)
            abort();
        read = n >= 0 && handle(loop, events, n, loans);
    }
    return NULL;
}

/* ---- reading in the thread's place ------------------------------------------------ */

bool bus_loop_borrow(struct loop *loop)
{
    if (atomic_load(&loop->fd) < 0 || pthread_mutex_trylock(&loop->reading) != 0)
        return false;
    atomic_store(&loop->borrowed, true);
    atomic_fetch_add(&loop->loans, 1);
    (void)loop_control(loop, EPOLL_CTL_MOD);
    return true;
}

bool bus_loop_read(struct loop *loop, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = atomic_load(&loop->fd), .events = POLLIN},
                           {.fd = loop->recall_fd, .events = POLLIN}};
    uint64_t count;

    if (fds[0].fd < 0 || busy_poll(&loop->waiting, fds, ARRAY_SIZE(fds), timeout_ms) <= 0)
        return false;
    if (fds[1].revents && read(loop->recall_fd, &count, sizeof(count)) > 0)
        return false;
    if (fds[0].revents)
        read_socket(loop);
    return fds[0].revents != 0;
}

void bus_loop_give_back(struct loop *loop)
{
    atomic_store(&loop->borrowed, false);
    /* Before the I/O thread is woken, which else might find it taken. */
    pthread_mutex_unlock(&loop->reading);
    (void)loop_control(loop, EPOLL_CTL_MOD);
}

void bus_loop_recall(struct loop *loop)
{
    uint64_t one = 1;

    if (write(loop->recall_fd, &one, sizeof(one)) < 0)
        return; /* it was recalled already */
}

/* ---- life --------------------------------------------------------------------------- */

static void loop_done(struct loop *loop)
{
    const int fds[] = {loop->epoll_fd, loop->wake_fd, loop->recall_fd};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&loop->lock);
    pthread_mutex_destroy(&loop->asking);
    pthread_mutex_destroy(&loop->reading);
    free(loop);
}

enum status bus_loop_new(struct loop **ret_loop, pthread_mutex_t *parsing,
                         const atomic_int *awaited)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        abort();
    atomic_init(&loop->fd, -1);
    loop->parsing = parsing;
    loop->awaited = awaited;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_mutex_init(&loop->asking, NULL);
    pthread_mutex_init(&loop->reading, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->recall_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = loop->wake_fd};
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 || loop->recall_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0 ||
        pthread_create(&loop->thread, NULL, run_loop, loop) != 0) {
        loop_done(loop);
        return ST_RESOURCE_EXHAUSTED;
    }
    *ret_loop = loop;
    return ST_OK;
}

natsStatus bus_loop_attach(struct loop *loop, natsOptions *opts)
{
    return natsOptions_SetEventLoop(opts, loop, on_attach, on_read, loop_on_write, on_detach);
}

void bus_loop_free(struct loop *loop)
{
    if (!loop)
        return;
    atomic_store(&loop->stop, true);
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
    loop_done(loop);
}

void bus_loop_add(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct drain *drain = calloc(1, sizeof(*drain));

    if (!drain)
        abort();
    *drain = (struct drain){.fn = fn, .arg = arg};
    pthread_mutex_lock(&loop->lock);
    drain->next = loop->drains;
    loop->drains = drain;
    pthread_mutex_unlock(&loop->lock);
}

void bus_loop_remove(struct loop *loop, void *arg)
{
    pthread_mutex_lock(&loop->lock);
    for (struct drain **p = &loop->drains; *p;) {
        struct drain *drain = *p;
        if (drain->arg == arg) {
            *p = drain->next;
            free(drain);
        } else {
            p = &drain->next;
        }
    }
    pthread_mutex_unlock(&loop->lock);
}
