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

static void ended(struct busy_poll *state, int ready, int64_t begun_us)
{
    state->soon = ready > 0 && clock_mono_us() - begun_us < BUSY_POLL_SOON_US;
}

int busy_poll(struct busy_poll *state, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    int64_t begun_us = clock_mono_us();
    int ready = 0;

    if (timeout_ms != 0 && may_look(state)) {
        state->looked++;
        while ((ready = poll(fds, n, 0)) == 0 && clock_mono_us() < begun_us + BUSY_POLL_US)
            (void)sched_yield();
    }
    if (ready == 0)
        ready = poll(fds, n, timeout_ms);
    ended(state, ready, begun_us);
    return ready;
}

int busy_epoll(struct busy_poll *state, atomic_bool *somebody_looks, int epoll_fd,
               struct epoll_event *events, int max)
{
    int64_t begun_us = clock_mono_us();
    int ready = 0;

    if (may_look(state) && !atomic_exchange(somebody_looks, true)) {
        state->looked++;
        while ((ready = epoll_wait(epoll_fd, events, max, 0)) == 0 &&
               clock_mono_us() < begun_us + BUSY_POLL_US)
            (void)sched_yield();
        atomic_store(somebody_looks, false);
    }
    if (ready == 0)
        ready = epoll_wait(epoll_fd, events, max, -1);
    ended(state, ready, begun_us);
    return ready;
}
