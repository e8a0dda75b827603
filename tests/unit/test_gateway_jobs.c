/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of what is done about shared sessions: what servers ask, and the rest. */
#include "link_jobs.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static bool ask(struct link_jobs *jobs, const char *server, size_t len)
{
    char *json = calloc(1, len + 1);
    struct link_job *job;
    bool taken;

    ck_assert_ptr_nonnull(json);
    job = link_job_asked(server, "key", json, len);
    free(json);
    taken = link_jobs_add(jobs, job);
    if (!taken)
        link_job_free(job);
    return taken;
}

START_TEST(a_server_that_asks_without_end_leaves_room_for_the_questions_of_others)
{
    struct link_jobs jobs;
    int taken = 0;

    link_jobs_init(&jobs);
    for (int i = 0; i < 1000; i++)
        taken += ask(&jobs, "loud", 10);
    ck_assert_int_lt(taken, 20);
    ck_assert(ask(&jobs, "quiet", 10));
    link_jobs_done(&jobs);
}
END_TEST

START_TEST(questions_that_wait_take_no_more_than_16_mib)
{
    struct link_jobs jobs;

    link_jobs_init(&jobs);
    ck_assert(ask(&jobs, "a", 9 << 20));
    ck_assert(!ask(&jobs, "b", 9 << 20));
    link_jobs_finish(&jobs, link_jobs_take(&jobs));
    ck_assert(ask(&jobs, "b", 9 << 20));
    link_jobs_done(&jobs);
}
END_TEST

START_TEST(questions_go_first_but_leave_a_thread_for_the_rest)
{
    struct link_jobs jobs;
    struct link_job *taken[LINK_THREADS];

    link_jobs_init(&jobs);
    ck_assert(link_jobs_add(&jobs, link_job_new(JOB_END, "over")));
    for (int i = 0; i < LINK_THREADS; i++)
        ck_assert(ask(&jobs, "a", 1));
    for (int i = 0; i < LINK_THREADS; i++) {
        taken[i] = link_jobs_take(&jobs);
        ck_assert_int_eq(taken[i]->kind, i < LINK_THREADS - 1 ? JOB_ASKED : JOB_END);
    }
    ck_assert_ptr_null(link_jobs_take(&jobs));
    for (int i = 0; i < LINK_THREADS; i++)
        link_jobs_finish(&jobs, taken[i]);
    ck_assert_ptr_nonnull(taken[0] = link_jobs_take(&jobs));
    link_jobs_finish(&jobs, taken[0]);
    link_jobs_done(&jobs);
}
END_TEST

START_TEST(a_question_that_found_nobody_goes_after_the_others)
{
    struct link_jobs jobs;
    struct link_job *job;

    link_jobs_init(&jobs);
    ck_assert(ask(&jobs, "a", 1));
    ck_assert(ask(&jobs, "b", 1));
    job = link_jobs_take(&jobs);
    ck_assert_str_eq(job->server, "a");
    link_jobs_again(&jobs, job);
    for (int i = 0; i < 2; i++) {
        job = link_jobs_take(&jobs);
        ck_assert_str_eq(job->server, i == 0 ? "b" : "a");
        link_jobs_finish(&jobs, job);
    }
    ck_assert_ptr_null(link_jobs_take(&jobs));
    ck_assert_int_eq(jobs.n_asking, 0);
    link_jobs_done(&jobs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_jobs");
    TCase *tcase = tcase_create("jobs");

    tcase_add_test(tcase, a_server_that_asks_without_end_leaves_room_for_the_questions_of_others);
    tcase_add_test(tcase, questions_that_wait_take_no_more_than_16_mib);
    tcase_add_test(tcase, questions_go_first_but_leave_a_thread_for_the_rest);
    tcase_add_test(tcase, a_question_that_found_nobody_goes_after_the_others);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
