/* SPDX-License-Identifier: Apache-2.0 */
/* The 14 achievements: each at its count and not one below, once, and never
 * taken away. */
#include "gamify_fixture.h"

#include "ledger.h"
#include "packages.h"
#include "sweep.h"

#define BUG SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_BUG
#define TASK SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_TASK

static int64_t first_day_ms;

static void set_up_team(void)
{
    set_up();
    load_achievements();
    register_ana();
    ck_assert(clock_parse("2026-01-01T12:00:00.000Z", &first_day_ms));
}

static const char *day(int n)
{
    static char text[TIMESTAMP_SIZE];

    clock_format(first_day_ms + (int64_t)n * 86400000, text);
    return text;
}

static bool has_badge(const char *id)
{
    char sql[400];

    (void)snprintf(
        sql, sizeof(sql),
        "select count(*) || ' ' || (select count(*) from gamify.contribution where type ="
        " 'achievement' and reference_id = '%s') from gamify.user_achievement where "
        "achievement_id = '%s'",
        id, id);
    if (strcmp(pg_server_value(f->url, sql), "1 1") == 0)
        return true;
    ck_assert_str_eq(pg_server_value(f->url, sql), "0 0");
    return false;
}

/* n commits in one go, as a synchronisation credits them. */
static void commit(int from, int n)
{
    struct call *call = fresh_call();
    CLEANUP(tx_done) struct tx tx = {0};
    struct award *awards = arena_alloc(&f->arena, (size_t)n * sizeof(*awards));
    struct awarded *awarded = arena_alloc(&f->arena, (size_t)n * sizeof(*awarded));
    struct ledger ledger;

    for (int i = 0; i < n; i++)
        awards[i] = (struct award){.type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT,
                                   .source = GAMIFY__SOURCE__SOURCE_SYNC,
                                   .reference_id = arena_printf(&f->arena, "c%d", from + i),
                                   .base = 10,
                                   .occurred_ms = first_day_ms};
    ck_assert_int_eq(tx_begin(&tx, call), ST_OK);
    ck_assert_int_eq(ledger_open(&ledger, &tx, "ana"), ST_OK);
    ck_assert_int_eq(ledger_award(&ledger, awards, (size_t)n, awarded), ST_OK);
    ck_assert_int_eq(ledger_close(&ledger), ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
}

START_TEST(commits_unlock_at_1_10_and_100)
{
    ck_assert(!has_badge("first-commit"));
    commit(0, 1);
    ck_assert(has_badge("first-commit"));
    commit(1, 8);
    ck_assert(!has_badge("ten-commits"));
    commit(9, 1);
    ck_assert(has_badge("ten-commits"));
    commit(10, 89);
    ck_assert(!has_badge("hundred-commits"));
    commit(99, 30);
    ck_assert(has_badge("hundred-commits"));
    check_sums();
}
END_TEST

START_TEST(talks_unlock_at_1_and_50)
{
    for (int i = 1; i <= 51; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "t%d", i);
        talked(id, "ana", 0, 0, day(0));
        ck_assert(has_badge("first-chat"));
        ck_assert(has_badge("fifty-chats") == (i >= 50));
    }
    check_sums();
}
END_TEST

START_TEST(decisions_add_up_to_20)
{
    talked("t1", "ana", 0, 12, day(0));
    talked("t2", "ana", 0, 7, day(0));
    ck_assert(!has_badge("decision-maker"));
    talked("t3", "ana", 0, 1, day(0));
    ck_assert(has_badge("decision-maker"));
}
END_TEST

START_TEST(ten_bugs_unlock_and_a_reversal_takes_no_badge_away)
{
    for (int i = 1; i <= 10; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "T-%d", i);
        done(id, "ana", 1, TASK, day(0));
        ck_assert(!has_badge("bug-slayer"));
        (void)snprintf(id, sizeof(id), "B-%d", i);
        done(id, "ana", 0, BUG, day(0));
        ck_assert(has_badge("bug-slayer") == (i == 10));
    }
    reopened("B-3");
    ck_assert(has_badge("bug-slayer"));
    done("B-3", "ana", 0, BUG, day(0));
    ck_assert(has_badge("bug-slayer")); /* and not twice */
    check_sums();
}
END_TEST

START_TEST(days_in_a_row_unlock_at_7_and_30_also_by_a_late_day)
{
    for (int i = 0; i < 30; i++) {
        char id[16];

        if (i == 6 || i == 17)
            continue;
        (void)snprintf(id, sizeof(id), "t%d", i);
        talked(id, "ana", 0, 0, day(i));
        ck_assert(has_badge("on-fire") == (i >= 13)); /* days 7 to 13 */
    }
    ck_assert(!has_badge("unstoppable"));
    talked("late", "ana", 0, 0, day(17));
    ck_assert(!has_badge("unstoppable"));
    talked("later", "ana", 0, 0, day(6));
    ck_assert(has_badge("unstoppable"));
    VALUE_IS(f, "select streak_days from gamify.member", "30");
    check_sums();
}
END_TEST

static void sprint(int n, int ana, int bo)
{
    Sprint__SprintCompleted message = SPRINT__SPRINT_COMPLETED__INIT;
    Sprint__SprintMember members[2] = {SPRINT__SPRINT_MEMBER__INIT, SPRINT__SPRINT_MEMBER__INIT};
    Sprint__SprintMember *list[] = {&members[0], &members[1]};
    char id[16];

    (void)snprintf(id, sizeof(id), "sprint-%d", n);
    message.id = id;
    message.completed_at = day(0);
    members[0].user_id = "ana";
    members[0].done_items = 1;
    members[0].done_points = ana;
    members[1].user_id = "bo";
    members[1].done_items = 1;
    members[1].done_points = bo;
    message.members = list;
    message.n_members = 2;
    apply_event("mal.evt.sprint.sprint.completed", NULL, &message.base);
}

START_TEST(sprints_unlock_at_the_first_and_at_three_won)
{
    ck_assert(!has_badge("sprint-runner"));
    sprint(1, 0, 0); /* late, and won by nobody */
    ck_assert(has_badge("sprint-runner"));
    sprint(2, 5, 3);
    sprint(3, 2, 3);
    sprint(4, 3, 3);
    ck_assert(!has_badge("sprint-champion"));
    sprint(5, 1, 0);
    ck_assert(has_badge("sprint-champion"));
}
END_TEST

START_TEST(level_20_unlocks_with_its_own_xp_counted)
{
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','points':8999}");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','points':1}");
    VALUE_IS(f, "select xp || ' ' || level from gamify.member", "9000 19");
    ck_assert(!has_badge("architect"));
    /* The badge of the first talk lifts over the line. */
    talked("t", "ana", 0, 0, day(0));
    ck_assert(has_badge("architect"));
    VALUE_IS(f, "select xp || ' ' || level from gamify.member", "9115 20");
    check_sums();
}
END_TEST

static const char *tool(int n)
{
    const struct rpc *rpc = packages_tool_at((size_t)n);

    return rpc ? rpc->tool_name : NULL;
}

START_TEST(tools_unlock_at_10_and_at_all_of_them)
{
    int all = tools_built_in();

    for (int i = 0; i < all; i++) {
        ck_assert(!has_badge("tool-master"));
        ck_assert(has_badge("tool-explorer") == (i >= 10));
        ck_assert_ptr_nonnull(tool(i));
        used("ana", tool(i), "mcp", true, 1 + i % 3);
    }
    ck_assert_ptr_null(tool(all));
    ck_assert(has_badge("tool-explorer"));
    ck_assert(has_badge("tool-master"));
    check_sums();
}
END_TEST

START_TEST(only_successful_calls_of_built_in_tools_off_the_web_count)
{
    Gateway__ToolCalled message = GATEWAY__TOOL_CALLED__INIT;
    struct bus_event same[6];

    used("ana", tool(0), "mcp", false, 2);
    used("ana", tool(1), "web", true, 2);
    used("ana", "github__create_issue", "mcp", true, 2);
    used("", tool(2), "mcp", true, 2);
    VALUE_IS(f, "select count(*) from gamify.tool_use", "0");
    VALUE_IS(f, "select count(*) from gamify.inbox", "8"); /* and remembered all the same */
    used("ana", tool(0), "mcp", true, 3);
    used("ana", tool(0), "rest", true, 2);
    used("ana", tool(1), "cli", true, 1);
    VALUE_IS(f, "select string_agg(calls::text, ' ' order by calls) from gamify.tool_use", "1 5");

    /* A message of two events, three times in a batch, and the batch twice. */
    (void)fresh_call();
    message.user_key = "ana";
    message.tool_name = tool(5);
    message.channel = "mcp";
    message.success = true;
    message.called_at = "2026-03-02T09:30:00.000Z";
    same[0] = event_of(&f->arena, "mal.evt.gateway.tool.called", NULL, &message.base);
    same[1] = event_of(&f->arena, "mal.evt.gateway.tool.called", NULL, &message.base);
    same[1].message_id = same[0].message_id;
    for (int i = 2; i < 6; i++) {
        same[i] = same[i % 2];
        same[i].message_id =
            i % 2 ? same[i - 1].message_id : arena_strdup(&f->arena, same[0].message_id);
    }
    ck_assert_int_eq(tool_use_store(&f->call, same, 6), ST_OK);
    ck_assert_int_eq(tool_use_store(&f->call, same, 6), ST_OK);
    ck_assert_int_eq(tool_use_store(&f->call, same + 2, 2), ST_OK);
    VALUE_IS(f, "select sum(calls) from gamify.tool_use", "8");
    VALUE_IS(f, "select count(*) from gamify.inbox", "15"); /* by message */
    same[0].message_id = same[2].event_id = "rubbish";
    same[1].message_id = same[0].message_id;
    (void)uuid_v7((char *)(uintptr_t)same[2].message_id);
    same[3].data = "\xff";
    same[3].len = 1;
    ck_assert_int_eq(tool_use_store(&f->call, same, 4), ST_OK);
    VALUE_IS(f, "select sum(calls) from gamify.tool_use", "8");
}
END_TEST

START_TEST(keys_belong_by_id_by_name_or_by_metadata)
{
    OK(f, "RegisterTeamMember",
       "{'id':'bo','name':'Bo Li','metadata':{'key_names':['laptop','ci']}}");
    for (int i = 0; i < 4; i++) {
        used("bo", tool(i), "mcp", true, 1);
        used("laptop", tool(3 + i), "mcp", true, 1);
        used("BO LI", tool(6 + i), "mcp", true, 1);
        used("Laptop", tool(20 + i), "mcp", true, 1); /* somebody else's */
    }
    VALUE_IS(f,
             "select string_agg(user_id || ' ' || achievement_id, ', ') from "
             "gamify.user_achievement",
             "bo tool-explorer");
    OK(f, "GetAchievements", "{'user_id':'bo','category':'exploration'}");
    HAS(f, "'progress':10,'target':");
}
END_TEST

START_TEST(the_sweep_unlocks_what_came_too_late)
{
    struct call *call;

    OK(f, "RegisterTeamMember", "{'id':'bo','name':'Bo'}");
    talked("t", "ana", 0, 0, day(0));
    talked("u", "bo", 0, 0, day(0));
    /* As if the badge had not been there. */
    pg_server_sql(f->url, "delete from gamify.user_achievement; delete from gamify.contribution "
                          "where type = 'achievement'; update gamify.member set xp = 5, level = 1;"
                          "call gamify.recount()");
    ck_assert(!has_badge("first-chat"));
    call = fresh_call();
    ck_assert_int_eq(sweep_members(call, NULL), ST_OK);
    VALUE_IS(f,
             "select string_agg(user_id || ' ' || achievement_id, ', ' order by user_id) from "
             "gamify.user_achievement",
             "ana first-chat, bo first-chat");
    ck_assert_int_eq(sweep_members(call, NULL), ST_OK);
    VALUE_IS(f,
             "select count(*) || ' ' || sum(xp) from gamify.user_achievement u, gamify.member m "
             "where u.user_id = m.id",
             "2 30");
    check_sums();
}
END_TEST

START_TEST(achievements_are_imported_once_and_checked)
{
    load_achievements();
    HAS(f, "{'inserted':0,'skipped':14}");
    FAILS(f, "ImportAchievements",
          "{'items':[{'id':'x','name':'X','description':'d','icon':'i','criteria':{'type':'luck',"
          "'count':1}}]}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "items[0].criteria");
    FAILS(f, "ImportAchievements",
          "{'items':[{'id':'x','name':'X','description':'d','icon':'i','criteria':{'type':'commit',"
          "'count':'all'}}]}",
          ST_INVALID_ARGUMENT);
    OK(f, "ImportAchievements",
       "{'items':[{'id':'x','name':'X','description':'d','icon':'i','criteria':{'type':'commit',"
       "'count':2}}]}");
    VALUE_IS(f,
             "select concat_ws(' ', category, tier, xp_reward) from gamify.achievement where id "
             "= 'x'",
             "code bronze 10");
}
END_TEST

START_TEST(achievements_show_unlocks_and_progress)
{
    commit(0, 3);
    OK(f, "GetAchievements", "{'user_id':'ana'}");
    HAS(f, "'total':14,'unlocked':1,'user_id':'ana'");
    HAS(f, "'id':'ten-commits'");
    HAS(f, "'unlocked':false,'progress':3,'target':10");
    HAS(f, "'progress':1,'target':1");
    ck_assert_ptr_nonnull(strstr(f->text,
                                 "## Achievements — Ana (`ana`): 1 of 14 unlocked\n\n"
                                 "### Bronze\n\n"
                                 "| | Badge | Category | XP | Description |\n"
                                 "|---|---|---|--:|---|\n"
                                 "| 🔒 | 💬 Conversationalist (`first-chat`) | "
                                 "collaboration | 10 | Log a first conversation · 0 of 1 "
                                 "|\n"
                                 "| ✅ | 🏗️ First Commit (`first-commit`) | code | 10 | "
                                 "Make a first commit · "));
    OK(f, "GetAchievements", "{'category':'agile'}");
    HAS(f, "'total':2");
    HAS_NOT(f, "unlocked");
    HAS_NOT(f, "progress");
    ck_assert_str_eq(f->text, "## Achievements (2)\n\n"
                              "### Bronze\n\n"
                              "| Badge | Category | XP | Description |\n"
                              "|---|---|--:|---|\n"
                              "| 🏃 Sprint Runner (`sprint-runner`) | agile | 10 | Complete a "
                              "sprint. |\n\n"
                              "### Gold\n\n"
                              "| Badge | Category | XP | Description |\n"
                              "|---|---|--:|---|\n"
                              "| 🏆 Sprint Champion (`sprint-champion`) | agile | 50 | Finish most "
                              "points in 3 sprints. |");
    FAILS(f, "GetAchievements", "{'user_id':'nobody'}", ST_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_badges");
    TCase *tcase = tcase_create("badges");

    tcase_add_checked_fixture(tcase, set_up_team, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, commits_unlock_at_1_10_and_100);
    tcase_add_test(tcase, talks_unlock_at_1_and_50);
    tcase_add_test(tcase, decisions_add_up_to_20);
    tcase_add_test(tcase, ten_bugs_unlock_and_a_reversal_takes_no_badge_away);
    tcase_add_test(tcase, days_in_a_row_unlock_at_7_and_30_also_by_a_late_day);
    tcase_add_test(tcase, sprints_unlock_at_the_first_and_at_three_won);
    tcase_add_test(tcase, level_20_unlocks_with_its_own_xp_counted);
    tcase_add_test(tcase, tools_unlock_at_10_and_at_all_of_them);
    tcase_add_test(tcase, only_successful_calls_of_built_in_tools_off_the_web_count);
    tcase_add_test(tcase, keys_belong_by_id_by_name_or_by_metadata);
    tcase_add_test(tcase, the_sweep_unlocks_what_came_too_late);
    tcase_add_test(tcase, achievements_are_imported_once_and_checked);
    tcase_add_test(tcase, achievements_show_unlocks_and_progress);
    return run_suite(suite);
}
