/* SPDX-License-Identifier: Apache-2.0 */
/* Two copies of sprint as processes: digests are made by one of them, by the
 * other when it dies. */
#include "mal/sprint/v1/sprint.api.h"
#include "migrations.sql.h"
#include "sprint.h"

#define PROCESS_NAME "sprint"
#define PROCESS_ENV "MAL_TEAM_PULSE_ENABLED", "true"
#include "service_process.h"

enum { ASK_MS = 2000 };

static int count(const char *what)
{
    char sql[300];

    (void)snprintf(sql, sizeof(sql), "select count(*) from sprint.%s", what);
    return (int)strtol(pg_server_value(pg_url, sql), NULL, 10);
}

/* A request may be on its way to a copy that has just been killed: then it is
 * lost, and whoever asked asks again. */
static bool lost(enum status status)
{
    return status == ST_DEADLINE_EXCEEDED || status == ST_UNAVAILABLE;
}

/* Creates a sprint and completes it, through whichever copy answers. */
static void complete_sprint(const char *id)
{
    Sprint__CreateSprintRequest create = SPRINT__CREATE_SPRINT_REQUEST__INIT;
    Sprint__CreateSprintResponse *created;
    Sprint__UpdateSprintRequest update = SPRINT__UPDATE_SPRINT_REQUEST__INIT;
    Sprint__UpdateSprintResponse *updated;
    enum status status;

    create.id = id;
    create.name = id;
    create.start_date = "2026-03-02";
    create.end_date = "2026-03-16";
    do
        status = sprint_create_sprint_call(bus, new_call(ASK_MS), &create, 0, &created);
    while (lost(status));
    ck_assert(status == ST_OK || status == ST_ALREADY_EXISTS);
    update.id = id;
    update.status = SPRINT__SPRINT_STATUS__SPRINT_STATUS_COMPLETED;
    do
        status = sprint_update_sprint_call(bus, new_call(ASK_MS), &update, 0, &updated);
    while (lost(status));
    ck_assert_int_eq(status, ST_OK);
}

#define DIGESTS "outbox where subject = 'mal.evt.sprint.digest.published'"

START_TEST(digests_are_made_once_by_two_copies_and_by_one_when_the_other_dies)
{
    pid_t first = service;
    int first_log = service_log;

    start_service();
    AWAIT(count("digest where kind <> 'sprint_end'") == 2);
    complete_sprint("one");
    AWAIT(count("digest where kind = 'sprint_end' and body like '%(`one`)%'") == 1);
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    ck_assert_int_eq(waitpid(first, NULL, 0), first);
    (void)close(first_log);
    complete_sprint("two");
    AWAIT(count("digest where kind = 'sprint_end' and body like '%(`two`)%'") == 1);
    ck_assert_int_eq(count(DIGESTS), 4);
    AWAIT(count(DIGESTS " and published_at is not null") == 4);
}
END_TEST

int main(int argc, char **argv)
{
    const struct svc svc = sprint_service();
    Suite *suite = suite_create("sprint_process");
    TCase *tcase = tcase_create("digests");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, digests_are_made_once_by_two_copies_and_by_one_when_the_other_dies);
    suite_add_tcase(suite, tcase);
    return process_tests(argc, argv, suite, &svc);
}
