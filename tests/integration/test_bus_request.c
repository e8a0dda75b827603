/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and requests against a real nats-server. */
#include "bus_echo.h"

#include "bus/internal.h"

#include <pthread.h>

START_TEST(a_call_gets_its_answer)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 2);

    ask(&asked, "a", "b", 2000);
    ck_assert_msg(asked.status == ST_OK, "%s", asked.call.error.message);
    ck_assert_str_eq(asked.reply->key, "a");
    ck_assert_str_eq(asked.reply->value, "b");
    bus_server_free(server);
}
END_TEST

START_TEST(a_failure_arrives_with_all_its_words)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);

    ask(&asked, "fail", "\"seven\"\r\nX-Bad: 1", 2000);
    ck_assert_int_eq(asked.status, ST_FAILED_PRECONDITION);
    ck_assert_int_eq(asked.call.error.status, ST_FAILED_PRECONDITION);
    ck_assert_str_eq(asked.call.error.message, "No luck with '\"seven\"\r\nX-Bad: 1'.");
    ck_assert_str_eq(asked.call.error.hint, "another key.");
    ck_assert_str_eq(asked.call.error.reason, "NO_LUCK");
    bus_server_free(server);
}
END_TEST

START_TEST(violations_arrive_field_by_field)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);

    ask(&asked, "fields", "x", 2000);
    ck_assert_int_eq(asked.status, ST_INVALID_ARGUMENT);
    ck_assert_uint_eq(asked.call.error.n_fields, 1);
    ck_assert_str_eq(asked.call.error.fields[0].field, "value");
    ck_assert_str_eq(asked.call.error.fields[0].message, "must be 42");
    bus_server_free(server);
}
END_TEST

START_TEST(the_service_checks_the_rules_again)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);
    int before = atomic_load(&echo_calls);

    ask(&asked, "", "x", 2000);
    ck_assert_int_eq(asked.status, ST_INVALID_ARGUMENT);
    ck_assert_uint_ge(asked.call.error.n_fields, 1);
    ck_assert_str_eq(asked.call.error.fields[0].field, "key");
    ck_assert_int_eq(atomic_load(&echo_calls), before);
    bus_server_free(server);
}
END_TEST

START_TEST(who_asks_is_passed_on)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);

    arena_init(&asked.arena);
    asked.call.actor = "ana";
    asked.call.channel = "mcp";
    asked.call.request_id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    asked.call.trusted = true;
    asked.call.scopes = SCOPE_READ | SCOPE_ADMIN;
    asked.call.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    ask_as(&asked, &echo_rpc, "who", "", 2000);
    ck_assert_int_eq(asked.status, ST_OK);
    ck_assert_str_eq(asked.reply->value, "ana|mcp|0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b|1|17|"
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    bus_server_free(server);
}
END_TEST

START_TEST(the_remaining_time_is_passed_on)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);

    arena_init(&asked.arena);
    asked.call.deadline_ms = clock_mono_ms() + 700;
    ask_as(&asked, &echo_rpc, "left", "", 5000);
    ck_assert_int_eq(asked.status, ST_OK);
    long left = strtol(asked.reply->value, NULL, 10);
    ck_assert_int_le(left, 700);
    ck_assert_int_ge(left, 300);
    bus_server_free(server);
}
END_TEST

START_TEST(nobody_listening_is_unavailable_at_once)
{
    CLEANUP(asked_done) struct asked asked;
    int64_t start = clock_mono_ms();

    ask(&asked, "a", "b", 5000);
    ck_assert_int_eq(asked.status, ST_UNAVAILABLE);
    ck_assert_str_eq(asked.call.error.message, "The echo service is not running.");
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
}
END_TEST

static void *serve_later(void *arg)
{
    struct bus_server **server = arg;

    usleep(10000);
    *server = serve(bus, 1);
    return NULL;
}

START_TEST(a_read_is_tried_again_when_nobody_listens)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = NULL;
    pthread_t thread;

    pthread_create(&thread, NULL, serve_later, &server);
    ask(&asked, "a", "b", 5000);
    pthread_join(thread, NULL);
    ck_assert_msg(asked.status == ST_OK, "%s", asked.call.error.message);
    bus_server_free(server);
}
END_TEST

START_TEST(a_write_is_sent_once_only)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 2);
    int before = atomic_load(&echo_calls);

    arena_init(&asked.arena);
    atomic_store(&echo_hold, 1);
    ask_as(&asked, &echo_write_rpc, "hold", "", 400);
    ck_assert_int_eq(asked.status, ST_DEADLINE_EXCEEDED);
    atomic_store(&echo_hold, 0);
    ck_assert_int_eq(atomic_load(&echo_calls), before + 1);
    bus_server_free(server);
}
END_TEST

/* Takes one request and dies with it. */
static void *die_with_it(void *arg)
{
    natsSubscription *mute = arg;
    natsMsg *msg = NULL;

    ck_assert_int_eq(natsSubscription_NextMsg(&msg, mute, 5000), NATS_OK);
    natsMsg_Destroy(msg);
    natsSubscription_Destroy(mute);
    return NULL;
}

START_TEST(a_read_whose_server_died_is_taken_by_another)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus *other = connect_bus("other");
    struct bus_server *server = NULL;
    natsSubscription *mute = NULL;
    pthread_t thread;

    ck_assert_int_eq(natsConnection_QueueSubscribeSync(&mute, other->nc, "mal.echo.v1.*", "q"),
                     NATS_OK);
    ck_assert_int_eq(natsConnection_Flush(other->nc), NATS_OK);
    pthread_create(&thread, NULL, die_with_it, mute);
    pthread_t starter;
    pthread_create(&starter, NULL, serve_later, &server);
    ask(&asked, "a", "b", 2000); /* half of it is waited for the first */
    pthread_join(thread, NULL);
    pthread_join(starter, NULL);
    ck_assert_msg(asked.status == ST_OK, "%s", asked.call.error.message);
    ck_assert_int_eq(atomic_load(&echo_calls), 1);
    bus_server_free(server);
    bus_free(other);
}
END_TEST

/* Takes one request, leaves the queue group and answers late. */
static void *leave_and_answer(void *arg)
{
    struct bus *other = arg;
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;

    ck_assert_int_eq(natsConnection_QueueSubscribeSync(&sub, other->nc, "mal.echo.v1.*", "q"),
                     NATS_OK);
    ck_assert_int_eq(natsConnection_Flush(other->nc), NATS_OK);
    ck_assert_int_eq(natsSubscription_NextMsg(&msg, sub, 5000), NATS_OK);
    natsSubscription_Destroy(sub);
    usleep(700000); /* works on, after it took its subscription back */
    ck_assert_int_eq(natsConnection_Publish(other->nc, natsMsg_GetReply(msg), natsMsg_GetData(msg),
                                            natsMsg_GetDataLength(msg)),
                     NATS_OK);
    natsMsg_Destroy(msg);
    return NULL;
}

START_TEST(a_server_that_is_leaving_may_still_answer)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus *other = connect_bus("other");
    pthread_t thread;

    pthread_create(&thread, NULL, leave_and_answer, other);
    ask(&asked, "a", "b", 1000);
    pthread_join(thread, NULL);
    ck_assert_msg(asked.status == ST_OK, "%s", asked.call.error.message);
    bus_free(other);
}
END_TEST

START_TEST(a_late_answer_is_not_taken_for_the_next_one)
{
    CLEANUP(asked_done) struct asked first = {0}, second = {0};
    struct bus_server *server = serve(bus, 2);

    arena_init(&first.arena);
    arena_init(&second.arena);
    atomic_store(&echo_hold, 1);
    ask_as(&first, &echo_write_rpc, "hold", "late", 200);
    ck_assert_int_eq(first.status, ST_DEADLINE_EXCEEDED);
    atomic_store(&echo_hold, 0);
    usleep(50000); /* lets the late answer arrive, which must not matter */
    for (int i = 0; i < 20; i++) {
        ask_as(&second, &echo_write_rpc, "next", "right", 2000);
        ck_assert_int_eq(second.status, ST_OK);
        ck_assert_str_eq(second.reply->value, "right");
    }
    bus_server_free(server);
}
END_TEST

static void answer_twice(struct bus_message *msg, void *arg)
{
    (void)arg;
    ck_assert_int_eq(bus_publish(bus, msg->reply, NULL, msg->data, msg->len), ST_OK);
    ck_assert_int_eq(bus_publish(bus, msg->reply, NULL, "again", 5), ST_OK);
}

START_TEST(a_second_answer_is_dropped)
{
    struct bus_sub *sub = NULL;
    struct bus_message reply;
    char text[16];

    ck_assert_int_eq(bus_subscribe(bus, "test.twice", answer_twice, NULL, &sub), ST_OK);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "n%d", i);
        ck_assert_int_eq(bus_request(bus, "test.twice", NULL, text, strlen(text), 2000, &reply),
                         ST_OK);
        ck_assert_uint_eq(reply.len, strlen(text));
        ck_assert_mem_eq(reply.data, text, reply.len);
        bus_message_release(&reply);
    }
    bus_sub_free(sub);
}
END_TEST

START_TEST(a_lost_server_is_noticed_before_the_deadline)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);

    arena_init(&asked.arena);
    ask_as(&asked, &echo_write_rpc, "a", "b", 2000);
    ck_assert_int_eq(asked.status, ST_OK);
    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 2000);
    int64_t start = clock_mono_ms();
    ask_as(&asked, &echo_write_rpc, "a", "b", 10000);
    ck_assert_int_eq(asked.status, ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 200);
    ck_assert_str_eq(asked.call.error.message, "The message bus is not reachable.");
    bus_server_free(server);
}
END_TEST

static void *kill_soon(void *arg)
{
    (void)arg;
    AWAIT(atomic_load(&echo_calls) > 0, 2000);
    nats_server_kill(&nats);
    return NULL;
}

START_TEST(a_server_lost_during_a_call_ends_it_at_once)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);
    pthread_t thread;

    arena_init(&asked.arena);
    atomic_store(&echo_hold, 1);
    pthread_create(&thread, NULL, kill_soon, NULL);
    int64_t start = clock_mono_ms();
    ask_as(&asked, &echo_write_rpc, "hold", "", 20000);
    ck_assert_int_eq(asked.status, ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 3000);
    pthread_join(thread, NULL);
    atomic_store(&echo_hold, 0);
    bus_server_free(server);
}
END_TEST

START_TEST(calls_work_again_after_a_restart)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);
    struct bus_stats stats;

    arena_init(&asked.arena);
    for (int round = 0; round < 3; round++) {
        nats_server_restart(&nats);
        AWAIT((bus_stats(bus, &stats), stats.reconnects == (uint64_t)round + 1 && bus_up(bus)),
              5000);
        ask_as(&asked, &echo_rpc, "a", "b", 2000);
        ck_assert_msg(asked.status == ST_OK, "round %d: %s", round, asked.call.error.message);
    }
    ck_assert(bus_up(bus));
    bus_server_free(server);
}
END_TEST

static void *ask_many(void *arg)
{
    atomic_int *wrong = arg;

    for (int i = 0; i < 500; i++) {
        CLEANUP(asked_done) struct asked asked;
        char value[32];

        (void)snprintf(value, sizeof(value), "%lu-%d", (unsigned long)pthread_self(), i);
        ask(&asked, "k", value, 5000);
        if (asked.status != ST_OK || strcmp(asked.reply->value, value) != 0)
            atomic_fetch_add(wrong, 1);
    }
    return NULL;
}

START_TEST(sixteen_threads_each_get_their_own_answers)
{
    struct bus_server *server = serve(bus, 4);
    pthread_t threads[16];
    atomic_int wrong = 0;

    for (size_t i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, ask_many, &wrong);
    for (size_t i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    bus_server_free(server);
}
END_TEST

static void count_message(struct bus_message *msg, void *arg)
{
    (void)msg;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void *ask_held(void *arg)
{
    CLEANUP(asked_done) struct asked asked;

    ask(&asked, "hold", "mine", 20000);
    if (asked.status != ST_OK || strcmp(asked.reply->value, "mine") != 0)
        return arg;
    return NULL;
}

/* It reads the socket while it waits. */
START_TEST(a_call_that_waits_long_holds_up_nobody)
{
    static atomic_int arrived;
    struct bus_server *server = serve(bus, 3);
    struct bus_sub *sub = NULL;
    pthread_t thread;
    void *failed = NULL;
    int before = atomic_load(&echo_calls);

    ck_assert_int_eq(bus_subscribe(bus, "test.meanwhile", count_message, &arrived, &sub), ST_OK);
    atomic_store(&echo_hold, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_held, &arrived), 0);
    AWAIT(atomic_load(&echo_calls) > before, 5000);
    for (int i = 0; i < 300; i++) {
        CLEANUP(asked_done) struct asked asked;
        int64_t start = clock_mono_ms();

        ck_assert_int_eq(bus_publish(bus, "test.meanwhile", NULL, "x", 1), ST_OK);
        ask(&asked, "k", "v", 5000);
        ck_assert_int_eq(asked.status, ST_OK);
        ck_assert_str_eq(asked.reply->value, "v");
        ck_assert_int_lt(clock_mono_ms() - start, 2000);
    }
    AWAIT(atomic_load(&arrived) == 300, 5000);
    atomic_store(&echo_hold, 0);
    ck_assert_int_eq(pthread_join(thread, &failed), 0);
    ck_assert_ptr_null(failed);
    bus_sub_free(sub);
    bus_server_free(server);
}
END_TEST

/* With more in flight than what is published, requests wait a little for answers. */
START_TEST(many_calls_that_wait_long_hold_up_nobody)
{
    enum { HELD = 12, QUICK = 4 };
    struct bus_server *server = serve(bus, HELD + QUICK);
    pthread_t held[HELD], quick[QUICK];
    atomic_int wrong = 0;
    void *failed = NULL;
    int before = atomic_load(&echo_calls);

    atomic_store(&echo_hold, 1);
    for (size_t i = 0; i < HELD; i++)
        ck_assert_int_eq(pthread_create(&held[i], NULL, ask_held, &wrong), 0);
    AWAIT(atomic_load(&echo_calls) >= before + HELD, 5000);
    for (size_t i = 0; i < QUICK; i++)
        ck_assert_int_eq(pthread_create(&quick[i], NULL, ask_many, &wrong), 0);
    for (size_t i = 0; i < QUICK; i++)
        ck_assert_int_eq(pthread_join(quick[i], NULL), 0);
    for (int i = 0; i < 300; i++) {
        CLEANUP(asked_done) struct asked asked;
        int64_t start = clock_mono_ms();

        ask(&asked, "k", "v", 5000);
        ck_assert_int_eq(asked.status, ST_OK);
        ck_assert_int_lt(clock_mono_ms() - start, 2000);
    }
    ck_assert_int_eq(atomic_load(&wrong), 0);
    atomic_store(&echo_hold, 0);
    for (size_t i = 0; i < HELD; i++) {
        ck_assert_int_eq(pthread_join(held[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    bus_server_free(server);
}
END_TEST

START_TEST(a_call_that_waits_ends_with_its_time_and_others_go_on)
{
    struct bus_server *server = serve(bus, 2);

    atomic_store(&echo_hold, 1);
    for (int i = 0; i < 5; i++) {
        CLEANUP(asked_done) struct asked asked;
        int64_t start = clock_mono_ms();

        ask(&asked, "k", "v", 1000);
        ck_assert_int_eq(asked.status, ST_OK);
        asked_done(&asked);
        ask(&asked, "hold", "", 120);
        ck_assert_int_eq(asked.status, ST_DEADLINE_EXCEEDED);
        ck_assert_int_lt(clock_mono_ms() - start, 1000);
        atomic_store(&echo_hold, 0);
        usleep(20000);
        atomic_store(&echo_hold, 1);
    }
    atomic_store(&echo_hold, 0);
    bus_server_free(server);
}
END_TEST

START_TEST(a_drain_is_prompt_and_loses_nothing)
{
    static atomic_int arrived;
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);
    struct bus *other = connect_bus("other");
    struct bus_sub *sub = NULL;

    ck_assert_int_eq(bus_subscribe(other, "test.drain", count_message, &arrived, &sub), ST_OK);
    ck_assert_int_eq(natsConnection_Flush(other->nc), NATS_OK);
    ask(&asked, "a", "b", 2000); /* leaves an inbox behind */
    bus_server_free(server);
    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(bus_publish(bus, "test.drain", NULL, "0123456789", 10), ST_OK);
    int64_t start = clock_mono_ms();
    bus_drain(bus, 5000);
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
    AWAIT(atomic_load(&arrived) == 5000, 5000);
    ck_assert_int_eq(bus_publish(bus, "test.drain", NULL, "x", 1), ST_UNAVAILABLE);
    bus_sub_free(sub);
    bus_free(other);
}
END_TEST

START_TEST(traffic_is_counted)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);
    struct bus_stats stats;

    ask(&asked, "a", "b", 2000);
    bus_stats(bus, &stats);
    ck_assert_uint_eq(stats.out_messages, 2); /* both sides are on this bus */
    ck_assert_uint_eq(stats.in_messages, 2);
    ck_assert_uint_gt(stats.out_bytes, 0);
    ck_assert_uint_eq(stats.slow, 0);
    ck_assert_int_eq(stats.in_flight, 0);
    ck_assert_uint_eq(bus_server_waiting(server), 0);
    bus_server_free(server);
}
END_TEST

START_TEST(connecting_gives_up_in_the_time_given)
{
    struct bus *none = NULL;
    struct error err = {0};
    struct bus_options options = {.url = "nats://127.0.0.1:1", .connect_ms = 200};
    int64_t start = clock_mono_ms();

    ck_assert_int_eq(bus_new(&none, &options, &err), ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 1500);
    ck_assert_uint_gt(strlen(err.message), 0);
}
END_TEST

START_TEST(a_round_trip_is_measured)
{
    int64_t us = -1;

    ck_assert_int_eq(bus_check(bus, &us), ST_OK);
    ck_assert_int_ge(us, 0);
    ck_assert_int_lt(us, 1000000);
}
END_TEST

START_TEST(too_large_a_request_is_refused_in_words)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);
    char *text = malloc((9 << 20) + 1);

    memset(text, 'x', 9 << 20);
    text[9 << 20] = '\0';
    ask(&asked, "a", text, 5000);
    ck_assert_int_eq(asked.status, ST_RESOURCE_EXHAUSTED);
    free(text);
    bus_server_free(server);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, a_call_gets_its_answer);
    ADD_TEST(tests, a_failure_arrives_with_all_its_words);
    ADD_TEST(tests, violations_arrive_field_by_field);
    ADD_TEST(tests, the_service_checks_the_rules_again);
    ADD_TEST(tests, who_asks_is_passed_on);
    ADD_TEST(tests, the_remaining_time_is_passed_on);
    ADD_TEST(tests, nobody_listening_is_unavailable_at_once);
    ADD_TEST(tests, a_read_is_tried_again_when_nobody_listens);
    ADD_TEST(tests, a_write_is_sent_once_only);
    ADD_TEST(tests, a_read_whose_server_died_is_taken_by_another);
    ADD_TEST(tests, a_server_that_is_leaving_may_still_answer);
    ADD_TEST(tests, a_late_answer_is_not_taken_for_the_next_one);
    ADD_TEST(tests, a_second_answer_is_dropped);
    ADD_TEST(tests, a_lost_server_is_noticed_before_the_deadline);
    ADD_TEST(tests, a_server_lost_during_a_call_ends_it_at_once);
    ADD_TEST(tests, calls_work_again_after_a_restart);
    ADD_TEST(tests, sixteen_threads_each_get_their_own_answers);
    ADD_TEST(tests, a_call_that_waits_long_holds_up_nobody);
    ADD_TEST(tests, many_calls_that_wait_long_hold_up_nobody);
    ADD_TEST(tests, a_call_that_waits_ends_with_its_time_and_others_go_on);
    ADD_TEST(tests, a_drain_is_prompt_and_loses_nothing);
    ADD_TEST(tests, traffic_is_counted);
    ADD_TEST(tests, connecting_gives_up_in_the_time_given);
    ADD_TEST(tests, a_round_trip_is_measured);
    ADD_TEST(tests, too_large_a_request_is_refused_in_words);
}

RUN_TESTS("bus request", add)
