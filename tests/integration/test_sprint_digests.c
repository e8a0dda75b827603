/* SPDX-License-Identifier: Apache-2.0 */
/* Context for agents, and digests: each made once, none forgotten. */
#include "sprint_fixture.h"

#include "digest.h"

#include <pthread.h>

static void at(const char *time)
{
    ck_assert(clock_parse(time, &f->now_ms));
}

static void add(const char *sql)
{
    pg_server_sql(f->url, sql);
}

/* One round of the job at the fixture's time. */
static enum status round_on(struct pg_conn *conn)
{
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena,
                        .pg = conn,
                        .actor = "",
                        .request_id = "",
                        .channel = "",
                        .deadline_ms = clock_mono_ms() + 30000,
                        .now_ms = f->now_ms};
    enum status status;

    arena_init(&arena);
    status = digests_make(&call, NULL);
    ck_assert_msg(status == ST_OK, "%s", call.error.message);
    return status;
}

static void make(void)
{
    (void)round_on(f->conn);
}

/* "daily 2026-03-01, weekly 2026-02-23", by kind and period. */
static const char *stored(void)
{
    return value("select string_agg(kind || ' ' || period || case when project_id <> '' then ' ' ||"
                 " project_id else '' end, ', ' order by kind, period, project_id)"
                 " from sprint.digest");
}

static const char *published(void)
{
    return value("select count(*) from sprint.outbox"
                 " where subject = 'mal.evt.sprint.digest.published'");
}

static const char *body(const char *kind)
{
    return value(arena_printf(&f->arena,
                              "select body from sprint.digest where kind = '%s' order by period"
                              " desc limit 1",
                              kind));
}

/* ---- when ------------------------------------------------------------------ */

START_TEST(the_day_before_is_told_at_six)
{
    at("2026-03-03T05:59:59.999Z"); /* a Tuesday */
    make();
    ck_assert_str_eq(stored(), "daily 2026-03-01, weekly 2026-02-23");
    at("2026-03-03T06:00:00Z");
    make();
    ck_assert_str_eq(stored(), "daily 2026-03-01, daily 2026-03-02, weekly 2026-02-23");
    at("2026-03-04T05:59:59.999Z");
    make();
    ck_assert_str_eq(published(), "3");
}
END_TEST

START_TEST(the_week_before_is_told_on_mondays_at_six)
{
    add("insert into sprint.digest (kind, period, body) values ('weekly', '2026-02-16', ''),"
        " ('daily', '2026-02-28', '')");
    at("2026-03-02T05:59:59.999Z"); /* a Monday */
    make();
    ck_assert_str_eq(stored(), "daily 2026-02-28, weekly 2026-02-16");
    at("2026-03-02T06:00:00Z");
    make();
    ck_assert_str_eq(stored(),
                     "daily 2026-02-28, daily 2026-03-01, weekly 2026-02-16, weekly 2026-02-23");
}
END_TEST

START_TEST(what_was_missed_is_made_up_for)
{
    add("insert into sprint.digest (kind, period, body) values ('weekly', '2026-02-09', ''),"
        " ('daily', '2026-02-26', '')");
    at("2026-03-03T10:00:00Z");
    make();
    ck_assert_str_eq(stored(), "daily 2026-02-26, daily 2026-02-27, daily 2026-02-28,"
                               " daily 2026-03-01, daily 2026-03-02, weekly 2026-02-09,"
                               " weekly 2026-02-16, weekly 2026-02-23");
    /* But not for ever. */
    at("2026-08-04T10:00:00Z");
    make();
    ck_assert_str_eq(value("select count(*) from sprint.digest where kind = 'daily'"), "12");
    ck_assert_str_eq(value("select count(*) from sprint.digest where kind = 'weekly'"), "7");
    ck_assert_str_eq(value("select min(period) from sprint.digest where period > '2026-03-02'"
                           " and kind = 'daily'"),
                     "2026-07-28");
}
END_TEST

START_TEST(a_clock_that_goes_back_makes_nothing)
{
    at("2026-03-03T10:00:00Z");
    make();
    at("2026-02-03T10:00:00Z");
    make();
    ck_assert_str_eq(stored(), "daily 2026-03-02, weekly 2026-02-23");
    ck_assert_str_eq(published(), "2");
}
END_TEST

/* ---- the end of sprints ------------------------------------------------------- */

/* Adds a completed sprint. */
static void complete(const char *id, const char *project, const char *time)
{
    add(arena_printf(&f->arena,
                     "insert into sprint.sprint (id, name, start_date, end_date, status,"
                     " project_id, velocity, completed_at, updated_at) values"
                     " ('%s', 'Sprint of %s', '2026-02-16', '2026-03-02', 'completed', %s, 5,"
                     " '%s', '%s') on conflict (id) do update set completed_at = '%s',"
                     " updated_at = '%s'",
                     id, id, project, time, time, time, time));
}

START_TEST(each_completion_is_told_once)
{
    const Sprint__DigestPublished *event;

    add("insert into sprint.project (id, name) values ('apollo', 'Apollo')");
    at("2026-03-03T10:00:00Z");
    make();
    complete("one", "'apollo'", "2026-03-03 09:59:00.123456+00");
    make();
    ck_assert_str_eq(stored(), "daily 2026-03-02, sprint_end 2026-03-03 apollo, weekly 2026-02-23");
    ck_assert_ptr_nonnull(strstr(body("sprint_end"), "## Retrospective: Sprint of one (`one`)\n"));
    event =
        (const void *)last_event("sprint.digest.published", &sprint__digest_published__descriptor);
    ck_assert_int_eq(event->kind, SPRINT__DIGEST_KIND__DIGEST_KIND_SPRINT_END);
    ck_assert_str_eq(event->period, "2026-03-03");
    ck_assert_str_eq(event->project_id, "apollo");
    ck_assert_str_eq(value("select actor from sprint.outbox order by id desc limit 1"), "sprint");
    make();
    ck_assert_str_eq(published(), "3");
    OK(f, "ListDigests", "{'kind':'sprint_end'}");
    HAS(f, "{'items':[{'kind':'sprint_end','period':'2026-03-03','project_id':'apollo',"
           "'body':'## Retrospective: Sprint of one (`one`)\\n");
    HAS(f, "'total':1,'count':1,'offset':0,'has_more':false}");
}
END_TEST

START_TEST(sprints_of_one_day_and_project_share_a_digest)
{
    at("2026-03-03T10:00:00Z");
    complete("one", "null", "2026-03-03 09:59:00+00");
    make();
    complete("two", "null", "2026-03-03 10:00:01+00"); /* its clock is a little fast */
    make();
    make();
    ck_assert_str_eq(value("select count(*) from sprint.digest where kind = 'sprint_end'"), "1");
    ck_assert_ptr_nonnull(strstr(body("sprint_end"), "(`one`)"));
    ck_assert_ptr_nonnull(strstr(body("sprint_end"), "\n\n## Retrospective: Sprint of two"));
    ck_assert_str_eq(published(), "4");
    /* Completed again, it is told again. */
    complete("one", "null", "2026-03-03 10:00:02+00");
    make();
    ck_assert_str_eq(published(), "5");
}
END_TEST

/* Its transaction was still open when the digest of the day was made. */
START_TEST(a_completion_that_is_committed_late_is_told)
{
    at("2026-03-03T10:00:00Z");
    complete("one", "null", "2026-03-03 09:59:00+00");
    make();
    ck_assert_str_eq(published(), "3");
    complete("two", "null", "2026-03-03 09:58:59+00");
    complete("three", "null", "2026-03-03 10:00:00+00");
    make();
    ck_assert_ptr_nonnull(strstr(body("sprint_end"), "(`two`)"));
    ck_assert_ptr_nonnull(strstr(body("sprint_end"), "(`three`)"));
    ck_assert_str_eq(published(), "4");
    make();
    ck_assert_str_eq(published(), "4");
}
END_TEST

/* Of digests that do not say yet what they tell of. */
START_TEST(what_was_told_before_is_not_told_again)
{
    struct error err = {0};

    pg_server_sql(f->url, "drop schema sprint cascade; create schema sprint");
    ck_assert_msg(pg_migrate(f->conn, "sprint", sprint_migrations, 1, &err) == ST_OK, "%s",
                  err.message);
    complete("one", "null", "2026-03-03 09:59:00+00");
    add("insert into sprint.digest (kind, period, body, created_at) values"
        " ('sprint_end', '2026-03-03', 'told', '2026-03-03 10:00+00')");
    ck_assert_msg(pg_migrate(f->conn, "sprint", sprint_migrations, sprint_n_migrations, &err) ==
                      ST_OK,
                  "%s", err.message);
    at("2026-03-03T10:00:00Z");
    make();
    ck_assert_str_eq(body("sprint_end"), "told");
}
END_TEST

START_TEST(completions_while_nobody_looked_are_told_late)
{
    complete("old", "null", "2026-02-20 10:00:00+00");
    complete("late", "null", "2026-03-01 10:00:00+00");
    at("2026-03-03T10:00:00Z");
    make();
    ck_assert_str_eq(value("select string_agg(period::text, ' ') from sprint.digest"
                           " where kind = 'sprint_end'"),
                     "2026-03-01");
}
END_TEST

/* ---- once ----------------------------------------------------------------------- */

static void *copy(void *arg)
{
    for (int i = 0; i < 3; i++)
        (void)round_on(arg);
    return NULL;
}

START_TEST(two_copies_make_each_digest_once)
{
    enum { COPIES = 4 };
    struct pg_conn *conns[COPIES];
    pthread_t threads[COPIES];

    for (int i = 0; i < 12; i++)
        complete(arena_printf(&f->arena, "s%d", i), "null",
                 arena_printf(&f->arena, "2026-03-0%d %02d:00+00", 1 + i % 3, i));
    add("insert into sprint.digest (kind, period, body) values ('weekly', '2026-01-05', ''),"
        " ('daily', '2026-02-01', '')");
    at("2026-03-03T12:00:00Z");
    for (int i = 0; i < COPIES; i++) {
        conns[i] = open_conn(f->url);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, copy, conns[i]), 0);
    }
    for (int i = 0; i < COPIES; i++) {
        pthread_join(threads[i], NULL);
        pg_conn_free(conns[i]);
    }
    /* Two were there. */
    ck_assert_str_eq(value("select count(*) from sprint.digest"), "16");
    ck_assert_str_eq(published(), "14");
}
END_TEST

START_TEST(a_digest_that_is_not_announced_is_not_stored)
{
    at("2026-03-03T12:00:00Z");
    for (int n = 1;; n++) {
        CLEANUP(arena_done) struct arena arena;
        struct call call = {.arena = &arena,
                            .pg = f->conn,
                            .actor = "",
                            .request_id = "",
                            .deadline_ms = clock_mono_ms() + 30000,
                            .now_ms = f->now_ms};
        enum status status;

        arena_init(&arena);
        pg_conn_break(f->conn, n, false);
        status = digests_make(&call, NULL);
        pg_conn_break(f->conn, 0, false);
        pg_conn_settle(f->conn);
        ck_assert_str_eq(value("select count(*) from sprint.digest"), published());
        if (status == ST_OK)
            break;
        ck_assert_int_lt(n, 200);
    }
    ck_assert_str_eq(stored(), "daily 2026-03-02, weekly 2026-02-23");
    ck_assert_str_eq(published(), "2");
}
END_TEST

/* ---- what they say ------------------------------------------------------------------ */

static void add_work(void)
{
    add("insert into sprint.sprint (id, name, start_date, end_date, status, velocity, completed_at)"
        " values ('sprint-7', 'Sprint 7', '2026-02-23', '2026-03-09', 'active', null, null),"
        " ('sprint-6', 'Sprint 6', '2026-02-02', '2026-02-16', 'completed', 34, '2026-02-16');"
        "insert into sprint.work_item (id, title, status, story_points, assignee, completed_at,"
        " sprint_id, updated_at) values"
        " ('MAL-1', 'Early', 'done', 1, 'eve', '2026-02-28 23:59:59.999+00', 'sprint-7', now()),"
        " ('MAL-2', 'Columns', 'done', 5, 'ana', '2026-03-01 00:00+00', 'sprint-7', now()),"
        " ('MAL-3', 'Docs', 'done', null, null, '2026-03-01 23:59:59.999+00', null, now()),"
        " ('MAL-4', 'Late', 'done', 8, 'ben', '2026-03-02 00:00+00', 'sprint-7', now());"
        "insert into sprint.work_item (id, title, status, story_points, assignee, labels,"
        " blocked_since, sprint_id) values"
        " ('MAL-5', 'Stuck', 'todo', 6, 'ben', '{blocked}', '2026-02-27 06:00+00', 'sprint-7'),"
        " ('MAL-6', 'Given up', 'cancelled', 6, 'ben', '{blocked}', '2026-02-27 06:00+00', null)");
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'cleo','decisions':['Use a board.','Keep it.']}");
    add("update sprint.interaction set created_at = '2026-03-01 12:00+00';"
        "update sprint.decision set created_at = '2026-03-01 12:00+00'");
    at("2026-03-02T06:00:00Z");
}

START_TEST(the_daily_pulse_tells_what_was_done_and_what_is_blocked)
{
    add_work();
    make();
    ck_assert_str_eq(body("daily"),
                     "## Daily pulse: 2026-03-01\n"
                     "**done**: 2 items, 5 points · **conversations**: 1 · **decisions**: 2 · "
                     "**contributors**: ana, cleo\n"
                     "\n### Done\n\n- `MAL-2` Columns — 5 points, @ana\n- `MAL-3` Docs\n"
                     "\n### Blocked\n\n- `MAL-5` Stuck — @ben, 3 days");
}
END_TEST

START_TEST(the_weekly_pulse_tells_progress_and_trend)
{
    add_work();
    make();
    ck_assert_str_eq(body("weekly"),
                     "## Weekly pulse: 2026-02-23 → 2026-03-01\n"
                     "**done**: 3 items, 6 points · **conversations**: 1 · **decisions**: 2 · "
                     "**contributors**: ana, cleo, eve\n"
                     "\n### Progress\n\n"
                     "- Sprint 7 (`sprint-7`): 14 of 20 points (70.0 %), day 8 of 14\n"
                     "\n### Velocity trend\n\n- Sprint 6 (`sprint-6`): 34\n"
                     "\nNote: The gamify service did not answer; the top 5 is left out.");
}
END_TEST

START_TEST(a_quiet_day_is_told_in_two_lines_and_a_busy_one_in_bounds)
{
    at("2026-03-03T10:00:00Z");
    make();
    ck_assert_str_eq(body("daily"),
                     "## Daily pulse: 2026-03-02\n"
                     "**done**: 0 items, 0 points · **conversations**: 0 · **decisions**: 0");
    add("insert into sprint.work_item (id, title, status, completed_at)"
        " select 'A-' || n, 't', 'done', '2026-03-03 12:00+00' from generate_series(1, 25) n");
    at("2026-03-04T10:00:00Z");
    make();
    ck_assert_ptr_nonnull(strstr(body("daily"), "- … and 5 more"));
}
END_TEST

/* ---- context ---------------------------------------------------------------------- */

START_TEST(context_is_the_sprint_the_callers_items_and_the_latest_talk)
{
    add_work();
    add("insert into sprint.sprint (id, name, start_date, end_date, status) values"
        " ('older', 'Older', '2026-02-01', '2026-03-30', 'active'),"
        " ('planned', 'Planned', '2026-04-01', '2026-04-30', 'planned');"
        "insert into sprint.work_item (id, title, status, priority, assignee)"
        " select 'B-' || n, 'b', 'backlog', 'low', 'ana' from generate_series(1, 25) n;"
        "insert into sprint.work_item (id, title, status, priority, assignee) values"
        " ('A-1', 'Review me', 'review', 'low', 'ana'),"
        " ('A-2', 'Doing', 'in_progress', 'medium', 'ana'),"
        " ('A-3', 'Hot', 'in_progress', 'critical', 'ana')");
    for (int i = 1; i <= 6; i++)
        OK(f, "LogInteraction",
           arena_printf(&f->arena,
                        "{'id':'talk%d','session_id':'s','user_id':'ben','title':'Talk %d',"
                        "'summary':'Line one.\\nLine two.','decisions':['D%d']}",
                        i, i, i));
    at("2026-03-02T10:00:00Z");
    OK(f, "GetContext", "{}");
    HAS(f, "{'sprint':{'id':'sprint-7','name':'Sprint 7','remaining_days':6},"
           "'work_items':[{'id':'A-3',");
    HAS(f, "'decisions':[{'id':'8','interaction_id':'talk6','text':'D6',");
    HAS(f, "'text':'D4'");
    HAS_NOT(f, "'text':'D3'");
    HAS(f, "'interactions':[{'id':'talk6','title':'Talk 6','summary':'Line one.\\nLine two.'},");
    HAS(f, "{'id':'talk2',");
    HAS_NOT(f, "'talk1'");
    ck_assert_ptr_nonnull(strstr(f->text, "## Context\n**sprint**: Sprint 7 (`sprint-7`) · 6 days "
                                          "left\n\n### Open items\n\n"
                                          "- `A-3` Hot — in_progress, critical\n"
                                          "- `A-2` Doing — in_progress, medium\n"
                                          "- `A-1` Review me — review, low\n"));
    ck_assert_ptr_nonnull(strstr(f->text, "\n### Latest decisions\n\n- D6 — @ben, 20"));
    ck_assert_ptr_nonnull(
        strstr(f->text, "\n### Latest conversations\n\n- `talk6` Talk 6 — Line one.\n"));
    OK(f, "GetContext", "{'user_id':'ben'}");
    HAS(f, "'work_items':[{'id':'MAL-5',");
    ck_assert_ptr_nonnull(strstr(f->text, "- `MAL-5` Stuck — todo, medium, blocked\n"));
}
END_TEST

START_TEST(context_holds_at_most_twenty_items)
{
    add("insert into sprint.work_item (id, title, assignee)"
        " select 'B-' || n, 'b', 'ana' from generate_series(1, 25) n");
    OK(f, "GetContext", "{}");
    int n = 0;
    for (const char *p = f->reply; (p = strstr(p, "\"id\":\"B-")) != NULL; p++)
        n++;
    ck_assert_int_eq(n, 20);
}
END_TEST

START_TEST(long_summaries_are_cut_in_the_text_only)
{
    char summary[2000];

    for (size_t i = 0; i + 2 < sizeof(summary); i += 2)
        memcpy(summary + i, "é", 2);
    summary[sizeof(summary) - 2] = '\0';
    OK(f, "LogInteraction",
       arena_printf(&f->arena, "{'session_id':'s','user_id':'ana','summary':'%s'}", summary));
    OK(f, "GetContext", "{}");
    ck_assert_ptr_nonnull(strstr(f->reply, summary));
    ck_assert_ptr_null(strstr(f->text, summary));
    ck_assert_ptr_nonnull(strstr(f->text, "é…"));
}
END_TEST

START_TEST(context_is_empty_when_switched_off_and_when_there_is_nothing)
{
    OK(f, "GetContext", "{}");
    HAS(f, "{'work_items':[],'decisions':[],'interactions':[]}");
    ck_assert_str_eq(f->text, "## Context");
    add_work();
    sprint_config.context_injection = false;
    OK(f, "GetContext", "{'user_id':'ben'}");
    HAS(f, "{'work_items':[],'decisions':[],'interactions':[]}");
    ck_assert_str_eq(f->text, "## Context\nSwitched off on this hub.");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_digests");
    TCase *tcase = case_new(suite, "digests", 60);

    tcase_add_test(tcase, the_day_before_is_told_at_six);
    tcase_add_test(tcase, the_week_before_is_told_on_mondays_at_six);
    tcase_add_test(tcase, what_was_missed_is_made_up_for);
    tcase_add_test(tcase, a_clock_that_goes_back_makes_nothing);
    tcase_add_test(tcase, each_completion_is_told_once);
    tcase_add_test(tcase, sprints_of_one_day_and_project_share_a_digest);
    tcase_add_test(tcase, a_completion_that_is_committed_late_is_told);
    tcase_add_test(tcase, what_was_told_before_is_not_told_again);
    tcase_add_test(tcase, completions_while_nobody_looked_are_told_late);
    tcase_add_test(tcase, two_copies_make_each_digest_once);
    tcase_add_test(tcase, a_digest_that_is_not_announced_is_not_stored);
    tcase_add_test(tcase, the_daily_pulse_tells_what_was_done_and_what_is_blocked);
    tcase_add_test(tcase, the_weekly_pulse_tells_progress_and_trend);
    tcase_add_test(tcase, a_quiet_day_is_told_in_two_lines_and_a_busy_one_in_bounds);
    tcase = case_new(suite, "context", 60);
    tcase_add_test(tcase, context_is_the_sprint_the_callers_items_and_the_latest_talk);
    tcase_add_test(tcase, context_holds_at_most_twenty_items);
    tcase_add_test(tcase, long_summaries_are_cut_in_the_text_only);
    tcase_add_test(tcase, context_is_empty_when_switched_off_and_when_there_is_nothing);
    return run_suite(suite);
}
