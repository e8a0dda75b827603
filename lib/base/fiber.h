/* SPDX-License-Identifier: Apache-2.0 */
/* A function on a stack of its own, which may stop in its middle and be gone on
 * with later: so that one thread serves several calls that wait, each written as
 * if it were alone. Without a host they gather on one thread, which waits for all of
 * them together (lib/pg); with one, they wait for events (lib/http). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct fiber;

/* Who runs fibers that wait for events, any of its threads each of them (an event
 * loop). Its functions get the pointer given to fiber_new_hosted. */
struct fiber_host {
    /* Any thread: the fiber, which waits, can be gone on with: fiber_resume is to be
     * called, by whichever thread, once. */
    void (*ready)(void *arg);
    /* Of the code that runs: the next of these events of fd (EPOLLIN, EPOLLOUT) wakes
     * the fiber; false when that cannot be seen to. */
    bool (*watch)(void *arg, int fd, uint32_t events);
    /* Of the code that runs: it is about to make its thread wait. */
    void (*blocks)(void *arg);
};

/* Its stack has 256 KiB and a guard page below; what is not touched costs no
 * memory. NULL when the system has none left. */
struct fiber *fiber_new(void);
/* The same with a host, which it does not outlive. */
struct fiber *fiber_new_hosted(const struct fiber_host *host, void *arg);
/* Of one that has ended. Accepts NULL. */
void fiber_free(struct fiber *fiber);

/* Runs fn(arg) on it until it ends (true) or stops (false). A fiber that has
 * ended may be started again. */
bool fiber_start(struct fiber *fiber, void (*fn)(void *arg), void *arg);
/* Goes on where it stopped; without a host on the thread that started it. */
bool fiber_resume(struct fiber *fiber);
/* After one with a host has stopped: whether it waits now. False: it was woken by now
 * and is to be resumed at once. */
bool fiber_rests(struct fiber *fiber);
/* Until when it waits, of one that has stopped. */
int64_t fiber_until_ms(const struct fiber *fiber);
/* Any thread: it does not wait any more; nothing when it does not wait. The fiber must
 * not be freed meanwhile. */
void fiber_wake(struct fiber *fiber);
/* It waits until the others of its thread have ended. */
bool fiber_wants_alone(const struct fiber *fiber);

/* ---- of the code that runs ---- */

/* Whether it is on a fiber and others may be under way on the same thread: then
 * it does not wait itself, but stops. */
bool fiber_shares(void);
/* Returns when the fiber is resumed. */
void fiber_stop(void);
/* Before waiting for something that is not gathered (a transaction, another
 * service): returns when the others have ended, and from then on it does not
 * share. Does nothing where there are no others. */
void fiber_alone(void);

/* Its host's: from here on waits may be let, in this run. */
void fiber_permit(void);

/* ---- waiting, of code that may have a host ----
 * Where it is let, a wait does not hold the thread: the fiber stops, and whoever goes
 * on with it may be another thread. So between fiber_let_wait(true) and (false) no
 * lock may be held, and nothing of the thread be kept: errno, what is its own. */

/* Whether waits from here on may; nothing on a fiber without a host. */
void fiber_let_wait(bool let);
/* The fiber, when it may wait so; else NULL. */
struct fiber *fiber_that_waits(void);
/* Waits until woken, or until that clock_mono_ms(); it may be woken without a reason. */
void fiber_wait(struct fiber *fiber, int64_t until_ms);
/* Has the next of these events of fd wake the fiber, and no other that watched it. */
bool fiber_watch(struct fiber *fiber, int fd, uint32_t events);
/* Before the thread waits: its host has time to find another. Nothing elsewhere. */
void fiber_blocks(void);
/* Room for one pointer that is the fiber's, kept from one run to the next; done is
 * called with it at the fiber's end, if not NULL. NULL on a fiber without a host, or
 * on none. */
void **fiber_own(void (*done)(void *own));
