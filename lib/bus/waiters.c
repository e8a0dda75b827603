/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a message and does not read the socket itself is woken by who
 * reads it, with no lock held. cnats would wake it while it holds the lock of the
 * subscription, on which the woken thread would have to wait at once. */
#include "internal.h"

#include "base/clock.h"
#include "base/fiber.h"

#include <errno.h>
#include <semaphore.h>

struct waiter {
    struct waiter *next, **prev; /* under the list's lock; prev NULL: being woken */
    natsSubscription *sub;
    struct fiber *fiber; /* that waits; NULL: a thread does */
    sem_t woken;
    atomic_bool posted; /* says the same to ThreadSanitizer, which knows no sem_clockwait */
};

void bus_waiters_init(struct bus_waiters *waiters)
{
    waiters->first = NULL;
    pthread_mutex_init(&waiters->lock, NULL);
}

void bus_waiters_done(struct bus_waiters *waiters)
{
    pthread_mutex_destroy(&waiters->lock);
}

static void unlink_waiter(struct waiter *waiter)
{
    *waiter->prev = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    waiter->prev = NULL;
}

bool bus_sub_has_news(natsSubscription *sub)
{
    uint64_t n = 0;

    return natsSubscription_QueuedMsgs(sub, &n) != NATS_OK || n > 0;
}

static void wake(struct bus_waiters *waiters, bool all)
{
    struct waiter *woken = NULL;

    pthread_mutex_lock(&waiters->lock);
    for (struct waiter *waiter = waiters->first, *next; waiter; waiter = next) {
        next = waiter->next;
        if (!all && !bus_sub_has_news(waiter->sub))
            continue;
        unlink_waiter(waiter);
        if (waiter->fiber) {
            fiber_wake(waiter->fiber);
            continue;
        }
        waiter->next = woken;
        woken = waiter;
    }
    pthread_mutex_unlock(&waiters->lock);
    while (woken) {
        struct waiter *next = woken->next;

        atomic_store(&woken->posted, true);
        (void)sem_post(&woken->woken); /* it is gone from here on */
        woken = next;
    }
}

void bus_waiters_look(void *arg)
{
    wake(arg, false);
}

void bus_waiters_wake(struct bus_waiters *waiters)
{
    wake(waiters, true);
}

/* False when the time is over. */
static bool wait_until(struct waiter *waiter, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};

    while (sem_clockwait(&waiter->woken, CLOCK_MONOTONIC, &until) != 0)
        if (errno != EINTR)
            return false;
    return atomic_load(&waiter->posted);
}

static void enter(struct bus_waiters *waiters, struct waiter *waiter)
{
    pthread_mutex_lock(&waiters->lock);
    waiter->next = waiters->first;
    waiter->prev = &waiters->first;
    if (waiter->next)
        waiter->next->prev = &waiter->next;
    waiters->first = waiter;
    pthread_mutex_unlock(&waiters->lock);
}

/* Who was not woken. */
static void leave(struct bus_waiters *waiters, struct waiter *waiter)
{
    pthread_mutex_lock(&waiters->lock);
    bool waking = !waiter->prev;
    if (!waking)
        unlink_waiter(waiter);
    pthread_mutex_unlock(&waiters->lock);
    while (waking && sem_wait(&waiter->woken) != 0)
        ; /* a signal */
}

static void wait_on_fiber(struct bus_waiters *waiters, struct waiter *self, int64_t deadline_ms)
{
    enter(waiters, self);
    if (!bus_sub_has_news(self->sub))
        fiber_wait(self->fiber, deadline_ms);
    pthread_mutex_lock(&waiters->lock);
    if (self->prev)
        unlink_waiter(self);
    pthread_mutex_unlock(&waiters->lock);
}

static void wait_on_thread(struct bus_waiters *waiters, struct waiter *self, int64_t deadline_ms)
{
    fiber_blocks();
    (void)sem_init(&self->woken, 0, 0);
    enter(waiters, self);
    /* What came before nobody wakes this thread for. */
    if (bus_sub_has_news(self->sub) || !wait_until(self, deadline_ms))
        leave(waiters, self);
    (void)sem_destroy(&self->woken);
}

natsStatus bus_waiters_next_msg(struct bus_waiters *waiters, natsSubscription *sub,
                                int64_t deadline_ms, natsMsg **ret_msg)
{
    natsStatus s;

    do {
        struct waiter self = {.sub = sub, .fiber = fiber_that_waits()};

        if (self.fiber)
            wait_on_fiber(waiters, &self, deadline_ms);
        else
            wait_on_thread(waiters, &self, deadline_ms);
        s = natsSubscription_NextMsg(ret_msg, sub, 0);
    } while (s == NATS_TIMEOUT && clock_mono_ms() < deadline_ms);
    return s;
}
