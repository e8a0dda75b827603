/* SPDX-License-Identifier: Apache-2.0 */
/* How a thread that waits for a socket is told by another to stop. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int fd;      /* shut down when cancelled; -1 = none */
    int wake_fd; /* eventfd: there is something else to see; -1 = never */
    bool cancelled;
};

void waiter_init(struct waiter *waiter);
void waiter_done(struct waiter *waiter);
/* Gives it a wake_fd. */
void waiter_wakeable(struct waiter *waiter);
/* The descriptor is in use from here on; false when it is too late. */
bool waiter_enter(struct waiter *waiter, int fd);
/* Before the descriptor is closed or given to somebody else. */
void waiter_leave(struct waiter *waiter);
/* Any thread: ends what waits. */
void waiter_cancel(struct waiter *waiter);
bool waiter_cancelled(struct waiter *waiter);
/* Sleeps until that clock_mono_ms(); false when cancelled. */
bool waiter_sleep(struct waiter *waiter, int64_t until_ms);
/* pthread_cond_timedwait until a clock_mono_ms(), for conditions made by
 * waiter_cond_init. False when the time is over. */
void waiter_cond_init(pthread_cond_t *cond);
bool waiter_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);
