/* SPDX-License-Identifier: Apache-2.0 */
/* Projects: made ids, updates, and deleting them alone or with all they hold. */
#include "sprint_fixture.h"

START_TEST(only_the_name_is_needed)
{
    const Sprint__ProjectCreated *event;

    OK(f, "CreateProject", "{'name':'Apollo'}");
    HAS(f, "'id':'apollo','key':'MAL','name':'Apollo','status':'active','color':'blue',"
           "'metadata':{}");
    ck_assert_int_eq(events(f, "sprint.project.created"), 1);
    event =
        (const void *)last_event("sprint.project.created", &sprint__project_created__descriptor);
    ck_assert_str_eq(event->id, "apollo");
    ck_assert_str_eq(event->name, "Apollo");
    ck_assert_int_eq(event->status, SPRINT__PROJECT_STATUS__PROJECT_STATUS_ACTIVE);
}
END_TEST

START_TEST(everything_given_is_stored)
{
    OK(f, "CreateProject",
       "{'id':'x-1','key':'API','name':'X','description':'D','status':'planning','owner_id':'ana',"
       "'color':'#00ff7f','metadata':{'repo_url':'https://x.org','n':[1,2]}}");
    OK(f, "GetProject", "{'id':'x-1'}");
    HAS(f, "'id':'x-1','key':'API','name':'X','description':'D','status':'planning',"
           "'owner_id':'ana','color':'#00ff7f','metadata':{'n':[1,2],'repo_url':'https://x.org'}");
    HAS(f, "'sprints':[],'sprints_total':0,'work_items':{'total':0,'done':0,'open':0}");
}
END_TEST

START_TEST(a_made_id_that_is_taken_gets_a_number)
{
    OK(f, "CreateProject", "{'name':'Über Plan'}");
    HAS(f, "'id':'uber-plan'");
    OK(f, "CreateProject", "{'name':'Über Plan'}");
    HAS(f, "'id':'uber-plan-2'");
    OK(f, "CreateProject", "{'name':' über – PLAN!'}");
    HAS(f, "'id':'uber-plan-3'");
    OK(f, "CreateProject", "{'name':'日本'}");
    HAS(f, "'id':'project'");
    FAILS(f, "CreateProject", "{'id':'uber-plan','name':'X'}", ST_ALREADY_EXISTS);
    MENTIONS(f, "mal_update_project");
    ck_assert_int_eq(events(f, "sprint.project.created"), 4);
}
END_TEST

START_TEST(a_long_name_makes_an_id_of_sixty_characters_and_its_double_still_fits)
{
    char request[200], id[80];

    memset(id, 'a', 60);
    id[60] = '\0';
    (void)snprintf(request, sizeof(request), "{'name':'%s%s'}", id, id);
    OK(f, "CreateProject", request);
    HAS(f, arena_printf(&f->arena, "'id':'%s'", id));
    pg_server_sql(f->url,
                  "insert into sprint.project (id, name) select repeat('a', 60) || '-' || n,"
                  " 'x' from generate_series(2, 999) n");
    OK(f, "CreateProject", request);
    id[59] = '\0';
    HAS(f, arena_printf(&f->arena, "'id':'%s-1000'", id));
}
END_TEST

START_TEST(each_limit_is_named)
{
    FAILS(f, "CreateProject", "{}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "name");
    FAILS(f, "CreateProject", "{'name':'X','key':'A'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "key");
    FAILS(f, "CreateProject", "{'name':'X','key':'mal'}", ST_INVALID_ARGUMENT);
    FAILS(f, "CreateProject", "{'name':'X','color':'#12345G'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "color");
    FAILS(f, "CreateProject", "{'name':'X','owner_id':'Ana B'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "owner_id");
    FAILS(f, "CreateProject", "{'name':'X','metadata':[1]}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "metadata");
    FAILS(f, "CreateProject", "{'name':'X','speed':1}", ST_INVALID_ARGUMENT);
    OK(f, "CreateProject", "{'name':'X','description':null,'owner_id':null}");
    HAS_NOT(f, "owner_id");
}
END_TEST

START_TEST(lists_follow_the_latest_change)
{
    OK(f, "CreateProject", "{'name':'A'}");
    OK(f, "CreateProject", "{'name':'B','status':'paused'}");
    OK(f, "CreateProject", "{'name':'C'}");
    OK(f, "UpdateProject", "{'id':'a','name':'A2'}");
    OK(f, "ListProjects", "{'limit':2}");
    HAS(f, "'items':[{'id':'a'");
    HAS(f, "{'id':'c'");
    HAS(f, "'total':3,'count':2,'offset':0,'has_more':true,'next_offset':2}");
    OK(f, "ListProjects", "{'limit':2,'offset':2}");
    HAS(f, "'items':[{'id':'b'");
    HAS(f, "'total':3,'count':1,'offset':2,'has_more':false}");
    OK(f, "ListProjects", "{'status':'paused'}");
    HAS(f, "'items':[{'id':'b'");
    HAS(f, "'total':1,'count':1");
    OK(f, "ListProjects", "{'status':'archived'}");
    HAS(f, "'items':[],'total':0");
}
END_TEST

START_TEST(an_update_changes_what_it_names)
{
    OK(f, "CreateProject", "{'name':'A','description':'D','owner_id':'ana','metadata':{'a':1}}");
    OK(f, "UpdateProject", "{'id':'a','key':'API','status':'paused','metadata':{'b':[]}}");
    HAS(f, "'id':'a','key':'API','name':'A','description':'D','status':'paused','owner_id':'ana',"
           "'color':'blue','metadata':{'b':[]}");
    HAS(f, "'changed':['key','status','metadata']");
    OK(f, "UpdateProject", "{'id':'a','description':null,'owner_id':null,'metadata':{}}");
    HAS_NOT(f, "'description':");
    HAS_NOT(f, "'owner_id':'");
    HAS(f, "'metadata':{}");
    HAS(f, "'changed':['description','owner_id','metadata']");
    ck_assert_int_eq(events(f, "sprint.project.updated"), 2);
    ck_assert_str_eq(value("select description is null and owner_id is null from sprint.project"),
                     "t");
}
END_TEST

START_TEST(an_update_that_changes_nothing_leaves_no_trace)
{
    char before[64];

    OK(f, "CreateProject", "{'name':'A','metadata':{'b':1,'a':{'x':[1,2]}}}");
    (void)snprintf(before, sizeof(before), "%s", value("select updated_at from sprint.project"));
    OK(f, "UpdateProject",
       "{'id':'a','name':'A','description':null,'metadata':{'a':{'x':[1,2]},'b':1}}");
    HAS(f, "'changed':[]");
    ck_assert_str_eq(value("select updated_at from sprint.project"), before);
    ck_assert_int_eq(events(f, "sprint.project.updated"), 0);
    OK(f, "UpdateProject", "{'id':'a','name':'B'}");
    ck_assert_str_ne(value("select updated_at from sprint.project"), before);
}
END_TEST

START_TEST(what_cannot_be_cleared_or_found_is_refused)
{
    OK(f, "CreateProject", "{'name':'A'}");
    FAILS(f, "UpdateProject", "{'id':'a','name':null}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "name");
    FAILS(f, "UpdateProject", "{'id':'a','status':null}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateProject", "{'id':'a'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "no field to change");
    FAILS(f, "UpdateProject", "{'id':'b','name':'B'}", ST_NOT_FOUND);
    MENTIONS(f, "mal_list_projects");
    FAILS(f, "GetProject", "{'id':'b'}", ST_NOT_FOUND);
    FAILS(f, "DeleteProject", "{'id':'b'}", ST_NOT_FOUND);
}
END_TEST

START_TEST(what_can_be_no_id_is_not_found_as_well)
{
    static const char *const rpcs[] = {"GetProject", "DeleteProject", "GetSprint", "GetWorkItem"};

    for (size_t i = 0; i < ARRAY_SIZE(rpcs); i++)
        FAILS(f, rpcs[i], "{'id':'No such; thing?'}", ST_NOT_FOUND);
    FAILS(f, "UpdateProject", "{'id':'No such','name':'x'}", ST_NOT_FOUND);
    FAILS(f, "UpdateSprint", "{'id':'No such','name':'x'}", ST_NOT_FOUND);
    FAILS(f, "UpdateWorkItem", "{'id':'No such','title':'x'}", ST_NOT_FOUND);
    FAILS(f, "GetProject", "{'id':''}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_project_shows_its_sprints_and_counts_its_items)
{
    OK(f, "CreateProject", "{'name':'A'}");
    pg_server_sql(
        f->url, "insert into sprint.sprint (id, name, start_date, end_date, project_id, summary)"
                " select 's-' || n, 'S', date '2026-01-01' + n, date '2026-02-01' + n, 'a', 'long'"
                " from generate_series(1, 60) n;"
                "insert into sprint.work_item (id, title, project_id, sprint_id, status,"
                " completed_at, story_points) select 'I-' || n, 'T', 'a', 's-60', s,"
                " case s when 'done' then now() end, 3 from generate_series(1, 10) n,"
                " lateral (select (array['done','cancelled','todo','review'])[n % 4 + 1]) t (s)");
    OK(f, "GetProject", "{'id':'a'}");
    HAS(f, "'sprints':[{'id':'s-60'");
    HAS(f, "{'id':'s-11'");
    HAS_NOT(f, "{'id':'s-10'");
    HAS_NOT(f, "long");
    HAS(f, "'velocity':6");
    HAS(f, "'sprints_total':60,'work_items':{'total':10,'done':2,'open':5}");
}
END_TEST

/* Three sprints, 150 items, one of another project below and one beside. */
static void fill_apollo(void)
{
    OK(f, "CreateProject", "{'name':'Apollo'}");
    OK(f, "CreateProject", "{'name':'Hermes'}");
    pg_server_sql(
        f->url,
        "insert into sprint.sprint (id, name, start_date, end_date, project_id) select 's-' || n,"
        " 'S', '2026-01-01', '2026-01-02', 'apollo' from generate_series(1, 3) n;"
        "insert into sprint.work_item (id, title, project_id, sprint_id) select 'I-' || n, 'T',"
        " 'apollo', 's-' || n % 3 + 1 from generate_series(1, 150) n;"
        "insert into sprint.work_item (id, title, project_id, sprint_id, parent_id) values"
        " ('other', 'T', 'hermes', 's-1', 'I-1'), ('loose', 'T', null, 's-2', null)");
}

START_TEST(deleting_asks_first_and_says_what_goes)
{
    fill_apollo();
    FAILS(f, "DeleteProject", "{'id':'apollo','cascade':true}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CONFIRMATION_REQUIRED");
    MENTIONS(f, "Deleting project 'apollo' with cascade removes 3 sprints and 150 work items.");
    FAILS(f, "DeleteProject", "{'id':'apollo'}", ST_FAILED_PRECONDITION);
    MENTIONS(f, "3 sprints and 150 work items stay without a project");
    ck_assert_str_eq(value("select count(*) from sprint.project"), "2");
    sprint_config.confirm_tools = "mal_delete_skill";
    OK(f, "DeleteProject", "{'id':'hermes'}");
    sprint_config.confirm_tools = "mal_delete_project";
}
END_TEST

START_TEST(without_cascade_everything_stays)
{
    fill_apollo();
    OK(f, "DeleteProject", "{'id':'apollo','confirm':true}");
    HAS(f, "{'id':'apollo','deleted':true,'cascade':false,'sprints_deleted':0,"
           "'work_items_deleted':0,'sprints_detached':3,'work_items_detached':150}");
    ck_assert_str_eq(value("select count(*) from sprint.work_item where project_id is null"),
                     "151");
    ck_assert_str_eq(value("select count(*) from sprint.sprint where project_id is null"), "3");
    ck_assert_str_eq(value("select count(*) || min(actor || field || old_value) || "
                           "count(new_value) from sprint.work_item_change"),
                     "150anaproject_idapollo0");
    ck_assert_int_eq(events(f, "sprint.project.deleted"), 1);
    ck_assert_int_eq(events(f, "sprint.work_item.deleted"), 0);
    FAILS(f, "GetProject", "{'id':'apollo'}", ST_NOT_FOUND);
}
END_TEST

START_TEST(with_cascade_everything_goes_and_is_told)
{
    const Sprint__ProjectDeleted *event;
    const Sprint__WorkItemDeleted *item;

    fill_apollo();
    OK(f, "DeleteProject", "{'id':'apollo','cascade':true,'confirm':true}");
    HAS(f, "{'id':'apollo','deleted':true,'cascade':true,'sprints_deleted':3,"
           "'work_items_deleted':150,'sprints_detached':0,'work_items_detached':0}");
    ck_assert_str_eq(value("select string_agg(id || coalesce(sprint_id || parent_id, ''), ' '"
                           " order by id) from sprint.work_item"),
                     "loose other");
    ck_assert_str_eq(value("select string_agg(work_item_id || '.' || field || '.' || old_value, ' '"
                           " order by work_item_id, field) from sprint.work_item_change"),
                     "loose.sprint_id.s-2 other.parent_id.I-1 other.sprint_id.s-1");
    ck_assert_str_eq(value("select count(*) from sprint.sprint"), "0");
    ck_assert_int_eq(events(f, "sprint.work_item.deleted"), 150);
    ck_assert_int_eq(events(f, "sprint.sprint.deleted"), 3);
    event =
        (const void *)last_event("sprint.project.deleted", &sprint__project_deleted__descriptor);
    ck_assert(event->cascade);
    ck_assert_str_eq(event->name, "Apollo");
    item = (const void *)last_event("sprint.work_item.deleted",
                                    &sprint__work_item_deleted__descriptor);
    ck_assert_str_eq(item->project_id, "apollo");
    ck_assert_int_eq(item->status, SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_BACKLOG);
    OK(f, "CountEntities", "{}");
    HAS(f, "{'projects':1,'sprints':0,'work_items':2}");
}
END_TEST

START_TEST(thousands_of_items_go_in_one_transaction)
{
    OK(f, "CreateProject", "{'name':'Big'}");
    pg_server_sql(f->url, "insert into sprint.work_item (id, title, project_id) select 'I-' || n,"
                          " 'T', 'big' from generate_series(1, 2500) n");
    OK(f, "DeleteProject", "{'id':'big','cascade':true,'confirm':true}");
    HAS(f, "'work_items_deleted':2500");
    ck_assert_int_eq(events(f, "sprint.work_item.deleted"), 2500);
    ck_assert_str_eq(value("select count(*) from sprint.work_item"), "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_projects");
    TCase *tcase = case_new(suite, "projects", 30);

    tcase_add_test(tcase, only_the_name_is_needed);
    tcase_add_test(tcase, everything_given_is_stored);
    tcase_add_test(tcase, a_made_id_that_is_taken_gets_a_number);
    tcase_add_test(tcase, a_long_name_makes_an_id_of_sixty_characters_and_its_double_still_fits);
    tcase_add_test(tcase, each_limit_is_named);
    tcase_add_test(tcase, lists_follow_the_latest_change);
    tcase_add_test(tcase, an_update_changes_what_it_names);
    tcase_add_test(tcase, an_update_that_changes_nothing_leaves_no_trace);
    tcase_add_test(tcase, what_cannot_be_cleared_or_found_is_refused);
    tcase_add_test(tcase, what_can_be_no_id_is_not_found_as_well);
    tcase_add_test(tcase, a_project_shows_its_sprints_and_counts_its_items);
    tcase_add_test(tcase, deleting_asks_first_and_says_what_goes);
    tcase_add_test(tcase, without_cascade_everything_stays);
    tcase_add_test(tcase, with_cascade_everything_goes_and_is_told);
    tcase_add_test(tcase, thousands_of_items_go_in_one_transaction);
    return run_suite(suite);
}
