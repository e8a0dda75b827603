/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: one copy at a time, taken over, woken, tried again. */
#include "svc/job.h"

#include "base/clock.h"
#include "pg_server.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 20000, LONG_MS = 3600000 };

static struct pg_server server;
static char url[PG_URL_SIZE];

static const struct query count_up = {.name = "count_up", .sql = "update counter set n = n + 1"};

/* One copy of a service. */
struct copy {
    struct job *job;
    struct pg_conn *conn;
    atomic_int runs;
    atomic_int failures; /* how many runs still fail */
    atomic_bool cut;     /* lose the session after the next run */
};

static enum status run(struct call *call, void *arg)
{
    struct copy *copy = arg;

    copy->runs++;
    if (copy->failures > 0) {
        copy->failures--;
        return call_fail(call, ST_UNAVAILABLE, "not yet");
    }
    TRY(pg_exec(call, &count_up, NULL, ""));
    if (atomic_exchange(&copy->cut, false))
        pg_conn_break(copy->conn, 1, false);
    return ST_OK;
}

static void start(struct copy *copy, int interval_ms, const char *channel)
{
    struct error err = {0};

    ck_assert_int_eq(pg_conn_new(&copy->conn,
                                 &(struct pg_options){.url = url,
                                                      .schema = "public",
                                                      .app = "test",
                                                      .statement_timeout_ms = 30000},
                                 &err),
                     ST_OK);
    ck_assert_int_eq(job_new(&copy->job,
                             &(struct job_options){.name = "test",
                                                   .interval_ms = interval_ms,
                                                   .channel = channel,
                                                   .run = run,
                                                   .arg = copy},
                             copy->conn, NULL, &err),
                     ST_OK);
}

static void setup(void)
{
    pg_server_clone(&server, url);
    pg_server_sql(url, "create table counter (n int); insert into counter values (0)");
}

/* Waits until the copies ran at least so often together. */
static void wait_for_runs(struct copy *one, struct copy *two, int runs)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;
    struct timespec tick = {.tv_nsec = 2000000};

    while (one->runs + (two ? two->runs : 0) < runs) {
        ck_assert_msg(clock_mono_ms() < deadline, "only %d and %d runs", one->runs,
                      two ? two->runs : 0);
        (void)nanosleep(&tick, NULL);
    }
}

START_TEST(only_one_copy_runs_a_job)
{
    struct copy one = {0}, two = {0};

    start(&one, 1, NULL);
    wait_for_runs(&one, NULL, 1);
    start(&two, 1, NULL);
    wait_for_runs(&one, NULL, 200);
    job_free(two.job);
    job_free(one.job);
    ck_assert_int_eq(two.runs, 0);
    ck_assert_int_eq(strtol(pg_server_value(url, "select n from counter"), NULL, 10), one.runs);
}
END_TEST

START_TEST(another_copy_takes_over_when_the_active_one_ends)
{
    struct copy one = {0}, two = {0};

    start(&one, 1, NULL);
    wait_for_runs(&one, NULL, 1);
    start(&two, 1, NULL);
    job_free(one.job);
    wait_for_runs(&two, NULL, 1);
    job_free(two.job);
}
END_TEST

START_TEST(a_copy_that_lost_its_session_competes_anew)
{
    struct copy one = {.cut = true};

    start(&one, 1, NULL);
    wait_for_runs(&one, NULL, 20);
    ck_assert_uint_gt(pg_conn_generation(one.conn), 1);
    job_free(one.job);
}
END_TEST

START_TEST(a_notification_starts_the_next_run_at_once)
{
    struct copy one = {0};
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    start(&one, LONG_MS, "wake_up");
    wait_for_runs(&one, NULL, 1);
    /* The first may come before the job listens. */
    while (one.runs < 2 && clock_mono_ms() < deadline)
        pg_server_sql(url, "notify wake_up");
    ck_assert_int_ge(one.runs, 2);
    job_free(one.job);
}
END_TEST

START_TEST(a_failed_run_is_tried_again_before_its_interval)
{
    struct copy one = {.failures = 2};

    start(&one, LONG_MS, NULL);
    wait_for_runs(&one, NULL, 3);
    job_free(one.job);
    ck_assert_str_eq(pg_server_value(url, "select n from counter"), "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("svc_job");
    TCase *tcase = tcase_create("job");
    int failed;

    pg_server_start(&server);
    tcase_set_timeout(tcase, 40);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, only_one_copy_runs_a_job);
    tcase_add_test(tcase, another_copy_takes_over_when_the_active_one_ends);
    tcase_add_test(tcase, a_copy_that_lost_its_session_competes_anew);
    tcase_add_test(tcase, a_notification_starts_the_next_run_at_once);
    tcase_add_test(tcase, a_failed_run_is_tried_again_before_its_interval);
    suite_add_tcase(suite, tcase);
    failed = suite_run(suite);
    pg_server_stop(&server);
    return failed;
}
