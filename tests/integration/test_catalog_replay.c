/* SPDX-License-Identifier: Apache-2.0 */
/* The log of calls made anew from the event stream: what is right stays as it
 * is, what is wrong or missing is mended, what the stream does not tell of is
 * kept, and nothing of it disturbs the service. */
#include "catalog_process.h"

#include <libpq-fe.h>
#include <pthread.h>

/* All of the log but the numbers of its rows, and what no event tells of. */
static const char facts[] =
    "select count(*) || ' ' || coalesce(md5(string_agg(event_id || tool_name ||"
    " coalesce(resource_id, '-') || user_key || \"timestamp\" || duration_ms || success || status"
    " || channel || request_id, '|' order by event_id)), '') from catalog.usage_log"
    " where user_key <> 'eve'";
static const char facts_and_ids[] =
    "select md5(string_agg(id || '/' || event_id, '|' order by id)) from catalog.usage_log";

/* What is kept beside the log. */
static const char sums[] =
    "select md5(string_agg(line, '|' order by line)) from (select (d.*)::text as line from"
    " catalog.usage_day d where calls <> 0 union all select (t.*)::text from catalog.usage_time t"
    " where calls <> 0) x";

static char *remember(const char *sql)
{
    return strdup(pg_server_value(pg_url, sql));
}

static int rows(void)
{
    return (int)strtol(pg_server_value(pg_url, "select count(*) from catalog.usage_log"), NULL, 10);
}

/* Calls as the gateway tells of them, made now. */
static void tell_calls(struct bus *to, int from, int n)
{
    CLEANUP(arena_done) struct arena own;

    arena_init(&own);
    for (int i = from; i < from + n; i++) {
        Gateway__ToolCalled called = GATEWAY__TOOL_CALLED__INIT;
        char event_id[UUID_SIZE], at[TIMESTAMP_SIZE];
        size_t len;
        const void *data;

        uuid_v7(event_id);
        clock_format(clock_wall_ms(), at);
        called.tool_name = i % 3 == 0   ? "mal_list_skills"
                           : i % 3 == 1 ? "mal_get_skill"
                                        : "files/read";
        called.resource_id = i % 3 ? arena_printf(&own, "skill-%d", i) : "";
        called.user_key = i % 2 ? "ana" : "ben";
        called.channel = "mcp";
        called.duration_ms = i;
        called.success = i % 5 != 0;
        called.status = i % 5 ? "ok" : "not_found";
        called.request_id = arena_printf(&own, "request-%d", i);
        called.called_at = at;
        data = wire_pack(&own, &called.base, &len);
        ck_assert_int_eq(
            bus_event_publish(to, subject_of(called.tool_name), event_id, NULL, data, len, WAIT_MS),
            ST_OK);
    }
}

static void logged_calls(int n)
{
    tell_calls(bus, 0, n);
    AWAIT(rows() == n);
}

/* The reply's first table; fails unless the replay ends so. */
static const Mal__ReplayedTable *replay(bool dry_run, enum status wanted)
{
    Catalog__ReplayRequest req = CATALOG__REPLAY_REQUEST__INIT;
    Catalog__ReplayResponse *rsp = NULL;
    enum status status;

    req.dry_run = dry_run;
    status = catalog_replay_call(bus, new_call(WAIT_MS), &req, 0, &rsp);
    ck_assert_msg(status == wanted, "%s: %s; %s", status_name(status), call.error.message,
                  logged());
    if (status != ST_OK)
        return NULL;
    ck_assert_uint_eq(rsp->n_tables, 1);
    ck_assert_str_eq(rsp->tables[0]->name, "usage_log");
    return rsp->tables[0];
}

/* rows, added, changed, removed, kept */
static void check(const Mal__ReplayedTable *table, const char *wanted)
{
    char found[128];

    (void)snprintf(found, sizeof(found), "%d %d %d %d %d", table->rows, table->added,
                   table->changed, table->removed, table->kept);
    ck_assert_str_eq(found, wanted);
}

START_TEST(sums_beside_the_log_are_mended_with_it)
{
    logged_calls(60);
    char *before = remember(sums);

    pg_server_sql(pg_url, "update catalog.usage_day set calls = calls + 1 where tool_name = '';"
                          "delete from catalog.usage_time where unit = 'day';"
                          "update catalog.usage_log set duration_ms = 5000 where id % 7 = 0");
    (void)replay(true, ST_OK);
    ck_assert_str_ne(pg_server_value(pg_url, sums), before);
    (void)replay(false, ST_OK);
    ck_assert_str_eq(pg_server_value(pg_url, sums), before);
    free(before);
}
END_TEST

START_TEST(what_is_right_stays_as_it_is)
{
    logged_calls(700); /* more than a batch of anything */
    char *before = remember(facts), *ids = remember(facts_and_ids);

    check(replay(false, ST_OK), "700 0 0 0 0");
    ck_assert_str_eq(pg_server_value(pg_url, facts), before);
    ck_assert_str_eq(pg_server_value(pg_url, facts_and_ids), ids);
    tell_calls(bus, 700, 10);
    AWAIT(rows() == 710);
    free(before);
    free(ids);
}
END_TEST

static void spoil(void)
{
    pg_server_sql(pg_url,
                  "delete from catalog.usage_log where duration_ms % 10 = 9;"
                  "update catalog.usage_log set success = not success, resource_id = null"
                  " where duration_ms % 10 = 0;"
                  "insert into catalog.usage_log (event_id, tool_name, user_key, \"timestamp\","
                  " duration_ms, success, status, channel, request_id)"
                  " select gen_random_uuid(), 'mal_no_tool', 'eve', now(), 1, true, 'ok', 'mcp',"
                  " 'r' from generate_series(1, 7)");
}

START_TEST(what_is_wrong_or_missing_is_mended)
{
    logged_calls(100);
    char *before = remember(facts);

    spoil();
    char *spoilt = remember(facts);
    ck_assert_str_ne(spoilt, before);
    check(replay(true, ST_OK), "107 10 10 0 7");
    ck_assert_str_eq(pg_server_value(pg_url, facts), spoilt);
    check(replay(false, ST_OK), "107 10 10 0 7");
    ck_assert_str_eq(pg_server_value(pg_url, facts), before);
    check(replay(false, ST_OK), "107 0 0 0 7");
    free(before);
    free(spoilt);
}
END_TEST

START_TEST(a_log_that_is_lost_comes_back_from_the_stream)
{
    logged_calls(600);
    char *before = remember(facts), *counted = remember(sums);

    pg_server_sql(pg_url, "truncate catalog.usage_log");
    check(replay(false, ST_OK), "600 600 0 0 0");
    ck_assert_str_eq(pg_server_value(pg_url, facts), before);
    ck_assert_str_eq(pg_server_value(pg_url, sums), counted);
    free(counted);
    /* In the order in which they happened. */
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from (select duration_ms - lag("
                                             "duration_ms) over (order by id) as step from"
                                             " catalog.usage_log) s where step <> 1"),
                     "0");
    free(before);
}
END_TEST

START_TEST(an_event_that_the_stream_has_twice_is_one_row)
{
    char id[UUID_SIZE];

    new_call(WAIT_MS);
    uuid_v7(id);
    set_window_ms(100);
    tell_call(id, "mal_get_skill");
    usleep(200000); /* past the window */
    tell_call(id, "mal_get_skill");
    tell_calls(bus, 0, 1);
    ck_assert_int_eq(stored_events(), 3);
    AWAIT(rows() == 2);
    pg_server_sql(pg_url, "truncate catalog.usage_log");
    check(replay(false, ST_OK), "2 2 0 0 0");
}
END_TEST

START_TEST(what_the_stream_no_longer_tells_of_is_kept)
{
    struct bus_message reply;

    logged_calls(60);
    char *before = remember(facts);
    ck_assert_int_eq(
        bus_request(bus, "$JS.API.STREAM.PURGE.MAL_EVT", NULL, "{\"seq\":41}", 10, 5000, &reply),
        ST_OK);
    bus_message_release(&reply);
    ck_assert_int_eq(stored_events(), 20);
    check(replay(false, ST_OK), "60 0 0 0 40");
    ck_assert_str_eq(pg_server_value(pg_url, facts), before);
    spoil();
    (void)replay(false, ST_OK);
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from catalog.usage_log where"
                                             " duration_ms >= 40 and request_id like 'request%'"),
                     "20");
    /* Of the 40 those that were deleted are gone for good. */
    ck_assert_int_eq(rows(), 60 - 4 + 7);
    pg_server_sql(pg_url, "delete from catalog.usage_log where duration_ms >= 40");
    ck_assert_int_eq(bus_request(bus, "$JS.API.STREAM.PURGE.MAL_EVT", NULL, NULL, 0, 5000, &reply),
                     ST_OK);
    bus_message_release(&reply);
    check(replay(false, ST_OK), "43 0 0 0 43");
    free(before);
}
END_TEST

static void *tell_on(void *arg)
{
    struct error err = {0};
    struct bus *own = NULL;

    (void)arg;
    ck_assert_int_eq(bus_new(&own, &(struct bus_options){.url = nats.url, .name = "teller"}, &err),
                     ST_OK);
    tell_calls(own, 0, 3000);
    bus_free(own);
    return NULL;
}

START_TEST(calls_that_come_in_meanwhile_are_logged_once)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, tell_on, NULL), 0);
    for (int i = 0; i < 8; i++) {
        (void)replay(false, ST_OK);
        pg_server_sql(pg_url, "delete from catalog.usage_log where id % 7 = 0");
    }
    pthread_join(thread, NULL);
    (void)replay(false, ST_OK);
    AWAIT(rows() == 3000);
    ck_assert_str_eq(pg_server_value(pg_url, "select count(distinct duration_ms)"
                                             " from catalog.usage_log"),
                     "3000");
    check(replay(false, ST_OK), "3000 0 0 0 0");
}
END_TEST

/* A session that holds something until it is closed. */
static PGconn *hold(const char *sql)
{
    PGconn *db = PQconnectdb(pg_url);
    PGresult *result;

    ck_assert_int_eq(PQstatus(db), CONNECTION_OK);
    result = PQexec(db, sql);
    ck_assert_msg(PQresultStatus(result) < PGRES_BAD_RESPONSE, "%s", PQerrorMessage(db));
    PQclear(result);
    return db;
}

START_TEST(only_one_replay_runs_at_a_time)
{
    PGconn *other = hold("select pg_advisory_lock(hashtextextended('mal.replay.catalog', 0))");

    (void)replay(false, ST_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(call.error.message, "running already"));
    PQfinish(other);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from pg_locks where locktype ="
                                         " 'advisory' and objsubid = 1 and classid::bigint << 32 |"
                                         " objid::bigint = hashtextextended('mal.replay.catalog',"
                                         " 0)"),
                 "0") == 0);
    check(replay(false, ST_OK), "0 0 0 0 0");
}
END_TEST

static void *replay_alone(void *arg)
{
    struct error err = {0};
    struct bus *own = NULL;
    CLEANUP(arena_done) struct arena memory;
    Catalog__ReplayRequest req = CATALOG__REPLAY_REQUEST__INIT;
    Catalog__ReplayResponse *rsp = NULL;
    char request_id[UUID_SIZE];
    struct call mine;

    arena_init(&memory);
    uuid_v4(request_id);
    ck_assert_int_eq(
        bus_new(&own, &(struct bus_options){.url = nats.url, .name = "replayer"}, &err), ST_OK);
    mine = (struct call){.arena = &memory,
                         .request_id = request_id,
                         .actor = "cli",
                         .channel = "cli",
                         .deadline_ms = clock_mono_ms() + 5000,
                         .now_ms = clock_wall_ms()};
    *(enum status *)arg = catalog_replay_call(own, &mine, &req, 0, &rsp);
    bus_free(own);
    return NULL;
}

static const char waits_for_the_table[] =
    "select count(*) from pg_locks where relation = 'catalog.usage_log'::regclass and not granted"
    " and mode = 'ShareRowExclusiveLock'";

START_TEST(a_service_killed_in_between_leaves_everything_as_it_was)
{
    enum status status = ST_OK;
    pthread_t thread;
    int wstatus;

    logged_calls(50);
    spoil();
    char *before = remember(facts);
    PGconn *other = hold("begin; lock table catalog.usage_log in row exclusive mode");
    ck_assert_int_eq(pthread_create(&thread, NULL, replay_alone, &status), 0);
    AWAIT(strcmp(pg_server_value(pg_url, waits_for_the_table), "1") == 0);
    ck_assert_int_eq(kill(service, SIGKILL), 0);
    ck_assert_int_eq(waitpid(service, &wstatus, 0), service);
    PQfinish(other);
    pthread_join(thread, NULL);
    ck_assert_int_ne(status, ST_OK);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from pg_stat_activity where"
                                         " application_name like 'mal-catalog%'"),
                 "0") == 0);
    ck_assert_str_eq(pg_server_value(pg_url, facts), before);
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from pg_tables where tablename ="
                                             " 'replay_call'"),
                     "0");
    start_service();
    check(replay(false, ST_OK), "57 5 5 0 7");
    free(before);
}
END_TEST

START_TEST(without_the_bus_nothing_changes)
{
    enum status status = ST_OK;
    pthread_t thread;

    logged_calls(50);
    char *right = remember(facts);
    spoil();
    char *before = remember(facts);
    PGconn *other = hold("begin; lock table catalog.usage_log in row exclusive mode");
    ck_assert_int_eq(pthread_create(&thread, NULL, replay_alone, &status), 0);
    AWAIT(strcmp(pg_server_value(pg_url, waits_for_the_table), "1") == 0);
    nats_server_kill(&nats);
    PQfinish(other);
    pthread_join(thread, NULL);
    ck_assert_int_ne(status, ST_OK);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from pg_locks where locktype ="
                                         " 'advisory' and objsubid = 1 and classid::bigint << 32 |"
                                         " objid::bigint = hashtextextended('mal.replay.catalog',"
                                         " 0)"),
                 "0") == 0);
    ck_assert_str_eq(pg_server_value(pg_url, facts), before);
    nats_server_restart(&nats);
    AWAIT(bus_up(bus));
    AWAIT(strstr(logged(), "connected to NATS again"));
    /* The killed server may deliver some again, which mends those by itself. */
    (void)replay(false, ST_OK);
    ck_assert_str_eq(pg_server_value(pg_url, facts), right);
    free(before);
    free(right);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("catalog_replay");
    TCase *tcase = tcase_create("replay");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, what_is_right_stays_as_it_is);
    tcase_add_test(tcase, sums_beside_the_log_are_mended_with_it);
    tcase_add_test(tcase, what_is_wrong_or_missing_is_mended);
    tcase_add_test(tcase, a_log_that_is_lost_comes_back_from_the_stream);
    tcase_add_test(tcase, an_event_that_the_stream_has_twice_is_one_row);
    tcase_add_test(tcase, what_the_stream_no_longer_tells_of_is_kept);
    tcase_add_test(tcase, calls_that_come_in_meanwhile_are_logged_once);
    tcase_add_test(tcase, only_one_replay_runs_at_a_time);
    tcase_add_test(tcase, a_service_killed_in_between_leaves_everything_as_it_was);
    tcase_add_test(tcase, without_the_bus_nothing_changes);
    return catalog_tests(argc, argv, suite);
}
