/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that stop in their middle. */
#include "base/fiber.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 64 };

static char order[64];

static void note(char c)
{
    size_t len = strlen(order);

    order[len] = c;
    order[len + 1] = '\0';
}

struct job {
    char name;
    int stops, sum;
};

static void stops_and_goes_on(void *arg)
{
    struct job *job = arg;

    for (int i = 0; i < job->stops; i++) {
        note(job->name);
        job->sum += i;
        fiber_stop();
    }
    note((char)(job->name - 'a' + 'A'));
}

START_TEST(each_goes_on_where_it_stopped)
{
    struct fiber *a = fiber_new(), *b = fiber_new();
    struct job job_a = {.name = 'a', .stops = 2}, job_b = {.name = 'b', .stops = 1};

    ck_assert(!fiber_start(a, stops_and_goes_on, &job_a));
    ck_assert(!fiber_start(b, stops_and_goes_on, &job_b));
    ck_assert(!fiber_resume(a));
    ck_assert(fiber_resume(b));
    ck_assert(fiber_resume(a));
    ck_assert_str_eq(order, "abaBA");
    ck_assert_int_eq(job_a.sum, 1);
    fiber_free(a);
    fiber_free(b);
}
END_TEST

START_TEST(one_that_ended_can_be_started_again)
{
    struct fiber *fiber = fiber_new();

    for (int i = 0; i < 3; i++) {
        struct job job = {.name = 'x', .stops = i};

        order[0] = '\0';
        for (bool ended = fiber_start(fiber, stops_and_goes_on, &job); !ended;)
            ended = fiber_resume(fiber);
        ck_assert_uint_eq(strlen(order), (size_t)i + 1);
    }
    fiber_free(fiber);
}
END_TEST

static void asks(void *arg)
{
    bool *seen = arg;

    seen[0] = fiber_shares();
    fiber_alone();
    seen[1] = fiber_shares();
    fiber_alone(); /* stops no second time */
}

START_TEST(one_that_wants_to_be_alone_says_so_and_shares_no_more)
{
    struct fiber *fiber = fiber_new();
    bool seen[2] = {false, true};

    ck_assert(!fiber_shares());
    fiber_alone(); /* where there are no others */
    ck_assert(!fiber_start(fiber, asks, seen));
    ck_assert(fiber_wants_alone(fiber));
    ck_assert(!fiber_shares());
    ck_assert(fiber_resume(fiber));
    ck_assert(seen[0]);
    ck_assert(!seen[1]);
    ck_assert(!fiber_start(fiber, asks, seen)); /* begins anew, sharing */
    ck_assert(seen[0]);
    ck_assert(fiber_resume(fiber));
    fiber_free(fiber);
}
END_TEST

/* Most of the stack, with every byte used. */
static void goes_deep(void *arg)
{
    volatile char room[192 * 1024];

    for (size_t i = 0; i < sizeof(room); i += 512)
        room[i] = (char)(i >> 9);
    fiber_stop();
    *(bool *)arg = true;
    for (size_t i = 0; i < sizeof(room); i += 512)
        if (room[i] != (char)(i >> 9))
            *(bool *)arg = false;
}

static void *run_many(void *arg)
{
    struct fiber *fibers[MANY];
    bool intact[MANY] = {false};

    for (size_t i = 0; i < MANY; i++) {
        fibers[i] = fiber_new();
        if (fiber_start(fibers[i], goes_deep, &intact[i]))
            return NULL;
    }
    for (size_t i = 0; i < MANY; i++) {
        if (!fiber_resume(fibers[i]) || !intact[i])
            return NULL;
        fiber_free(fibers[i]);
    }
    return arg;
}

START_TEST(stacks_are_deep_and_apart_on_every_thread)
{
    pthread_t threads[4];
    void *well;
    char mark;

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_many, &mark), 0);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &well), 0);
        ck_assert_ptr_eq(well, &mark);
    }
}
END_TEST

/* ---- with a host ---- */

struct host {
    atomic_int ready, blocked;
    int watched;
};

static void is_ready(void *arg)
{
    struct host *host = arg;

    atomic_fetch_add(&host->ready, 1);
}

static bool watches(void *arg, int fd, uint32_t events)
{
    struct host *host = arg;

    host->watched = fd;
    return events == 1;
}

static void is_blocked(void *arg)
{
    struct host *host = arg;

    atomic_fetch_add(&host->blocked, 1);
}

static const struct fiber_host calls = {.ready = is_ready, .watch = watches, .blocks = is_blocked};

struct wait {
    struct fiber *fiber; /* that waits; NULL: it may not */
    pthread_t before, after;
    bool permit;
};

static void waits(void *arg)
{
    struct wait *wait = arg;

    wait->before = pthread_self();
    if (wait->permit)
        fiber_permit();
    fiber_let_wait(true);
    wait->fiber = fiber_that_waits();
    if (wait->fiber)
        fiber_wait(wait->fiber, 4711);
    fiber_let_wait(false);
    if (fiber_that_waits())
        wait->fiber = NULL;
    wait->after = pthread_self();
}

static void *resumes(void *fiber)
{
    return fiber_resume(fiber) ? fiber : NULL;
}

START_TEST(one_that_waits_is_gone_on_with_by_any_thread)
{
    struct host host = {0};
    struct fiber *fiber = fiber_new_hosted(&calls, &host);
    struct wait wait = {.permit = true};
    pthread_t thread;
    void *ended;

    ck_assert(!fiber_start(fiber, waits, &wait));
    ck_assert_int_eq(fiber_until_ms(fiber), 4711);
    ck_assert(fiber_rests(fiber));
    ck_assert_int_eq(atomic_load(&host.ready), 0);
    fiber_wake(fiber);
    ck_assert_int_eq(atomic_load(&host.ready), 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, resumes, fiber), 0);
    ck_assert_int_eq(pthread_join(thread, &ended), 0);
    ck_assert_ptr_eq(ended, fiber);
    ck_assert(pthread_equal(wait.before, pthread_self()));
    ck_assert(!pthread_equal(wait.after, pthread_self()));
    fiber_free(fiber);
}
END_TEST

START_TEST(a_wake_before_the_wait_is_not_lost_and_comes_once)
{
    struct host host = {0};
    struct fiber *fiber = fiber_new_hosted(&calls, &host);
    struct wait wait = {.permit = true};

    ck_assert(!fiber_start(fiber, waits, &wait));
    fiber_wake(fiber); /* before its thread has seen that it stopped */
    fiber_wake(fiber);
    ck_assert(!fiber_rests(fiber));
    ck_assert_int_eq(atomic_load(&host.ready), 0);
    ck_assert(fiber_resume(fiber));
    fiber_wake(fiber); /* one that has ended */
    ck_assert_int_eq(atomic_load(&host.ready), 0);
    ck_assert(!fiber_start(fiber, waits, &wait));
    ck_assert(fiber_rests(fiber));
    for (int i = 0; i < 3; i++)
        fiber_wake(fiber);
    ck_assert_int_eq(atomic_load(&host.ready), 1);
    ck_assert(fiber_resume(fiber));
    fiber_free(fiber);
}
END_TEST

START_TEST(nobody_waits_who_was_not_let_and_permitted)
{
    struct host host = {0};
    struct fiber *hosted = fiber_new_hosted(&calls, &host), *plain = fiber_new();
    struct wait wait = {.permit = false}, no_host = {.permit = true};

    ck_assert_ptr_null(fiber_that_waits());
    fiber_let_wait(true);
    ck_assert_ptr_null(fiber_that_waits());
    ck_assert(fiber_start(hosted, waits, &wait));
    ck_assert_ptr_null(wait.fiber);
    ck_assert(fiber_start(plain, waits, &no_host));
    ck_assert_ptr_null(no_host.fiber);
    wait.permit = true;
    ck_assert(!fiber_start(hosted, waits, &wait));
    ck_assert(fiber_resume(hosted));
    wait.permit = false; /* was for one run */
    ck_assert(fiber_start(hosted, waits, &wait));
    fiber_free(hosted);
    fiber_free(plain);
}
END_TEST

static void forgets(void *own)
{
    *(int *)own += 1;
}

static int forgotten;

static void keeps(void *arg)
{
    void **own = fiber_own(forgets);

    fiber_blocks();
    *(bool *)arg = own && (!*own || *own == &forgotten);
    if (own)
        *own = &forgotten;
}

START_TEST(what_is_a_fibers_own_is_kept_between_runs_and_freed_with_it)
{
    struct host host = {0};
    struct fiber *fiber = fiber_new_hosted(&calls, &host), *plain = fiber_new();
    bool well = false;

    for (int i = 0; i < 2; i++) {
        ck_assert(fiber_start(fiber, keeps, &well));
        ck_assert(well);
    }
    ck_assert_int_eq(forgotten, 0);
    ck_assert_int_eq(atomic_load(&host.blocked), 2);
    fiber_free(fiber);
    ck_assert_int_eq(forgotten, 1);
    ck_assert(fiber_start(plain, keeps, &well));
    ck_assert(!well);
    fiber_blocks(); /* on no fiber: nothing */
    ck_assert_int_eq(atomic_load(&host.blocked), 2);
    fiber_free(plain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base fiber");
    TCase *tc = tcase_create("fiber");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, each_goes_on_where_it_stopped);
    tcase_add_test(tc, one_that_ended_can_be_started_again);
    tcase_add_test(tc, one_that_wants_to_be_alone_says_so_and_shares_no_more);
    tcase_add_test(tc, stacks_are_deep_and_apart_on_every_thread);
    tcase_add_test(tc, one_that_waits_is_gone_on_with_by_any_thread);
    tcase_add_test(tc, a_wake_before_the_wait_is_not_lost_and_comes_once);
    tcase_add_test(tc, nobody_waits_who_was_not_let_and_permitted);
    tcase_add_test(tc, what_is_a_fibers_own_is_kept_between_runs_and_freed_with_it);
    return suite_run(suite);
}
