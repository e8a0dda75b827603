/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox relay: nothing lost, nothing doubled, in order, whoever dies. */
#include "svc_fixture.h"

#include <libpq-fe.h>

enum { EVENTS_MAX = 5000 };

static void setup(void)
{
    fixture_init();
}

static void teardown(void)
{
    fixture_done();
}

/* What the stream holds, in its order. */
struct stream {
    pthread_mutex_t lock;
    int n;
    char ids[EVENTS_MAX][UUID_SIZE];
    char last[256];
};

static struct stream stream = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum status note(const struct bus_event *events, size_t n, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&stream.lock);
    for (size_t i = 0; i < n && stream.n < EVENTS_MAX; i++) {
        (void)snprintf(stream.ids[stream.n++], UUID_SIZE, "%s", events[i].event_id);
        (void)snprintf(stream.last, sizeof(stream.last), "%s|%s|%s|%zu|%d", events[i].subject,
                       events[i].actor, events[i].request_id, events[i].len,
                       events[i].time && strlen(events[i].time) == TIMESTAMP_SIZE - 1);
    }
    pthread_mutex_unlock(&stream.lock);
    return ST_OK;
}

static int seen(void)
{
    pthread_mutex_lock(&stream.lock);
    int n = stream.n;
    pthread_mutex_unlock(&stream.lock);
    return n;
}

static struct bus_consumer *watch(struct bus *bus)
{
    struct bus_consumer *consumer = NULL;
    struct error err = {0};

    ck_assert_msg(bus_consume(bus,
                              &(struct bus_consumer_options){.durable = "test",
                                                             .filter = "mal.evt.demo.>",
                                                             .max_batch = 100,
                                                             .max_ack_pending = 100,
                                                             .fn = note},
                              &consumer, &err) == ST_OK,
                  "%s", err.message);
    return consumer;
}

/* Adds events to the outbox as a transaction of the service would. */
static void add_events(int n)
{
    char sql[512];

    (void)snprintf(sql, sizeof(sql),
                   "insert into demo.outbox (event_id, subject, payload, actor)"
                   " select gen_random_uuid(), 'mal.evt.demo.item.added', '\\x00', 'ana'"
                   " from generate_series(1, %d); notify mal_outbox_demo",
                   n);
    pg_server_sql(pg_url, sql);
}

static int waiting(void)
{
    return (int)strtol(
        pg_server_value(pg_url, "select count(*) from demo.outbox where published_at is null"),
        NULL, 10);
}

/* The stream holds every event of the outbox once, in order of id. */
static void check_complete(struct bus *bus, int n)
{
    struct bus_consumer *consumer;
    char sql[128];

    AWAIT(waiting() == 0);
    consumer = watch(bus);
    AWAIT(seen() >= n);
    bus_consumer_stop(consumer);
    ck_assert_int_eq(seen(), n);
    for (int i = 0; i < n; i += n / 50 + 1) {
        (void)snprintf(sql, sizeof(sql),
                       "select event_id from demo.outbox order by id offset %d limit 1", i);
        ck_assert_str_eq(stream.ids[i], pg_server_value(pg_url, sql));
    }
}

START_TEST(a_write_publishes_its_event_at_once)
{
    struct asked asked;
    struct child child;
    char expected[256];
    int64_t start;

    child_ready(&child);
    struct bus *bus = connect_bus();
    struct bus_consumer *consumer = watch(bus);
    start = clock_mono_ms();
    ck_assert_int_eq(ask(&asked, bus, &add_rpc, "a", "v"), ST_OK);
    AWAIT(seen() == 1);
    /* Woken by the commit, not by its look every five seconds. */
    ck_assert_int_lt(clock_mono_ms() - start, 2000);
    (void)snprintf(expected, sizeof(expected), "mal.evt.demo.item.added|ana|%s|6|1",
                   asked.call.request_id);
    ck_assert_str_eq(stream.last, expected);
    ck_assert_int_eq(ask_once(bus, &add_rpc, "a", "v"), ST_ALREADY_EXISTS);
    AWAIT(waiting() == 0);
    ck_assert_int_eq(seen(), 1);
    ck_assert_str_eq(pg_server_value(pg_url, "select event_id from demo.outbox"), stream.ids[0]);
    arena_done(&asked.arena);
    bus_consumer_stop(consumer);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(killed_relays_lose_and_double_nothing)
{
    struct child copies[2];

    child_ready(&copies[0]);
    child_ready(&copies[1]);
    for (int round = 0; round < 4; round++) {
        int before;

        add_events(600);
        before = waiting();
        AWAIT(waiting() < before || waiting() == 0);
        ck_assert_int_eq(child_stop(&copies[round % 2], SIGKILL), 1000 + SIGKILL);
        child_ready(&copies[round % 2]);
    }
    struct bus *bus = connect_bus();
    check_complete(bus, 2400);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&copies[0], SIGTERM), 0);
    ck_assert_int_eq(child_stop(&copies[1], SIGTERM), 0);
}
END_TEST

START_TEST(one_copy_is_active_and_another_takes_over)
{
    static const char holders[] = "select count(*) from pg_locks l join pg_stat_activity a using"
                                  " (pid) where l.locktype = 'advisory' and l.granted and"
                                  " a.datname = current_database() and a.application_name ="
                                  " 'mal-demo relay'";
    struct child first, second;

    child_ready(&first);
    AWAIT(strcmp(pg_server_value(pg_url, holders), "1") == 0);
    child_ready(&second);
    ck_assert_int_eq(child_stop(&first, SIGKILL), 1000 + SIGKILL);
    add_events(10);
    AWAIT(waiting() == 0);
    ck_assert_str_eq(pg_server_value(pg_url, holders), "1");
    ck_assert_int_eq(child_stop(&second, SIGTERM), 0);
}
END_TEST

START_TEST(a_lower_id_that_commits_later_is_not_missed)
{
    struct child child;

    child_ready(&child);
    PGconn *db = PQconnectdb(pg_url);
    PQclear(PQexec(db, "begin; insert into demo.outbox (event_id, subject, payload) values"
                       " (gen_random_uuid(), 'mal.evt.demo.item.added', '')"));
    add_events(5);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from demo.outbox where published_at is"
                                         " not null"),
                 "5") == 0);
    PQclear(PQexec(db, "notify mal_outbox_demo; commit"));
    PQfinish(db);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from demo.outbox where published_at is"
                                         " not null"),
                 "6") == 0);
    ck_assert_str_eq(pg_server_value(pg_url, "select min(id) from demo.outbox where published_at ="
                                             " (select max(published_at) from demo.outbox)"),
                     "1");
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(events_wait_while_nats_is_away)
{
    struct child child;
    const char *page = NULL;

    child_ready(&child);
    nats_server_kill(&nats);
    add_events(250);
    AWAIT(get(&child, "/metrics", &page) == 200 && strstr(page, "\nmal_outbox_waiting 250\n"));
    ck_assert_int_eq(waiting(), 250);
    nats_server_restart(&nats);
    struct bus *bus = connect_bus();
    check_complete(bus, 250);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(events_survive_crashes_of_both_servers)
{
    struct child child;

    child_ready(&child);
    for (int round = 0; round < 3; round++) {
        add_events(300);
        pg_server_halt(&pg, true);
        nats_server_kill(&nats);
        pg_server_resume(&pg);
        nats_server_restart(&nats);
    }
    struct bus *bus = connect_bus();
    check_complete(bus, 900);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

/* Runs a line of shell in the folder of nats-server. */
static void in_store(const char *line)
{
    char command[256];

    (void)snprintf(command, sizeof(command), "cd %s && %s", nats.dir, line);
    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): a line of ours */
}

START_TEST(a_stream_that_lost_its_end_gets_it_again)
{
    struct child child;

    child_ready(&child);
    add_events(20);
    AWAIT(waiting() == 0);
    nats_server_stop(&nats);
    in_store("cp -r js js.kept");
    nats_server_restart(&nats);
    add_events(30);
    AWAIT(waiting() == 0);
    /* The power fails before the disk has the last of them. */
    nats_server_kill(&nats);
    in_store("rm -r js && mv js.kept js");
    nats_server_restart(&nats);
    AWAIT(strstr(written(child.log), "the event stream lost its end"));
    struct bus *bus = connect_bus();
    check_complete(bus, 50);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(a_whole_stream_gets_nothing_again)
{
    struct child copies[2];

    for (int round = 0; round < 3; round++) {
        child_ready(&copies[0]);
        add_events(20);
        AWAIT(waiting() == 0);
        nats_server_kill(&nats);
        nats_server_restart(&nats);
        child_ready(&copies[1]);
        add_events(20);
        ck_assert_int_eq(child_stop(&copies[0], SIGKILL), 1000 + SIGKILL);
        AWAIT(waiting() == 0);
        ck_assert_ptr_null(strstr(written(copies[1].log), "lost its end"));
        ck_assert_int_eq(child_stop(&copies[1], SIGTERM), 0);
    }
    struct bus *bus = connect_bus();
    check_complete(bus, 120);
    bus_free(bus);
}
END_TEST

START_TEST(a_lost_session_gives_up_the_lock_and_takes_it_again)
{
    struct child child;

    child_ready(&child);
    for (int round = 0; round < 3; round++) {
        add_events(100);
        (void)pg_server_value(pg_url,
                              "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                              " where application_name = 'mal-demo relay'");
    }
    struct bus *bus = connect_bus();
    check_complete(bus, 300);
    bus_free(bus);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

START_TEST(a_stop_publishes_what_was_written_before)
{
    struct child child;

    child_ready(&child);
    add_events(50);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
    ck_assert_int_eq(waiting(), 0);
}
END_TEST

START_TEST(old_rows_are_removed)
{
    struct child child;

    child_ready(&child);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
    pg_server_sql(pg_url,
                  "insert into demo.outbox (event_id, subject, payload, published_at)"
                  " select gen_random_uuid(), 'mal.evt.demo.old', '', now() - days * interval '1"
                  " day' from unnest(array[10, 31, 40]) days;"
                  "insert into demo.inbox (event_id, seen_at) select gen_random_uuid(), now() -"
                  " days * interval '1 day' from unnest(array[10, 31, 40]) days,"
                  /* more than goes at once */
                  " generate_series(1, case days when 40 then 12000 else 1 end)");
    child_ready(&child);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from demo.outbox"), "1") == 0);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from demo.inbox"), "1") == 0);
    ck_assert_int_eq(child_stop(&child, SIGTERM), 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("svc_relay");
    TCase *tcase = tcase_create("relay");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, a_write_publishes_its_event_at_once);
    tcase_add_test(tcase, killed_relays_lose_and_double_nothing);
    tcase_add_test(tcase, one_copy_is_active_and_another_takes_over);
    tcase_add_test(tcase, a_lower_id_that_commits_later_is_not_missed);
    tcase_add_test(tcase, events_wait_while_nats_is_away);
    tcase_add_test(tcase, events_survive_crashes_of_both_servers);
    tcase_add_test(tcase, a_stream_that_lost_its_end_gets_it_again);
    tcase_add_test(tcase, a_whole_stream_gets_nothing_again);
    tcase_add_test(tcase, a_lost_session_gives_up_the_lock_and_takes_it_again);
    tcase_add_test(tcase, a_stop_publishes_what_was_written_before);
    tcase_add_test(tcase, old_rows_are_removed);
    suite_add_tcase(suite, tcase);
    return svc_tests(argc, argv, suite);
}
