/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions, savepoints, outbox, inbox and notifications. */
#include "pg_fixture.h"
#include "pg_sample.h"

#include <pthread.h>

static struct fixture f;

static void setup(void)
{
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_done(&f);
}

static enum status add_item(const char *id)
{
    return pg_exec(&f.call, QUERY("item_add", "insert into item (id) values ($1)", 1), NULL, "s",
                   id);
}

static const char *items(void)
{
    return pg_server_value(f.url,
                           "select coalesce(string_agg(id, ',' order by id), '') from demo.item");
}

START_TEST(a_commit_makes_all_changes_visible_at_once)
{
    CLEANUP(tx_done) struct tx tx = {0};

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(add_item("a"), ST_OK);
    ck_assert_int_eq(add_item("b"), ST_OK);
    ck_assert_str_eq(items(), "");
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
    ck_assert_str_eq(items(), "a,b");
}
END_TEST

static enum status fail_halfway(void)
{
    CLEANUP(tx_done) struct tx tx = {0};

    TRY(tx_begin(&tx, &f.call));
    TRY(add_item("a"));
    return call_fail(&f.call, ST_FAILED_PRECONDITION, "The handler's own words.");
}

START_TEST(leaving_the_scope_rolls_back_and_keeps_the_words)
{
    ck_assert_int_eq(fail_halfway(), ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f.call.error.message, "The handler's own words.");
    ck_assert_int_eq(add_item("b"), ST_OK);
    ck_assert_str_eq(items(), "b");
}
END_TEST

START_TEST(a_commit_after_a_failed_query_fails)
{
    CLEANUP(tx_done) struct tx tx = {0};

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(add_item("a"), ST_OK);
    ck_assert_int_eq(add_item("a"), ST_ALREADY_EXISTS);
    ck_assert_int_eq(tx_commit(&tx), ST_INTERNAL);
    tx_done(&tx);
    ck_assert_str_eq(items(), "");
}
END_TEST

START_TEST(transactions_do_not_nest)
{
    CLEANUP(tx_done) struct tx outer = {0};
    CLEANUP(tx_done) struct tx inner = {0};

    ck_assert_int_eq(tx_begin(&outer, &f.call), ST_OK);
    ck_assert_int_eq(tx_begin(&inner, &f.call), ST_INTERNAL);
    ck_assert_int_eq(add_item("a"), ST_OK);
    ck_assert_int_eq(tx_commit(&outer), ST_OK);
    ck_assert_int_eq(tx_commit(&outer), ST_INTERNAL);
    ck_assert_str_eq(items(), "a");
}
END_TEST

START_TEST(a_deferred_constraint_fails_the_commit)
{
    CLEANUP(tx_done) struct tx tx = {0};

    pg_server_sql(f.url, "alter table demo.item alter constraint item_parent_fkey deferrable"
                         " initially deferred");
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(
        pg_exec(&f.call, QUERY("orphan", "insert into item values ('a', 0, 'gone')", 0), NULL, ""),
        ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_NOT_FOUND);
    ck_assert_str_eq(pg_constraint(&f.call), "item_parent_fkey");
    tx_done(&tx);
    ck_assert_str_eq(items(), "");
}
END_TEST

START_TEST(a_snapshot_sees_one_moment_and_writes_nothing)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const struct query *count = QUERY("item_count", "select count(*) from item", 0);
    const char *text;

    ck_assert_int_eq(tx_begin_mode(&tx, &f.call, TX_SNAPSHOT), ST_OK);
    ck_assert_int_eq(pg_text(&f.call, count, &text, ""), ST_OK);
    pg_server_sql(f.url, "insert into demo.item values ('x')");
    ck_assert_int_eq(pg_text(&f.call, count, &text, ""), ST_OK);
    ck_assert_str_eq(text, "0");
    ck_assert_int_eq(add_item("a"), ST_INTERNAL);
}
END_TEST

START_TEST(a_savepoint_undoes_one_element_of_a_bulk)
{
    CLEANUP(tx_done) struct tx tx = {0};
    static const char *const ids[] = {"a", "b", "a", "c", "bad", "d"};
    int failed = 0;

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        ck_assert_int_eq(tx_savepoint(&tx), ST_OK);
        if (add_item(ids[i]) != ST_OK) {
            failed++;
            ck_assert_int_eq(tx_rollback_to(&tx), ST_OK);
        }
    }
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
    ck_assert_int_eq(failed, 2);
    ck_assert_str_eq(items(), "a,b,c,d");
}
END_TEST

START_TEST(settling_ends_what_a_handler_left_open)
{
    struct tx tx = {0};

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(add_item("a"), ST_OK);
    pg_conn_settle(f.conn);
    ck_assert_int_eq(add_item("b"), ST_OK);
    ck_assert_str_eq(items(), "b");
}
END_TEST

START_TEST(no_transaction_begins_or_commits_after_the_deadline)
{
    CLEANUP(tx_done) struct tx tx = {0};
    CLEANUP(tx_done) struct tx late = {0};

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(add_item("a"), ST_OK);
    f.call.deadline_ms = clock_mono_ms() - 1;
    ck_assert_int_eq(tx_commit(&tx), ST_DEADLINE_EXCEEDED);
    tx_done(&tx);
    ck_assert_str_eq(items(), "");
    ck_assert_int_eq(tx_begin(&late, &f.call), ST_DEADLINE_EXCEEDED);
}
END_TEST

START_TEST(an_event_is_written_with_its_change_or_not_at_all)
{
    struct part part;
    CLEANUP(tx_done) struct tx tx = {0};

    part_init(&part.base);
    part.name = "p";
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(event_add(&tx, "mal.evt.demo.part.made", &part.base), ST_OK);
    tx_done(&tx);
    ck_assert_str_eq(pg_server_value(f.url, "select count(*) from demo.outbox"), "0");

    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(event_add(&tx, "mal.evt.demo.part.made", &part.base), ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
    ck_assert_str_eq(pg_server_value(f.url,
                                     "select concat_ws('|', subject, encode(payload, 'hex'), actor,"
                                     " request_id, published_at is null) from demo.outbox"),
                     "mal.evt.demo.part.made|0a0170|ana|018e0000-0000-7000-8000-000000000001|t");
    ck_assert_int_eq(event_add(&tx, "mal.evt.demo.part.made", &part.base), ST_INTERNAL);
}
END_TEST

START_TEST(an_event_too_big_for_the_bus_is_refused)
{
    struct part part;
    CLEANUP(tx_done) struct tx tx = {0};
    char *text = arena_alloc(&f.arena, 600001);

    memset(text, 'x', 600000);
    part_init(&part.base);
    part.name = text;
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(event_add(&tx, "mal.evt.demo.part.made", &part.base), ST_INTERNAL);
}
END_TEST

START_TEST(many_events_keep_their_order_and_texts)
{
    enum { EVENTS = 300 };
    static struct part parts[EVENTS];
    static struct event events[EVENTS];
    CLEANUP(tx_done) struct tx tx = {0};

    for (int i = 0; i < EVENTS; i++) {
        part_init(&parts[i].base);
        parts[i].name = arena_printf(&f.arena, "%03d \\x'\"{,}\n", i);
        events[i] = (struct event){i % 2 ? "mal.evt.demo.part.odd" : "mal.evt.demo.part.even",
                                   &parts[i].base};
    }
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(event_add_all(&tx, 0, NULL), ST_OK);
    ck_assert_int_eq(event_add_all(&tx, EVENTS, events), ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
    ck_assert_str_eq(
        pg_server_value(f.url, "select concat_ws('|', count(*), count(distinct event_id), bool_and("
                               "substring(payload from 3 for 3) = convert_to(to_char(n, 'FM000'),"
                               " 'UTF8') and subject like case n % 2 when 0 then '%.even' else "
                               "'%.odd' end and actor = 'ana'), min(encode(substring(payload from "
                               "6), 'hex'))) from (select *, row_number() over (order by id) - 1 "
                               "as n from demo.outbox) t"),
        "300|300|t|205c7827227b2c7d0a");
    events[0].payload = &parts[0].base;
    ck_assert_int_eq(event_add_all(&tx, 1, events), ST_INTERNAL);
}
END_TEST

START_TEST(an_event_is_new_once)
{
    static const char id[] = "018e0000-0000-7000-8000-0000000000aa";
    CLEANUP(tx_done) struct tx tx = {0};
    bool is_new = false;

    /* Rolled back: its effect did not happen, so it is still new. */
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(event_seen(&tx, id, &is_new), ST_OK);
    ck_assert(is_new);
    tx_done(&tx);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
        ck_assert_int_eq(event_seen(&tx, id, &is_new), ST_OK);
        ck_assert_int_eq(is_new, i == 0);
        ck_assert_int_eq(tx_commit(&tx), ST_OK);
    }
    ck_assert_int_eq(tx_begin(&tx, &f.call), ST_OK);
    ck_assert_int_eq(event_seen(&tx, "no uuid", &is_new), ST_INVALID_ARGUMENT);
    ck_assert_int_eq(event_seen(&tx, NULL, &is_new), ST_INVALID_ARGUMENT);
}
END_TEST

/* Two changes and their event, as a handler makes them. */
static enum status change(const char *first, const char *second)
{
    struct part part;
    CLEANUP(tx_done) struct tx tx = {0};

    part_init(&part.base);
    TRY(tx_begin(&tx, &f.call));
    TRY(add_item(first));
    TRY(add_item(second));
    TRY(event_add(&tx, "mal.evt.demo.part.made", &part.base));
    return tx_commit(&tx);
}

/* Waits until no other session works in the database. */
static void wait_settled(void)
{
    while (strcmp(pg_server_value(f.url,
                                  "select count(*) from pg_stat_activity where application_name ="
                                  " 'test' and datname = current_database()"),
                  "0") != 0)
        usleep(1000);
}

/* Cuts the connection at every exchange in turn until none is left to cut. */
static int break_everywhere(bool reply)
{
    enum status status = ST_UNAVAILABLE;
    int done = 0, n;

    for (n = 1; status != ST_OK; n++) {
        const char *first = arena_printf(&f.arena, "a%d%d", reply, n);
        const char *second = arena_printf(&f.arena, "b%d%d", reply, n);
        const char *sql = arena_printf(
            &f.arena, "select count(*) from demo.item where id in ('%s', '%s')", first, second);
        bool both;

        ck_assert_int_lt(n, 20);
        pg_conn_free(f.conn); /* nothing prepared, so that preparing is cut too */
        f.conn = open_conn(f.url);
        fixture_call(&f, f.conn);
        pg_conn_break(f.conn, n, reply);
        status = change(first, second);
        ck_assert(status == ST_OK || status == ST_UNAVAILABLE);
        pg_conn_break(f.conn, 0, false);
        if (status != ST_OK)
            wait_settled();
        both = strcmp(pg_server_value(f.url, sql), "2") == 0;
        ck_assert(both || strcmp(pg_server_value(f.url, sql), "0") == 0);
        ck_assert(both || status != ST_OK);
        done += both;
        ck_assert_int_eq(
            strtol(pg_server_value(f.url, "select count(*) from demo.outbox"), NULL, 10), done);
        ck_assert_int_eq(change(arena_printf(&f.arena, "x%d%d", reply, n),
                                arena_printf(&f.arena, "y%d%d", reply, n)),
                         ST_OK);
        pg_server_sql(f.url, "delete from demo.outbox where id in (select max(id) from"
                             " demo.outbox)");
    }
    ck_assert_int_gt(n, 6);
    return done;
}

START_TEST(a_connection_cut_anywhere_leaves_all_or_nothing)
{
    /* Cut before it was sent, nothing but the uncut one happened. */
    ck_assert_int_eq(break_everywhere(false), 1);
}
END_TEST

START_TEST(a_lost_answer_leaves_all_or_nothing)
{
    /* The commit whose answer was lost may have happened, and the uncut one did. */
    int done = break_everywhere(true);

    ck_assert(done == 1 || done == 2);
}
END_TEST

static void *commit_event(void *arg)
{
    struct fixture other = {0};
    CLEANUP(tx_done) struct tx tx = {0};
    struct part part;

    (void)arg;
    arena_init(&other.arena);
    other.conn = open_conn(f.url);
    fixture_call(&other, other.conn);
    part_init(&part.base);
    if (tx_begin(&tx, &other.call) != ST_OK ||
        event_add(&tx, "mal.evt.demo.part.made", &part.base) != ST_OK || tx_commit(&tx) != ST_OK)
        abort();
    fixture_done(&other);
    return NULL;
}

START_TEST(a_committed_event_wakes_who_listens)
{
    bool notified = false;
    pthread_t thread;
    int64_t start;

    /* Listening begins: whether something came before is unknown. */
    ck_assert_int_eq(pg_wait_notify(f.conn, "mal_outbox_demo", 1000, &notified), ST_OK);
    ck_assert(notified);
    start = clock_mono_ms();
    ck_assert_int_eq(pg_wait_notify(f.conn, "mal_outbox_demo", 50, &notified), ST_OK);
    ck_assert(!notified);
    ck_assert_int_ge(clock_mono_ms() - start, 49);
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_event, NULL), 0);
    ck_assert_int_eq(pg_wait_notify(f.conn, "mal_outbox_demo", 10000, &notified), ST_OK);
    ck_assert(notified);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_new_session_listens_again)
{
    bool notified = false;
    pthread_t thread;

    ck_assert_int_eq(pg_wait_notify(f.conn, "mal_outbox_demo", 0, &notified), ST_OK);
    (void)pg_server_value(f.url,
                          "select pg_terminate_backend(pid) from pg_stat_activity"
                          " where application_name = 'test' and datname = current_database()");
    /* Noticed at once or by a failure, then what may have been missed is said. */
    notified = false;
    for (int i = 0; i < 20 && !notified; i++)
        (void)!pg_wait_notify(f.conn, "mal_outbox_demo", 500, &notified);
    ck_assert(notified);
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_event, NULL), 0);
    ck_assert_int_eq(pg_wait_notify(f.conn, "mal_outbox_demo", 10000, &notified), ST_OK);
    ck_assert(notified);
    pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_tx");
    TCase *tcase = tcase_create("tx");

    wire_register_rules(sample_rules, ARRAY_SIZE(sample_rules));
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_commit_makes_all_changes_visible_at_once);
    tcase_add_test(tcase, leaving_the_scope_rolls_back_and_keeps_the_words);
    tcase_add_test(tcase, a_commit_after_a_failed_query_fails);
    tcase_add_test(tcase, transactions_do_not_nest);
    tcase_add_test(tcase, a_deferred_constraint_fails_the_commit);
    tcase_add_test(tcase, a_snapshot_sees_one_moment_and_writes_nothing);
    tcase_add_test(tcase, a_savepoint_undoes_one_element_of_a_bulk);
    tcase_add_test(tcase, settling_ends_what_a_handler_left_open);
    tcase_add_test(tcase, no_transaction_begins_or_commits_after_the_deadline);
    tcase_add_test(tcase, an_event_is_written_with_its_change_or_not_at_all);
    tcase_add_test(tcase, an_event_too_big_for_the_bus_is_refused);
    tcase_add_test(tcase, many_events_keep_their_order_and_texts);
    tcase_add_test(tcase, an_event_is_new_once);
    tcase_add_test(tcase, a_connection_cut_anywhere_leaves_all_or_nothing);
    tcase_add_test(tcase, a_lost_answer_leaves_all_or_nothing);
    tcase_add_test(tcase, a_committed_event_wakes_who_listens);
    tcase_add_test(tcase, a_new_session_listens_again);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
