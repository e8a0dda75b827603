/* SPDX-License-Identifier: Apache-2.0 */
/* The event queue: nothing lost, nothing doubled, nobody kept waiting. */
#include "bus_echo.h"

#include "bus/internal.h"

static struct error err;

static void queue_set_up(void)
{
    set_up();
    ck_assert_msg(bus_setup(bus, &err) == ST_OK, "%s", err.message);
}

static struct bus_event_queue *queue_new(size_t capacity)
{
    struct bus_event_queue *queue = NULL;

    ck_assert_int_eq(bus_event_queue_new(bus, capacity, &queue), ST_OK);
    return queue;
}

static void add_one(struct bus_event_queue *queue, int i)
{
    static const struct bus_header headers[] = {{"Mal-Actor", "ana"}, {NULL, NULL}};
    char id[16];

    (void)snprintf(id, sizeof(id), "id-%d", i);
    bus_event_queue_add(queue, "mal.evt.test.a", id, headers, id, strlen(id));
}

static uint64_t stat_of(const struct bus_event_queue *queue, int which)
{
    uint64_t stats[3];

    bus_event_queue_stats(queue, &stats[0], &stats[1], &stats[2]);
    return stats[which];
}
#define SENT(queue) stat_of(queue, 0)
#define DROPPED(queue) stat_of(queue, 1)
#define WAITING(queue) stat_of(queue, 2)

/* Every event of the stream, by number; each must be there once. */
static atomic_uchar times[20000];
static atomic_int last_number, n_read;
static atomic_bool in_order = true;

static enum status read_event(const struct bus_event *events, size_t n, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++) {
        int number = (int)strtol(events[i].event_id + 3, NULL, 10);
        atomic_fetch_add(&times[number], 1);
        if (number < atomic_exchange(&last_number, number))
            atomic_store(&in_order, false);
        atomic_fetch_add(&n_read, 1);
    }
    return ST_OK;
}

static void check_stream(int n)
{
    struct bus_consumer *consumer = NULL;
    struct bus_consumer_options options = {
        .durable = "check", .filter = "mal.evt.>", .max_batch = 500, .fn = read_event};
    jsStreamInfo *info = NULL;

    AWAIT(bus_consume(bus, &options, &consumer, &err) == ST_OK, 5000);
    AWAIT(atomic_load(&n_read) >= n, 20000);
    bus_consumer_stop(consumer);
    for (int i = 0; i < n; i++)
        ck_assert_msg(atomic_load(&times[i]) == 1, "event %d is there %d times", i,
                      atomic_load(&times[i]));
    ck_assert_int_eq(js_GetStreamInfo(&info, bus->js, "MAL_EVT", NULL, NULL), NATS_OK);
    ck_assert_uint_eq(info->State.Msgs, (uint64_t)n);
    jsStreamInfo_Destroy(info);
}

START_TEST(what_is_added_is_stored_once_and_in_order)
{
    struct bus_event_queue *queue = queue_new(10000);

    for (int i = 0; i < 3000; i++)
        add_one(queue, i);
    AWAIT(SENT(queue) == 3000, 10000);
    ck_assert_uint_eq(WAITING(queue), 0);
    ck_assert_uint_eq(DROPPED(queue), 0);
    check_stream(3000);
    ck_assert(atomic_load(&in_order));
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(beyond_its_capacity_events_are_dropped_and_counted)
{
    struct bus_event_queue *queue = queue_new(10);

    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 2000);
    int64_t start = clock_mono_ms();
    for (int i = 0; i < 15; i++)
        add_one(queue, i);
    ck_assert_int_lt(clock_mono_ms() - start, 100); /* nobody waits */
    ck_assert_uint_eq(DROPPED(queue), 5);
    ck_assert_uint_eq(WAITING(queue), 10);
    nats_server_restart(&nats);
    AWAIT(SENT(queue) == 10, 10000);
    check_stream(10);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(outages_lose_nothing_and_double_nothing)
{
    struct bus_event_queue *queue = queue_new(20000);
    int i = 0;

    for (int round = 0; round < 4; round++) {
        for (int j = 0; j < 700; j++)
            add_one(queue, i++);
        if (round % 2)
            nats_server_kill(&nats); /* with acknowledgements on their way */
        else
            nats_server_stop(&nats);
        for (int j = 0; j < 300; j++)
            add_one(queue, i++);
        nats_server_restart(&nats);
        AWAIT(bus_up(bus), 5000);
    }
    AWAIT(WAITING(queue) == 0, 20000);
    ck_assert_uint_eq(SENT(queue), (uint64_t)i);
    ck_assert_uint_eq(DROPPED(queue), 0);
    check_stream(i);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(a_server_that_hangs_gets_nothing_twice)
{
    struct bus_event_queue *queue = queue_new(1000);

    add_one(queue, 0);
    AWAIT(SENT(queue) == 1, 3000);
    nats_server_freeze(&nats, 1);
    for (int i = 1; i < 100; i++)
        add_one(queue, i);
    usleep(6500000); /* longer than an acknowledgement is waited for */
    ck_assert_uint_eq(SENT(queue), 1);
    nats_server_freeze(&nats, 0);
    AWAIT(SENT(queue) == 100, 10000);
    check_stream(100);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(freeing_sends_what_waits_first)
{
    struct bus_event_queue *queue = queue_new(5000);

    for (int i = 0; i < 2000; i++)
        add_one(queue, i);
    bus_event_queue_free(queue, 10000);
    check_stream(2000);
}
END_TEST

START_TEST(freeing_without_a_server_ends_in_the_time_given)
{
    struct bus_event_queue *queue = queue_new(5000);

    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 2000);
    for (int i = 0; i < 100; i++)
        add_one(queue, i);
    int64_t start = clock_mono_ms();
    bus_event_queue_free(queue, 300);
    ck_assert_int_ge(clock_mono_ms() - start, 250);
    ck_assert_int_lt(clock_mono_ms() - start, 2000);
}
END_TEST

START_TEST(an_event_that_no_stream_takes_waits_and_does_not_stop_the_others)
{
    struct bus_event_queue *queue = queue_new(100);
    size_t len = 9 << 20;
    char *large = calloc(1, len);

    bus_event_queue_add(queue, "mal.evt.test.a", "id-7", NULL, large, len);
    free(large);
    for (int i = 0; i < 5; i++)
        add_one(queue, i);
    AWAIT(SENT(queue) == 5, 10000);
    AWAIT(DROPPED(queue) == 1, 10000);
    bus_event_queue_free(queue, 1000);
}
END_TEST

static void *add_many(void *arg)
{
    static atomic_int next;

    for (int i = 0; i < 500; i++)
        add_one(arg, atomic_fetch_add(&next, 1));
    return NULL;
}

START_TEST(many_threads_may_add)
{
    struct bus_event_queue *queue = queue_new(10000);
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, add_many, queue);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    AWAIT(SENT(queue) == 4000, 10000);
    check_stream(4000);
    bus_event_queue_free(queue, 1000);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, what_is_added_is_stored_once_and_in_order);
    ADD_TEST(tests, beyond_its_capacity_events_are_dropped_and_counted);
    ADD_TEST(tests, outages_lose_nothing_and_double_nothing);
    ADD_TEST(tests, a_server_that_hangs_gets_nothing_twice);
    ADD_TEST(tests, freeing_sends_what_waits_first);
    ADD_TEST(tests, freeing_without_a_server_ends_in_the_time_given);
    tcase_add_test(tests, an_event_that_no_stream_takes_waits_and_does_not_stop_the_others);
    ADD_TEST(tests, many_threads_may_add);
}

#define set_up queue_set_up
RUN_TESTS("bus queue", add)
