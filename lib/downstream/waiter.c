/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting that another thread can end: a socket is shut down under it, a sleep
 * is woken. */
#include "downstream/waiter.h"

#include "base/fiber.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void waiter_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

bool waiter_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000L};

    fiber_blocks();
    return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}

void waiter_init(struct waiter *waiter)
{
    *waiter = (struct waiter){.fd = -1, .wake_fd = -1};
    (void)pthread_mutex_init(&waiter->lock, NULL);
    waiter_cond_init(&waiter->cond);
}

void waiter_wakeable(struct waiter *waiter)
{
    waiter->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void waiter_done(struct waiter *waiter)
{
    if (waiter->wake_fd >= 0)
        (void)close(waiter->wake_fd);
    (void)pthread_mutex_destroy(&waiter->lock);
    (void)pthread_cond_destroy(&waiter->cond);
}

bool waiter_enter(struct waiter *waiter, int fd)
{
    bool cancelled;

    (void)pthread_mutex_lock(&waiter->lock);
    cancelled = waiter->cancelled;
    if (!cancelled)
        waiter->fd = fd;
    (void)pthread_mutex_unlock(&waiter->lock);
    return !cancelled;
}

void waiter_leave(struct waiter *waiter)
{
    (void)pthread_mutex_lock(&waiter->lock);
    waiter->fd = -1;
    (void)pthread_mutex_unlock(&waiter->lock);
}

void waiter_cancel(struct waiter *waiter)
{
    (void)pthread_mutex_lock(&waiter->lock);
    if (!waiter->cancelled && waiter->fd >= 0)
        (void)shutdown(waiter->fd, SHUT_RDWR);
    waiter->cancelled = true;
    (void)pthread_cond_broadcast(&waiter->cond);
    (void)pthread_mutex_unlock(&waiter->lock);
}

bool waiter_cancelled(struct waiter *waiter)
{
    bool cancelled;

    (void)pthread_mutex_lock(&waiter->lock);
    cancelled = waiter->cancelled;
    (void)pthread_mutex_unlock(&waiter->lock);
    return cancelled;
}

bool waiter_sleep(struct waiter *waiter, int64_t until_ms)
{
    bool cancelled;

    (void)pthread_mutex_lock(&waiter->lock);
    while (!waiter->cancelled && waiter_cond_wait(&waiter->cond, &waiter->lock, until_ms))
        ;
    cancelled = waiter->cancelled;
    (void)pthread_mutex_unlock(&waiter->lock);
    return !cancelled;
}
