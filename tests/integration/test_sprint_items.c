/* SPDX-License-Identifier: Apache-2.0 */
/* Work items: numbers, completion, blocking, the tree, the journal, filters. */
#include "sprint_fixture.h"

static void new_item(void)
{
    OK(f, "CreateWorkItem", "{'title':'T'}");
}

START_TEST(only_the_title_is_needed)
{
    const Sprint__WorkItemCreated *event;

    new_item();
    HAS(f, "{'work_item':{'id':'MAL-1','title':'T','type':'task','status':'backlog',"
           "'priority':'medium','labels':[],'metadata':{},'created_at'");
    event = (const void *)last_event("sprint.work_item.created",
                                     &sprint__work_item_created__descriptor);
    ck_assert_str_eq(event->id, "MAL-1");
    ck_assert_int_eq(event->status, SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_BACKLOG);
    FAILS(f, "CreateWorkItem", "{}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateWorkItem", "{'title':'T','story_points':101}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateWorkItem", "{'title':'T','story_points':-1}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateWorkItem", "{'title':'T','id':'-x'}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateWorkItem", "{'title':'T','assignee':'Ana'}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateWorkItem", "{'title':'T','due_date':'2026-02-29'}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(everything_given_is_stored)
{
    OK(f, "CreateProject", "{'name':'P','key':'API'}");
    OK(f, "CreateSprint",
       "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16','project_id':'p'}");
    OK(f, "CreateWorkItem", "{'title':'Epic','type':'epic','project_id':'p'}");
    HAS(f, "'id':'API-1'");
    OK(f, "CreateWorkItem",
       "{'id':'X','title':'T','description':'D','type':'bug','status':'review','priority':'high',"
       "'story_points':0,'sprint_id':'s','assignee':'ana','reporter':'bob','labels':['UI','ui'],"
       "'parent_id':'API-1','due_date':'2026-03-10','metadata':{'a':[1]}}");
    OK(f, "GetWorkItem", "{'id':'X'}");
    HAS(f, "{'id':'X','title':'T','description':'D','type':'bug','status':'review',"
           "'priority':'high','story_points':0,'sprint_id':'s','project_id':'p','assignee':'ana',"
           "'reporter':'bob','labels':['ui'],'parent_id':'API-1','due_date':'2026-03-10',"
           "'metadata':{'a':[1]},");
    HAS(f, "'children':[],'interactions':[],'history':[]}");
}
END_TEST

START_TEST(numbers_count_by_key_and_skip_those_in_use)
{
    OK(f, "CreateProject", "{'name':'P','key':'API'}");
    OK(f, "CreateProject", "{'name':'Q','key':'API'}");
    new_item();
    HAS(f, "'id':'MAL-1'");
    new_item();
    HAS(f, "'id':'MAL-2'");
    OK(f, "CreateWorkItem", "{'id':'MAL-3','title':'T'}");
    new_item();
    HAS(f, "'id':'MAL-4'");
    OK(f, "CreateWorkItem", "{'title':'T','project_id':'p'}");
    HAS(f, "'id':'API-1'");
    OK(f, "CreateWorkItem", "{'title':'T','project_id':'q'}");
    HAS(f, "'id':'API-2'");
    OK(f, "UpdateProject", "{'id':'p','key':'NEW'}");
    OK(f, "CreateWorkItem", "{'title':'T','project_id':'p'}");
    HAS(f, "'id':'NEW-1'");
    FAILS(f, "CreateWorkItem", "{'id':'MAL-3','title':'T'}", ST_ALREADY_EXISTS);
    MENTIONS(f, "mal_update_work_item");
    ck_assert_int_eq(events(f, "sprint.work_item.created"), 7);
}
END_TEST

START_TEST(an_item_takes_the_project_of_its_sprint)
{
    OK(f, "CreateProject", "{'name':'P','key':'API'}");
    OK(f, "CreateProject", "{'name':'Q','key':'WEB'}");
    OK(f, "CreateSprint",
       "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16','project_id':'p'}");
    OK(f, "CreateWorkItem", "{'title':'T','sprint_id':'s'}");
    HAS(f, "'id':'API-1'");
    HAS(f, "'project_id':'p'");
    OK(f, "CreateWorkItem", "{'title':'T','sprint_id':'s','project_id':'q'}");
    HAS(f, "'id':'WEB-1'");
    HAS(f, "'project_id':'q'");
}
END_TEST

START_TEST(what_an_item_refers_to_must_exist)
{
    new_item();
    FAILS(f, "CreateWorkItem", "{'title':'T','sprint_id':'no'}", ST_NOT_FOUND);
    MENTIONS(f, "sprint_id");
    FAILS(f, "CreateWorkItem", "{'title':'T','project_id':'no'}", ST_NOT_FOUND);
    MENTIONS(f, "project_id");
    FAILS(f, "CreateWorkItem", "{'title':'T','parent_id':'no'}", ST_NOT_FOUND);
    MENTIONS(f, "parent_id");
    OK(f, "CreateProject", "{'name':'P'}");
    FAILS(f, "CreateWorkItem", "{'title':'T','sprint_id':'no','project_id':'p'}", ST_NOT_FOUND);
    MENTIONS(f, "sprint_id");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','sprint_id':'no'}", ST_NOT_FOUND);
    MENTIONS(f, "sprint_id");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','project_id':'no'}", ST_NOT_FOUND);
    MENTIONS(f, "project_id");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','parent_id':'no'}", ST_NOT_FOUND);
    MENTIONS(f, "parent_id");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-9','title':'x'}", ST_NOT_FOUND);
    MENTIONS(f, "mal_list_work_items");
    FAILS(f, "GetWorkItem", "{'id':'MAL-9'}", ST_NOT_FOUND);
    ck_assert_str_eq(value("select count(*) from sprint.work_item"), "1");
}
END_TEST

START_TEST(done_stamps_the_time_and_leaving_it_clears)
{
    const Sprint__WorkItemCompleted *completed;
    const Sprint__WorkItemReopened *reopened;

    OK(f, "CreateWorkItem", "{'title':'T','type':'bug','story_points':5,'assignee':'ana'}");
    ck_assert(clock_parse("2026-03-05T10:00:00.120Z", &f->now_ms));
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','status':'done'}");
    HAS(f, "'completed_at':'2026-03-05T10:00:00.120Z'");
    HAS(f, "'changed':['status']");
    completed = (const void *)last_event("sprint.work_item.completed",
                                         &sprint__work_item_completed__descriptor);
    ck_assert_str_eq(completed->id, "MAL-1");
    ck_assert_int_eq(completed->type, SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_BUG);
    ck_assert_int_eq(completed->story_points, 5);
    ck_assert_str_eq(completed->assignee, "ana");
    ck_assert_str_eq(completed->completed_at, "2026-03-05T10:00:00.120Z");
    f->now_ms += 1000;
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','assignee':'bob','story_points':8}");
    HAS(f, "'completed_at':'2026-03-05T10:00:00.120Z'");
    ck_assert_int_eq(events(f, "sprint.work_item.completed"), 1);
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','status':'todo'}");
    HAS_NOT(f, "completed_at");
    reopened = (const void *)last_event("sprint.work_item.reopened",
                                        &sprint__work_item_reopened__descriptor);
    ck_assert_str_eq(reopened->id, "MAL-1");
    ck_assert_int_eq(reopened->status, SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_TODO);
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','status':'done'}");
    HAS(f, "'completed_at':'2026-03-05T10:00:01.120Z'");
    ck_assert_int_eq(events(f, "sprint.work_item.completed"), 2);
    ck_assert_int_eq(events(f, "sprint.work_item.reopened"), 1);
    ck_assert_int_eq(events(f, "sprint.work_item.updated"), 4);
    ck_assert_str_eq(value("select string_agg(substr(subject, 16), ' ' order by id)"
                           " from sprint.outbox"),
                     "work_item.created work_item.updated work_item.completed work_item.updated"
                     " work_item.updated work_item.reopened work_item.updated work_item.completed");
}
END_TEST

START_TEST(a_given_time_of_completion_counts_if_it_can)
{
    ck_assert(clock_parse("2026-03-05T10:00:00Z", &f->now_ms));
    OK(f, "CreateWorkItem",
       "{'title':'T','status':'done','completed_at':'2026-03-05T12:00:00+02:00'}");
    HAS(f, "'completed_at':'2026-03-05T10:00:00.000Z'");
    ck_assert_int_eq(events(f, "sprint.work_item.completed"), 1);
    FAILS(f, "CreateWorkItem",
          "{'title':'T','status':'done','completed_at':'2026-03-05T10:00:00.001Z'}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "future");
    FAILS(f, "CreateWorkItem", "{'title':'T','completed_at':'2026-03-05T10:00:00Z'}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "completed_at");
    FAILS(f, "UpdateWorkItem",
          "{'id':'MAL-1','status':'todo','completed_at':'2026-03-04T10:00:00Z'}",
          ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','completed_at':'2026-03-05T10:00:01Z'}",
          ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','completed_at':null}", ST_INVALID_ARGUMENT);
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','completed_at':'2026-03-05T10:00:00.0000Z'}");
    HAS(f, "'changed':[]");
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','completed_at':'2026-03-04T23:00:00Z'}");
    HAS(f, "'changed':['completed_at']");
    HAS(f, "'completed_at':'2026-03-04T23:00:00.000Z'");
    ck_assert_int_eq(events(f, "sprint.work_item.completed"), 1);
    OK(f, "CreateWorkItem", "{'title':'T','status':'done'}");
    HAS(f, "'completed_at':'2026-03-05T10:00:00.000Z'");
}
END_TEST

START_TEST(the_label_blocked_is_stamped_once_each_time_it_is_added)
{
    char first[64];

    OK(f, "CreateWorkItem", "{'title':'T','labels':['Blocked']}");
    HAS(f, "'blocked_since':'");
    (void)snprintf(first, sizeof(first), "%s", value("select blocked_since from sprint.work_item"));
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','labels':['ui','blocked']}");
    ck_assert_str_eq(value("select blocked_since from sprint.work_item"), first);
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','title':'U'}");
    ck_assert_str_eq(value("select blocked_since from sprint.work_item"), first);
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','labels':['ui']}");
    HAS_NOT(f, "blocked_since");
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','labels':['blocked']}");
    ck_assert_str_ne(value("select blocked_since from sprint.work_item"), first);
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','labels':[]}");
    HAS(f, "'labels':[]");
    HAS_NOT(f, "blocked_since");
    new_item();
    OK(f, "BulkUpdateWorkItems", "{'ids':['MAL-1','MAL-2'],'labels':['blocked']}");
    ck_assert_str_eq(value("select count(blocked_since) from sprint.work_item"), "2");
}
END_TEST

START_TEST(no_item_is_above_itself)
{
    new_item();
    OK(f, "CreateWorkItem", "{'title':'T','parent_id':'MAL-1'}");
    OK(f, "CreateWorkItem", "{'title':'T','parent_id':'MAL-2'}");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','parent_id':'MAL-1'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CYCLE");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','parent_id':'MAL-2'}", ST_FAILED_PRECONDITION);
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','parent_id':'MAL-3'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CYCLE");
    MENTIONS(f, "parent_id");
    FAILS(f, "CreateWorkItem", "{'id':'X','title':'T','parent_id':'X'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CYCLE");
    OK(f, "UpdateWorkItem", "{'id':'MAL-3','parent_id':'MAL-1'}");
    OK(f, "UpdateWorkItem", "{'id':'MAL-2','parent_id':'MAL-3'}");
    OK(f, "UpdateWorkItem", "{'id':'MAL-2','parent_id':null}");
    HAS_NOT(f, "'parent_id':");
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','parent_id':'MAL-2'}");
    ck_assert_int_eq(events(f, "sprint.work_item.updated"), 4);
}
END_TEST

START_TEST(children_come_by_id_and_conversations_newest_first)
{
    new_item();
    pg_server_sql(f->url,
                  "insert into sprint.work_item (id, title, parent_id) select 'C-' || n + 100, 'T',"
                  " 'MAL-1' from generate_series(1, 60) n");
    for (int i = 0; i < 12; i++)
        OK(f, "LogInteraction",
           arena_printf(&f->arena, "{'id':'talk-%d','session_id':'s','user_id':'ana','%s':'%s'}", i,
                        i % 2 ? "title" : "work_item_id", i % 2 ? "About MAL-01" : "MAL-1"));
    OK(f, "GetWorkItem", "{'id':'MAL-1'}");
    HAS(f, "'children':[{'id':'C-101'");
    HAS(f, "'C-150'");
    HAS_NOT(f, "'C-151'");
    HAS(f, "'interactions':[{'id':'talk-11'");
    HAS(f, "{'id':'talk-2'");
    HAS_NOT(f, "{'id':'talk-1'");
}
END_TEST

START_TEST(each_change_is_journaled_newest_first)
{
    const Sprint__WorkItemUpdated *event;

    OK(f, "CreateProject", "{'name':'P'}");
    OK(f, "CreateWorkItem", "{'title':'T','story_points':3,'labels':['ui'],'metadata':{'a':1}}");
    OK(f, "UpdateWorkItem",
       "{'id':'MAL-1','title':'U','status':'review','story_points':0,'project_id':'p',"
       "'labels':['ui','a b'],'metadata':{},'due_date':'2026-03-02','description':'D\\n2'}");
    HAS(f, "'changed':['title','description','status','story_points','project_id','labels',"
           "'due_date','metadata']");
    event = (const void *)last_event("sprint.work_item.updated",
                                     &sprint__work_item_updated__descriptor);
    ck_assert_uint_eq(event->n_changed, 8);
    ck_assert_str_eq(event->project_id, "p");
    OK(f, "UpdateWorkItem", "{'id':'MAL-1','story_points':null,'due_date':null,'labels':[]}");
    OK(f, "GetWorkItem", "{'id':'MAL-1'}");
    HAS(f, "'actor':'ana','field':'due_date','old_value':'2026-03-02'},");
    HAS(f, "'actor':'ana','field':'labels','old_value':'[\\'ui\\',\\'a b\\']','new_value':'[]'}");
    HAS(f, "'field':'story_points','old_value':'0'}");
    HAS(f, "'field':'story_points','old_value':'3','new_value':'0'}");
    HAS(f, "'field':'metadata','old_value':'{\\'a\\': 1}','new_value':'{}'}");
    HAS(f, "'field':'status','old_value':'backlog','new_value':'review'}");
    HAS(f, "'field':'description','new_value':'D\\n2'}");
    ck_assert(strstr(f->reply, "\"new_value\":\"review\"") >
              strstr(f->reply, "\"old_value\":\"0\""));
    ck_assert_str_eq(value("select count(*) from sprint.work_item_change"), "11");
}
END_TEST

START_TEST(the_last_twenty_changes_are_shown)
{
    new_item();
    for (int i = 0; i < 25; i++)
        OK(f, "UpdateWorkItem", arena_printf(&f->arena, "{'id':'MAL-1','title':'v%d'}", i));
    OK(f, "GetWorkItem", "{'id':'MAL-1'}");
    HAS(f, "'history':[{'at':'");
    HAS(f, "'new_value':'v24'");
    HAS(f, "'new_value':'v5'");
    HAS_NOT(f, "'new_value':'v4'");
    ck_assert(strstr(f->reply, "\"v24\"") < strstr(f->reply, "\"v6\""));
}
END_TEST

START_TEST(an_update_that_changes_nothing_leaves_no_trace)
{
    char before[64];

    OK(f, "CreateWorkItem", "{'title':'T','story_points':3,'labels':['a','b']}");
    (void)snprintf(before, sizeof(before), "%s", value("select updated_at from sprint.work_item"));
    OK(f, "UpdateWorkItem",
       "{'id':'MAL-1','title':' T ','story_points':3,'labels':['A','b','a'],'assignee':null}");
    HAS(f, "'changed':[]");
    ck_assert_str_eq(value("select updated_at from sprint.work_item"), before);
    ck_assert_int_eq(events(f, "sprint.work_item.updated"), 0);
    ck_assert_str_eq(value("select count(*) from sprint.work_item_change"), "0");
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1'}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','title':null}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateWorkItem", "{'id':'MAL-1','status':null}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(all_filters_must_hold_and_totals_match)
{
    OK(f, "CreateProject", "{'name':'P'}");
    OK(f, "CreateSprint", "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16'}");
    pg_server_sql(
        f->url,
        "insert into sprint.work_item (id, title, sprint_id, project_id, assignee, status, type,"
        " priority, labels, completed_at, updated_at) select 'I-' || n, 'T',"
        " case when n % 2 = 0 then 's' end, case when n % 3 = 0 then 'p' end,"
        " (array['ana', 'bob'])[n % 2 + 1], (array['todo', 'done', 'review'])[n % 3 + 1],"
        " (array['bug', 'task'])[n % 2 + 1], (array['low', 'high'])[n / 60 + 1],"
        " case when n % 5 = 0 then array['five', 'x'] else '{}' end,"
        " case when n % 3 = 1 then now() end, now() - n * interval '1 second'"
        " from generate_series(1, 119) n;"
        "update sprint.work_item set parent_id = 'I-1' where id in ('I-7', 'I-8')");
    OK(f, "ListWorkItems", "{'limit':100}");
    HAS(f, "'items':[{'id':'I-1'");
    HAS(f, "'total':119,'count':100,'offset':0,'has_more':true,'next_offset':100}");
    OK(f, "ListWorkItems", "{'limit':100,'offset':100}");
    HAS(f, "'total':119,'count':19,'offset':100,'has_more':false}");
    OK(f, "ListWorkItems", "{'sprint_id':'s'}");
    HAS(f, "'total':59");
    OK(f, "ListWorkItems", "{'project_id':'p'}");
    HAS(f, "'total':39");
    OK(f, "ListWorkItems", "{'assignee':'bob','status':'done'}");
    HAS(f, "'total':20");
    OK(f, "ListWorkItems", "{'parent_id':'I-1'}");
    HAS(f, "'items':[{'id':'I-7'");
    HAS(f, "'total':2");
    OK(f, "ListWorkItems", "{'status':'review'}");
    HAS(f, "'total':40");
    OK(f, "ListWorkItems", "{'type':'bug','priority':'low'}");
    HAS(f, "'total':29");
    OK(f, "ListWorkItems", "{'labels':'none, FIVE'}");
    HAS(f, "'total':23");
    OK(f, "ListWorkItems", "{'labels':'five','sprint_id':'s','project_id':'p'}");
    HAS(f, "'items':[{'id':'I-30'");
    HAS(f, "'total':3");
    OK(f, "ListWorkItems", "{'sprint_id':'none'}");
    HAS(f, "'items':[],'total':0,'count':0,'offset':0,'has_more':false}");
    FAILS(f, "ListWorkItems", "{'labels':' , '}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "labels");
    FAILS(f, "ListWorkItems", "{'limit':101}", ST_INVALID_ARGUMENT);
    FAILS(f, "ListWorkItems", "{'limit':0}", ST_INVALID_ARGUMENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_items");
    TCase *tcase = case_new(suite, "items", 30);

    tcase_add_test(tcase, only_the_title_is_needed);
    tcase_add_test(tcase, everything_given_is_stored);
    tcase_add_test(tcase, numbers_count_by_key_and_skip_those_in_use);
    tcase_add_test(tcase, an_item_takes_the_project_of_its_sprint);
    tcase_add_test(tcase, what_an_item_refers_to_must_exist);
    tcase_add_test(tcase, done_stamps_the_time_and_leaving_it_clears);
    tcase_add_test(tcase, a_given_time_of_completion_counts_if_it_can);
    tcase_add_test(tcase, the_label_blocked_is_stamped_once_each_time_it_is_added);
    tcase_add_test(tcase, no_item_is_above_itself);
    tcase_add_test(tcase, children_come_by_id_and_conversations_newest_first);
    tcase_add_test(tcase, each_change_is_journaled_newest_first);
    tcase_add_test(tcase, the_last_twenty_changes_are_shown);
    tcase_add_test(tcase, an_update_that_changes_nothing_leaves_no_trace);
    tcase_add_test(tcase, all_filters_must_hold_and_totals_match);
    return run_suite(suite);
}
