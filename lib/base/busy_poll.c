/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for descriptors, awake for a while. */
#include "base/busy_poll.h"

#include "base/clock.h"

#include <pthread.h>
#include <sched.h>

static bool others_can_run; /* while one thread looks */

static void count_processors(void)
{
    cpu_set_t mine;

    others_can_run = sched_getaffinity(0, sizeof(mine), &mine) == 0 && CPU_COUNT(&mine) > 1;
}

static bool may_look(const struct busy_poll *state)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, count_processors);
    return state->soon && others_can_run;
}

static int look(struct pollfd *fds, nfds_t n, int64_t until_us)
{
    int ready;

    while ((ready = poll(fds, n, 0)) == 0 && clock_mono_us() < until_us)
        (void)sched_yield();
    return ready;
}

int busy_poll(struct busy_poll *state, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    int64_t begun_us = clock_mono_us();
    int ready = 0;

    if (timeout_ms != 0 && may_look(state)) {
        state->looked++;
        ready = look(fds, n, begun_us + BUSY_POLL_US);
    }
    if (ready == 0)
        ready = poll(fds, n, timeout_ms);
    state->soon = ready > 0 && clock_mono_us() - begun_us < BUSY_POLL_SOON_US;
    return ready;
}
