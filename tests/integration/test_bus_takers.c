/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions whose messages are taken by several threads. */
#include "bus_echo.h"

#include "bus/internal.h"

#include <dirent.h>
#include <pthread.h>

#define SUBJECT "test.take"

static atomic_int running, most, done, held;

static void handle(struct bus_message *msg, void *arg)
{
    int now = atomic_fetch_add(&running, 1) + 1, before = atomic_load(&most);

    (void)arg;
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
        ;
    while (msg->len == 4 && atomic_load(&held)) /* "hold" */
        usleep(1000);
    if (msg->reply)
        ck_assert_int_eq(bus_publish(bus, msg->reply, NULL, msg->data, msg->len), ST_OK);
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&done, 1);
}

static struct bus_takers *take(int threads)
{
    struct bus_takers *takers = NULL;

    atomic_store(&most, 0);
    atomic_store(&done, 0);
    ck_assert_int_eq(
        bus_take(bus, &(struct bus_taking){.subject = SUBJECT, .fn = handle, .threads = threads},
                 &takers),
        ST_OK);
    ck_assert_int_eq(bus_check(bus, NULL), ST_OK);
    return takers;
}

/* Threads of this process that take messages, by their name. */
static int takers_alive(void)
{
    char path[64], name[32];
    int n = 0;
    DIR *dir = opendir("/proc/self/task");

    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        (void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", e->d_name);
        FILE *file = e->d_name[0] != '.' ? fopen(path, "re") : NULL;
        if (!file)
            continue;
        n += fgets(name, sizeof(name), file) && strcmp(name, "take\n") == 0;
        (void)fclose(file);
    }
    (void)closedir(dir);
    return n;
}

static void say(struct bus *from, const char *text)
{
    ck_assert_int_eq(bus_publish(from, SUBJECT, NULL, text, strlen(text)), ST_OK);
}

static void expect_echo(struct bus *from, const char *text)
{
    struct bus_message reply;

    ck_assert_int_eq(bus_request(from, SUBJECT, NULL, text, strlen(text), 10000, &reply), ST_OK);
    ck_assert_uint_eq(reply.len, strlen(text));
    ck_assert_mem_eq(reply.data, text, reply.len);
    bus_message_release(&reply);
}

START_TEST(one_after_the_other_they_are_all_answered)
{
    struct bus *other = connect_bus("other");
    struct bus_takers *takers = take(8);

    for (int i = 0; i < 2000; i++)
        expect_echo(other, "x");
    bus_takers_free(takers);
    bus_free(other);
}
END_TEST

START_TEST(those_that_take_long_hold_up_nobody)
{
    struct bus *other = connect_bus("other");
    struct bus_takers *takers = take(8);

    atomic_store(&held, 1);
    for (int i = 0; i < 7; i++)
        say(other, "hold");
    AWAIT(atomic_load(&running) == 7, 5000);
    for (int i = 0; i < 500; i++)
        expect_echo(other, "x");
    atomic_store(&held, 0);
    AWAIT(atomic_load(&done) == 507, 5000);
    bus_takers_free(takers);
    bus_free(other);
}
END_TEST

START_TEST(there_are_no_more_threads_than_allowed_and_nothing_is_lost)
{
    struct bus *other = connect_bus("other");
    struct bus_takers *takers = take(3);

    atomic_store(&held, 1);
    for (int i = 0; i < 10; i++)
        say(other, "hold");
    AWAIT(atomic_load(&running) == 3, 5000);
    usleep(50000);
    ck_assert_int_eq(atomic_load(&running), 3);
    atomic_store(&held, 0);
    AWAIT(atomic_load(&done) == 10, 5000);
    for (int i = 0; i < 20000; i++)
        say(other, "x");
    AWAIT(atomic_load(&done) == 20010, 10000);
    ck_assert_int_eq(atomic_load(&most), 3);
    bus_takers_free(takers);
    bus_free(other);
}
END_TEST

/* How many there are while there is much to do depends on the machine; that they are
 * no more than allowed, and one when there is nothing to do, does not. */
START_TEST(threads_that_nothing_comes_for_end_until_one_waits)
{
    enum { THREADS = 8, GONE_MS = 40000 };
    struct bus *other = connect_bus("other");
    struct bus_takers *takers = take(THREADS);

    AWAIT(takers_alive() == 1, 5000);
    atomic_store(&held, 1);
    for (int i = 0; i < 2 * THREADS; i++)
        say(other, "hold");
    AWAIT(atomic_load(&running) == THREADS, 10000);
    ck_assert_int_eq(takers_alive(), THREADS);
    atomic_store(&held, 0);
    AWAIT(atomic_load(&done) == 2 * THREADS, 10000);
    for (int i = 0; i < 200; i++) {
        expect_echo(other, "x");
        ck_assert_int_le(takers_alive(), THREADS);
    }
    AWAIT(takers_alive() == 1, GONE_MS);
    for (int i = 0; i < 200; i++)
        expect_echo(other, "x");
    bus_takers_free(takers);
    AWAIT(takers_alive() == 0, 5000);
    bus_free(other);
}
END_TEST

static void *ask_often(void *arg)
{
    struct bus *from = connect_bus("often");

    (void)arg;
    for (int i = 0; i < 500; i++)
        expect_echo(from, "x");
    bus_free(from);
    return NULL;
}

START_TEST(many_that_ask_at_once_are_all_answered)
{
    struct bus_takers *takers = take(4);
    pthread_t threads[12];

    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (int i = 0; i < 12; i++)
        (void)pthread_join(threads[i], NULL);
    bus_takers_free(takers); /* the last ones are answered a moment before they are done */
    ck_assert_int_eq(atomic_load(&done), 6000);
}
END_TEST

START_TEST(stopping_ends_what_waits_and_lets_finish_what_runs)
{
    struct bus *other = connect_bus("other");
    struct bus_takers *takers = take(4);
    int64_t start;

    atomic_store(&held, 1);
    say(other, "hold");
    AWAIT(atomic_load(&running) == 1, 5000);
    start = clock_mono_ms();
    bus_takers_stop(takers);
    ck_assert_int_lt(clock_mono_ms() - start, 4000);
    ck_assert_int_eq(atomic_load(&done), 0);
    atomic_store(&held, 0);
    bus_takers_free(takers);
    ck_assert_int_lt(clock_mono_ms() - start, 8000);
    ck_assert_int_eq(atomic_load(&done), 1);
    bus_free(other);
}
END_TEST

START_TEST(they_go_on_after_the_server_was_restarted)
{
    struct bus_takers *takers = take(4);

    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 5000);
    nats_server_restart(&nats);
    AWAIT(bus_up(bus), 10000);
    for (int i = 0; i < 100; i++)
        expect_echo(bus, "x");
    bus_takers_free(takers);
}
END_TEST

static void *flood(void *arg)
{
    while (!atomic_load(&done))
        for (int i = 0; i < 50; i++)
            ck_assert_int_eq(bus_publish(arg, SUBJECT, NULL, "x", 1), ST_OK);
    return NULL;
}

START_TEST(subscriptions_may_end_while_messages_come)
{
    struct bus *other = connect_bus("other");
    pthread_t thread;

    atomic_store(&done, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, flood, other), 0);
    for (int i = 0; i < 2000; i++) {
        struct bus_sub *sub;
        struct bus_message msg;

        ck_assert_int_eq(bus_subscribe_sync(bus, SUBJECT, &sub), ST_OK);
        ck_assert_int_eq(bus_sub_next(sub, 5000, &msg), ST_OK);
        bus_message_release(&msg);
        bus_sub_free(sub);
    }
    atomic_store(&done, 1);
    pthread_join(thread, NULL);
    bus_free(other);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, one_after_the_other_they_are_all_answered);
    ADD_TEST(tests, those_that_take_long_hold_up_nobody);
    ADD_TEST(tests, there_are_no_more_threads_than_allowed_and_nothing_is_lost);
    ADD_TEST(tests, threads_that_nothing_comes_for_end_until_one_waits);
    ADD_TEST(tests, many_that_ask_at_once_are_all_answered);
    ADD_TEST(tests, stopping_ends_what_waits_and_lets_finish_what_runs);
    ADD_TEST(tests, they_go_on_after_the_server_was_restarted);
    ADD_TEST(tests, subscriptions_may_end_while_messages_come);
}

RUN_TESTS("bus takers", add)
