/* SPDX-License-Identifier: Apache-2.0 */
/* Members and the contributions they log: registering, reading, limits, trust. */
#include "gamify_fixture.h"

/* ---- registering ---------------------------------------------------------- */

START_TEST(registering_again_updates_the_profile_and_keeps_xp)
{
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','email':'ana@example.com'}");
    HAS(f, "'created':true");
    HAS(f, "'changed':[]");
    HAS(f, "'role':'developer'");
    HAS(f, "'xp':0,'level':1,'title':'Apprentice','level_xp':0,'next_level_xp':101,"
           "'progress_percent':0,'streak_days':0,'streak_active':false");
    HAS(f, "'metadata':{}");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','points':150}");
    OK(f, "RegisterTeamMember",
       "{'id':'ana','name':'Ana B.','role':'lead','metadata':{'key_names':['laptop']}}");
    HAS(f, "'created':false");
    HAS(f, "'changed':['name','role','metadata']");
    HAS(f, "'email':'ana@example.com'");
    HAS(f, "'role':'lead'");
    HAS(f, "'xp':150,'level':2");
    HAS(f, "'streak_days':1");
    ck_assert_int_eq(events(f, "gamify.member.registered"), 1);
    ck_assert_int_eq(events(f, "gamify.member.updated"), 1);
}
END_TEST

START_TEST(what_changes_nothing_leaves_updated_at)
{
    static const char at[] = "select updated_at from gamify.member";
    char before[64];

    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','metadata':{'a':1,'b':[2]}}");
    (void)snprintf(before, sizeof(before), "%s", pg_server_value(f->url, at));
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','metadata':{ 'b' : [2], 'a' : 1 }}");
    HAS(f, "'changed':[]");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review'}");
    VALUE_IS(f, at, before);
    ck_assert_int_eq(events(f, "gamify.member.updated"), 0);
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Anna'}");
    ck_assert_str_ne(pg_server_value(f->url, at), before);
}
END_TEST

START_TEST(null_clears_what_may_be_empty_only)
{
    OK(f, "RegisterTeamMember",
       "{'id':'ana','name':'Ana','email':'ana@example.com','avatar_url':'https://x.example/a.png',"
       "'metadata':{'a':1}}");
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','email':null,'metadata':{}}");
    HAS(f, "'changed':['email','metadata']");
    HAS_NOT(f, "'email':'");
    HAS(f, "'metadata':{}");
    HAS(f, "'avatar_url':'https://x.example/a.png'");
    FAILS(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','role':null}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "role");
    FAILS(f, "RegisterTeamMember", "{'id':'ana','name':null}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "name");
    FAILS(f, "RegisterTeamMember", "{'id':'Ana','name':'Ana'}", ST_INVALID_ARGUMENT);
    FAILS(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','email':'nobody'}",
          ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(an_address_in_another_case_belongs_to_somebody)
{
    register_ana();
    FAILS(f, "RegisterTeamMember", "{'id':'bo','name':'Bo','email':'ANA@Example.com'}",
          ST_ALREADY_EXISTS);
    MENTIONS(f, "'ana'");
    MENTIONS(f, "mal_register_team_member");
    VALUE_IS(f, "select count(*) from gamify.member", "1");
    OK(f, "RegisterTeamMember", "{'id':'bo','name':'Bo'}");
    FAILS(f, "RegisterTeamMember", "{'id':'bo','name':'Bo','email':'aNA@example.com'}",
          ST_ALREADY_EXISTS);
    MENTIONS(f, "'ana'");
    /* One's own address in another case is a change like any other. */
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','email':'Ana@example.com'}");
    HAS(f, "'changed':['email']");
}
END_TEST

/* ---- reading -------------------------------------------------------------- */

START_TEST(a_member_comes_with_latest_work_badges_and_rank)
{
    load_achievements();
    register_ana();
    OK(f, "RegisterTeamMember", "{'id':'bo','name':'Bo'}");
    OK(f, "LogContribution", "{'user_id':'bo','type':'review','points':1000}");
    for (int i = 1; i <= 12; i++) {
        char at[40], id[16];

        (void)snprintf(at, sizeof(at), "2026-03-%02dT10:00:00.000Z", 2 * i);
        (void)snprintf(id, sizeof(id), "MAL-%d", i);
        done(id, "ana", 1, SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_TASK, at);
    }
    reopened("MAL-11");
    talked("t", "ana", 0, 0, "2026-01-01T00:00:00.000Z");
    OK(f, "GetTeamMember", "{'id':'ana'}");
    HAS(f, "'rank':2");
    HAS(f, "'reference_id':'MAL-12'");
    HAS_NOT(f, "'reference_id':'MAL-11'");
    HAS(f, "'achievements':[{'id':'first-chat'");
    HAS(f, "'unlocked':true,'unlocked_at':'");
    HAS(f, "'radar':{'frontend':0,");
    HAS(f, "'streak_days':1,'streak_last_date':'2026-03-24','streak_active':false");
    FAILS(f, "GetTeamMember", "{'id':'nobody'}", ST_NOT_FOUND);
    MENTIONS(f, "mal_list_team_members");
}
END_TEST

START_TEST(only_ten_contributions_are_shown_newest_first)
{
    int n = 0;

    register_ana();
    for (int i = 1; i <= 12; i++) {
        char at[40], id[16];

        (void)snprintf(at, sizeof(at), "2026-03-02T10:%02d:00.000Z", 60 - 2 * i);
        (void)snprintf(id, sizeof(id), "talk-%d", i);
        talked(id, "ana", 0, 0, at);
    }
    OK(f, "GetTeamMember", "{'id':'ana'}");
    for (const char *p = f->reply; (p = strstr(p, "\"reference_id\"")); p++)
        n++;
    ck_assert_int_eq(n, 10);
    HAS_NOT(f, "'talk-12'");
    HAS_NOT(f, "'talk-11'");
    ck_assert(strstr(f->reply, "talk-1\"") < strstr(f->reply, "talk-2\""));
}
END_TEST

START_TEST(contributions_of_one_instant_come_by_their_number)
{
    register_ana();
    for (int i = 1; i <= 10; i++) { /* the ids 1 to 10 */
        char id[16];

        (void)snprintf(id, sizeof(id), "talk-%d", i);
        talked(id, "ana", 0, 0, "2026-03-02T10:00:00.000Z");
    }
    OK(f, "GetTeamMember", "{'id':'ana'}");
    ck_assert(strstr(f->reply, "talk-10\"") < strstr(f->reply, "talk-9\""));
}
END_TEST

START_TEST(the_team_is_listed_by_xp)
{
    for (int i = 0; i < 25; i++) {
        char request[200];

        (void)snprintf(request, sizeof(request), "{'id':'m-%02d','name':'M %d'}", i, i);
        OK(f, "RegisterTeamMember", request);
    }
    OK(f, "LogContribution", "{'user_id':'m-07','type':'review','points':10}");
    OK(f, "LogContribution", "{'user_id':'m-20','type':'review','points':20}");
    OK(f, "ListTeamMembers", "{'limit':3}");
    HAS(f, "'total':25,'count':3,'offset':0,'has_more':true,'next_offset':3");
    HAS(f, "[{'id':'m-20'");
    ck_assert(strstr(f->reply, "m-07") < strstr(f->reply, "m-00"));
    OK(f, "ListTeamMembers", "{'limit':20,'offset':20}");
    HAS(f, "'count':5");
    HAS_NOT(f, "next_offset");
    OK(f, "CountMembers", "{}");
    HAS(f, "'members':25");
    OK(f, "SumPoints", "{'user_ids':['m-20','m-00','x'],'from':'2020-01-01','to':'2100-01-01'}");
    HAS(f, "{'items':[{'user_id':'m-00','points':0},{'user_id':'m-20','points':20}]}");
}
END_TEST

START_TEST(points_are_summed_over_both_end_days)
{
    register_ana();
    talked("a", "ana", 0, 0, "2026-03-01T23:59:59.999Z");
    talked("b", "ana", 0, 0, "2026-03-02T00:00:00.000Z");
    talked("c", "ana", 0, 0, "2026-03-03T23:59:59.999Z");
    talked("d", "ana", 0, 0, "2026-03-04T00:00:00.000Z");
    OK(f, "SumPoints", "{'user_ids':['ana'],'from':'2026-03-02','to':'2026-03-03'}");
    HAS(f, "'points':12");
}
END_TEST

/* ---- logging contributions ------------------------------------------------ */

START_TEST(the_award_follows_from_type_and_metadata)
{
    static const char *const rows[][2] = {
        {"'type':'commit','metadata':{'insertions':200,'deletions':50}", "12"},
        {"'type':'commit'", "10"},
        {"'type':'interaction','metadata':{'tools_used':5,'decisions':1}", "25"},
        {"'type':'interaction','metadata':{'tools_used':['a','b','a'],'decisions':['x']}", "16"},
        {"'type':'interaction','metadata':{'tools_used':null,'decisions':[]}", "5"},
        {"'type':'work_item','metadata':{'story_points':3,'item_type':'bug'}", "30"},
        {"'type':'work_item'", "0"},
        {"'type':'sprint','metadata':{'on_time':true}", "50"},
        {"'type':'sprint','metadata':{'on_time':false,'note':'free'}", "0"},
        {"'type':'review','metadata':{'comments':3}", "16"},
        {"'type':'review'", "10"},
    };

    register_ana();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char request[200];

        (void)snprintf(request, sizeof(request), "{'user_id':'ana',%s}", rows[i][0]);
        OK(f, "LogContribution", request);
        VALUE_IS(f, "select base_points from gamify.contribution order by id desc limit 1",
                 rows[i][1]);
        VALUE_IS(f,
                 "select points = base_points * 110 / 100 from gamify.contribution "
                 "order by id desc limit 1",
                 "t");
    }
    VALUE_IS(f, "select concat_ws(' ', commits, interactions, bugs, decisions) from gamify.tally",
             "2 3 1 2");
    check_sums();
}
END_TEST

START_TEST(figures_of_the_wrong_shape_are_refused_by_name)
{
    static const char *const rows[][2] = {
        {"'type':'commit','metadata':{'insertions':-1}", "metadata.insertions"},
        {"'type':'commit','metadata':{'deletions':'7'}", "metadata.deletions"},
        {"'type':'commit','metadata':{'deletions':1.5}", "metadata.deletions"},
        {"'type':'commit','metadata':{'areas':[1]}", "metadata.areas"},
        {"'type':'commit','metadata':{'areas':{'data':-1}}", "metadata.areas.data"},
        {"'type':'interaction','metadata':{'tools_used':'three'}", "metadata.tools_used"},
        {"'type':'interaction','metadata':{'tools_used':[1]}", "metadata.tools_used"},
        {"'type':'interaction','metadata':{'decisions':1001}", "metadata.decisions"},
        {"'type':'work_item','metadata':{'story_points':101}", "metadata.story_points"},
        {"'type':'work_item','metadata':{'item_type':3}", "metadata.item_type"},
        {"'type':'sprint','metadata':{'on_time':1}", "metadata.on_time"},
        {"'type':'review','metadata':{'comments':99999999999}", "metadata.comments"},
        {"'type':'achievement'", "reference_id"},
        {"'type':'review','points':10001", "points"},
        {"'type':'review','metadata':[]", "metadata"},
        {"'type':'fame'", "type"},
    };

    register_ana();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char request[200];

        (void)snprintf(request, sizeof(request), "{'user_id':'ana',%s}", rows[i][0]);
        FAILS(f, "LogContribution", request, ST_INVALID_ARGUMENT);
        MENTIONS(f, rows[i][1]);
    }
    VALUE_IS(f, "select count(*) from gamify.contribution", "0");
}
END_TEST

START_TEST(a_known_reference_brings_nothing_again)
{
    register_ana();
    OK(f, "LogContribution",
       "{'user_id':'ana','type':'commit','reference_id':'abc','description':'first'}");
    HAS(f, "'awarded_points':11,'duplicate':false");
    HAS(f, "'level_up':false,'new_achievements':[]");
    OK(f, "LogContribution",
       "{'user_id':'ana','type':'commit','reference_id':'abc','description':'second'}");
    HAS(f, "'awarded_points':0,'duplicate':true");
    HAS(f, "'description':'first'");
    HAS(f, "'xp':11");
    /* The reference counts for its type and member only, and none at all every time. */
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','reference_id':'abc'}");
    HAS(f, "'duplicate':false");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review'}");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review'}");
    HAS(f, "'duplicate':false");
    FAILS(f, "LogContribution", "{'user_id':'bo','type':'review'}", ST_NOT_FOUND);
    VALUE_IS(f, "select count(*) from gamify.contribution", "4");
    check_sums();
}
END_TEST

START_TEST(a_commit_without_project_takes_that_of_a_later_call)
{
    register_ana();
    OK(f, "LogContribution", "{'user_id':'ana','type':'commit','reference_id':'abc'}");
    OK(f, "LogContribution",
       "{'user_id':'ana','type':'commit','reference_id':'abc','project_id':'apollo'}");
    HAS(f, "'awarded_points':0,'duplicate':true");
    HAS(f, "'project_id':'apollo'");
    ck_assert_int_eq(events(f, "gamify.contribution.assigned"), 1);
    OK(f, "LogContribution",
       "{'user_id':'ana','type':'commit','reference_id':'abc','project_id':'gemini'}");
    HAS(f, "'project_id':'apollo'");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','reference_id':'r'}");
    OK(f, "LogContribution",
       "{'user_id':'ana','type':'review','reference_id':'r','project_id':'apollo'}");
    VALUE_IS(f, "select string_agg(project_id || ' ' || points, ', ') from gamify.project_points",
             "apollo 11");
    ck_assert_int_eq(events(f, "gamify.contribution.assigned"), 1);
    check_sums();
}
END_TEST

START_TEST(only_trusted_keys_set_points_or_unlock)
{
    load_achievements();
    register_ana();
    ck_assert_int_eq(run_json(f, "LogContribution",
                              "{\"user_id\":\"ana\",\"type\":\"review\",\"points\":5}", false),
                     ST_PERMISSION_DENIED);
    MENTIONS(f, "MAL_TRUSTED_KEYS");
    ck_assert_int_eq(run_json(f, "LogContribution",
                              "{\"user_id\":\"ana\",\"type\":\"achievement\",\"reference_id\":"
                              "\"architect\"}",
                              false),
                     ST_PERMISSION_DENIED);
    ck_assert_int_eq(
        run_json(f, "LogContribution", "{\"user_id\":\"ana\",\"type\":\"review\"}", false), ST_OK);
    VALUE_IS(f, "select xp from gamify.member", "11");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','points':5}");
    HAS(f, "'base_points':5,'multiplier_percent':100");
    VALUE_IS(f, "select xp from gamify.member", "16");
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','points':0}");
    VALUE_IS(f, "select xp from gamify.member", "16");
    check_sums();
}
END_TEST

START_TEST(a_badge_by_hand_unlocks_once)
{
    load_achievements();
    register_ana();
    OK(f, "LogContribution", "{'user_id':'ana','type':'achievement','reference_id':'architect'}");
    HAS(f, "'awarded_points':100,'duplicate':false");
    HAS(f, "'new_achievements':['architect']");
    HAS(f, "'streak_days':0");
    OK(f, "LogContribution", "{'user_id':'ana','type':'achievement','reference_id':'architect'}");
    HAS(f, "'duplicate':true");
    HAS(f, "'new_achievements':[]");
    VALUE_IS(f, "select xp from gamify.member", "100");
    FAILS(f, "LogContribution", "{'user_id':'ana','type':'achievement','reference_id':'none'}",
          ST_NOT_FOUND);
    MENTIONS(f, "mal_get_achievements");
    OK(f, "LogContribution",
       "{'user_id':'ana','type':'achievement','reference_id':'on-fire','points':7}");
    VALUE_IS(f, "select xp from gamify.member", "107");
    check_sums();
}
END_TEST

START_TEST(level_and_badges_of_an_award_are_told)
{
    load_achievements();
    register_ana();
    OK(f, "LogContribution", "{'user_id':'ana','type':'commit','reference_id':'a'}");
    HAS(f, "'new_achievements':['first-commit']");
    HAS(f, "'level_up':false");
    HAS(f, "'awarded_points':11");
    HAS(f, "'xp':21"); /* the badge's 10 with it */
    OK(f, "LogContribution", "{'user_id':'ana','type':'review','points':80}");
    HAS(f, "'xp':101,'level':2");
    HAS(f, "'level_up':true");
    ck_assert_int_eq(events(f, "gamify.level.reached"), 1);
    ck_assert_int_eq(events(f, "gamify.achievement.unlocked"), 1);
    ck_assert_int_eq(events(f, "gamify.xp.awarded"), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_members");
    TCase *tcase = case_new(suite, "members", 60);

    tcase_add_test(tcase, registering_again_updates_the_profile_and_keeps_xp);
    tcase_add_test(tcase, what_changes_nothing_leaves_updated_at);
    tcase_add_test(tcase, null_clears_what_may_be_empty_only);
    tcase_add_test(tcase, an_address_in_another_case_belongs_to_somebody);
    tcase_add_test(tcase, a_member_comes_with_latest_work_badges_and_rank);
    tcase_add_test(tcase, only_ten_contributions_are_shown_newest_first);
    tcase_add_test(tcase, contributions_of_one_instant_come_by_their_number);
    tcase_add_test(tcase, the_team_is_listed_by_xp);
    tcase_add_test(tcase, points_are_summed_over_both_end_days);
    tcase = case_new(suite, "contributions", 60);
    tcase_add_test(tcase, the_award_follows_from_type_and_metadata);
    tcase_add_test(tcase, figures_of_the_wrong_shape_are_refused_by_name);
    tcase_add_test(tcase, a_known_reference_brings_nothing_again);
    tcase_add_test(tcase, a_commit_without_project_takes_that_of_a_later_call);
    tcase_add_test(tcase, only_trusted_keys_set_points_or_unlock);
    tcase_add_test(tcase, a_badge_by_hand_unlocks_once);
    tcase_add_test(tcase, level_and_badges_of_an_award_are_told);
    return run_suite(suite);
}
