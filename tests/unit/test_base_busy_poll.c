/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting awake: when it is done, and that it ends. */
#include "base/busy_poll.h"
#include "base/clock.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int ends[2];

static void open_pipe(void)
{
    ck_assert_int_eq(pipe(ends), 0);
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static int wait_for(struct busy_poll *state, int timeout_ms)
{
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    int ready = busy_poll(state, &fd, 1, timeout_ms);

    ck_assert_int_eq(fd.revents != 0, ready == 1);
    return ready;
}

static bool alone(void)
{
    cpu_set_t mine;

    return sched_getaffinity(0, sizeof(mine), &mine) == 0 && CPU_COUNT(&mine) < 2;
}

START_TEST(after_a_short_wait_it_looks_before_it_sleeps)
{
    struct busy_poll state = {0};

    ck_assert_int_eq(write(ends[1], "1", 1), 1);
    /* A machine that is busy may make even this a long wait. */
    for (int i = 0; i < 1000 && !state.soon; i++)
        ck_assert_int_eq(wait_for(&state, 1000), 1);
    ck_assert(state.soon);
    state.looked = 0;
    ck_assert_int_eq(wait_for(&state, 1000), 1);
    ck_assert_uint_eq(state.looked, alone() ? 0 : 1);
}
END_TEST

START_TEST(after_a_long_wait_it_sleeps_at_once)
{
    struct busy_poll state = {.soon = true};

    ck_assert_int_eq(wait_for(&state, 5), 0);
    ck_assert(!state.soon);
    state.looked = 0;
    ck_assert_int_eq(wait_for(&state, 1), 0);
    ck_assert_uint_eq(state.looked, 0);
}
END_TEST

START_TEST(of_several_that_wait_for_events_one_looks)
{
    struct busy_poll state = {.soon = true};
    atomic_bool somebody_looks = false;
    struct epoll_event event = {.events = EPOLLIN};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_int_eq(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ends[0], &event), 0);
    ck_assert_int_eq(write(ends[1], "1", 1), 1);
    ck_assert_int_eq(busy_epoll(&state, &somebody_looks, epoll_fd, &event, 1), 1);
    ck_assert_uint_eq(state.looked, alone() ? 0 : 1);
    ck_assert(!atomic_load(&somebody_looks));
    state = (struct busy_poll){.soon = true};
    atomic_store(&somebody_looks, true);
    ck_assert_int_eq(busy_epoll(&state, &somebody_looks, epoll_fd, &event, 1), 1);
    ck_assert_uint_eq(state.looked, 0);
    ck_assert(atomic_load(&somebody_looks));
    (void)close(epoll_fd);
}
END_TEST

static void *write_late(void *arg)
{
    const struct timespec pause = {.tv_nsec = 50000000};

    (void)arg;
    (void)nanosleep(&pause, NULL); /* well after the one that waits stopped looking */
    ck_assert_int_eq(write(ends[1], "1", 1), 1);
    return NULL;
}

static int64_t cpu_us(void)
{
    struct timespec used;

    ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
    return used.tv_sec * INT64_C(1000000) + used.tv_nsec / 1000;
}

START_TEST(what_comes_late_is_waited_for_asleep)
{
    struct busy_poll state = {.soon = true};
    int64_t before_us = cpu_us();
    pthread_t writer;

    ck_assert_int_eq(pthread_create(&writer, NULL, write_late, NULL), 0);
    ck_assert_int_eq(wait_for(&state, 10000), 1);
    ck_assert_int_lt(cpu_us() - before_us, 20000);
    ck_assert(!state.soon);
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
}
END_TEST

START_TEST(the_time_given_is_kept)
{
    struct busy_poll state = {.soon = true};
    int64_t begun_ms = clock_mono_ms();

    ck_assert_int_eq(wait_for(&state, 0), 0);
    ck_assert_uint_eq(state.looked, 0);
    ck_assert_int_eq(wait_for(&state, 20), 0);
    ck_assert_int_ge(clock_mono_ms() - begun_ms, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("busy polling");
    TCase *tc = tcase_create("wait");

    tcase_add_checked_fixture(tc, open_pipe, close_pipe);
    tcase_add_test(tc, after_a_short_wait_it_looks_before_it_sleeps);
    tcase_add_test(tc, after_a_long_wait_it_sleeps_at_once);
    tcase_add_test(tc, of_several_that_wait_for_events_one_looks);
    tcase_add_test(tc, what_comes_late_is_waited_for_asleep);
    tcase_add_test(tc, the_time_given_is_kept);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
