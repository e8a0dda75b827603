/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in Postgres, and how it reaches the caller. */
#include "pg_fixture.h"

#include <pthread.h>
#include <sys/wait.h>

static struct fixture f;

static void setup(void)
{
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_done(&f);
}

/* Runs fn(f.url) in another process; returns its id. */
static pid_t aside(void (*fn)(const char *url))
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        fn(f.url);
        _exit(0);
    }
    return pid;
}

static void join(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* Waits until the server says so, ten seconds at most. */
static void wait_until(const char *url, const char *condition)
{
    int64_t deadline_ms = clock_mono_ms() + 10000;

    while (strcmp(pg_server_value(url, condition), "t") != 0) {
        if (clock_mono_ms() > deadline_ms)
            _exit(9);
        (void)usleep(2000);
    }
}

static const struct query *insert_item(void)
{
    return QUERY("item_add", "insert into item (id, points, parent) values ($1, $2, $3)", 3);
}

static const struct query *sleep_query(void)
{
    return QUERY("sleep", "select pg_sleep($1)", 1);
}

static void add_item(const char *id)
{
    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", id, 0, NULL), ST_OK);
}

START_TEST(unique_violation_is_already_exists_and_names_the_constraint)
{
    add_item("a");
    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", "a", 0, NULL), ST_ALREADY_EXISTS);
    ck_assert_str_eq(pg_constraint(&f.call), "item_pkey");
    ck_assert_ptr_nonnull(strstr(f.call.error.message, "taken"));
    ck_assert_ptr_null(strstr(f.call.error.message, "item_pkey"));
    add_item("b");
    ck_assert_str_eq(pg_constraint(&f.call), "");
}
END_TEST

START_TEST(a_reference_to_nothing_is_not_found)
{
    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", "a", 0, "gone"), ST_NOT_FOUND);
    ck_assert_str_eq(pg_constraint(&f.call), "item_parent_fkey");
}
END_TEST

START_TEST(deleting_what_is_referred_to_is_a_failed_precondition)
{
    add_item("a");
    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", "b", 0, "a"), ST_OK);
    ck_assert_int_eq(
        pg_exec(&f.call, QUERY("item_del", "delete from item where id = $1", 1), NULL, "s", "a"),
        ST_FAILED_PRECONDITION);
}
END_TEST

START_TEST(check_violation_is_invalid_argument_and_names_the_constraint)
{
    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", "a", 101, NULL),
                     ST_INVALID_ARGUMENT);
    ck_assert_str_eq(pg_constraint(&f.call), "item_points_max");
}
END_TEST

START_TEST(other_failures_are_internal_and_say_nothing)
{
    const char *text;

    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", NULL, 0, NULL), ST_INTERNAL);
    ck_assert_int_eq(pg_text(&f.call, QUERY("zero", "select 1 / $1::int", 1), &text, "i", 0),
                     ST_INTERNAL);
    ck_assert_int_eq(pg_text(&f.call, QUERY("cast", "select $1::int", 1), &text, "s", "secret"),
                     ST_INTERNAL);
    ck_assert_int_eq(pg_text(&f.call, QUERY("table", "select 1 from nowhere", 0), &text, ""),
                     ST_INTERNAL);
    ck_assert_ptr_null(strstr(f.call.error.message, "secret"));
    ck_assert_ptr_null(strstr(f.call.error.message, "nowhere"));
    ck_assert_int_eq(pg_text(&f.call, QUERY("good", "select 1", 0), &text, ""), ST_OK);
}
END_TEST

/* Each SQLSTATE raised by the server itself. */
START_TEST(sqlstates_have_their_status)
{
    static const struct {
        const char *state;
        enum status status;
    } cases[] = {
        {"23505", ST_ALREADY_EXISTS},   {"23P01", ST_ALREADY_EXISTS},    {"23503", ST_NOT_FOUND},
        {"23514", ST_INVALID_ARGUMENT}, {"40001", ST_UNAVAILABLE},       {"40P01", ST_UNAVAILABLE},
        {"55P03", ST_UNAVAILABLE},      {"57014", ST_DEADLINE_EXCEEDED}, {"57P03", ST_UNAVAILABLE},
        {"53100", ST_UNAVAILABLE},      {"53200", ST_UNAVAILABLE},       {"53300", ST_UNAVAILABLE},
        {"08006", ST_UNAVAILABLE},      {"25006", ST_UNAVAILABLE},       {"23502", ST_INTERNAL},
        {"42501", ST_INTERNAL},         {"XX001", ST_INTERNAL},          {"P0001", ST_INTERNAL},
    };
    const char *text;

    pg_server_sql(f.url, "create function demo.raise(state text) returns int language plpgsql as"
                         " $$begin raise exception 'said' using errcode = state; end$$");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct query *query = QUERY("raise", "select raise($1)", 1);

        error_clear(&f.call.error);
        ck_assert_msg(pg_text(&f.call, query, &text, "s", cases[i].state) == cases[i].status,
                      "%s gives %s", cases[i].state, status_name(f.call.error.status));
        ck_assert_int_eq(f.call.error.status, cases[i].status);
    }
}
END_TEST

START_TEST(a_query_is_cancelled_at_the_deadline)
{
    int64_t start = clock_mono_ms();
    const char *text;

    f.call.deadline_ms = start + 200;
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 30.0), ST_DEADLINE_EXCEEDED);
    ck_assert_int_lt(clock_mono_ms() - start, 1500);
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 0.0), ST_DEADLINE_EXCEEDED);
    f.call.deadline_ms = clock_mono_ms() + 5000;
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 0.0), ST_OK);
    /* The same session went on. */
    ck_assert_uint_eq(pg_conn_generation(f.conn), 1);
}
END_TEST

START_TEST(without_a_deadline_the_statement_timeout_counts)
{
    struct pg_conn *conn = NULL;
    struct error err = {0};
    const char *text;

    ck_assert_int_eq(
        pg_conn_new(&conn, &(struct pg_options){.url = f.url, .statement_timeout_ms = 150}, &err),
        ST_OK);
    fixture_call(&f, conn);
    f.call.deadline_ms = 0;
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 30.0), ST_DEADLINE_EXCEEDED);
    pg_conn_free(conn);
}
END_TEST

static void kill_sleeper(const char *url)
{
    wait_until(url, "select exists(select 1 from pg_stat_activity where application_name = 'test'"
                    " and datname = current_database() and query like '%pg_sleep%'"
                    " and state = 'active' and pid <> pg_backend_pid())");
    (void)pg_server_value(url, "select pg_terminate_backend(pid) from pg_stat_activity"
                               " where application_name = 'test' and datname = current_database()");
}

START_TEST(a_killed_backend_is_unavailable_and_mends_with_the_next_query)
{
    const char *text;
    pid_t killer = aside(kill_sleeper);

    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 20.0), ST_UNAVAILABLE);
    join(killer);
    ck_assert(!pg_conn_up(f.conn));
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 0.0), ST_OK);
    ck_assert_uint_eq(pg_conn_generation(f.conn), 2);
}
END_TEST

START_TEST(a_write_in_doubt_is_not_repeated_and_says_so)
{
    const struct rpc rpc = {.name = "Write", .read_only = false};
    const struct query *query =
        QUERY("slow_add", "insert into item (id) select 'slow' || pg_sleep(20)::text", 0);
    pid_t killer = aside(kill_sleeper);

    f.call.rpc = &rpc;
    ck_assert_int_eq(pg_exec(&f.call, query, NULL, ""), ST_UNAVAILABLE);
    join(killer);
    ck_assert_ptr_nonnull(strstr(f.call.error.hint, "whether it happened"));
    ck_assert_str_eq(pg_server_value(f.url, "select count(*) from demo.item"), "0");
}
END_TEST

START_TEST(a_backend_killed_while_idle_costs_no_call)
{
    const char *text;

    add_item("a");
    (void)pg_server_value(f.url,
                          "select pg_terminate_backend(pid) from pg_stat_activity"
                          " where application_name = 'test' and datname = current_database()");
    wait_until(f.url, "select not exists(select 1 from pg_stat_activity where application_name ="
                      " 'test' and datname = current_database())");
    ck_assert_int_eq(
        pg_text(&f.call, QUERY("item_count", "select count(*) from item", 0), &text, ""), ST_OK);
    ck_assert_str_eq(text, "1");
    add_item("b");
    ck_assert_uint_eq(pg_conn_generation(f.conn), 2);
}
END_TEST

START_TEST(nothing_of_a_broken_transaction_runs_on_the_next_connection)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const char *text;
    pid_t killer;

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    add_item("a");
    killer = aside(kill_sleeper);
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 20.0), ST_UNAVAILABLE);
    join(killer);
    ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", "b", 0, NULL), ST_UNAVAILABLE);
    ck_assert_int_eq(tx_commit(&tx), ST_UNAVAILABLE);
    tx_done(&tx);
    add_item("c");
    ck_assert_str_eq(pg_server_value(f.url, "select string_agg(id, ',') from demo.item"), "c");
}
END_TEST

START_TEST(a_connection_without_server_is_unavailable_at_once)
{
    int64_t start = clock_mono_ms();
    struct pg_conn *conn = open_conn("postgresql:///x?host=/nonexistent");
    const char *text;

    fixture_call(&f, conn);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 0.0), ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
    ck_assert_int_eq(pg_conn_check(conn, NULL), ST_UNAVAILABLE);
    pg_conn_free(conn);
}
END_TEST

START_TEST(a_call_without_connection_is_unavailable)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const char *text;

    f.call.pg = NULL;
    ck_assert_int_eq(pg_text(&f.call, sleep_query(), &text, "d", 0.0), ST_UNAVAILABLE);
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_UNAVAILABLE);
    ck_assert_str_eq(pg_constraint(&f.call), "");
}
END_TEST

START_TEST(a_url_that_is_none_is_refused)
{
    struct pg_conn *conn = NULL;
    struct error err = {0};

    ck_assert_int_eq(
        pg_conn_new(&conn, &(struct pg_options){.url = "postgresql://:x:y:/?no=1"}, &err),
        ST_INVALID_ARGUMENT);
    ck_assert_ptr_null(conn);
}
END_TEST

START_TEST(a_changed_table_is_prepared_anew_without_failing_a_call)
{
    const struct query *query = QUERY("star", "select * from item", 0);
    struct pg_rows rows;

    ck_assert_int_eq(pg_rows(&f.call, &rows, query, ""), ST_OK);
    pg_server_sql(f.url, "alter table demo.item add column extra text default 'new'");
    add_item("a");
    ck_assert_int_eq(pg_rows(&f.call, &rows, query, ""), ST_OK);
    ck_assert_str_eq(pg_cell(&rows, 0, "extra"), "new");
}
END_TEST

START_TEST(a_changed_table_fails_the_open_transaction_only)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const struct query *query = QUERY("star", "select * from item", 0);
    struct pg_rows rows;

    ck_assert_int_eq(pg_rows(&f.call, &rows, query, ""), ST_OK);
    pg_server_sql(f.url, "alter table demo.item add column extra text default 'new'");
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(pg_rows(&f.call, &rows, query, ""), ST_UNAVAILABLE);
    tx_done(&tx);
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(pg_rows(&f.call, &rows, query, ""), ST_OK);
}
END_TEST

START_TEST(a_restarted_server_costs_no_idle_connection_a_call)
{
    add_item("a");
    pg_server_halt(&server, false);
    pg_server_resume(&server);
    add_item("b");
    ck_assert_str_eq(pg_server_value(f.url, "select count(*) from demo.item"), "2");
}
END_TEST

START_TEST(a_crashed_server_is_unavailable_until_it_is_back)
{
    int64_t deadline_ms;
    enum status status;

    add_item("a");
    pg_server_halt(&server, true);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(pg_exec(&f.call, insert_item(), NULL, "sis", "x", 0, NULL),
                         ST_UNAVAILABLE);
    ck_assert_int_eq(pg_conn_check(f.conn, NULL), ST_UNAVAILABLE);
    pg_server_resume(&server);
    deadline_ms = clock_mono_ms() + 5000;
    do {
        status = pg_exec(&f.call, insert_item(), NULL, "sis", "b", 0, NULL);
    } while (status == ST_UNAVAILABLE && clock_mono_ms() < deadline_ms);
    ck_assert_int_eq(status, ST_OK);
    ck_assert_str_eq(
        pg_server_value(f.url, "select string_agg(id, ',' order by id) from demo.item"), "a,b");
}
END_TEST

START_TEST(two_transactions_in_deadlock_fail_one_as_unavailable)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const struct query *update =
        QUERY("upd", "update item set points = points + 1 where id = $1", 1);
    pid_t other;
    enum status status;

    add_item("a");
    add_item("b");
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(pg_exec(&f.call, update, NULL, "s", "a"), ST_OK);
    other = fork();
    if (other == 0) {
        pg_server_sql(f.url, "begin; set deadlock_timeout to '10s';"
                             " update demo.item set points = 1 where id = 'b';"
                             " update demo.item set points = 1 where id = 'a'; commit");
        _exit(0);
    }
    wait_until(f.url, "select exists(select 1 from pg_locks where not granted)");
    status = pg_exec(&f.call, update, NULL, "s", "b");
    ck_assert_int_eq(status, ST_UNAVAILABLE);
    ck_assert(status_retryable(status));
    tx_done(&tx);
    join(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_fail");
    TCase *tcase = tcase_create("fail");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, unique_violation_is_already_exists_and_names_the_constraint);
    tcase_add_test(tcase, a_reference_to_nothing_is_not_found);
    tcase_add_test(tcase, deleting_what_is_referred_to_is_a_failed_precondition);
    tcase_add_test(tcase, check_violation_is_invalid_argument_and_names_the_constraint);
    tcase_add_test(tcase, other_failures_are_internal_and_say_nothing);
    tcase_add_test(tcase, sqlstates_have_their_status);
    tcase_add_test(tcase, a_query_is_cancelled_at_the_deadline);
    tcase_add_test(tcase, without_a_deadline_the_statement_timeout_counts);
    tcase_add_test(tcase, a_killed_backend_is_unavailable_and_mends_with_the_next_query);
    tcase_add_test(tcase, a_write_in_doubt_is_not_repeated_and_says_so);
    tcase_add_test(tcase, a_backend_killed_while_idle_costs_no_call);
    tcase_add_test(tcase, nothing_of_a_broken_transaction_runs_on_the_next_connection);
    tcase_add_test(tcase, a_connection_without_server_is_unavailable_at_once);
    tcase_add_test(tcase, a_call_without_connection_is_unavailable);
    tcase_add_test(tcase, a_url_that_is_none_is_refused);
    tcase_add_test(tcase, a_changed_table_is_prepared_anew_without_failing_a_call);
    tcase_add_test(tcase, a_changed_table_fails_the_open_transaction_only);
    tcase_add_test(tcase, a_restarted_server_costs_no_idle_connection_a_call);
    tcase_add_test(tcase, a_crashed_server_is_unavailable_until_it_is_back);
    tcase_add_test(tcase, two_transactions_in_deadlock_fail_one_as_unavailable);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
