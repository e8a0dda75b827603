/* SPDX-License-Identifier: Apache-2.0 */
/* A service from its start to its end, with its servers coming and going. */
#include "svc_fixture.h"

#include <pthread.h>

static void setup(void)
{
    fixture_init();
}

static void teardown(void)
{
    fixture_done();
}

static int run_flag(const char *flag, const char *expected)
{
    struct child child;
    int status = 0;

    child_spawn(&child, flag);
    ck_assert_int_eq(waitpid(child.pid, &status, 0), child.pid);
    ck_assert_msg(strstr(written(child.out), expected) || strstr(written(child.log), expected),
                  "%s: no '%s' in: %s", flag, expected, written(child.out));
    return WEXITSTATUS(status);
}

START_TEST(flags_say_what_they_promise)
{
    ck_assert_int_eq(run_flag("--help", "MAL_PG_URL"), 0);
    ck_assert_int_eq(run_flag("--help", "A service for tests."), 0);
    ck_assert_int_eq(run_flag("--version", "mal-demo " MAL_VERSION), 0);
    ck_assert_int_eq(run_flag("--print-config", "MAL_WORKERS=2"), 0);
    ck_assert_int_eq(run_flag("--print-config", "MAL_PG_URL=***"), 0);
    ck_assert_int_eq(run_flag("--print-config=markdown", "| `MAL_WORKERS` |"), 0);
    ck_assert_int_eq(run_flag("--verbose", "unknown argument '--verbose'"), 2);
}
END_TEST

START_TEST(mistaken_settings_are_refused_by_name)
{
    struct child child;

    ck_assert_int_eq(setenv("MAL_NO_SUCH", "1", 1), 0);
    child_spawn(&child, NULL);
    AWAIT(strstr(written(child.log), "MAL_NO_SUCH"));
    ck_assert_int_eq(child_wait(&child), 2);
    unsetenv("MAL_NO_SUCH");
    ck_assert_int_eq(setenv("MAL_LOG_LEVEL", "loud", 1), 0);
    child_spawn(&child, NULL);
    AWAIT(strstr(written(child.log), "MAL_LOG_LEVEL"));
    ck_assert_int_eq(child_wait(&child), 2);
}
END_TEST

START_TEST(a_call_is_answered_logged_and_counted)
{
    const char *page = NULL;
    struct asked asked;
    struct child child;

    child_ready(&child);
    struct bus *bus = connect_bus();
    ck_assert_int_eq(ask(&asked, bus, &echo_rpc, "k", "v"), ST_OK);
    ck_assert_str_eq(asked.reply->value, "v");
    ck_assert_int_eq(ask_once(bus, &add_rpc, "a", ""), ST_OK);
    ck_assert_int_eq(ask_once(bus, &add_rpc, "a", ""), ST_ALREADY_EXISTS);
    ck_assert_int_eq(ask_once(bus, &echo_rpc, "", ""), ST_INVALID_ARGUMENT);
    AWAIT(strstr(written(child.log), "tool=Add status=already_exists"));
    AWAIT(strstr(written(child.log), "tool=mal_echo status=invalid_argument"));
    ck_assert_ptr_nonnull(strstr(written(child.log), "tool=mal_echo status=ok ms="));

    ck_assert_int_eq(get(&child, "/metrics", &page), 200);
    ck_assert_ptr_nonnull(strstr(page, "\nmal_calls_total{tool=\"mal_echo\",status=\"ok\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(page, "\nmal_calls_total{tool=\"Add\",status=\"already_exists\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_call_duration_seconds_count{tool=\"Add\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_calls_in_flight 0\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_ready 1\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_bus_up 1\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_outbox_waiting "));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_calls_waiting 0\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_bus_messages_total{direction=\"in\"} "));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_bus_reconnects_total 0\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nmal_pg_connections_up "));
    ck_assert_ptr_nonnull(strstr(page, "\nprocess_resident_memory_bytes "));
    ck_assert_ptr_nonnull(strstr(page, "\nprocess_open_fds "));
    ck_assert_ptr_nonnull(strstr(page, "\nprocess_threads "));
    ck_assert_ptr_nonnull(strstr(page, "\nprocess_start_time_seconds "));
    arena_done(&asked.arena);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(the_admin_listener_tells_health_and_readiness)
{
    const char *body = NULL;
    struct child child;

    child_ready(&child);
    ck_assert_int_eq(get(&child, "/healthz", &body), 200);
    ck_assert_str_eq(body, "ok\n");
    ck_assert_int_eq(get(&child, "/readyz", &body), 200);
    ck_assert_str_eq(body, "ready\n");
    ck_assert_int_eq(get(&child, "/elsewhere", &body), 404);
    ck_assert_int_eq(child_stop(&child, SIGINT), 0);
}
END_TEST

START_TEST(it_starts_without_postgres_and_serves_when_it_comes)
{
    const char *body = NULL;
    struct child child;

    pg_server_halt(&pg, false);
    child_start(&child);
    ck_assert_int_eq(get(&child, "/healthz", &body), 200);
    ck_assert_int_eq(get(&child, "/readyz", &body), 503);
    ck_assert_ptr_nonnull(strstr(body, "database: not reachable"));
    ck_assert_ptr_null(strstr(body, "/tmp"));
    ck_assert_int_eq(get(&child, "/metrics", &body), 200);
    pg_server_resume(&pg);
    AWAIT(get(&child, "/readyz", NULL) == 200);
    struct bus *bus = connect_bus();
    ck_assert_int_eq(ask_once(bus, &add_rpc, "a", ""), ST_OK);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(it_starts_without_nats_and_serves_when_it_comes)
{
    const char *body = NULL;
    struct child child;

    nats_server_stop(&nats);
    child_start(&child);
    AWAIT(get(&child, "/readyz", &body) == 503 && !strstr(body, "database"));
    ck_assert_ptr_nonnull(strstr(body, "bus: not connected"));
    ck_assert_int_eq(get(&child, "/healthz", &body), 200);
    nats_server_restart(&nats);
    AWAIT(get(&child, "/readyz", NULL) == 200);
    struct bus *bus = connect_bus();
    ck_assert_int_eq(ask_once(bus, &echo_rpc, "k", ""), ST_OK);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(it_stops_at_once_while_it_waits_for_its_servers)
{
    struct child child;
    int64_t start;

    pg_server_halt(&pg, false);
    child_start(&child);
    start = clock_mono_ms();
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
    ck_assert_int_lt(clock_mono_ms() - start, 4000);
    pg_server_resume(&pg);
    nats_server_stop(&nats);
    child_start(&child);
    AWAIT(strstr(written(child.log), "bus: "));
    start = clock_mono_ms();
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
    ck_assert_int_lt(clock_mono_ms() - start, 4000);
}
END_TEST

START_TEST(without_postgres_calls_are_unavailable_until_it_is_back)
{
    const char *body = NULL;
    struct child child;

    child_ready(&child);
    struct bus *bus = connect_bus();
    ck_assert_int_eq(ask_once(bus, &add_rpc, "a", ""), ST_OK);
    pg_server_halt(&pg, true);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(ask_once(bus, &add_rpc, "b", ""), ST_UNAVAILABLE);
    ck_assert_int_eq(ask_once(bus, &echo_rpc, "k", ""), ST_OK);
    ck_assert_int_eq(get(&child, "/healthz", &body), 200);
    ck_assert_int_eq(get(&child, "/readyz", &body), 503);
    pg_server_resume(&pg);
    AWAIT(ask_once(bus, &add_rpc, "c", "") != ST_UNAVAILABLE);
    AWAIT(get(&child, "/readyz", NULL) == 200);
    ck_assert_str_eq(
        pg_server_value(pg_url, "select string_agg(id, ',' order by id) from demo.item"), "a,c");
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(a_restart_of_nats_is_survived)
{
    struct child child;

    child_ready(&child);
    struct bus *bus = connect_bus();
    ck_assert_int_eq(ask_once(bus, &echo_rpc, "k", ""), ST_OK);
    nats_server_kill(&nats);
    AWAIT(get(&child, "/readyz", NULL) == 503);
    ck_assert_int_eq(get(&child, "/healthz", NULL), 200);
    nats_server_restart(&nats);
    AWAIT(get(&child, "/readyz", NULL) == 200);
    AWAIT(ask_once(bus, &echo_rpc, "k", "") == ST_OK);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

static void *ask_to_sleep(void *arg)
{
    struct bus *bus = connect_bus();
    enum status *status = arg;

    *status = ask_once(bus, &echo_rpc, "sleep", "1.5");
    bus_free(bus);
    return NULL;
}

START_TEST(a_stop_lets_running_calls_finish)
{
    enum status status = ST_INTERNAL;
    struct child child;
    pthread_t thread;

    child_ready(&child);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_to_sleep, &status), 0);
    AWAIT(strcmp(pg_server_value(pg_url, "select exists(select 1 from pg_stat_activity where query"
                                         " like '%pg_sleep%' and state = 'active' and pid <>"
                                         " pg_backend_pid())"),
                 "t") == 0);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(status, ST_OK);
}
END_TEST

START_TEST(a_second_signal_ends_it_at_once)
{
    enum status status = ST_INTERNAL;
    struct child child;
    pthread_t thread;

    child_ready(&child);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_to_sleep, &status), 0);
    AWAIT(strcmp(pg_server_value(pg_url, "select exists(select 1 from pg_stat_activity where query"
                                         " like '%pg_sleep%' and state = 'active' and pid <>"
                                         " pg_backend_pid())"),
                 "t") == 0);
    (void)kill(child.pid, SIGTERM);
    AWAIT(strstr(written(child.log), "msg=\"stopping\""));
    ck_assert_int_eq(child_stop(&child, SIGTERM), 1000 + SIGTERM);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(a_transaction_left_open_is_rolled_back_after_the_call)
{
    struct asked asked;
    struct child child;

    child_ready(&child);
    struct bus *bus = connect_bus();
    ck_assert_int_eq(ask_once(bus, &echo_rpc, "leave", ""), ST_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(ask_once(bus, &echo_rpc, "sleep", "0"), ST_OK);
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) from demo.item"), "0");
    ck_assert_str_eq(pg_server_value(pg_url,
                                     "select count(*) from pg_stat_activity where state like"
                                     " 'idle in transaction%'"),
                     "0");
    ck_assert_int_eq(ask(&asked, bus, &echo_rpc, "check", ""), ST_OK);
    ck_assert_str_eq(asked.reply->value, "1 1 ");
    arena_done(&asked.arena);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(a_schema_it_must_not_touch_ends_the_start)
{
    struct child child;

    child_ready(&child);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
    pg_server_sql(pg_url,
                  "update demo.migration set sha256 = 'edited' where component = 'service'");
    child_spawn(&child, NULL);
    AWAIT(strstr(written(child.log), "never be edited"));
    ck_assert_int_eq(child_wait(&child), 1);
}
END_TEST

START_TEST(a_taken_admin_port_ends_the_start)
{
    struct child first, second;
    char bind[32];

    child_ready(&first);
    (void)snprintf(bind, sizeof(bind), "127.0.0.1:%d", first.admin_port);
    ck_assert_int_eq(setenv("MAL_ADMIN_BIND", bind, 1), 0);
    child_spawn(&second, NULL);
    ck_assert_int_eq(child_wait(&second), 1);
    ck_assert_int_eq(child_stop(&first, SIGTERM), 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("svc_process");
    TCase *tcase = tcase_create("process");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, flags_say_what_they_promise);
    tcase_add_test(tcase, mistaken_settings_are_refused_by_name);
    tcase_add_test(tcase, a_call_is_answered_logged_and_counted);
    tcase_add_test(tcase, the_admin_listener_tells_health_and_readiness);
    tcase_add_test(tcase, it_starts_without_postgres_and_serves_when_it_comes);
    tcase_add_test(tcase, it_starts_without_nats_and_serves_when_it_comes);
    tcase_add_test(tcase, it_stops_at_once_while_it_waits_for_its_servers);
    tcase_add_test(tcase, without_postgres_calls_are_unavailable_until_it_is_back);
    tcase_add_test(tcase, a_restart_of_nats_is_survived);
    tcase_add_test(tcase, a_stop_lets_running_calls_finish);
    tcase_add_test(tcase, a_second_signal_ends_it_at_once);
    tcase_add_test(tcase, a_transaction_left_open_is_rolled_back_after_the_call);
    tcase_add_test(tcase, a_schema_it_must_not_touch_ends_the_start);
    tcase_add_test(tcase, a_taken_admin_port_ends_the_start);
    suite_add_tcase(suite, tcase);
    return svc_tests(argc, argv, suite);
}
