/* SPDX-License-Identifier: Apache-2.0 */
/* Two copies of gamify as processes between a real NATS and a real Postgres:
 * events are applied once, in order, also when a copy dies, and badges that were
 * missed appear within a check interval. */
#include "gamify.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/gateway/v1/events.pb-c.h"
#include "mal/sprint/v1/events.pb-c.h"
#include "migrations.sql.h"

#define PROCESS_NAME "mal-gamify"
#define PROCESS_ENV "MAL_ACHIEVEMENT_CHECK_INTERVAL", "1"
#include "service_process.h"

#include "wire/codec.h"

enum { ITEMS = 120 };

static struct {
    pid_t pid;
    int log;
} second;

static void set_up_two(void)
{
    set_up();
    second.pid = service;
    second.log = service_log;
    start_service();
}

static void end_second(int signal)
{
    int status;

    if (!second.pid)
        return;
    ck_assert_int_eq(kill(second.pid, signal), 0);
    ck_assert_int_eq(waitpid(second.pid, &status, 0), second.pid);
    (void)close(second.log);
    second.pid = 0;
}

static void tear_down_two(void)
{
    end_second(SIGTERM);
    tear_down();
}

static bool value_is(const char *sql, const char *text)
{
    return strcmp(pg_server_value(pg_url, sql), text) == 0;
}

static void publish(const char *subject, const char *id, const ProtobufCMessage *message)
{
    char made[UUID_SIZE];
    const struct bus_header headers[] = {{"Mal-Actor", "ana"}, {NULL, NULL}};
    size_t len;
    const void *bytes;

    (void)new_call(5000);
    bytes = wire_pack(&arena, message, &len);
    uuid_v7(made);
    ck_assert_int_eq(bus_event_publish(bus, subject, id ? id : made, headers, bytes, len, 5000),
                     ST_OK);
}

static void completed(const char *item, const char *user, int points, const char *id)
{
    Sprint__WorkItemCompleted message = SPRINT__WORK_ITEM_COMPLETED__INIT;

    message.id = item;
    message.assignee = user;
    message.story_points = points;
    message.type = SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_BUG;
    message.completed_at = "2026-03-02T12:00:00.000Z";
    publish("mal.evt.sprint.work_item.completed", id, &message.base);
}

static void reopen(const char *item)
{
    Sprint__WorkItemReopened message = SPRINT__WORK_ITEM_REOPENED__INIT;

    message.id = item;
    publish("mal.evt.sprint.work_item.reopened", NULL, &message.base);
}

static void call_ok(const struct rpc *rpc, const char *text)
{
    struct call *request = new_call(10000);
    ProtobufCMessage *message, *reply;
    struct json json;

    ck_assert_int_eq(json_parse(&arena, text, strlen(text), NULL, &json, &request->error), ST_OK);
    ck_assert_int_eq(
        wire_from_json(&arena, rpc->request, &json, json.nodes, &message, &request->error), ST_OK);
    ck_assert_msg(bus_call(bus, request, rpc, message, 0, &reply) == ST_OK, "%s",
                  request->error.message);
}

static void make_team(void)
{
    call_ok(&gamify_register_team_member_rpc, "{\"id\":\"ana\",\"name\":\"Ana\"}");
    call_ok(&gamify_register_team_member_rpc, "{\"id\":\"bo\",\"name\":\"Bo\"}");
    call_ok(&gamify_import_achievements_rpc,
            "{\"items\":[{\"id\":\"bug-slayer\",\"name\":\"Bug Slayer\",\"description\":\"Close 10 "
            "bugs.\",\"icon\":\"x\",\"tier\":\"silver\",\"xp_reward\":25,\"criteria\":{\"type\":"
            "\"bug_closed\",\"count\":10}}]}");
}

START_TEST(two_copies_apply_every_event_once)
{
    char item[24], id[UUID_SIZE];

    make_team();
    set_window_ms(100); /* repeats reach the consumers */
    for (int i = 0; i < ITEMS; i++) {
        (void)snprintf(item, sizeof(item), "MAL-%d", i);
        uuid_v7(id);
        completed(item, i % 2 ? "ana" : "bo", 1, id);
        if (i % 10 == 0) {
            usleep(150000); /* the event before it is applied or on its way: both must be right */
            completed(item, i % 2 ? "ana" : "bo", 1, id);
        }
        if (i % 4 == 0)
            reopen(item);
        if (i % 8 == 0)
            completed(item, "ana", 2, NULL);
    }
    AWAIT(value_is("select count(*) from gamify.inbox", "165"));
    /* bo: 60 items, 30 of them reopened, 15 of those done again by ana. */
    ck_assert_str_eq(pg_server_value(pg_url, "select string_agg(id || ' ' || xp, ', ' order by id) "
                                             "from gamify.member"),
                     "ana 1015, bo 355");
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) || ' ' || count(reversed_at) from "
                                             "gamify.contribution where type = 'work_item'"),
                     "135 30");
    AWAIT(value_is("select count(*) from gamify.outbox where published_at is null", "0"));
    /* Both worked. */
    ck_assert_ptr_null(strstr(logged(), "level=error"));
}
END_TEST

START_TEST(a_killed_copy_loses_and_doubles_nothing)
{
    char item[24];

    make_team();
    for (int i = 0; i < ITEMS; i++) {
        (void)snprintf(item, sizeof(item), "MAL-%d", i);
        completed(item, "ana", 1, NULL);
        if (i == ITEMS / 3)
            end_second(SIGKILL);
    }
    AWAIT(value_is("select xp from gamify.member where id = 'ana'", "1345"));
    AWAIT(value_is("select count(*) from gamify.inbox", "120"));
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from gamify.contribution"), "121");
}
END_TEST

START_TEST(a_missed_badge_appears_within_a_check_interval)
{
    char item[24];

    make_team();
    for (int i = 0; i < 10; i++) {
        (void)snprintf(item, sizeof(item), "MAL-%d", i);
        completed(item, "ana", 1, NULL);
    }
    AWAIT(value_is("select count(*) from gamify.user_achievement", "1"));
    end_second(SIGTERM);
    stop_service();
    pg_server_sql(pg_url, "insert into gamify.achievement (id, name,"
                          " description, icon, criteria) values ('late', 'Late', 'd', 'i',"
                          " '{\"type\": \"bug_closed\", \"count\": 5}')");
    start_service();
    AWAIT(value_is("select string_agg(achievement_id, ' ' order by id) from "
                   "gamify.user_achievement",
                   "bug-slayer late"));
}
END_TEST

START_TEST(tools_are_counted_from_the_gateways_calls)
{
    Gateway__ToolCalled message = GATEWAY__TOOL_CALLED__INIT;

    message.user_key = "ana";
    message.tool_name = "mal_get_skill";
    message.channel = "mcp";
    message.success = true;
    message.called_at = "2026-03-02T12:00:00.000Z";
    for (int i = 0; i < 50; i++)
        publish("mal.evt.gateway.tool.called", NULL, &message.base);
    AWAIT(value_is("select concat_ws(' ', user_key, tool_name, calls) from gamify.tool_use",
                   "ana mal_get_skill 50"));
}
END_TEST

int main(int argc, char **argv)
{
    const struct svc svc = gamify_service();
    Suite *suite = suite_create("gamify_process");
    TCase *tcase = tcase_create("process");

    tcase_add_checked_fixture(tcase, set_up_two, tear_down_two);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, two_copies_apply_every_event_once);
    tcase_add_test(tcase, a_killed_copy_loses_and_doubles_nothing);
    tcase_add_test(tcase, a_missed_badge_appears_within_a_check_interval);
    tcase_add_test(tcase, tools_are_counted_from_the_gateways_calls);
    return process_tests(argc, argv, suite, &svc);
}
