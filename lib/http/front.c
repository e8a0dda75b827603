/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that have nothing to do wait here, not in a worker: one thread
 * accepts, watches new and idle connections, and gives one to civetweb when its
 * next request has arrived. Clients that are slow or silent so cost a
 * descriptor each, and no thread.
 *
 * civetweb polls our event counter where it means its listening socket, and its
 * accept(2) gets the connections that are ready. */
#include "http/internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    TICK_MS = 50,
    ACCEPT_BURST = 64,
    ACCEPT_PAUSE_US = 10000,
};

struct parked {
    struct parked *prev, *next; /* under lock */
    int fd;
    bool begun; /* bytes of a request have come */
    int64_t deadline_ms;
};

struct front {
    int listener; /* civetweb's */
    int epoll_fd, wake_fd;
    int ready_fd; /* counts the ready list; civetweb polls it */
    pthread_t thread;
    pthread_mutex_t lock;
    struct parked *parked;              /* watched */
    struct parked *ready, **ready_tail; /* for civetweb */
    atomic_int waiting;                 /* ready or taken, not yet begun by a worker */
    atomic_int occupied;                /* workers with a connection */
    int workers;
    atomic_bool stopping;
    char peek[PEEK_MAX + 1]; /* the thread's */
};

static const char timeout_answer[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                     "Connection: close\r\n\r\n";

/* ---- lists ----------------------------------------------------------------- */

/* Watches fd; takes it only on success. */
static bool park(struct front *front, int fd, int64_t wait_ms)
{
    struct parked *p = calloc(1, sizeof *p);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = p};
    bool taken, first = false;
    uint64_t one = 1;

    if (!p)
        return false;
    p->fd = fd;
    p->deadline_ms = clock_mono_ms() + wait_ms;
    (void)pthread_mutex_lock(&front->lock);
    taken = !atomic_load(&front->stopping) &&
            epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
    if (taken) {
        first = !front->parked;
        p->next = front->parked;
        if (p->next)
            p->next->prev = p;
        front->parked = p;
    }
    (void)pthread_mutex_unlock(&front->lock);
    if (!taken)
        free(p);
    if (first) /* the thread may be waiting without a deadline */
        (void)!write(front->wake_fd, &one, sizeof one);
    return taken;
}

static void unpark(struct front *front, struct parked *p)
{
    (void)epoll_ctl(front->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
    (void)pthread_mutex_lock(&front->lock);
    if (p->prev)
        p->prev->next = p->next;
    else
        front->parked = p->next;
    if (p->next)
        p->next->prev = p->prev;
    (void)pthread_mutex_unlock(&front->lock);
    p->prev = p->next = NULL;
}

static void drop(struct front *front, struct parked *p)
{
    unpark(front, p);
    (void)close(p->fd);
    free(p);
}

static void give(struct front *front, struct parked *p)
{
    uint64_t one = 1;

    unpark(front, p);
    (void)atomic_fetch_add(&front->waiting, 1);
    (void)pthread_mutex_lock(&front->lock);
    *front->ready_tail = p;
    front->ready_tail = &p->next;
    (void)pthread_mutex_unlock(&front->lock);
    (void)!write(front->ready_fd, &one, sizeof one);
}

/* ---- the thread --------------------------------------------------------------- */

static void look(struct front *front, struct parked *p)
{
    ssize_t n = recvfrom(p->fd, front->peek, PEEK_MAX, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        drop(front, p);
        return;
    }
    front->peek[n] = '\0';
    if (peek_is_whole(front->peek, (size_t)n)) {
        give(front, p);
    } else if (!p->begun) {
        p->begun = true;
        p->deadline_ms = clock_mono_ms() + http_limits.request_timeout_ms;
    }
}

static void accept_some(struct front *front)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(front->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            handoff_turn_away_one(front->listener);
            (void)usleep(ACCEPT_PAUSE_US);
            return;
        }
        if (fd < 0)
            return;
        if (!handoff_has_room(fd)) {
            handoff_turn_away(fd);
            (void)usleep(ACCEPT_PAUSE_US);
            return;
        }
        if (!park(front, fd, http_limits.request_timeout_ms))
            (void)close(fd);
    }
}

static void expire(struct front *front)
{
    int64_t now = clock_mono_ms();
    struct parked *p, *next;

    (void)pthread_mutex_lock(&front->lock);
    p = front->parked;
    (void)pthread_mutex_unlock(&front->lock);
    /* Others only add before the first. */
    for (; p; p = next) {
        next = p->next;
        if (p->deadline_ms > now)
            continue;
        if (p->begun)
            (void)send(p->fd, timeout_answer, sizeof timeout_answer - 1,
                       MSG_NOSIGNAL | MSG_DONTWAIT);
        drop(front, p);
    }
}

static void *run(void *arg)
{
    struct front *front = arg;
    struct epoll_event events[EVENTS];
    int64_t tick_ms = clock_mono_ms() + TICK_MS;

    (void)pthread_setname_np(pthread_self(), "connections");
    while (!atomic_load(&front->stopping)) {
        uint64_t count;
        bool some;
        int n;

        (void)pthread_mutex_lock(&front->lock);
        some = front->parked != NULL;
        (void)pthread_mutex_unlock(&front->lock);
        n = epoll_wait(front->epoll_fd, events, EVENTS, some ? TICK_MS : -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr == &front->listener)
                accept_some(front);
            else if (events[i].data.ptr)
                look(front, events[i].data.ptr);
            else
                (void)!read(front->wake_fd, &count, sizeof count);
        if (clock_mono_ms() >= tick_ms) {
            expire(front);
            tick_ms = clock_mono_ms() + TICK_MS;
        }
    }
    return NULL;
}

/* ---- civetweb's side ------------------------------------------------------------ */

bool front_stopping(struct front *front)
{
    return atomic_load(&front->stopping);
}

int front_ready_fd(struct front *front)
{
    return front->ready_fd;
}

int front_accept(struct front *front)
{
    struct parked *p;
    uint64_t count;
    int fd;

    if (read(front->ready_fd, &count, sizeof count) != sizeof count)
        return -1;
    (void)pthread_mutex_lock(&front->lock);
    p = front->ready;
    if (p) {
        front->ready = p->next;
        if (!front->ready)
            front->ready_tail = &front->ready;
    }
    (void)pthread_mutex_unlock(&front->lock);
    if (!p) {
        errno = EAGAIN;
        return -1;
    }
    fd = p->fd;
    free(p);
    return fd;
}

void front_begun(struct front *front)
{
    (void)atomic_fetch_sub(&front->waiting, 1);
    (void)atomic_fetch_add(&front->occupied, 1);
}

void front_ended(struct front *front)
{
    (void)atomic_fetch_sub(&front->occupied, 1);
}

bool front_starved(struct front *front)
{
    int waiting = atomic_load_explicit(&front->waiting, memory_order_relaxed);

    return waiting > 0 &&
           waiting > front->workers - atomic_load_explicit(&front->occupied, memory_order_relaxed);
}

bool front_park(struct front *front, int fd)
{
    return park(front, fd, http_limits.keepalive_ms);
}

/* ---- life ------------------------------------------------------------------------ */

void front_free(struct front *front)
{
    if (!front)
        return;
    for (struct parked *p = front->ready, *next; p; p = next) {
        next = p->next;
        (void)close(p->fd);
        free(p);
    }
    if (front->epoll_fd >= 0)
        (void)close(front->epoll_fd);
    if (front->wake_fd >= 0)
        (void)close(front->wake_fd);
    if (front->ready_fd >= 0)
        (void)close(front->ready_fd);
    (void)pthread_mutex_destroy(&front->lock);
    free(front);
}

static struct front *front_new(int listener)
{
    struct front *front = calloc(1, sizeof *front);

    if (!front)
        return NULL;
    (void)pthread_mutex_init(&front->lock, NULL);
    front->ready_tail = &front->ready;
    front->listener = listener;
    front->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    front->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    front->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (fcntl(listener, F_SETFL, O_NONBLOCK) != 0 || front->epoll_fd < 0 || front->wake_fd < 0 ||
        front->ready_fd < 0) {
        front_free(front);
        return NULL;
    }
    return front;
}

struct front *front_start(int listener, int workers)
{
    struct front *front = front_new(listener);
    struct epoll_event accepting = {.events = EPOLLIN}, waking = {.events = EPOLLIN};

    if (!front)
        return NULL;
    front->workers = workers;
    accepting.data.ptr = &front->listener;
    if (epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, front->listener, &accepting) != 0 ||
        epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, front->wake_fd, &waking) != 0 ||
        pthread_create(&front->thread, NULL, run, front) != 0) {
        front_free(front);
        return NULL;
    }
    return front;
}

void front_stop(struct front *front)
{
    uint64_t one = 1;

    if (!front)
        return;
    (void)pthread_mutex_lock(&front->lock);
    atomic_store(&front->stopping, true);
    (void)pthread_mutex_unlock(&front->lock);
    (void)!write(front->wake_fd, &one, sizeof one);
    (void)!write(front->ready_fd, &one, sizeof one);
    (void)pthread_join(front->thread, NULL);
    (void)shutdown(front->listener, SHUT_RDWR);
    while (front->parked)
        drop(front, front->parked);
}
