/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of answers share subscriptions, and never answers. */
#include "bus_echo.h"

#include "bus/internal.h"

#define SUBJECT "test.stream"

static struct bus_message message;

/* Answers with the request's bytes, three times. */
static void answer_thrice(struct bus_message *msg, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(bus_publish(bus, msg->reply, NULL, msg->data, msg->len), ST_OK);
}

static struct bus_sub *answer_all(struct bus *on)
{
    struct bus_sub *sub = NULL;

    ck_assert_int_eq(bus_subscribe(on, SUBJECT, answer_thrice, NULL, &sub), ST_OK);
    ck_assert_int_eq(bus_check(on, NULL), ST_OK);
    return sub;
}

static struct bus_answers *ask_for(const char *text)
{
    struct bus_answers *answers = NULL;

    ck_assert_int_eq(bus_answers_begin(bus, &answers), ST_OK);
    ck_assert_int_eq(
        bus_publish_now(bus, SUBJECT, bus_answers_subject(answers), text, strlen(text)), ST_OK);
    return answers;
}

static void expect(struct bus_answers *answers, const char *text)
{
    ck_assert_int_eq(bus_answers_next(answers, 2000, &message), ST_OK);
    ck_assert_uint_eq(message.len, strlen(text));
    ck_assert_mem_eq(message.data, text, message.len);
    bus_message_release(&message);
}

START_TEST(each_stream_hears_its_own_answers_only)
{
    struct bus_sub *sub = answer_all(bus);
    struct bus_answers *first = ask_for("first"), *second = ask_for("second");

    for (int i = 0; i < 3; i++) {
        expect(second, "second");
        expect(first, "first");
    }
    ck_assert_int_eq(bus_answers_next(first, 20, &message), ST_DEADLINE_EXCEEDED);
    bus_answers_end(first, true);
    bus_answers_end(second, true);
    bus_sub_free(sub);
}
END_TEST

START_TEST(the_next_stream_takes_the_subscription_over_but_not_what_was_left)
{
    struct bus_sub *sub = answer_all(bus);
    struct bus_answers *answers = ask_for("first");
    size_t prefix = strlen(bus_answers_subject(answers)) - 1;
    char before[BUS_ANSWERS_SIZE];

    (void)snprintf(before, sizeof(before), "%s", bus_answers_subject(answers));
    expect(answers, "first"); /* two more are on the way */
    bus_answers_end(answers, true);
    answers = ask_for("second");
    ck_assert_int_eq(strncmp(before, bus_answers_subject(answers), prefix), 0);
    ck_assert_str_ne(before, bus_answers_subject(answers));
    for (int i = 0; i < 3; i++)
        expect(answers, "second");
    bus_answers_end(answers, true);
    bus_sub_free(sub);
}
END_TEST

START_TEST(an_unfinished_stream_takes_its_subscription_along)
{
    struct bus_answers *answers = ask_for("nobody");
    char before[BUS_ANSWERS_SIZE];
    struct bus_sub *sub;

    /* The server says that nobody listens, after we gave up. */
    (void)snprintf(before, sizeof(before), "%s", bus_answers_subject(answers));
    bus_answers_end(answers, false);
    sub = answer_all(bus);
    answers = ask_for("somebody");
    ck_assert_int_ne(strncmp(before, bus_answers_subject(answers), strlen(before) - 1), 0);
    expect(answers, "somebody");
    bus_answers_end(answers, false);
    bus_sub_free(sub);
}
END_TEST

START_TEST(nobody_there_is_told_at_once)
{
    struct bus_answers *answers = ask_for("nobody");
    int64_t start = clock_mono_ms();

    ck_assert_int_eq(bus_answers_next(answers, 5000, &message), ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
    bus_answers_end(answers, true);
}
END_TEST

START_TEST(a_stream_goes_on_after_the_server_was_restarted)
{
    struct bus_answers *answers = NULL, *later;
    struct bus_sub *sub = answer_all(bus);

    ck_assert_int_eq(bus_answers_begin(bus, &answers), ST_OK);
    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 5000);
    ck_assert_int_eq(bus_answers_begin(bus, &later), ST_UNAVAILABLE);
    nats_server_restart(&nats);
    AWAIT(bus_up(bus), 10000);
    ck_assert_int_eq(bus_publish_now(bus, SUBJECT, bus_answers_subject(answers), "on", 2), ST_OK);
    expect(answers, "on");
    bus_answers_end(answers, false);
    bus_sub_free(sub);
}
END_TEST

START_TEST(many_streams_at_once_are_counted_and_end)
{
    struct bus_sub *sub = answer_all(bus);
    struct bus_answers *answers[100];
    struct bus_stats stats;
    char text[16];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            (void)snprintf(text, sizeof(text), "n%d", i);
            answers[i] = ask_for(text);
        }
        bus_stats(bus, &stats);
        ck_assert_int_eq(stats.in_flight, 100);
        for (int i = 0; i < 100; i++) {
            (void)snprintf(text, sizeof(text), "n%d", i);
            for (int k = 0; k < 3; k++)
                expect(answers[i], text);
            bus_answers_end(answers[i], true);
        }
    }
    bus_stats(bus, &stats);
    ck_assert_int_eq(stats.in_flight, 0);
    ck_assert_int_le(bus->n_spare, 64);
    bus_sub_free(sub);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, each_stream_hears_its_own_answers_only);
    ADD_TEST(tests, the_next_stream_takes_the_subscription_over_but_not_what_was_left);
    ADD_TEST(tests, an_unfinished_stream_takes_its_subscription_along);
    ADD_TEST(tests, nobody_there_is_told_at_once);
    ADD_TEST(tests, a_stream_goes_on_after_the_server_was_restarted);
    ADD_TEST(tests, many_streams_at_once_are_counted_and_end);
}

RUN_TESTS("bus answers", add)
