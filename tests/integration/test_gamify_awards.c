/* SPDX-License-Identifier: Apache-2.0 */
/* Awards: what events bring, once each, in whatever order they come. */
#include "gamify_fixture.h"

#include "ledger.h"

#include <pthread.h>

#define BUG SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_BUG
#define TASK SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_TASK

static const char *march(int day)
{
    static char text[4][TIMESTAMP_SIZE + 8];
    static int n;
    char *out = text[n++ % 4];

    (void)snprintf(out, sizeof(text[0]), "2026-03-%02dT12:00:00.000Z", day % 100);
    return out;
}

START_TEST(seven_days_in_a_row_give_170_percent)
{
    register_ana();
    load_achievements();
    for (int day = 1; day <= 7; day++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "talk-%d", day);
        talked(id, "ana", 0, 0, march(day));
        VALUE_IS(f, "select count(*) from gamify.user_achievement where achievement_id = 'on-fire'",
                 day < 7 ? "0" : "1");
    }
    VALUE_IS(
        f,
        "select string_agg(multiplier_percent || ':' || points, ' ' order by occurred_at) from "
        "gamify.contribution where type = 'interaction'",
        "110:5 120:6 130:6 140:7 150:7 160:8 170:8");
    VALUE_IS(f, "select streak_days || ' ' || streak_last_date from gamify.member", "7 2026-03-07");
    VALUE_IS(f,
             "select count(*) || ' ' || min(points) || ' ' || min(multiplier_percent) from "
             "gamify.contribution where reference_id = 'on-fire'",
             "1 50 100");
    check_sums();
}
END_TEST

START_TEST(a_gap_begins_anew_and_a_late_day_joins_two_runs)
{
    static const struct {
        const char *id;
        int day;
        const char *awarded, *streak;
    } rows[] = {
        {"a", 1, "110 1", "1 2026-03-01"}, {"b", 1, "110 1", "1 2026-03-01"},
        {"c", 2, "120 2", "2 2026-03-02"}, {"d", 4, "110 1", "1 2026-03-04"},
        {"e", 3, "130 3", "4 2026-03-04"},
    };

    register_ana();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        talked(rows[i].id, "ana", 0, 0, march(rows[i].day));
        VALUE_IS(f,
                 "select multiplier_percent || ' ' || (multiplier_percent - 100) / 10 from "
                 "gamify.contribution order by id desc limit 1",
                 rows[i].awarded);
        VALUE_IS(f, "select streak_days || ' ' || streak_last_date from gamify.member",
                 rows[i].streak);
    }
    check_sums();
}
END_TEST

START_TEST(the_same_event_three_times_awards_once)
{
    Sprint__WorkItemCompleted message = SPRINT__WORK_ITEM_COMPLETED__INIT;

    register_ana();
    message.id = "MAL-1";
    message.assignee = "ana";
    message.story_points = 5;
    message.type = TASK;
    message.completed_at = march(2);
    for (int i = 0; i < 3; i++)
        apply_event("mal.evt.sprint.work_item.completed", "018e0000-0000-7000-8000-000000000001",
                    &message.base);
    /* Told anew under another id, it is still the same item. */
    apply_event("mal.evt.sprint.work_item.completed", NULL, &message.base);
    VALUE_IS(f, "select count(*) || ' ' || sum(points) from gamify.contribution", "1 55");
    VALUE_IS(f, "select xp from gamify.member", "55");
    ck_assert_int_eq(events(f, "gamify.xp.awarded"), 1);
    check_sums();
}
END_TEST

enum { REPLICAS = 4, ITEMS = 60 };

static char same_ids[ITEMS][UUID_SIZE];

/* One copy of the service, given every event. */
static void *replica(void *arg)
{
    CLEANUP(arena_done) struct arena arena;
    struct pg_conn *conn = open_conn(f->url);
    int failures = 0;

    (void)arg;
    arena_init(&arena);
    for (int i = 0; i < ITEMS; i++) {
        Sprint__WorkItemCompleted message = SPRINT__WORK_ITEM_COMPLETED__INIT;
        struct call call = {.arena = &arena, .pg = conn, .now_ms = clock_wall_ms()};
        struct bus_event event;

        message.id = arena_printf(&arena, "MAL-%d", i);
        message.assignee = i % 2 ? "ana" : "bo";
        message.story_points = 3;
        message.type = BUG;
        message.completed_at = arena_strdup(&arena, "2026-03-02T12:00:00.000Z");
        event = event_of(&arena, "mal.evt.sprint.work_item.completed", same_ids[i], &message.base);
        failures += awards_apply(&call, &event) != ST_OK;
        arena_reset(&arena);
    }
    pg_conn_free(conn);
    return failures ? arg : NULL;
}

START_TEST(copies_that_get_the_same_events_award_once)
{
    pthread_t threads[REPLICAS];
    void *failed;

    register_ana();
    OK(f, "RegisterTeamMember", "{'id':'bo','name':'Bo'}");
    load_achievements();
    for (int i = 0; i < ITEMS; i++)
        uuid_v7(same_ids[i]);
    for (int i = 0; i < REPLICAS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, replica, same_ids), 0);
    for (int i = 0; i < REPLICAS; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    VALUE_IS(f, "select string_agg(id || ' ' || xp, ', ' order by id) from gamify.member",
             "ana 1015, bo 1015"); /* 30 items of 33, and the badge of 10 bugs */
    VALUE_IS(f, "select count(*) from gamify.contribution where type = 'work_item'", "60");
    check_sums();
}
END_TEST

START_TEST(done_reopened_done_leaves_one_award)
{
    register_ana();
    for (int day = 1; day <= 7; day++)
        talked(march(day), "ana", 0, 0, march(day));
    VALUE_IS(f, "select xp from gamify.member", "47");
    done("MAL-5", "ana", 5, TASK, march(7));
    VALUE_IS(f, "select xp from gamify.member", "132"); /* +85 */
    reopened("MAL-5");
    VALUE_IS(f, "select xp || ' ' || streak_days from gamify.member", "47 7");
    done("MAL-5", "ana", 5, TASK, march(9));
    VALUE_IS(f, "select xp || ' ' || streak_days || ' ' || streak_last_date from gamify.member",
             "102 1 2026-03-09"); /* +55 */
    VALUE_IS(f,
             "select count(*) || ' ' || count(*) filter (where reversed_at is null) from "
             "gamify.contribution where reference_id = 'MAL-5'",
             "2 1");
    ck_assert_int_eq(events(f, "gamify.xp.reversed"), 1);
    check_sums();
}
END_TEST

START_TEST(a_reversal_reaches_whoever_got_it_and_takes_the_day)
{
    register_ana();
    talked("t1", "ana", 0, 0, march(1));
    done("MAL-1", "ana", 20, BUG, march(2));
    talked("t3", "ana", 0, 0, march(3));
    VALUE_IS(f, "select xp || ' ' || level || ' ' || streak_days from gamify.member", "251 3 3");
    reopened("MAL-1");
    VALUE_IS(f, "select xp || ' ' || level || ' ' || streak_days from gamify.member", "11 1 1");
    VALUE_IS(f, "select bugs from gamify.tally", "0");
    reopened("MAL-1"); /* nothing is left to take back */
    VALUE_IS(f, "select xp from gamify.member", "11");
    check_sums();
}
END_TEST

static void sprint_done(const char *id, bool on_time, size_t n, const char *const *users,
                        const int *items, const int *points)
{
    Sprint__SprintCompleted message = SPRINT__SPRINT_COMPLETED__INIT;
    Sprint__SprintMember members[4], *list[4];

    for (size_t i = 0; i < n; i++) {
        members[i] = (Sprint__SprintMember)SPRINT__SPRINT_MEMBER__INIT;
        members[i].user_id = users[i];
        members[i].done_items = items[i];
        members[i].done_points = points[i];
        list[i] = &members[i];
    }
    message.id = id;
    message.project_id = "apollo";
    message.on_time = on_time;
    message.completed_at = march(16);
    message.members = list;
    message.n_members = n;
    apply_event("mal.evt.sprint.sprint.completed", NULL, &message.base);
}

START_TEST(a_sprint_on_time_gives_50_to_whoever_finished_something)
{
    static const char *const users[] = {"cy", "bo", "ana", "stranger"};
    static const int items[] = {0, 1, 2, 5}, points[] = {0, 8, 8, 5};
    Sprint__SprintReopened again = SPRINT__SPRINT_REOPENED__INIT;

    register_ana();
    OK(f, "RegisterTeamMember", "{'id':'bo','name':'Bo'}");
    OK(f, "RegisterTeamMember", "{'id':'cy','name':'Cy'}");
    sprint_done("sprint-7", true, 4, users, items, points);
    VALUE_IS(f,
             "select string_agg(user_id || ' ' || base_points || ' ' || points || ' ' || project_id"
             " || ' ' || (metadata ->> 'top_velocity'), ', ' order by user_id) from "
             "gamify.contribution",
             "ana 50 55 apollo true, bo 50 55 apollo true"); /* ties count */
    sprint_done("sprint-8", false, 4, users, items, points);
    VALUE_IS(f, "select sum(points) from gamify.contribution where reference_id = 'sprint-8'", "0");
    VALUE_IS(f, "select string_agg(sprints::text, ' ' order by user_id) from gamify.tally",
             "2 2 0");
    again.id = "sprint-7";
    apply_event("mal.evt.sprint.sprint.reopened", NULL, &again.base);
    VALUE_IS(f, "select string_agg(id || ' ' || xp, ', ' order by id) from gamify.member",
             "ana 0, bo 0, cy 0");
    VALUE_IS(f,
             "select string_agg(sprints || ' ' || top_velocity, ', ' order by user_id) from "
             "gamify.tally",
             "1 1, 1 1, 0 0");
    check_sums();
}
END_TEST

START_TEST(events_of_strangers_and_of_no_concern_are_kept_as_seen)
{
    Sprint__ProjectCreated other = SPRINT__PROJECT_CREATED__INIT;
    struct bus_event broken;

    done("MAL-1", "nobody", 5, TASK, march(1));
    done("MAL-2", "", 5, TASK, march(1));
    other.id = "apollo";
    apply_event("mal.evt.sprint.project.created", NULL, &other.base);
    broken = event_of(&f->arena, "mal.evt.sprint.work_item.completed", NULL, &other.base);
    broken.data = "\xff\xff\xff";
    broken.len = 3;
    ck_assert_int_eq(awards_apply(fresh_call(), &broken), ST_OK);
    broken.event_id = "no uuid";
    ck_assert_int_eq(awards_apply(fresh_call(), &broken), ST_OK);
    VALUE_IS(f, "select count(*) from gamify.inbox", "4");
    VALUE_IS(f, "select count(*) from gamify.contribution", "0");
    /* Registering later credits nothing. */
    OK(f, "RegisterTeamMember", "{'id':'nobody','name':'No Body'}");
    VALUE_IS(f, "select xp from gamify.member", "0");
}
END_TEST

START_TEST(events_carry_the_whole_row)
{
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena, .pg = f->conn, .deadline_ms = clock_mono_ms() + 10000};
    static const struct query last = {
        .name = "last",
        .sql = "select payload from outbox where subject = 'mal.evt.gamify.xp.awarded'"};
    ProtobufCMessage *message;
    Gamify__XpAwarded *event;
    struct pg_rows rows;
    size_t len;
    const void *bytes;
    struct error err = {0};

    arena_init(&arena);
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana'}");
    done("MAL-1", "ana", 3, BUG, "2026-03-02T12:00:00.123Z");
    ck_assert_int_eq(pg_rows(&call, &rows, &last, ""), ST_OK);
    ck_assert_int_eq(rows.n, 1);
    bytes = pg_cell_bytes(&rows, 0, "payload", &arena, &len);
    ck_assert_int_eq(
        wire_unpack(&arena, &gamify__xp_awarded__descriptor, bytes, len, &message, &err), ST_OK);
    event = (Gamify__XpAwarded *)message;
    ck_assert_str_eq(event->user_id, "ana");
    ck_assert_str_eq(event->reference_id, "MAL-1");
    ck_assert_int_eq(event->points, 33);
    ck_assert_int_eq(event->base_points, 30);
    ck_assert_int_eq(event->multiplier_percent, 110);
    ck_assert_int_eq(event->xp, 33);
    ck_assert_str_eq(event->occurred_at, "2026-03-02T12:00:00.123Z");
    ck_assert_str_eq(event->description, "Completed bug MAL-1");
    ck_assert_int_eq(event->source, GAMIFY__SOURCE__SOURCE_EVENT);
    ck_assert_str_eq(
        pg_server_value(f->url,
                        arena_printf(&arena,
                                     "select count(*) from gamify.contribution where id = %s and "
                                     "created_at = '%s' and metadata = '%s' and occurred_at = '%s'",
                                     event->contribution_id, event->created_at, event->metadata,
                                     event->occurred_at)),
        "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_awards");
    TCase *tcase = case_new(suite, "awards", 60);

    tcase_add_test(tcase, seven_days_in_a_row_give_170_percent);
    tcase_add_test(tcase, a_gap_begins_anew_and_a_late_day_joins_two_runs);
    tcase_add_test(tcase, the_same_event_three_times_awards_once);
    tcase_add_test(tcase, copies_that_get_the_same_events_award_once);
    tcase_add_test(tcase, done_reopened_done_leaves_one_award);
    tcase_add_test(tcase, a_reversal_reaches_whoever_got_it_and_takes_the_day);
    tcase_add_test(tcase, a_sprint_on_time_gives_50_to_whoever_finished_something);
    tcase_add_test(tcase, events_of_strangers_and_of_no_concern_are_kept_as_seen);
    tcase_add_test(tcase, events_carry_the_whole_row);
    return run_suite(suite);
}
