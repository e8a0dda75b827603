/* SPDX-License-Identifier: Apache-2.0 */
/* Report and retrospective of a sprint: figures that equal its items, sentences
 * that they make true, and their texts to the letter. */
#include "sprint_fixture.h"

#include "bus/bus.h"
#include "mal/gamify/v1/gamify.api.h"
#include "nats_server.h"

#include <semaphore.h>

static void at(const char *time)
{
    ck_assert(clock_parse(time, &f->now_ms));
}

/* Adds rows; ' stands for itself. */
static void add(const char *sql)
{
    pg_server_sql(f->url, sql);
}

static void add_sprint(const char *columns)
{
    add(arena_printf(&f->arena,
                     "insert into sprint.sprint (id, name, goal, start_date, end_date, status,"
                     " project_id, team_capacity, velocity, completed_at, summary) values %s",
                     columns));
}

/* id, title, type, status, points, assignee, completed_at, blocked_since */
static void add_items(const char *rows)
{
    add(arena_printf(
        &f->arena,
        "insert into sprint.work_item (id, title, type, status, story_points, assignee,"
        " completed_at, blocked_since, labels, sprint_id)"
        " select v.*, case when v.column8 is null then '{}'::text[] else '{blocked}'"
        " end, 'sprint-7' from (values %s) v",
        rows));
}

/* Sprint 7 on its sixth day: 12 of 60 points, MAL-7 blocked for two hours. */
static void add_known_sprint(void)
{
    add("insert into sprint.project (id, name) values ('apollo', 'Apollo')");
    add_sprint("('sprint-7', 'Sprint 7', 'Ship the board', '2026-03-02', '2026-03-16', 'active',"
               " 'apollo', 55, null, null, 'Half way.'),"
               "('sprint-6', 'Sprint 6', null, '2026-02-16', '2026-02-27', 'completed', 'apollo',"
               " 40, 34, '2026-02-27 16:00+00', null),"
               "('sprint-5', 'Sprint 5', null, '2026-02-02', '2026-02-13', 'completed', 'apollo',"
               " null, 30, '2026-02-14 16:00+00', null),"
               "('other', 'Other', null, '2026-02-02', '2026-02-13', 'completed', null,"
               " null, 99, '2026-02-14 16:00+00', null)");
    add_items("('MAL-1', 'Columns', 'story', 'done', 8, 'ana', '2026-03-02 23:59:59.999+00'"
              "::timestamptz, null::timestamptz),"
              "('MAL-2', 'Drag', 'bug', 'done', 3, 'ben', '2026-03-03 00:00+00', null),"
              "('MAL-3', 'Drop', 'task', 'done', 1, 'ana', '2026-03-06 10:00+00', null),"
              "('MAL-4', 'Docs', 'task', 'done', null, null, '2026-03-06 11:00+00', null),"
              "('MAL-5', 'Filter', 'story', 'in_progress', 13, 'ana', null, null),"
              "('MAL-6', 'Search', 'story', 'todo', 20, 'ben', null, null),"
              "('MAL-7', 'Deploy | run', 'spike', 'todo', 15, null, null, '2026-03-07 08:00+00'),"
              "('MAL-8', 'Sounds', 'task', 'cancelled', 21, 'ana', null, null)");
    at("2026-03-07T10:00:00Z");
}

/* ---- the report ------------------------------------------------------------ */

START_TEST(figures_equal_the_items)
{
    add_known_sprint();
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, "'health':'at_risk','health_reason':'At Risk, 22.9 points behind pace','day':6,"
           "'total_days':14,'elapsed_days':6,'remaining_days':8,'elapsed_percent':42.9,"
           "'completion_percent':20,'points':{'total':60,'done':12,'remaining':48},"
           "'items':{'total':7,'done':4,'open':3,'cancelled':1},'velocity':12,"
           "'velocity_frozen':false,'capacity_percent':109.1,");
    HAS(f, "'by_status':[{'status':'todo','count':2,'points':35},{'status':'in_progress',"
           "'count':1,'points':13},{'status':'done','count':4,'points':12},{'status':'cancelled',"
           "'count':1,'points':21}],");
    HAS(f, "'by_type':[{'type':'story','count':3,'done':1,'points':41},{'type':'task','count':2,"
           "'done':2,'points':1},{'type':'bug','count':1,'done':1,'points':3},{'type':'spike',"
           "'count':1,'done':0,'points':15}],");
    HAS(f, "'by_assignee':[{'assignee':'ana','count':3,'done':2,'points':22,'points_done':9},"
           "{'assignee':'ben','count':2,'done':1,'points':23,'points_done':3},"
           "{'assignee':'','count':2,'done':1,'points':15,'points_done':0}],");
    HAS(f, "'burndown':[{'date':'2026-03-02','ideal':60,'remaining':52},"
           "{'date':'2026-03-03','ideal':55.7,'remaining':49},"
           "{'date':'2026-03-04','ideal':51.4,'remaining':49},"
           "{'date':'2026-03-05','ideal':47.1,'remaining':49},"
           "{'date':'2026-03-06','ideal':42.9,'remaining':48},"
           "{'date':'2026-03-07','ideal':38.6,'remaining':48},{'date':'2026-03-08','ideal':34.3},");
    HAS(f, "{'date':'2026-03-15','ideal':4.3},{'date':'2026-03-16','ideal':0}],");
    HAS(f, "'blocked':[{'id':'MAL-7','title':'Deploy | run','blocked_since':"
           "'2026-03-07T08:00:00.000Z','days':0}],"
           "'trend':[{'sprint_id':'sprint-6','name':'Sprint 6','velocity':34},"
           "{'sprint_id':'sprint-5','name':'Sprint 5','velocity':30}]}");
    FAILS(f, "GetSprintReport", "{'sprint_id':'nowhere'}", ST_NOT_FOUND);
    MENTIONS(f, "nowhere");
    MENTIONS(f, "mal_list_sprints");
}
END_TEST

START_TEST(the_report_has_a_text)
{
    add_known_sprint();
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    ck_assert_str_eq(
        f->text,
        "## Sprint report: Sprint 7 (`sprint-7`)\n"
        "**status**: active · **health**: At Risk, 22.9 points behind pace\n"
        "**goal**: Ship the board\n"
        "**dates**: 2026-03-02 → 2026-03-16 · day 6 of 14 · 42.9 % elapsed · 8 days left\n"
        "**points**: 12 of 60 done (20.0 %) · **items**: 4 of 7 done · **velocity**: 12 (live) · "
        "**capacity**: 60 of 55 (109.1 %)\n"
        "\n### By status\n\n"
        "| Status | Items | Points |\n|---|--:|--:|\n"
        "| todo | 2 | 35 |\n| in_progress | 1 | 13 |\n| done | 4 | 12 |\n| cancelled | 1 | 21 |\n"
        "\n### By type\n\n"
        "| Type | Items | Done | Points |\n|---|--:|--:|--:|\n"
        "| story | 3 | 1 | 41 |\n| task | 2 | 2 | 1 |\n| bug | 1 | 1 | 3 |\n"
        "| spike | 1 | 0 | 15 |\n"
        "\n### By assignee\n\n"
        "| Assignee | Items | Done | Points | Points done |\n|---|--:|--:|--:|--:|\n"
        "| ana | 3 | 2 | 22 | 9 |\n| ben | 2 | 1 | 23 | 3 |\n| (nobody) | 2 | 1 | 15 | 0 |\n"
        "\n### Burndown\n\n"
        "| Date | Remaining | Ideal |\n|---|--:|--:|\n"
        "| 2026-03-02 | 52 | 60.0 |\n| 2026-03-03 | 49 | 55.7 |\n| 2026-03-04 | 49 | 51.4 |\n"
        "| 2026-03-05 | 49 | 47.1 |\n| 2026-03-06 | 48 | 42.9 |\n| 2026-03-07 | 48 | 38.6 |\n"
        "| 2026-03-08 | – | 34.3 |\n| 2026-03-09 | – | 30.0 |\n| 2026-03-10 | – | 25.7 |\n"
        "| 2026-03-11 | – | 21.4 |\n| 2026-03-12 | – | 17.1 |\n| 2026-03-13 | – | 12.9 |\n"
        "| 2026-03-14 | – | 8.6 |\n| 2026-03-15 | – | 4.3 |\n| 2026-03-16 | – | 0.0 |\n"
        "\n### Blocked\n\n- `MAL-7` Deploy | run — 0 days\n"
        "\n### Velocity trend\n\n- Sprint 6 (`sprint-6`): 34\n- Sprint 5 (`sprint-5`): 30\n"
        "\n### Summary\n\nHalf way.");
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7','format':'json'}");
    ck_assert_str_eq(f->text, "");
}
END_TEST

START_TEST(a_sprint_without_items_has_a_short_text)
{
    add_sprint("('s', 'One day', null, '2026-03-02', '2026-03-02', 'planned', null, null, null,"
               " null, null)");
    at("2026-03-01T10:00:00Z");
    OK(f, "GetSprintReport", "{'sprint_id':'s'}");
    HAS_NOT(f, "capacity_percent");
    HAS(f, "'by_status':[],'by_type':[],'by_assignee':[],");
    HAS(f, "'burndown':[{'date':'2026-03-02','ideal':0},{'date':'2026-03-03','ideal':0}]");
    ck_assert_str_eq(f->text,
                     "## Sprint report: One day (`s`)\n"
                     "**status**: planned · **health**: On Track\n"
                     "**dates**: 2026-03-02 → 2026-03-02 · day 0 of 1 · 0.0 % elapsed · 1 day "
                     "left\n"
                     "**points**: 0 of 0 done (0.0 %) · **items**: 0 of 0 done · **velocity**: 0 "
                     "(live)\n"
                     "\n### Burndown\n\n"
                     "| Date | Remaining | Ideal |\n|---|--:|--:|\n"
                     "| 2026-03-02 | – | 0.0 |\n| 2026-03-03 | – | 0.0 |");
}
END_TEST

/* e = 50 %, done of 100 points, blocked since then. */
static void health_is(int done, const char *blocked_since, const char *wanted)
{
    add("delete from sprint.work_item");
    if (done >= 0)
        add_items(arena_printf(
            &f->arena,
            "('A-1', 'Done', 'task', 'done', %d, null, '2026-03-03 00:00+00'::timestamptz,"
            " null::timestamptz), ('A-2', 'Open', 'task', 'todo', %d, null, null, %s)",
            done, 100 - done, blocked_since));
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, wanted);
}

START_TEST(health_is_that_of_the_table)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-12', 'active', null, null,"
               " null, null, null)");
    at("2026-03-07T00:00:00Z");
    health_is(50, "null", "'health':'on_track','health_reason':'On Track'");
    health_is(30, "null", "'health':'on_track'");
    health_is(29, "null", "'health':'at_risk','health_reason':'At Risk, 21.0 points behind pace'");
    health_is(10, "null", "'health':'at_risk','health_reason':'At Risk, 40.0 points behind pace'");
    health_is(9, "null", "'health':'behind','health_reason':'Behind, 41.0 points behind pace'");
    health_is(-1, "null", "'health':'behind','health_reason':'Behind, 50.0 points behind pace'");
    health_is(60, "'2026-03-05 00:00:00+00'", "'health':'on_track'");
    health_is(60, "'2026-03-04 23:59:59+00'",
              "'health':'behind','health_reason':'Behind, A-2 blocked for 2 days'");
    /* What is done or cancelled holds nobody up. */
    add("update sprint.work_item set status = 'cancelled' where id = 'A-2'");
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, "'health':'on_track'");
    HAS(f, "'blocked':[]");
}
END_TEST

START_TEST(a_completed_sprint_stands_still)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-16', 'completed', null, null,"
               " 77, '2026-03-09 12:00+00', null)");
    add_items("('A-1', 'Done', 'task', 'done', 5, null, '2026-03-03 00:00+00'::timestamptz,"
              " '2026-03-03 00:00+00'::timestamptz),"
              "('A-2', 'Late', 'task', 'done', 5, null, '2026-03-12 00:00+00', null),"
              "('A-3', 'Stuck', 'task', 'todo', 5, 'ana', null, '2026-03-06 12:00+00')");
    at("2026-04-01T00:00:00Z");
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, "'day':8,'total_days':14,'elapsed_days':8,'remaining_days':6,");
    HAS(f, "'velocity':77,'velocity_frozen':true,");
    HAS(f, "{'date':'2026-03-09','ideal':7.5,'remaining':10},{'date':'2026-03-10','ideal':6.4},");
    HAS(f, "'blocked':[{'id':'A-3','title':'Stuck','assignee':'ana','blocked_since':"
           "'2026-03-06T12:00:00.000Z','days':3}]");
    HAS(f, "'health_reason':'Behind, A-3 blocked for 3 days'");
    ck_assert_ptr_nonnull(strstr(f->text, "**velocity**: 77 (frozen)"));
    ck_assert_ptr_nonnull(strstr(f->text, "- `A-3` Stuck — @ana, 3 days"));
}
END_TEST

START_TEST(a_cancelled_sprint_stands_still_too)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-16', 'cancelled', null, null,"
               " null, null, null)");
    add("update sprint.sprint set updated_at = '2026-03-04 12:00+00'");
    at("2026-04-01T00:00:00Z");
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, "'elapsed_days':3,");
}
END_TEST

START_TEST(six_hundred_items_count_in_full)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-16', 'active', null, null,"
               " null, null, null)");
    add("insert into sprint.work_item (id, title, status, story_points, sprint_id, completed_at)"
        " select 'A-' || n, 't', case when n % 2 = 0 then 'done' else 'todo' end, 2, 'sprint-7',"
        " case when n % 2 = 0 then timestamptz '2026-03-03 00:00+00' end"
        " from generate_series(1, 600) n");
    at("2026-03-09T00:00:00Z");
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, "'points':{'total':1200,'done':600,'remaining':600},"
           "'items':{'total':600,'done':300,'open':300,'cancelled':0},");
    HAS(f, "{'date':'2026-03-09','ideal':600,'remaining':600}");
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    HAS(f, "'completed':300,'carried_over':300,");
}
END_TEST

START_TEST(trends_are_of_the_three_before)
{
    add_sprint(
        "('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-16', 'completed', null, null,"
        " 7, '2026-03-16 00:00+00', null),"
        "('a', 'A', null, '2026-01-02', '2026-01-16', 'completed', null, null, 1,"
        " '2026-01-16 00:00+00', null),"
        "('b', 'B', null, '2026-01-02', '2026-01-16', 'completed', null, null, 2,"
        " '2026-02-16 00:00+00', null),"
        "('c', 'C', null, '2026-01-02', '2026-01-16', 'completed', null, null, 3,"
        " '2026-02-17 00:00+00', null),"
        "('d', 'D', null, '2026-01-02', '2026-01-16', 'completed', null, null, 4,"
        " '2026-02-18 00:00+00', null),"
        "('later', 'Later', null, '2026-01-02', '2026-01-16', 'completed', null, null, 5,"
        " '2026-03-17 00:00+00', null),"
        "('running', 'Running', null, '2026-01-02', '2026-01-16', 'active', null, null, null,"
        " null, null)");
    OK(f, "GetSprintReport", "{'sprint_id':'sprint-7'}");
    HAS(f, "'trend':[{'sprint_id':'d','name':'D','velocity':4},{'sprint_id':'c','name':'C',"
           "'velocity':3},{'sprint_id':'b','name':'B','velocity':2}]");
    OK(f, "GetSprintReport", "{'sprint_id':'running'}");
    HAS(f, "'trend':[{'sprint_id':'later',");
}
END_TEST

START_TEST(a_sprint_of_centuries_is_refused_with_a_way_out)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '0001-01-01', '9999-12-31', 'active', null, null,"
               " null, null, null)");
    FAILS(f, "GetSprintReport", "{'sprint_id':'sprint-7'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "REPLY_TOO_LARGE");
    MENTIONS(f, "mal_update_sprint");
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
}
END_TEST

/* ---- the retrospective -------------------------------------------------------- */

START_TEST(every_sentence_is_true)
{
    add_known_sprint();
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ana','sprint_id':'sprint-7','action_items':['Write docs.',"
       "'Ask Ben.'],'decisions':['Use drag and drop.','No sounds.']}");
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ben','title':'About sprint 7','action_items':['Ask Ben.',"
       "'Call the customer.'],'decisions':['Later.']}");
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ben','action_items':['Not of this sprint.']}");
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    HAS(f, "'metrics':{'points_total':60,'points_done':12,'velocity':12,'completion_percent':20,"
           "'completed':4,'carried_over':3,'cancelled':1,'bugs_fixed':1,'bugs_open':0,"
           "'capacity':55,'interactions':2,'decisions':3},");
    HAS(f, "'went_well':['Fixed 1 bug.','Recorded 3 decisions.'],");
    HAS(f, "'could_improve':['3 items (48 points) were not completed.','1 item was cancelled.',"
           "'Velocity 12 is below the average of the last 2 sprints (32.0).',"
           "'1 item is blocked.','60 points were planned for a capacity of 55.',"
           "'1 item has no estimate.'],");
    HAS(f, "'action_items':['Ask Ben.','Call the customer.','Write docs.',"
           "'Re-plan MAL-5: Filter.','Re-plan MAL-6: Search.','Re-plan MAL-7: Deploy | run.',"
           "'Unblock MAL-7: Deploy | run.'],");
    HAS(f, "'completed':[{'id':'MAL-1','title':'Columns','story_points':8,'assignee':'ana'},"
           "{'id':'MAL-2','title':'Drag','story_points':3,'assignee':'ben'},"
           "{'id':'MAL-3','title':'Drop','story_points':1,'assignee':'ana'},"
           "{'id':'MAL-4','title':'Docs'}],");
    HAS(f, "'incomplete':[{'id':'MAL-5','title':'Filter','status':'in_progress',"
           "'story_points':13,'assignee':'ana'},");
    HAS(f, "'members':[{'user_id':'ana','completed':2,'points_done':9},"
           "{'user_id':'ben','completed':1,'points_done':3}],");
    FAILS(f, "RunRetrospective", "{'sprint_id':'nowhere'}", ST_NOT_FOUND);
}
END_TEST

START_TEST(a_good_sprint_is_praised)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-16', 'completed', null, 10,"
               " 8, '2026-03-16 23:59:59+00', null),"
               "('b', 'B', null, '2026-01-02', '2026-01-16', 'completed', null, null, 8,"
               " '2026-02-16 00:00+00', null)");
    add_items("('A-1', 'Done', 'bug', 'done', 8, 'ana', '2026-03-03 00:00+00'::timestamptz,"
              " null::timestamptz), ('A-2', 'Open', 'bug', 'todo', 2, null, null, null)");
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    HAS(f, "'went_well':['Completed 8 of 10 points (80.0 %).','Finished on time.',"
           "'Velocity 8 is at or above the average of the last sprint (8.0).','Fixed 1 bug.'],"
           "'could_improve':['1 item (2 points) was not completed.','1 bug is still open.'],"
           "'action_items':['Re-plan A-2: Open.'],");
    /* One day late, and a little less done. */
    add("update sprint.sprint set completed_at = '2026-03-17 00:00+00', velocity = 7"
        " where id = 'sprint-7'; update sprint.work_item set story_points = 3 where id = 'A-2'");
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    HAS(f, "'went_well':['Fixed 1 bug.'],");
    HAS(f, "'Velocity 7 is below the average of the last sprint (8.0).'");
    HAS(f, "'11 points were planned for a capacity of 10.'");
}
END_TEST

START_TEST(advice_is_bounded)
{
    add_sprint("('sprint-7', 'Sprint 7', null, '2026-03-02', '2026-03-16', 'active', null, null,"
               " null, null, null)");
    add("insert into sprint.work_item (id, title, sprint_id, labels, blocked_since)"
        " select 'A-' || n, 'T' || n, 'sprint-7', '{blocked}', now() + n * interval '1 second'"
        " from generate_series(1, 12) n");
    for (int i = 0; i < 3; i++)
        OK(f, "LogInteraction",
           arena_printf(&f->arena,
                        "{'session_id':'s','user_id':'ana','sprint_id':'sprint-7','action_items':"
                        "['a%d','b%d','c%d','d%d','e%d','f%d','g%d','h%d','both']}",
                        i, i, i, i, i, i, i, i));
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    HAS(f, "'action_items':['a2','b2',");
    HAS(f, "'a1','b1','c1','d1','e1','f1','g1','h1','a0','b0','c0','Re-plan A-1: T1.',");
    HAS_NOT(f, "'d0'");
    HAS(f, "'Unblock A-12: T12.'");
    ck_assert_ptr_null(strstr(strstr(f->reply, "Unblock A-1:"), "Re-plan"));
    HAS(f, "'12 items are blocked.'");
    HAS(f, "'12 items have no estimate.'");
}
END_TEST

static const char retrospective[] =
    "## Retrospective: Sprint 7 (`sprint-7`)\n"
    "**status**: active · **health**: At Risk, 22.9 points behind pace\n"
    "**goal**: Ship the board\n"
    "**dates**: 2026-03-02 → 2026-03-16 · day 6 of 14 · 42.9 % elapsed · 8 days left\n"
    "**velocity**: 12 of 60 points (20.0 %) · **completed**: 4 · **carried over**: 3 · "
    "**cancelled**: 1 · **bugs**: 1 fixed, 0 open · **capacity**: 55\n"
    "\n### What went well\n\n- Fixed 1 bug.\n"
    "\n### What could improve\n\n"
    "- 3 items (48 points) were not completed.\n- 1 item was cancelled.\n"
    "- Velocity 12 is below the average of the last 2 sprints (32.0).\n- 1 item is blocked.\n"
    "- 60 points were planned for a capacity of 55.\n- 1 item has no estimate.\n"
    "\n### Action items\n\n"
    "- Re-plan MAL-5: Filter.\n- Re-plan MAL-6: Search.\n- Re-plan MAL-7: Deploy | run.\n"
    "- Unblock MAL-7: Deploy | run.\n"
    "\n### Completed\n\n"
    "- `MAL-1` Columns — 8 points, @ana\n- `MAL-2` Drag — 3 points, @ben\n"
    "- `MAL-3` Drop — 1 point, @ana\n- `MAL-4` Docs\n"
    "\n### Not completed\n\n"
    "- `MAL-5` Filter — in_progress, 13 points, @ana\n- `MAL-6` Search — todo, 20 points, @ben\n"
    "- `MAL-7` Deploy | run — todo, 15 points\n"
    "\n### Members\n\n"
    "| Member | Completed | Points | XP |\n|---|--:|--:|--:|\n"
    "| ana | 2 | 9 | – |\n| ben | 1 | 3 | – |\n"
    "\nNote: The gamify service did not answer; XP is left out.";

START_TEST(the_retrospective_has_a_text)
{
    add_known_sprint();
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    ck_assert_str_eq(f->text, retrospective);
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7','format':'json'}");
    ck_assert_str_eq(f->text, "");
}
END_TEST

/* ---- XP from gamify -------------------------------------------------------------- */

static struct nats_server nats;
static char asked_from[16], asked_to[16];
static sem_t may_answer;

/* Gamify knows ana, who has 120 XP. */
static enum status sum_points(struct call *call, const ProtobufCMessage *request,
                              ProtobufCMessage *reply)
{
    const Gamify__SumPointsRequest *req = (const void *)request;
    Gamify__SumPointsResponse *rsp = (void *)reply;

    (void)snprintf(asked_from, sizeof(asked_from), "%s", req->from);
    (void)snprintf(asked_to, sizeof(asked_to), "%s", req->to);
    while (sem_wait(&may_answer) != 0)
        ;
    rsp->items = arena_alloc(call->arena, sizeof(void *));
    rsp->items[0] = new_message(call, &gamify__member_points__descriptor);
    rsp->items[0]->user_id = "ana";
    rsp->items[0]->points = 120;
    rsp->n_items = req->n_user_ids > 0;
    return ST_OK;
}

static void with_gamify(void (*then)(void))
{
    static const struct endpoint endpoint = {&gamify_sum_points_rpc, sum_points};
    struct error err = {0};
    struct bus *bus;
    struct bus_server *gamify;

    ck_assert_int_eq(sem_init(&may_answer, 0, 0), 0);
    nats_server_start(&nats);
    ck_assert_int_eq(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "gamify"}, &err),
                     ST_OK);
    ck_assert_int_eq(
        bus_new(&f->bus, &(struct bus_options){.url = nats.url, .name = "sprint"}, &err), ST_OK);
    ck_assert_int_eq(bus_serve(bus,
                               &(struct bus_service){.name = "gamify",
                                                     .version = "1.0.0",
                                                     .endpoints = &endpoint,
                                                     .n_endpoints = 1,
                                                     .workers = 1},
                               &gamify, &err),
                     ST_OK);
    then();
    ck_assert_int_eq(sem_post(&may_answer), 0);
    bus_server_stop(gamify, 5000);
    bus_server_free(gamify);
    bus_free(bus);
    bus_free(f->bus);
    f->bus = NULL;
    nats_server_done(&nats);
}

static void has_xp(void)
{
    ck_assert_int_eq(sem_post(&may_answer), 0);
    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    HAS(f, "'members':[{'user_id':'ana','completed':2,'points_done':9,'xp':120},"
           "{'user_id':'ben','completed':1,'points_done':3}],'warnings':[]}");
    ck_assert_str_eq(asked_from, "2026-03-02");
    ck_assert_str_eq(asked_to, "2026-03-16");
    ck_assert_ptr_nonnull(strstr(f->text, "| ana | 2 | 9 | 120 |\n| ben | 1 | 3 | – |"));
    ck_assert_ptr_null(strstr(f->text, "Note:"));
}

static void is_told_without_xp(void)
{
    int64_t start = clock_mono_ms();

    OK(f, "RunRetrospective", "{'sprint_id':'sprint-7'}");
    ck_assert_int_lt((int)(clock_mono_ms() - start), 1800);
    HAS_NOT(f, "'xp'");
    HAS(f, "'warnings':['The gamify service did not answer; XP is left out.']}");
}

START_TEST(members_have_their_xp_of_the_sprint_days)
{
    add_known_sprint();
    with_gamify(has_xp);
}
END_TEST

START_TEST(gamify_is_not_waited_for_longer_than_a_second)
{
    add_known_sprint();
    with_gamify(is_told_without_xp);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_report");
    TCase *tcase = case_new(suite, "report", 60);

    tcase_add_test(tcase, figures_equal_the_items);
    tcase_add_test(tcase, the_report_has_a_text);
    tcase_add_test(tcase, a_sprint_without_items_has_a_short_text);
    tcase_add_test(tcase, health_is_that_of_the_table);
    tcase_add_test(tcase, a_completed_sprint_stands_still);
    tcase_add_test(tcase, a_cancelled_sprint_stands_still_too);
    tcase_add_test(tcase, six_hundred_items_count_in_full);
    tcase_add_test(tcase, trends_are_of_the_three_before);
    tcase_add_test(tcase, a_sprint_of_centuries_is_refused_with_a_way_out);
    tcase = case_new(suite, "retrospective", 60);
    tcase_add_test(tcase, every_sentence_is_true);
    tcase_add_test(tcase, a_good_sprint_is_praised);
    tcase_add_test(tcase, advice_is_bounded);
    tcase_add_test(tcase, the_retrospective_has_a_text);
    tcase_add_test(tcase, members_have_their_xp_of_the_sprint_days);
    tcase_add_test(tcase, gamify_is_not_waited_for_longer_than_a_second);
    return run_suite(suite);
}
