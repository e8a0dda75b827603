/* SPDX-License-Identifier: Apache-2.0 */
/* The leaderboard: which contributions count where, ranks, pages and the text. */
#include "gamify_fixture.h"

#include "mal/sprint/v1/sprint.api.h"
#include "nats_server.h"

/* ---- a sprint service that answers on the bus ----------------------------- */

static struct nats_server nats;
static struct bus *bus;
static struct bus_server *sprints;

/* Active sprints of the answers, 100 a page. */
static struct {
    const char *id, *project, *start, *end;
} active[130];
static int n_active;

static enum status list_sprints(struct call *call, const ProtobufCMessage *request,
                                ProtobufCMessage *reply)
{
    const Sprint__ListSprintsRequest *req = (const void *)request;
    Sprint__ListSprintsResponse *rsp = (void *)reply;

    if (req->status != SPRINT__SPRINT_STATUS__SPRINT_STATUS_ACTIVE)
        return call_fail(call, ST_INVALID_ARGUMENT, "asked for other sprints");
    rsp->items = arena_alloc(call->arena, (size_t)req->limit * sizeof(void *));
    for (int i = 0; i < n_active; i++) {
        Sprint__Sprint *sprint;

        if (*req->project_id && strcmp(req->project_id, active[i].project) != 0)
            continue;
        if (rsp->total++ < req->offset || (int)rsp->n_items >= req->limit)
            continue;
        sprint = new_message(call, &sprint__sprint__descriptor);
        sprint->id = active[i].id;
        sprint->start_date = active[i].start;
        sprint->end_date = active[i].end;
        rsp->items[rsp->n_items++] = sprint;
    }
    PAGE_DONE(rsp, req);
    return ST_OK;
}

static void set_up_bus(void)
{
    static const struct endpoint endpoints[] = {{&sprint_list_sprints_rpc, list_sprints}};
    struct error err = {0};

    set_up();
    nats_server_start(&nats);
    ck_assert_int_eq(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err),
                     ST_OK);
    ck_assert_int_eq(bus_serve(bus,
                               &(struct bus_service){.name = "sprint",
                                                     .version = "1.0.0",
                                                     .description = "sprints",
                                                     .endpoints = endpoints,
                                                     .n_endpoints = 1,
                                                     .workers = 1},
                               &sprints, &err),
                     ST_OK);
    f->bus = bus;
    n_active = 0;
}

static void tear_down_bus(void)
{
    bus_server_stop(sprints, 1000);
    bus_server_free(sprints);
    bus_free(bus);
    nats_server_done(&nats);
    f->bus = NULL;
    tear_down();
}

static void add_sprint(const char *id, const char *project, const char *start, const char *end)
{
    active[n_active].id = id;
    active[n_active].project = project;
    active[n_active].start = start;
    active[n_active++].end = end;
}

/* ---- contributions -------------------------------------------------------- */

static void member(const char *id, const char *name)
{
    char request[200];

    (void)snprintf(request, sizeof(request), "{'id':'%s','name':'%s'}", id, name);
    OK(f, "RegisterTeamMember", request);
}

/* 10 points at that moment, 11 with the multiplier of a first day. */
static void work(const char *user, const char *project, const char *at)
{
    static int n;
    char id[16];
    Sprint__WorkItemCompleted message = SPRINT__WORK_ITEM_COMPLETED__INIT;

    (void)snprintf(id, sizeof(id), "W-%d", n++);
    message.id = id;
    message.assignee = user;
    message.project_id = project;
    message.story_points = 1;
    message.type = SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_TASK;
    message.completed_at = at;
    apply_event("mal.evt.sprint.work_item.completed", NULL, &message.base);
}

static void at(const char *time)
{
    ck_assert(clock_parse(time, &f->now_ms));
}

START_TEST(all_time_ranks_everybody_and_equal_xp_shares_a_rank)
{
    member("cy", "Cy");
    member("ana", "Ana");
    member("bo", "Bo");
    member("dee", "Dee");
    member("amy", "Ana");
    OK(f, "LogContribution", "{'user_id':'dee','type':'review','points':1847}");
    OK(f, "LogContribution", "{'user_id':'bo','type':'review','points':50}");
    OK(f, "LogContribution", "{'user_id':'cy','type':'review','points':50}");
    OK(f, "GetLeaderboard", "{}");
    HAS(f, "[{'rank':1,'user_id':'dee'");
    HAS(f, "{'rank':2,'user_id':'bo'");
    HAS(f, "{'rank':2,'user_id':'cy'");
    HAS(f, "{'rank':4,'user_id':'amy'");
    HAS(f, "{'rank':4,'user_id':'ana'");
    ck_assert(strstr(f->reply, "\"amy\"") < strstr(f->reply, "\"ana\""));
    ck_assert(strstr(f->reply, "\"bo\"") < strstr(f->reply, "\"cy\""));
    HAS(f, "'level':10,'title':'Developer','xp':1847,'total_xp':1847,'streak_days':1,"
           "'streak_active':true");
    HAS(f, "'total':5,'count':5,'offset':0,'has_more':false,'period':'all_time'");
    HAS_NOT(f, "since");
    OK(f, "GetLeaderboard", "{'limit':2,'offset':2}");
    HAS(f, "[{'rank':2,'user_id':'cy'");
    HAS(f, "'has_more':true,'next_offset':4");
}
END_TEST

START_TEST(a_project_counts_beyond_a_hundred_contributions)
{
    member("ana", "Ana");
    member("bo", "Bo");
    member("cy", "Cy");
    for (int i = 0; i < 130; i++)
        work("ana", "apollo", "2026-03-02T10:00:00.000Z");
    for (int i = 0; i < 110; i++)
        work("bo", i < 105 ? "apollo" : "gemini", "2026-03-02T10:00:00.000Z");
    work("cy", "", "2026-03-02T10:00:00.000Z");
    OK(f, "GetLeaderboard", "{'project_id':'apollo'}");
    HAS(f, "{'rank':1,'user_id':'ana'");
    HAS(f, "'xp':1430,'total_xp':1430");
    HAS(f, "{'rank':2,'user_id':'bo'");
    HAS(f, "'xp':1155,'total_xp':1210");
    HAS(f, "'total':2,");
    HAS(f, "'project_id':'apollo'");
    VALUE_IS(f,
             "select string_agg(points::text, ' ' order by points) from (select sum(points) as "
             "points from gamify.contribution where project_id = 'apollo' group by user_id) t",
             "1155 1430");
    reopened("W-0");
    OK(f, "GetLeaderboard", "{'project_id':'apollo'}");
    HAS(f, "'xp':1419");
    OK(f, "GetLeaderboard", "{'project_id':'nothing'}");
    HAS(f, "'items':[],'total':0");
    ck_assert_str_eq(f->text, "## Leaderboard — all time · project nothing\n"
                              "Showing 0 of 0 (offset 0)\n\n"
                              "Nothing found. Try: fewer filters or other words.");
    check_sums();
}
END_TEST

START_TEST(a_week_is_the_seven_utc_days_up_to_today)
{
    member("ana", "Ana");
    member("bo", "Bo");
    member("cy", "Cy");
    work("ana", "apollo", "2026-03-03T23:59:59.999Z"); /* the day before */
    work("bo", "apollo", "2026-03-04T00:00:00.000Z");
    work("cy", "gemini", "2026-03-10T23:59:59.999Z");
    at("2026-03-10T00:00:00.001Z");
    OK(f, "GetLeaderboard", "{'period':'week'}");
    HAS(f, "'total':2,");
    HAS(f, "'since':'2026-03-04','until':'2026-03-10'");
    HAS_NOT(f, "'ana'");
    HAS(f, "'bo'");
    HAS(f, "'cy'");
    OK(f, "GetLeaderboard", "{'period':'week','project_id':'apollo'}");
    HAS(f, "'total':1,");
    HAS(f, "'bo'");
    at("2026-03-11T00:00:00.000Z");
    OK(f, "GetLeaderboard", "{'period':'week'}");
    HAS_NOT(f, "'bo'");
    HAS(f, "'since':'2026-03-05'");
}
END_TEST

START_TEST(a_sprint_counts_from_its_first_to_its_last_day)
{
    member("ana", "Ana");
    member("bo", "Bo");
    member("cy", "Cy");
    work("ana", "", "2026-03-01T23:59:59.999Z");
    work("bo", "", "2026-03-02T00:00:00.000Z");
    work("cy", "apollo", "2026-03-16T23:59:59.999Z");
    work("ana", "", "2026-03-17T00:00:00.000Z");
    add_sprint("sprint-6", "apollo", "2026-02-16", "2026-03-01");
    add_sprint("sprint-7", "gemini", "2026-03-02", "2026-03-16");
    OK(f, "GetLeaderboard", "{'period':'sprint'}");
    HAS(f, "'total':2,");
    HAS_NOT(f, "'ana'");
    HAS(f, "'period':'sprint','since':'2026-03-02','until':'2026-03-16','sprint_id':'sprint-7'");
    ck_assert_int_eq(strncmp(f->text, "## Leaderboard — sprint sprint-7\nShowing 2 of 2",
                             strlen("## Leaderboard — sprint sprint-7\nShowing 2 of 2")),
                     0);
    OK(f, "GetLeaderboard", "{'period':'sprint','project_id':'apollo'}");
    HAS(f, "'sprint_id':'sprint-6'");
    HAS(f, "'items':[]");
    FAILS(f, "GetLeaderboard", "{'period':'sprint','project_id':'none'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "NO_ACTIVE_SPRINT");
    n_active = 0;
    FAILS(f, "GetLeaderboard", "{'period':'sprint'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "NO_ACTIVE_SPRINT");
}
END_TEST

START_TEST(the_sprint_that_began_last_is_found_on_any_page)
{
    member("ana", "Ana");
    for (int i = 0; i < 129; i++)
        add_sprint("older", "apollo", "2026-01-01", "2026-03-31");
    add_sprint("newest", "apollo", "2026-03-01", "2026-03-31");
    OK(f, "GetLeaderboard", "{'period':'sprint'}");
    HAS(f, "'sprint_id':'newest'");
}
END_TEST

START_TEST(without_sprint_service_only_its_period_fails)
{
    member("ana", "Ana");
    bus_server_stop(sprints, 1000);
    FAILS(f, "GetLeaderboard", "{'period':'sprint'}", ST_UNAVAILABLE);
    OK(f, "GetLeaderboard", "{'period':'week'}");
    OK(f, "GetLeaderboard", "{}");
}
END_TEST

START_TEST(the_text_is_the_table_of_the_contract)
{
    member("ana", "Ana");
    member("bo", "B|o");
    OK(f, "RegisterTeamMember", "{'id':'cy','name':'Cy','role':'lead'}");
    work("ana", "", "2026-03-03T10:00:00.000Z");
    work("ana", "", "2026-03-04T10:00:00.000Z");
    work("bo", "", "2026-03-09T10:00:00.000Z");
    at("2026-03-10T10:00:00.000Z");
    OK(f, "GetLeaderboard", "{'limit':2}");
    ck_assert_str_eq(f->text,
                     "## Leaderboard — all time\n"
                     "Showing 2 of 3 (offset 0)\n\n"
                     "| # | Member | Level | XP | Streak | Role |\n"
                     "|--:|---|---|--:|--:|---|\n"
                     "| 🥇 1 | Ana (`ana`) | 1 Apprentice | 23 | 2 d, ended 2026-03-04 | "
                     "developer |\n"
                     "| 🥈 2 | B\\|o (`bo`) | 1 Apprentice | 11 | 1 d | developer |\n\n"
                     "More: call again with offset 2.");
    OK(f, "GetLeaderboard", "{'period':'week','project_id':'apollo'}");
    ck_assert_ptr_nonnull(strstr(f->text, "## Leaderboard — last 7 days · project apollo\n"));
    OK(f, "GetLeaderboard", "{'offset':2}");
    ck_assert_ptr_nonnull(
        strstr(f->text, "| 🥉 3 | Cy (`cy`) | 1 Apprentice | 0 | 0 d | lead |"));
    OK(f, "GetLeaderboard", "{'format':'json'}");
    ck_assert_str_eq(f->text, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_leaderboard");
    TCase *tcase = tcase_create("leaderboard");

    tcase_add_checked_fixture(tcase, set_up_bus, tear_down_bus);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, all_time_ranks_everybody_and_equal_xp_shares_a_rank);
    tcase_add_test(tcase, a_project_counts_beyond_a_hundred_contributions);
    tcase_add_test(tcase, a_week_is_the_seven_utc_days_up_to_today);
    tcase_add_test(tcase, a_sprint_counts_from_its_first_to_its_last_day);
    tcase_add_test(tcase, the_sprint_that_began_last_is_found_on_any_page);
    tcase_add_test(tcase, without_sprint_service_only_its_period_fails);
    tcase_add_test(tcase, the_text_is_the_table_of_the_contract);
    return run_suite(suite);
}
