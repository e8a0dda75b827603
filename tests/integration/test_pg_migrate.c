/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations on a real server. */
#include "pg_fixture.h"

#include <sys/wait.h>

#define SHA(n) "000000000000000000000000000000000000000000000000000000000000000" #n

static const struct migration migrations[] = {
    {.number = 1,
     .name = "item",
     .sql = "create table item (id text primary key check (id <> 'bad'), points int not null"
            " default 0, parent text references item);"
            "alter table item add constraint item_points_max check (points <= 100);",
     .sha256 = SHA(1)},
    {.number = 2, .name = "colour", .sql = "alter table item add colour text", .sha256 = SHA(2)},
    {.number = 5,
     .name = "rows",
     .sql = "insert into item (id, colour) values ('a;b', 'it''s');\n-- a remark; with semicolon\n",
     .sha256 = SHA(3)},
};

static struct fixture f;
static struct error err;

static void setup(void)
{
    fixture_init(&f);
    err = (struct error){0};
}

static void teardown(void)
{
    fixture_done(&f);
}

START_TEST(what_is_missing_is_applied_once)
{
    for (int i = 0; i < 2; i++)
        ck_assert_msg(pg_migrate(f.conn, "demo", migrations, 3, &err) == ST_OK, "%s", err.message);
    ck_assert_str_eq(pg_server_value(f.url, "select string_agg(number || name, ',' order by number)"
                                            " from demo.migration where component = 'service'"),
                     "1item,2colour,5rows");
    ck_assert_str_eq(pg_server_value(f.url, "select id || colour from demo.item"), "a;bit's");
}
END_TEST

START_TEST(a_new_schema_is_made_with_its_common_tables)
{
    ck_assert_int_eq(pg_migrate(f.conn, "other", NULL, 0, &err), ST_OK);
    ck_assert_str_eq(pg_server_value(f.url, "select string_agg(relname, ',' order by relname)"
                                            " from pg_class where relkind = 'r' and"
                                            " relnamespace = 'other'::regnamespace"),
                     "inbox,migration,outbox");
}
END_TEST

START_TEST(an_edited_migration_is_refused)
{
    struct migration edited[1] = {migrations[0]};

    edited[0].sha256 = SHA(9);
    ck_assert_int_eq(pg_migrate(f.conn, "demo", edited, 1, &err), ST_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(err.message, "0001_item"));
    ck_assert_ptr_nonnull(strstr(err.message, "never be edited"));
}
END_TEST

START_TEST(a_failing_migration_leaves_nothing_behind)
{
    struct migration broken[3] = {migrations[0], migrations[1], migrations[2]};

    broken[2].sql = "create table left_over (id int); select 1 / 0;";
    ck_assert_int_eq(pg_migrate(f.conn, "demo", broken, 3, &err), ST_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "0005_rows"));
    ck_assert_ptr_nonnull(strstr(err.message, "division by zero"));
    ck_assert_str_eq(pg_server_value(f.url, "select to_regclass('demo.left_over') is null"), "t");
    ck_assert_str_eq(pg_server_value(f.url, "select max(number) from demo.migration"), "2");
    /* The lock is free again and the mended one applies. */
    ck_assert_int_eq(pg_migrate(f.conn, "demo", migrations, 3, &err), ST_OK);
}
END_TEST

START_TEST(migrations_out_of_order_are_refused)
{
    const struct migration swapped[2] = {migrations[1], migrations[0]};

    ck_assert_int_eq(pg_migrate(f.conn, "demo", swapped, 2, &err), ST_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "out of order"));
}
END_TEST

START_TEST(an_older_process_leaves_a_newer_schema_alone)
{
    ck_assert_int_eq(pg_migrate(f.conn, "demo", migrations, 3, &err), ST_OK);
    ck_assert_int_eq(pg_migrate(f.conn, "demo", migrations, 1, &err), ST_OK);
}
END_TEST

START_TEST(processes_that_start_together_migrate_once)
{
    struct migration slow[2] = {migrations[0], migrations[1]};
    pid_t pids[4];

    slow[1].sql = "alter table item add colour text; select pg_sleep(0.2)";
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            struct pg_conn *conn = open_conn(f.url);
            enum status status = pg_migrate(conn, "demo", slow, 2, &err);

            pg_conn_free(conn);
            _exit(status == ST_OK ? 0 : 1);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        int status;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_str_eq(
        pg_server_value(f.url, "select count(*) from demo.migration where component = 'service'"),
        "2");
}
END_TEST

START_TEST(queries_run_in_the_schema_afterwards_with_their_timeout)
{
    const char *text;

    ck_assert_int_eq(pg_migrate(f.conn, "demo", migrations, 2, &err), ST_OK);
    ck_assert_int_eq(pg_text(&f.call,
                             QUERY("timeout",
                                   "select current_setting('statement_timeout') ||"
                                   " current_schema()",
                                   0),
                             &text, ""),
                     ST_OK);
    ck_assert_str_eq(text, "30sdemo");
    ck_assert_str_eq(pg_server_value(f.url, "select count(*) from pg_locks where locktype ="
                                            " 'advisory'"),
                     "0");
}
END_TEST

START_TEST(a_role_without_rights_on_the_database_migrates_its_own_schema)
{
    char url[PG_URL_SIZE + 64];
    struct pg_conn *conn;

    pg_server_sql(f.url, "do $$begin create role worker login; exception when duplicate_object"
                         " then null; end$$; create schema owned authorization worker");
    (void)snprintf(url, sizeof(url), "%.*s&user=worker", (int)(strstr(f.url, "&user") - f.url),
                   f.url);
    conn = open_conn(url);
    ck_assert_msg(pg_migrate(conn, "owned", migrations, 3, &err) == ST_OK, "%s", err.message);
    ck_assert_int_eq(pg_migrate(conn, "not_there", migrations, 3, &err), ST_INTERNAL);
    pg_conn_free(conn);
}
END_TEST

START_TEST(without_server_it_may_be_tried_again)
{
    struct pg_conn *conn = open_conn("postgresql:///x?host=/nonexistent");

    ck_assert_int_eq(pg_migrate(conn, "demo", migrations, 1, &err), ST_UNAVAILABLE);
    pg_conn_free(conn);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_migrate");
    TCase *tcase = tcase_create("migrate");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_missing_is_applied_once);
    tcase_add_test(tcase, a_new_schema_is_made_with_its_common_tables);
    tcase_add_test(tcase, an_edited_migration_is_refused);
    tcase_add_test(tcase, a_failing_migration_leaves_nothing_behind);
    tcase_add_test(tcase, migrations_out_of_order_are_refused);
    tcase_add_test(tcase, an_older_process_leaves_a_newer_schema_alone);
    tcase_add_test(tcase, processes_that_start_together_migrate_once);
    tcase_add_test(tcase, queries_run_in_the_schema_afterwards_with_their_timeout);
    tcase_add_test(tcase, a_role_without_rights_on_the_database_migrates_its_own_schema);
    tcase_add_test(tcase, without_server_it_may_be_tried_again);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
