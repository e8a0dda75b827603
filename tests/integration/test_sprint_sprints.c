/* SPDX-License-Identifier: Apache-2.0 */
/* Sprints: days, filters, the board, velocity live and frozen, what their
 * completion tells. */
#include "sprint_fixture.h"

#define DAYS "'start_date':'2026-03-02','end_date':'2026-03-16'"

static void add_items(void)
{
    pg_server_sql(
        f->url,
        "insert into sprint.work_item (id, title, sprint_id, status, story_points, assignee,"
        " priority, completed_at) values"
        " ('A-1', 'T', 'sprint-7', 'done', 5, 'ana', 'low', now()),"
        " ('A-2', 'T', 'sprint-7', 'done', 3, 'bob', 'high', now()),"
        " ('A-3', 'T', 'sprint-7', 'done', null, 'ana', 'low', now()),"
        " ('A-4', 'T', 'sprint-7', 'done', 8, null, 'medium', now()),"
        " ('A-5', 'T', 'sprint-7', 'todo', 2, 'bob', 'low', null),"
        " ('A-6', 'T', 'sprint-7', 'todo', 1, 'cyd', 'critical', null),"
        " ('A-7', 'T', 'sprint-7', 'cancelled', 13, 'cyd', 'critical', null),"
        " ('B-1', 'T', null, 'done', 99, 'ana', 'low', now())");
}

static void new_sprint(void)
{
    OK(f, "CreateSprint", "{'name':'Sprint 7'," DAYS "}");
}

START_TEST(name_and_days_are_enough)
{
    const Sprint__SprintCreated *event;

    new_sprint();
    HAS(f, "{'sprint':{'id':'sprint-7','name':'Sprint 7'," DAYS ",'status':'planned','velocity':0,"
           "'metadata':{},'created_at'");
    OK(f, "CreateSprint", "{'name':'sprint #7'," DAYS "}");
    HAS(f, "'id':'sprint-7-2'");
    event = (const void *)last_event("sprint.sprint.created", &sprint__sprint_created__descriptor);
    ck_assert_str_eq(event->id, "sprint-7-2");
    FAILS(f, "CreateSprint", "{'id':'sprint-7','name':'X'," DAYS "}", ST_ALREADY_EXISTS);
    MENTIONS(f, "mal_update_sprint");
    FAILS(f, "CreateSprint", "{'name':'X','project_id':'nope'," DAYS "}", ST_NOT_FOUND);
    MENTIONS(f, "project_id");
    MENTIONS(f, "mal_list_projects");
    ck_assert_int_eq(events(f, "sprint.sprint.created"), 2);
}
END_TEST

START_TEST(everything_given_is_stored)
{
    OK(f, "CreateProject", "{'name':'Apollo'}");
    OK(f, "CreateSprint",
       "{'id':'s','name':'S','goal':'Ship','status':'active','team_capacity':40,'created_by':'ana',"
       "'project_id':'apollo','metadata':{'a':1}," DAYS "}");
    OK(f, "GetSprint", "{'id':'s'}");
    HAS(f, "{'id':'s','name':'S','goal':'Ship'," DAYS ",'status':'active','velocity':0,"
           "'team_capacity':40,'created_by':'ana','project_id':'apollo','metadata':{'a':1},");
    FAILS(f, "CreateSprint", "{'name':'X','velocity':3," DAYS "}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateSprint", "{'name':'X','summary':'x'," DAYS "}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateSprint", "{'name':'X','team_capacity':100001," DAYS "}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateSprint", "{'name':'X','team_capacity':-1," DAYS "}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(the_last_day_is_not_before_the_first)
{
    FAILS(f, "CreateSprint", "{'name':'X','start_date':'2026-03-02','end_date':'2026-03-01'}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "end_date");
    FAILS(f, "CreateSprint", "{'name':'X','start_date':'2026-02-30','end_date':'2026-03-01'}",
          ST_INVALID_ARGUMENT);
    OK(f, "CreateSprint", "{'name':'X','start_date':'2026-03-02','end_date':'2026-03-02'}");
    FAILS(f, "UpdateSprint", "{'id':'x','end_date':'2026-03-01'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "end_date");
    FAILS(f, "UpdateSprint", "{'id':'x','start_date':'2026-03-03'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "start_date");
    OK(f, "UpdateSprint", "{'id':'x','start_date':'2026-03-03','end_date':'2026-03-03'}");
    HAS(f, "'changed':['start_date','end_date']");
}
END_TEST

START_TEST(filters_combine_and_days_overlap_with_both_ends)
{
    OK(f, "CreateProject", "{'name':'P'}");
    OK(f, "CreateSprint", "{'name':'A','start_date':'2026-03-01','end_date':'2026-03-10'}");
    OK(f, "CreateSprint",
       "{'name':'B','start_date':'2026-03-10','end_date':'2026-03-20','project_id':'p'}");
    OK(f, "CreateSprint",
       "{'name':'C','start_date':'2026-03-21','end_date':'2026-03-30','status':'active'}");
    OK(f, "ListSprints", "{}");
    HAS(f, "'items':[{'id':'c'");
    HAS(f, "'total':3,'count':3,'offset':0,'has_more':false}");
    OK(f, "ListSprints", "{'from':'2026-03-10','to':'2026-03-10'}");
    HAS(f, "'total':2");
    OK(f, "ListSprints", "{'from':'2026-03-11','to':'2026-03-20'}");
    HAS(f, "'items':[{'id':'b'");
    HAS(f, "'total':1");
    OK(f, "ListSprints", "{'from':'2026-03-31'}");
    HAS(f, "'items':[],'total':0");
    OK(f, "ListSprints", "{'to':'2026-03-01'}");
    HAS(f, "'items':[{'id':'a'");
    OK(f, "ListSprints", "{'status':'active'}");
    HAS(f, "'items':[{'id':'c'");
    HAS(f, "'total':1");
    OK(f, "ListSprints", "{'status':'planned','project_id':'p'}");
    HAS(f, "'items':[{'id':'b'");
    HAS(f, "'total':1");
    FAILS(f, "ListSprints", "{'from':'2026-03-11','to':'2026-03-10'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "to");
}
END_TEST

START_TEST(lists_leave_the_long_texts_out)
{
    new_sprint();
    OK(f, "UpdateSprint", "{'id':'sprint-7','summary':'Long','retrospective':'Longer'}");
    HAS(f, "'summary':'Long','retrospective':'Longer'");
    OK(f, "ListSprints", "{}");
    HAS_NOT(f, "Long");
    OK(f, "GetSprint", "{'id':'sprint-7'}");
    HAS(f, "'summary':'Long','retrospective':'Longer'");
}
END_TEST

START_TEST(the_board_is_in_order_and_adds_up)
{
    new_sprint();
    add_items();
    OK(f, "GetSprint", "{'id':'sprint-7'}");
    HAS(f, "'items':[{'id':'A-6'");
    ck_assert(strstr(f->reply, "\"A-5\"") < strstr(f->reply, "\"A-2\""));
    ck_assert(strstr(f->reply, "\"A-2\"") < strstr(f->reply, "\"A-4\""));
    ck_assert(strstr(f->reply, "\"A-4\"") < strstr(f->reply, "\"A-1\""));
    ck_assert(strstr(f->reply, "\"A-1\"") < strstr(f->reply, "\"A-3\""));
    ck_assert(strstr(f->reply, "\"A-3\"") < strstr(f->reply, "\"A-7\""));
    HAS_NOT(f, "B-1");
    HAS(f, "'items_total':7,'points_total':19,'points_done':16,'by_status':["
           "{'status':'todo','count':2,'points':3},{'status':'done','count':4,'points':16},"
           "{'status':'cancelled','count':1,'points':13}]}");
    FAILS(f, "GetSprint", "{'id':'sprint-8'}", ST_NOT_FOUND);
    MENTIONS(f, "mal_list_sprints");
}
END_TEST

START_TEST(six_hundred_items_count_in_full_and_five_hundred_are_shown)
{
    int shown = 0;

    new_sprint();
    pg_server_sql(f->url, "insert into sprint.work_item (id, title, sprint_id, story_points) select"
                          " 'I-' || n, 'T', 'sprint-7', 1 from generate_series(1, 600) n");
    OK(f, "GetSprint", "{'id':'sprint-7'}");
    HAS(f, "'items_total':600,'points_total':600,'points_done':0");
    for (const char *p = f->reply; (p = strstr(p, "\"id\":\"I-")); p++)
        shown++;
    ck_assert_int_eq(shown, 500);
}
END_TEST

START_TEST(velocity_follows_the_items_until_completion_and_not_afterwards)
{
    new_sprint();
    add_items();
    OK(f, "ListSprints", "{}");
    HAS(f, "'velocity':16");
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'active'}");
    HAS(f, "'velocity':16");
    OK(f, "UpdateWorkItem", "{'id':'A-5','status':'done'}");
    OK(f, "GetSprint", "{'id':'sprint-7'}");
    HAS(f, "'velocity':18");
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed'}");
    HAS(f, "'status':'completed','velocity':18");
    HAS(f, "'completed_at':'");
    HAS(f, "'changed':['status']");
    OK(f, "UpdateWorkItem", "{'id':'A-5','status':'todo'}");
    OK(f, "GetSprint", "{'id':'sprint-7'}");
    HAS(f, "'velocity':18");
    OK(f, "UpdateSprint", "{'id':'sprint-7','velocity':20}");
    HAS(f, "'velocity':20");
    HAS(f, "'changed':['velocity']");
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'active'}");
    HAS(f, "'velocity':16");
    HAS_NOT(f, "completed_at");
    ck_assert_str_eq(value("select velocity is null and completed_at is null from sprint.sprint"),
                     "t");
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed','velocity':7}");
    HAS(f, "'velocity':7");
}
END_TEST

START_TEST(velocity_is_refused_unless_the_result_is_completed)
{
    new_sprint();
    FAILS(f, "UpdateSprint", "{'id':'sprint-7','velocity':5}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "velocity");
    FAILS(f, "UpdateSprint", "{'id':'sprint-7','status':'active','velocity':5}",
          ST_INVALID_ARGUMENT);
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed','velocity':0}");
    FAILS(f, "UpdateSprint", "{'id':'sprint-7','status':'active','velocity':5}",
          ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateSprint", "{'id':'sprint-7','velocity':null}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateSprint", "{'id':'sprint-7','velocity':100001}", ST_INVALID_ARGUMENT);
    OK(f, "UpdateSprint", "{'id':'sprint-7','velocity':100000}");
}
END_TEST

START_TEST(more_points_than_a_velocity_can_hold_are_cut)
{
    new_sprint();
    pg_server_sql(f->url,
                  "insert into sprint.work_item (id, title, sprint_id, story_points, status,"
                  " completed_at) select 'I-' || n, 'T', 'sprint-7', 100, 'done', now()"
                  " from generate_series(1, 1001) n");
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed'}");
    HAS(f, "'velocity':100000");
}
END_TEST

START_TEST(completion_tells_who_finished_what)
{
    const Sprint__SprintCompleted *event;

    OK(f, "CreateProject", "{'name':'P'}");
    OK(f, "CreateSprint", "{'name':'Sprint 7','project_id':'p'," DAYS "}");
    add_items();
    ck_assert(clock_parse("2026-03-16T23:59:59.999Z", &f->now_ms));
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed'}");
    event =
        (const void *)last_event("sprint.sprint.completed", &sprint__sprint_completed__descriptor);
    ck_assert_str_eq(event->id, "sprint-7");
    ck_assert_str_eq(event->project_id, "p");
    ck_assert_str_eq(event->name, "Sprint 7");
    ck_assert_str_eq(event->start_date, "2026-03-02");
    ck_assert_str_eq(event->end_date, "2026-03-16");
    ck_assert_str_eq(event->completed_at, "2026-03-16T23:59:59.999Z");
    ck_assert(event->on_time);
    ck_assert_int_eq(event->velocity, 16);
    ck_assert_uint_eq(event->n_members, 2);
    ck_assert_str_eq(event->members[0]->user_id, "ana");
    ck_assert_int_eq(event->members[0]->done_items, 2);
    ck_assert_int_eq(event->members[0]->done_points, 5);
    ck_assert_str_eq(event->members[1]->user_id, "bob");
    ck_assert_int_eq(event->members[1]->done_points, 3);
    ck_assert_int_eq(events(f, "sprint.sprint.updated"), 1);
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed','goal':'x'}");
    ck_assert_int_eq(events(f, "sprint.sprint.completed"), 1);
}
END_TEST

START_TEST(the_day_after_the_last_is_late)
{
    const Sprint__SprintCompleted *event;

    new_sprint();
    ck_assert(clock_parse("2026-03-17T00:00:00.000Z", &f->now_ms));
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'completed'}");
    event =
        (const void *)last_event("sprint.sprint.completed", &sprint__sprint_completed__descriptor);
    ck_assert(!event->on_time);
    ck_assert_uint_eq(event->n_members, 0);
    OK(f, "UpdateSprint", "{'id':'sprint-7','status':'cancelled'}");
    ck_assert_int_eq(events(f, "sprint.sprint.reopened"), 1);
    ck_assert_str_eq(((const Sprint__SprintReopened *)last_event(
                          "sprint.sprint.reopened", &sprint__sprint_reopened__descriptor))
                         ->id,
                     "sprint-7");
    OK(f, "UpdateSprint", "{'id':'sprint-7','end_date':'2026-03-17','status':'completed'}");
    event =
        (const void *)last_event("sprint.sprint.completed", &sprint__sprint_completed__descriptor);
    ck_assert(event->on_time);
}
END_TEST

START_TEST(a_sprint_created_as_completed_awards_nothing)
{
    OK(f, "CreateSprint", "{'name':'Old','status':'completed'," DAYS "}");
    HAS(f, "'velocity':0");
    HAS(f, "'completed_at':'");
    ck_assert_int_eq(events(f, "sprint.sprint.completed"), 0);
    ck_assert_str_eq(value("select velocity from sprint.sprint"), "0");
}
END_TEST

START_TEST(an_update_clears_what_may_be_empty_and_nothing_else)
{
    char before[64];

    OK(f, "CreateProject", "{'name':'P'}");
    OK(f, "CreateSprint",
       "{'name':'S','goal':'G','team_capacity':0,'project_id':'p','metadata':{'a':1}," DAYS "}");
    HAS(f, "'team_capacity':0");
    (void)snprintf(before, sizeof(before), "%s", value("select updated_at from sprint.sprint"));
    OK(f, "UpdateSprint", "{'id':'s','team_capacity':0,'goal':'G','metadata':{'a':1}}");
    HAS(f, "'changed':[]");
    ck_assert_str_eq(value("select updated_at from sprint.sprint"), before);
    OK(f, "UpdateSprint",
       "{'id':'s','goal':null,'team_capacity':null,'project_id':null,'summary':'','metadata':{}}");
    HAS(f, "'changed':['goal','team_capacity','project_id','metadata']");
    HAS_NOT(f, "'team_capacity':");
    ck_assert_str_eq(value("select goal is null and team_capacity is null and project_id is null"
                           " and summary is null from sprint.sprint"),
                     "t");
    FAILS(f, "UpdateSprint", "{'id':'s','start_date':null}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateSprint", "{'id':'s','project_id':'nope'}", ST_NOT_FOUND);
    MENTIONS(f, "project_id");
    FAILS(f, "UpdateSprint", "{'id':'t','goal':'x'}", ST_NOT_FOUND);
    OK(f, "UpdateSprint", "{'id':'s','goal':''}");
    HAS(f, "'changed':[]");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_sprints");
    TCase *tcase = case_new(suite, "sprints", 30);

    tcase_add_test(tcase, name_and_days_are_enough);
    tcase_add_test(tcase, everything_given_is_stored);
    tcase_add_test(tcase, the_last_day_is_not_before_the_first);
    tcase_add_test(tcase, filters_combine_and_days_overlap_with_both_ends);
    tcase_add_test(tcase, lists_leave_the_long_texts_out);
    tcase_add_test(tcase, the_board_is_in_order_and_adds_up);
    tcase_add_test(tcase, six_hundred_items_count_in_full_and_five_hundred_are_shown);
    tcase_add_test(tcase, velocity_follows_the_items_until_completion_and_not_afterwards);
    tcase_add_test(tcase, velocity_is_refused_unless_the_result_is_completed);
    tcase_add_test(tcase, more_points_than_a_velocity_can_hold_are_cut);
    tcase_add_test(tcase, completion_tells_who_finished_what);
    tcase_add_test(tcase, the_day_after_the_last_is_late);
    tcase_add_test(tcase, a_sprint_created_as_completed_awards_nothing);
    tcase_add_test(tcase, an_update_clears_what_may_be_empty_and_nothing_else);
    return run_suite(suite);
}
