/* SPDX-License-Identifier: Apache-2.0 */
/* mal-catalog as a process: calls over the bus, the log of calls from events,
 * peers that answer, a run that is cancelled. */
#include "catalog_process.h"

#include "isolation.h"
#include "mal/sprint/v1/sprint.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>

static enum status register_skill(const char *id)
{
    Catalog__RegisterSkillRequest req = CATALOG__REGISTER_SKILL_REQUEST__INIT;
    Catalog__RegisterSkillResponse *rsp;

    req.id = id;
    req.name = "Name";
    req.description = "d";
    req.version = "1.0.0";
    req.category = CATALOG__SKILL_CATEGORY__SKILL_CATEGORY_DATA;
    req.author = "ana";
    return catalog_register_skill_call(bus, new_call(WAIT_MS), &req, 0, &rsp);
}

START_TEST(calls_and_their_failures_pass_the_bus)
{
    Catalog__GetSkillRequest req = CATALOG__GET_SKILL_REQUEST__INIT;
    Catalog__GetSkillResponse *rsp;

    ck_assert_int_eq(register_skill("one"), ST_OK);
    ck_assert_int_eq(register_skill("one"), ST_ALREADY_EXISTS);
    ck_assert_ptr_nonnull(strstr(call.error.hint, "mal_update_skill"));
    ck_assert_int_eq(register_skill("Not a slug"), ST_INVALID_ARGUMENT);
    ck_assert_str_eq(call.error.fields[0].field, "id");
    req.id = "one";
    ck_assert_int_eq(catalog_get_skill_call(bus, new_call(WAIT_MS), &req, 0, &rsp), ST_OK);
    ck_assert_str_eq(rsp->skill->name, "Name");
    req.id = "two";
    ck_assert_int_eq(catalog_get_skill_call(bus, new_call(WAIT_MS), &req, 0, &rsp), ST_NOT_FOUND);
    ck_assert_str_eq(call.error.message, "Skill 'two' was not found.");
}
END_TEST

START_TEST(a_reply_of_six_megabytes_arrives)
{
    Catalog__ExportCatalogRequest req = CATALOG__EXPORT_CATALOG_REQUEST__INIT;
    Catalog__ExportCatalogResponse *rsp;

    pg_server_sql(pg_url, "insert into catalog.skill (id, name, description, version, category,"
                          " asset_path, author, content) select 's-' || n, 'S', 'd', '1.0.0',"
                          " 'data', 'p' || n, 'ana', repeat('x ', 125000)"
                          " from generate_series(1, 24) n");
    ck_assert_int_eq(catalog_export_catalog_call(bus, new_call(WAIT_MS), &req, 0, &rsp), ST_OK);
    ck_assert_uint_eq(rsp->n_assets, 24);
}
END_TEST

START_TEST(a_write_s_event_leaves_the_outbox)
{
    ck_assert_int_eq(register_skill("one"), ST_OK);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.outbox where subject ="
                                         " 'mal.evt.catalog.skill.registered' and actor = 'ana'"
                                         " and published_at is not null"),
                 "1") == 0);
}
END_TEST

START_TEST(calls_of_tools_are_in_the_log_within_a_second)
{
    char event_id[UUID_SIZE];
    int64_t start;

    new_call(WAIT_MS);
    for (int i = 0; i < 50; i++) {
        uuid_v4(event_id);
        tell_call(event_id, i % 2 ? "mal_get_skill" : "files/read");
    }
    tell_call(event_id, "mal_get_skill");
    start = clock_mono_ms();
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.usage_log"), "50") == 0);
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
}
END_TEST

static enum status take_as_earlier(const struct bus_event *events, size_t n, void *arg)
{
    atomic_int *taken = arg;

    (void)events;
    *taken += (int)n;
    return ST_OK;
}

/* It knew one subject only, and a newer gateway ran beside it. */
START_TEST(what_an_earlier_version_passed_over_is_logged_once)
{
    atomic_int taken = 0;
    struct bus_consumer *earlier = NULL;
    struct bus_message reply;
    char event_id[UUID_SIZE];

    new_call(WAIT_MS);
    stop_service();
    ck_assert_int_eq(bus_request(bus, "$JS.API.CONSUMER.DELETE.MAL_EVT.catalog_downstream", NULL,
                                 NULL, 0, WAIT_MS, &reply),
                     ST_OK);
    bus_message_release(&reply);
    ck_assert_int_eq(
        bus_consume(bus,
                    &(struct bus_consumer_options){.durable = "catalog_audit",
                                                   .filter = "mal.evt.gateway.tool.called",
                                                   .max_batch = 10,
                                                   .max_ack_pending = 4096,
                                                   .fn = take_as_earlier,
                                                   .arg = &taken},
                    &earlier, &call.error),
        ST_OK);
    for (int i = 0; i < 40; i++) {
        uuid_v7(event_id);
        tell_call(event_id, i % 2 ? "mal_get_skill" : "files/read");
    }
    AWAIT(taken == 20);
    bus_consumer_stop(earlier);
    start_service();
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.usage_log where tool_name ="
                                         " 'files/read'"),
                 "20") == 0);
    uuid_v7(event_id);
    tell_call(event_id, "mal_list_skills");
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.usage_log where tool_name ="
                                         " 'mal_list_skills'"),
                 "1") == 0);
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from catalog.usage_log"), "21");
}
END_TEST

START_TEST(a_call_that_the_stream_takes_twice_is_logged_once)
{
    char twice[UUID_SIZE], last[UUID_SIZE];

    new_call(WAIT_MS);
    uuid_v7(twice);
    uuid_v7(last);
    set_window_ms(100);
    tell_call(twice, "mal_get_skill");
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.usage_log"), "1") == 0);
    usleep(200000); /* past the window */
    tell_call(twice, "mal_get_skill");
    tell_call(last, "mal_list_skills");
    ck_assert_int_eq(stored_events(), 3);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.usage_log where tool_name ="
                                         " 'mal_list_skills'"),
                 "1") == 0);
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from catalog.usage_log"), "2");
}
END_TEST

START_TEST(the_log_catches_up_after_the_database_was_away)
{
    char event_id[UUID_SIZE];

    new_call(WAIT_MS);
    pg_server_halt(&pg, true);
    for (int i = 0; i < 5; i++) {
        uuid_v4(event_id);
        tell_call(event_id, "mal_get_skill");
    }
    ck_assert_int_eq(register_skill("one"), ST_UNAVAILABLE);
    pg_server_resume(&pg);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from catalog.usage_log"), "5") == 0);
    AWAIT(register_skill("one") != ST_UNAVAILABLE);
    ck_assert_int_eq(register_skill("one"), ST_ALREADY_EXISTS);
}
END_TEST

/* Sprint and gamify as far as the stats need them. */
static void answer_count(struct bus_message *msg, void *arg)
{
    const ProtobufCMessage *counts = arg;
    uint8_t bytes[64];
    size_t len = protobuf_c_message_pack(counts, bytes);

    ck_assert_int_eq(bus_publish(bus, msg->reply, NULL, bytes, len), ST_OK);
}

static const Catalog__GetUsageStatsResponse *usage_stats(void)
{
    Catalog__GetUsageStatsRequest req = CATALOG__GET_USAGE_STATS_REQUEST__INIT;
    Catalog__GetUsageStatsResponse *rsp = NULL;

    ck_assert_int_eq(catalog_get_usage_stats_call(bus, new_call(WAIT_MS), &req, 0, &rsp), ST_OK);
    return rsp;
}

static void ignore(struct bus_message *msg, void *arg)
{
    (void)msg;
    (void)arg;
}

START_TEST(usage_stats_ask_the_others_and_do_not_wait_for_ever)
{
    Sprint__CountEntitiesResponse counts = SPRINT__COUNT_ENTITIES_RESPONSE__INIT;
    const Catalog__GetUsageStatsResponse *rsp = usage_stats();
    struct bus_sub *sprint = NULL, *gamify = NULL;
    int64_t start;

    ck_assert_ptr_null(rsp->collaboration);
    ck_assert_uint_eq(rsp->n_warnings, 2);
    counts.projects = 2;
    counts.work_items = 7;
    ck_assert_int_eq(
        bus_subscribe(bus, "mal.sprint.v1.count_entities", answer_count, &counts, &sprint), ST_OK);
    ck_assert_int_eq(bus_subscribe(bus, "mal.gamify.v1.count_members", ignore, NULL, &gamify),
                     ST_OK);
    ck_assert_int_eq(bus_check(bus, &start), ST_OK);
    start = clock_mono_ms();
    rsp = usage_stats();
    ck_assert_int_lt(clock_mono_ms() - start, 3000);
    ck_assert_msg(rsp->collaboration, "%s", rsp->warnings[0]);
    ck_assert_int_eq(rsp->collaboration->projects, 2);
    ck_assert_int_eq(rsp->collaboration->sprints, 0);
    ck_assert_int_eq(rsp->collaboration->work_items, 7);
    ck_assert_int_eq(rsp->collaboration->has_members_case, 0);
    ck_assert_uint_eq(rsp->n_warnings, 1);
    ck_assert_ptr_nonnull(strstr(rsp->text, "### Collaboration\n\n- projects: 2\n- sprints: 0\n"
                                            "- work items: 7\n\nNote: "));
    bus_sub_free(sprint);
    bus_sub_free(gamify);
}
END_TEST

static void *cancel_later(void *arg)
{
    /* The marker in the process list says that the script runs. */
    for (int i = 0; i < 4000; i++) {
        if (system("grep -lsz '^99.625$' /proc/[0-9]*/cmdline > /dev/null") == 0) /* NOLINT */
            break;
        usleep(5000);
    }
    ck_assert_int_eq(bus_publish(bus, arg, NULL, "", 0), ST_OK);
    return NULL;
}

START_TEST(a_cancelled_run_is_stopped)
{
    Catalog__RegisterCommandRequest reg = CATALOG__REGISTER_COMMAND_REQUEST__INIT;
    Catalog__ExecuteCommandRequest req = CATALOG__EXECUTE_COMMAND_REQUEST__INIT;
    Catalog__RegisterCommandResponse *registered;
    Catalog__ExecuteCommandResponse *rsp;
    int64_t start = clock_mono_ms();
    char subject[100];
    pthread_t thread;

    reg.id = reg.name = reg.description = reg.author = reg.category = "c";
    reg.shell = CATALOG__SHELL__SHELL_BASH;
    reg.script_template = "sleep 99.625";
    ck_assert_int_eq(catalog_register_command_call(bus, new_call(WAIT_MS), &reg, 0, &registered),
                     ST_OK);
    req.id = "c";
    req.mode = CATALOG__EXECUTE_MODE__EXECUTE_MODE_RUN;
    req.confirm = true;
    new_call(90000);
    (void)snprintf(subject, sizeof(subject), "mal.cancel.%s", call.request_id);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_later, subject), 0);
    ck_assert_int_eq(catalog_execute_command_call(bus, &call, &req, 0, &rsp), ST_CANCELLED);
    ck_assert_int_lt(clock_mono_ms() - start, 30000);
    pthread_join(thread, NULL);
}
END_TEST

static void *run_sleep(void *arg)
{
    Catalog__ExecuteCommandRequest req = CATALOG__EXECUTE_COMMAND_REQUEST__INIT;
    Catalog__ExecuteCommandResponse *rsp;
    CLEANUP(arena_done) struct arena own;
    char request_id[UUID_SIZE];
    struct call own_call;

    arena_init(&own);
    uuid_v4(request_id);
    own_call = *(const struct call *)arg;
    own_call.arena = &own;
    own_call.request_id = request_id;
    req.id = "c";
    req.mode = CATALOG__EXECUTE_MODE__EXECUTE_MODE_RUN;
    req.confirm = true;
    req.timeout_s = 2;
    ck_assert_int_eq(catalog_execute_command_call(bus, &own_call, &req, 0, &rsp), ST_OK);
    ck_assert_int_eq(rsp->timed_out, 1);
    return NULL;
}

START_TEST(scripts_that_run_keep_nobody_waiting)
{
    enum { RUNS = 4 }; /* MAL_EXEC_MAX, and MAL_WORKERS */
    Catalog__RegisterCommandRequest reg = CATALOG__REGISTER_COMMAND_REQUEST__INIT;
    Catalog__RegisterCommandResponse *registered;
    pthread_t threads[RUNS];
    struct call model;
    int64_t start;

    reg.id = reg.name = reg.description = reg.author = reg.category = "c";
    reg.shell = CATALOG__SHELL__SHELL_BASH;
    reg.script_template = "sleep 99.75";
    ck_assert_int_eq(catalog_register_command_call(bus, new_call(WAIT_MS), &reg, 0, &registered),
                     ST_OK);
    model = call;
    for (int i = 0; i < RUNS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_sleep, &model), 0);
    while (system("test $(grep -lsz '^99.75$' /proc/[0-9]*/cmdline | wc -l) -ge 4") !=
           0) /* NOLINT */
        usleep(5000);
    start = clock_mono_ms();
    ck_assert_int_eq(register_skill("one"), ST_OK);
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
    for (int i = 0; i < RUNS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("catalog_process");
    TCase *tcase = tcase_create("process");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, calls_and_their_failures_pass_the_bus);
    tcase_add_test(tcase, a_reply_of_six_megabytes_arrives);
    tcase_add_test(tcase, a_write_s_event_leaves_the_outbox);
    tcase_add_test(tcase, calls_of_tools_are_in_the_log_within_a_second);
    tcase_add_test(tcase, what_an_earlier_version_passed_over_is_logged_once);
    tcase_add_test(tcase, a_call_that_the_stream_takes_twice_is_logged_once);
    tcase_add_test(tcase, the_log_catches_up_after_the_database_was_away);
    tcase_add_test(tcase, usage_stats_ask_the_others_and_do_not_wait_for_ever);
    if (can_isolate()) {
        tcase_add_test(tcase, a_cancelled_run_is_stopped);
        tcase_add_test(tcase, scripts_that_run_keep_nobody_waiting);
    } else {
        (void)puts("2 tests skipped: " NO_ISOLATION);
    }
    return catalog_tests(argc, argv, suite);
}
