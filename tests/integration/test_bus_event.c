/* SPDX-License-Identifier: Apache-2.0 */
/* Events: into the stream once, out of it until they are applied. */
#include "bus_echo.h"

#include "bus/internal.h"

static struct error err;

static void event_set_up(void)
{
    set_up();
    ck_assert_msg(bus_setup(bus, &err) == ST_OK, "%s", err.message);
}

static uint64_t stored(const char *stream)
{
    jsStreamInfo *info = NULL;

    ck_assert_int_eq(js_GetStreamInfo(&info, bus->js, stream, NULL, NULL), NATS_OK);
    uint64_t n = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return n;
}

static enum status publish(const char *subject, const char *id, const char *text)
{
    static const struct bus_header headers[] = {{"Mal-Actor", "ana"},
                                                {"Mal-Request-Id", "r-1"},
                                                {"Mal-Time", "2026-03-02T09:30:00.120Z"},
                                                {NULL, NULL}};

    return bus_event_publish(bus, subject, id, headers, text, strlen(text), 2000);
}

/* What a consumer or tail saw. */
static struct seen {
    pthread_mutex_t lock;
    char text[4096][24];
    size_t n, batches, gaps;
    int max_delivered;
    size_t max_batch;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_int fail_times;        /* fn fails that often */
static _Atomic(const char *) poison; /* fn fails when a batch has that text */
static _Atomic(enum status) failure = ST_INTERNAL;

static size_t n_seen(void)
{
    pthread_mutex_lock(&seen.lock);
    size_t n = seen.n;
    pthread_mutex_unlock(&seen.lock);
    return n;
}

static size_t n_gaps(void)
{
    pthread_mutex_lock(&seen.lock);
    size_t n = seen.gaps;
    pthread_mutex_unlock(&seen.lock);
    return n;
}

static void note(const struct bus_event *event)
{
    (void)snprintf(seen.text[seen.n++], sizeof(seen.text[0]), "%.*s", (int)event->len,
                   (const char *)event->data);
    if (event->delivered > seen.max_delivered)
        seen.max_delivered = event->delivered;
}

static enum status apply(const struct bus_event *events, size_t n, void *arg)
{
    enum status status = ST_OK;
    const char *bad = atomic_load(&poison);

    (void)arg;
    if (atomic_load(&fail_times) > 0) {
        atomic_fetch_sub(&fail_times, 1);
        return atomic_load(&failure);
    }
    for (size_t i = 0; i < n && bad; i++)
        if (events[i].len == strlen(bad) && memcmp(events[i].data, bad, strlen(bad)) == 0)
            status = ST_INTERNAL;
    if (status != ST_OK)
        return status;
    pthread_mutex_lock(&seen.lock);
    for (size_t i = 0; i < n; i++)
        note(&events[i]);
    seen.batches++;
    if (n > seen.max_batch)
        seen.max_batch = n;
    pthread_mutex_unlock(&seen.lock);
    return ST_OK;
}

static struct bus_consumer *consume(const char *durable, const char *filter, int batch, int pending)
{
    struct bus_consumer *consumer = NULL;
    struct bus_consumer_options options = {.durable = durable,
                                           .filter = filter,
                                           .max_batch = batch,
                                           .max_ack_pending = pending,
                                           .fn = apply};

    ck_assert_msg(bus_consume(bus, &options, &consumer, &err) == ST_OK, "%s", err.message);
    return consumer;
}

START_TEST(setup_can_be_done_by_everyone)
{
    struct bus *other = connect_bus("other");

    ck_assert_int_eq(bus_setup(bus, &err), ST_OK);
    ck_assert_int_eq(bus_setup(other, &err), ST_OK);
    bus_free(other);
}
END_TEST

START_TEST(an_event_is_stored_once_however_often_it_is_published)
{
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-2", "two"), ST_OK);
    ck_assert_uint_eq(stored("MAL_EVT"), 2);
    /* A restart does not forget. */
    nats_server_restart(&nats);
    AWAIT(bus_up(bus), 5000);
    AWAIT(publish("mal.evt.test.a", "id-2", "two") == ST_OK, 5000);
    ck_assert_uint_eq(stored("MAL_EVT"), 2);
}
END_TEST

START_TEST(an_event_outside_the_stream_is_not_acknowledged)
{
    ck_assert_int_eq(publish("mal.nowhere.test", "id-1", "one"), ST_UNAVAILABLE);
}
END_TEST

static struct bus_event first_event;
static char first_words[5][64];

static enum status keep_first(const struct bus_event *events, size_t n, void *arg)
{
    (void)n;
    (void)arg;
    const char *words[] = {events->subject, events->event_id, events->actor, events->request_id,
                           events->time};
    for (size_t i = 0; i < 5; i++)
        (void)snprintf(first_words[i], sizeof(first_words[0]), "%s", words[i]);
    first_event = *events;
    pthread_mutex_lock(&seen.lock);
    seen.n++;
    pthread_mutex_unlock(&seen.lock);
    return ST_OK;
}

START_TEST(a_consumer_sees_what_was_published)
{
    struct bus_consumer *consumer = NULL;
    struct bus_consumer_options options = {
        .durable = "all", .filter = "mal.evt.>", .max_batch = 1, .fn = keep_first};

    ck_assert_int_eq(publish("mal.evt.test.a.b", "id-1", "one"), ST_OK);
    ck_assert_int_eq(bus_consume(bus, &options, &consumer, &err), ST_OK);
    AWAIT(n_seen() == 1, 3000);
    ck_assert_str_eq(first_words[0], "mal.evt.test.a.b");
    ck_assert_str_eq(first_words[1], "id-1");
    ck_assert_str_eq(first_words[2], "ana");
    ck_assert_str_eq(first_words[3], "r-1");
    ck_assert_str_eq(first_words[4], "2026-03-02T09:30:00.120Z");
    ck_assert_uint_eq(first_event.sequence, 1);
    ck_assert_int_eq(first_event.delivered, 1);
    ck_assert_uint_eq(first_event.len, 3);
    bus_consumer_stop(consumer);
}
END_TEST

START_TEST(batches_are_bounded_and_the_filter_holds)
{
    char id[16];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        ck_assert_int_eq(publish(i % 2 ? "mal.evt.test.odd" : "mal.evt.test.even", id, id), ST_OK);
    }
    struct bus_consumer *consumer = consume("even", "mal.evt.test.even", 20, 100);
    AWAIT(n_seen() == 50, 3000);
    ck_assert_uint_le(seen.max_batch, 20);
    ck_assert_uint_lt(seen.batches, 50);
    for (size_t i = 0; i < 50; i++) {
        (void)snprintf(id, sizeof(id), "id-%zu", i * 2);
        ck_assert_str_eq(seen.text[i], id);
    }
    bus_consumer_stop(consumer);
}
END_TEST

/* The server is asked for 256 at a time. A machine that halts in between may
 * end one batch early, not ten. */
START_TEST(a_batch_takes_more_than_one_request_brings)
{
    enum { EVENTS = 300, TRIES = 10 };
    char id[16];

    for (int i = 0; i < EVENTS; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        ck_assert_int_eq(publish("mal.evt.test.a", id, id), ST_OK);
    }
    for (size_t tries = 1; tries <= TRIES && seen.max_batch < EVENTS; tries++) {
        (void)snprintf(id, sizeof(id), "wide-%zu", tries);
        struct bus_consumer *consumer = consume(id, "mal.evt.>", EVENTS, EVENTS);

        AWAIT(n_seen() == tries * EVENTS, 3000);
        bus_consumer_stop(consumer);
    }
    ck_assert_uint_eq(seen.max_batch, EVENTS);
}
END_TEST

START_TEST(what_was_applied_does_not_come_again)
{
    struct bus_consumer *consumer = consume("once", "mal.evt.>", 10, 100);

    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    AWAIT(n_seen() == 1, 3000);
    bus_consumer_stop(consumer);
    consumer = consume("once", "mal.evt.>", 10, 100);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-2", "two"), ST_OK);
    AWAIT(n_seen() == 2, 3000);
    ck_assert_str_eq(seen.text[1], "two");
    bus_consumer_stop(consumer);
}
END_TEST

START_TEST(a_failed_event_comes_again)
{
    struct bus_consumer *consumer = consume("again", "mal.evt.>", 10, 100);

    atomic_store(&fail_times, 1);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    AWAIT(n_seen() == 1, 5000);
    ck_assert_int_eq(seen.max_delivered, 2);
    bus_consumer_stop(consumer);
}
END_TEST

START_TEST(a_consumer_that_is_not_able_now_keeps_its_events)
{
    struct bus_consumer *consumer = consume("later", "mal.evt.>", 10, 100);

    atomic_store(&failure, ST_UNAVAILABLE);
    atomic_store(&fail_times, 2);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    AWAIT(n_seen() == 1, 5000);
    ck_assert_int_eq(seen.max_delivered, 1); /* no failed delivery */
    bus_consumer_stop(consumer);
}
END_TEST

static atomic_int slow_ms; /* how long fn takes */

static enum status apply_slowly(const struct bus_event *events, size_t n, void *arg)
{
    usleep((useconds_t)atomic_load(&slow_ms) * 1000);
    return apply(events, n, arg);
}

START_TEST(an_event_that_takes_long_stays_with_who_has_it)
{
    struct bus_consumer *first = NULL, *second = NULL;
    struct bus_consumer_options options = {
        .durable = "slow", .filter = "mal.evt.>", .max_batch = 1, .fn = apply_slowly};

    atomic_store(&slow_ms, 13000); /* longer than an acknowledgement is waited for */
    ck_assert_int_eq(bus_consume(bus, &options, &first, &err), ST_OK);
    ck_assert_int_eq(bus_consume(bus, &options, &second, &err), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    AWAIT(n_seen() == 1, 15000);
    usleep(1000000); /* a second delivery would come in this time */
    ck_assert_uint_eq(n_seen(), 1);
    ck_assert_int_eq(seen.max_delivered, 1);
    bus_consumer_stop(first);
    bus_consumer_stop(second);
}
END_TEST

START_TEST(events_of_a_killed_process_come_to_the_next_one)
{
    struct bus_consumer *consumer = consume("heir", "mal.evt.>", 1, 1);
    struct bus_message msg;
    natsMsg *reply = NULL;

    bus_consumer_stop(consumer); /* it exists now */
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    /* Somebody takes it and is never heard of again. */
    ck_assert_int_eq(natsConnection_RequestString(
                         &reply, bus->nc, "$JS.API.CONSUMER.MSG.NEXT.MAL_EVT.heir", "1", 2000),
                     NATS_OK);
    bus_msg_wrap(reply, &msg);
    bus_message_release(&msg);
    consumer = consume("heir", "mal.evt.>", 1, 1);
    AWAIT(n_seen() == 1, 12000);
    bus_consumer_stop(consumer);
}
END_TEST

START_TEST(a_bad_event_does_not_hold_up_its_batch_mates)
{
    atomic_store(&poison, "bad");
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-2", "bad"), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-3", "two"), ST_OK);
    struct bus_consumer *consumer = consume("mates", "mal.evt.>", 10, 100);
    AWAIT(n_seen() == 2, 3000);
    ck_assert_str_eq(seen.text[0], "one");
    ck_assert_str_eq(seen.text[1], "two");
    atomic_store(&poison, NULL);
    AWAIT(n_seen() == 3, 5000);
    bus_consumer_stop(consumer);
}
END_TEST

START_TEST(one_pending_event_keeps_the_order_over_failures)
{
    char id[16];
    struct bus_consumer *consumer = consume("order", "mal.evt.>", 10, 1);

    atomic_store(&fail_times, 2);
    for (int i = 0; i < 600; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        ck_assert_int_eq(publish("mal.evt.test.a", id, id), ST_OK);
    }
    AWAIT(n_seen() == 600, 10000);
    for (size_t i = 0; i < 600; i++) {
        (void)snprintf(id, sizeof(id), "id-%zu", i);
        ck_assert_str_eq(seen.text[i], id);
    }
    bus_consumer_stop(consumer);
}
END_TEST

/* Makes the server deliver it again and again without our waiting. */
static void refuse_many(const char *durable, int times)
{
    struct bus_message msg;
    char subject[128];

    (void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.MAL_EVT.%s", durable);
    for (int i = 0; i < times; i++) {
        natsMsg *reply = NULL;
        ck_assert_int_eq(natsConnection_RequestString(&reply, bus->nc, subject, "1", 2000),
                         NATS_OK);
        bus_msg_wrap(reply, &msg);
        ck_assert_ptr_nonnull(msg.reply);
        ck_assert_int_eq(bus_publish(bus, msg.reply, NULL, "-NAK", 4), ST_OK);
        bus_message_release(&msg);
    }
}

START_TEST(after_twenty_deliveries_an_event_is_put_aside)
{
    struct bus_consumer *consumer = consume("grave", "mal.evt.>", 10, 100);

    bus_consumer_stop(consumer); /* it exists now */
    atomic_store(&poison, "bad");
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "bad"), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-2", "good"), ST_OK);
    natsMsg *msg = NULL;
    (void)msg;
    refuse_many("grave", 2 * (BUS_MAX_DELIVERIES - 1));
    consumer = consume("grave", "mal.evt.>", 10, 100);
    AWAIT(n_seen() == 1, 5000);
    ck_assert_str_eq(seen.text[0], "good");
    AWAIT(stored("MAL_DEAD") == 1, 5000);
    ck_assert_int_eq(js_GetLastMsg(&msg, bus->js, "MAL_DEAD", "mal.dead.grave", NULL, NULL),
                     NATS_OK);
    ck_assert_uint_eq(natsMsg_GetDataLength(msg), 3);
    ck_assert_mem_eq(natsMsg_GetData(msg), "bad", 3);
    ck_assert_str_eq(bus_msg_header(msg, "Mal-Subject"), "mal.evt.test.a");
    ck_assert_str_eq(bus_msg_header(msg, "Mal-Event-Id"), "id-1");
    ck_assert_str_eq(bus_msg_header(msg, "Mal-Actor"), "ana");
    natsMsg_Destroy(msg);
    bus_consumer_stop(consumer);
}
END_TEST

static bool was_seen(const char *text)
{
    bool found = false;

    pthread_mutex_lock(&seen.lock);
    for (size_t i = 0; i < seen.n; i++)
        found = found || strcmp(seen.text[i], text) == 0;
    pthread_mutex_unlock(&seen.lock);
    return found;
}

/* What was applied before may come again: a killed server forgets what was
 * acknowledged last. */
START_TEST(a_consumer_goes_on_after_a_restart)
{
    struct bus_consumer *consumer = consume("restart", "mal.evt.>", 10, 100);
    char id[16];

    for (int i = 0; i < 3; i++) {
        (void)snprintf(id, sizeof(id), "id-%d", i);
        AWAIT(publish("mal.evt.test.a", id, id) == ST_OK, 5000);
        AWAIT(was_seen(id), 5000);
        if (i == 0)
            nats_server_restart(&nats);
        else
            nats_server_kill(&nats), nats_server_restart(&nats);
        AWAIT(bus_up(bus), 5000);
    }
    bus_consumer_stop(consumer);
}
END_TEST

START_TEST(a_consumer_stops_at_once)
{
    struct bus_consumer *consumer = consume("stop", "mal.evt.>", 10, 100);
    int64_t start = clock_mono_ms();

    usleep(50000);
    bus_consumer_stop(consumer);
    ck_assert_int_lt(clock_mono_ms() - start, 500);
    nats_server_kill(&nats);
}
END_TEST

/* ---- tails ---- */

static void follow(const struct bus_event *event, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&seen.lock);
    if (event)
        note(event);
    else
        seen.gaps++;
    pthread_mutex_unlock(&seen.lock);
}

START_TEST(a_tail_sees_only_what_is_new_and_in_order)
{
    struct bus_tail *tail = NULL;
    char id[16];

    ck_assert_int_eq(publish("mal.evt.test.a", "old", "old"), ST_OK);
    ck_assert_int_eq(bus_tail(bus, "mal.evt.>", follow, NULL, &tail), ST_OK);
    for (int i = 0; i < 600; i++) { /* more than one pull request */
        (void)snprintf(id, sizeof(id), "id-%d", i);
        ck_assert_int_eq(publish("mal.evt.test.a", id, id), ST_OK);
    }
    AWAIT(n_seen() == 600, 5000);
    for (size_t i = 0; i < 600; i++) {
        (void)snprintf(id, sizeof(id), "id-%zu", i);
        ck_assert_str_eq(seen.text[i], id);
    }
    ck_assert_uint_eq(seen.gaps, 0);
    bus_tail_stop(tail);
}
END_TEST

START_TEST(a_tail_misses_nothing_over_a_restart)
{
    struct bus_tail *tail = NULL;
    struct bus *other;

    ck_assert_int_eq(publish("mal.evt.test.a", "old-1", "old"), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "old-2", "old"), ST_OK);
    ck_assert_int_eq(bus_tail(bus, "mal.evt.>", follow, NULL, &tail), ST_OK);
    nats_server_restart(&nats); /* before the first event */
    other = connect_bus("other");
    AWAIT(bus_event_publish(other, "mal.evt.test.a", "id-1", NULL, "one", 3, 1000) == ST_OK, 5000);
    /* A request that is lost with the server costs the tail BUS_API_MS (5 s). */
    AWAIT(n_seen() == 1, 20000);
    nats_server_restart(&nats);
    AWAIT(bus_event_publish(other, "mal.evt.test.a", "id-2", NULL, "two", 3, 1000) == ST_OK, 5000);
    AWAIT(n_seen() == 2, 20000);
    ck_assert_str_eq(seen.text[0], "one");
    ck_assert_str_eq(seen.text[1], "two");
    ck_assert_uint_eq(seen.gaps, 0);
    bus_free(other);
    bus_tail_stop(tail);
}
END_TEST

START_TEST(a_tail_says_when_events_are_gone)
{
    struct bus_tail *tail = NULL;
    jsErrCode code;

    ck_assert_int_eq(bus_tail(bus, "mal.evt.>", follow, NULL, &tail), ST_OK);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-1", "one"), ST_OK);
    AWAIT(n_seen() == 1, 3000);
    /* The stream is lost and made anew. */
    ck_assert_int_eq(js_DeleteStream(bus->js, "MAL_EVT", NULL, &code), NATS_OK);
    ck_assert_int_eq(bus_setup(bus, &err), ST_OK);
    AWAIT(n_gaps() >= 1, 20000);
    ck_assert_int_eq(publish("mal.evt.test.a", "id-9", "nine"), ST_OK);
    AWAIT(n_seen() >= 2, 20000);
    bus_tail_stop(tail);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, setup_can_be_done_by_everyone);
    ADD_TEST(tests, an_event_is_stored_once_however_often_it_is_published);
    ADD_TEST(tests, an_event_outside_the_stream_is_not_acknowledged);
    ADD_TEST(tests, a_consumer_sees_what_was_published);
    ADD_TEST(tests, batches_are_bounded_and_the_filter_holds);
    ADD_TEST(tests, a_batch_takes_more_than_one_request_brings);
    ADD_TEST(tests, what_was_applied_does_not_come_again);
    ADD_TEST(tests, a_failed_event_comes_again);
    ADD_TEST(tests, a_consumer_that_is_not_able_now_keeps_its_events);
    ADD_TEST(tests, an_event_that_takes_long_stays_with_who_has_it);
    ADD_TEST(tests, events_of_a_killed_process_come_to_the_next_one);
    ADD_TEST(tests, a_bad_event_does_not_hold_up_its_batch_mates);
    ADD_TEST(tests, one_pending_event_keeps_the_order_over_failures);
    ADD_TEST(tests, after_twenty_deliveries_an_event_is_put_aside);
    ADD_TEST(tests, a_consumer_goes_on_after_a_restart);
    ADD_TEST(tests, a_consumer_stops_at_once);
    ADD_TEST(tests, a_tail_sees_only_what_is_new_and_in_order);
    ADD_TEST(tests, a_tail_misses_nothing_over_a_restart);
    ADD_TEST(tests, a_tail_says_when_events_are_gone);
}

#define set_up event_set_up
RUN_TESTS("bus event", add)
