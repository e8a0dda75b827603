/* SPDX-License-Identifier: Apache-2.0 */
/* Events that share messages: whoever reads them sees no difference. */
#include "bus_echo.h"

#include "base/strbuf.h"
#include "bus/internal.h"

#include <signal.h>
#include <sys/wait.h>

enum { EVENTS_MAX = 4000 };

static struct error err;

static void riders_set_up(void)
{
    set_up();
    ck_assert_msg(bus_setup(bus, &err) == ST_OK, "%s", err.message);
}

static struct bus_event_queue *queue_new(void)
{
    struct bus_event_queue *queue = NULL;

    ck_assert_int_eq(bus_event_queue_new(bus, 10000, &queue), ST_OK);
    bus_event_queue_share(queue, false);
    return queue;
}

/* Everything about the event can be told from its number. */
static void add_one(struct bus_event_queue *queue, const char *subject, int i)
{
    char id[32], actor[32], data[32];
    const struct bus_header headers[] = {{"Mal-Actor", actor},
                                         {"Mal-Time", "2026-03-02T09:30:00.120Z"},
                                         {"Mal-Request-Id", "r"},
                                         {NULL, NULL}};

    (void)snprintf(id, sizeof(id), "id-%d", i);
    (void)snprintf(actor, sizeof(actor), "actor-%d", i);
    (void)snprintf(data, sizeof(data), "data-%d", i);
    bus_event_queue_add(queue, subject, id, headers, data, strlen(data));
}

static void add_many(struct bus_event_queue *queue, int n)
{
    uint64_t sent = 0, dropped = 0, waiting = 1;

    for (int i = 0; i < n; i++)
        add_one(queue, "mal.evt.test.a", i);
    AWAIT((bus_event_queue_stats(queue, &sent, &dropped, &waiting), waiting == 0), 20000);
    ck_assert_uint_eq(dropped, 0);
}

static uint64_t messages(void)
{
    jsStreamInfo *info = NULL;
    uint64_t n;

    ck_assert_int_eq(js_GetStreamInfo(&info, bus->js, "MAL_EVT", NULL, NULL), NATS_OK);
    n = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return n;
}

/* ---- readers ---- */

static atomic_uchar times[EVENTS_MAX];
static atomic_int n_seen, last_number, most;
static atomic_bool in_order, poisoned;

static void forget(void)
{
    for (size_t i = 0; i < EVENTS_MAX; i++)
        atomic_store(&times[i], 0);
    atomic_store(&n_seen, 0);
    atomic_store(&last_number, -1);
    atomic_store(&most, 0);
    atomic_store(&in_order, true);
}

static void see(const struct bus_event *event)
{
    int number = (int)strtol(event->event_id + 3, NULL, 10);
    char actor[32], data[16];

    (void)snprintf(actor, sizeof(actor), "actor-%d", number);
    (void)snprintf(data, sizeof(data), "data-%d", number);
    ck_assert_str_eq(event->actor, actor);
    ck_assert_str_eq(event->time, "2026-03-02T09:30:00.120Z");
    ck_assert_str_eq(event->request_id, "r");
    ck_assert_uint_eq(event->len, strlen(data));
    ck_assert_mem_eq(event->data, data, event->len);
    ck_assert_uint_gt(event->sequence, 0);
    if (number <= atomic_exchange(&last_number, number))
        atomic_store(&in_order, false);
    atomic_fetch_add(&times[number], 1);
    atomic_fetch_add(&n_seen, 1);
}

static enum status see_all(const struct bus_event *events, size_t n, void *arg)
{
    (void)arg;
    if ((int)n > atomic_load(&most))
        atomic_store(&most, (int)n);
    for (size_t i = 0; i < n && atomic_load(&poisoned); i++)
        if (strcmp(events[i].event_id, "id-70") == 0)
            return ST_INTERNAL;
    for (size_t i = 0; i < n; i++)
        see(&events[i]);
    return ST_OK;
}

/* The same; a message begins with its own event, and each call with a message. */
static enum status see_whole(const struct bus_event *events, size_t n, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        bool begins = i == 0 || events[i].message_id != events[i - 1].message_id;

        ck_assert_int_eq(strcmp(events[i].event_id, events[i].message_id) == 0, begins);
    }
    return see_all(events, n, arg);
}

/* What the options leave out is as most tests want it. */
static struct bus_consumer *consume_as(struct bus_consumer_options options)
{
    struct bus_consumer *consumer = NULL;

    options.durable = "check";
    if (!options.filter)
        options.filter = "mal.evt.>";
    if (!options.fn)
        options.fn = see_all;
    forget();
    ck_assert_int_eq(bus_consume(bus, &options, &consumer, &err), ST_OK);
    return consumer;
}

static struct bus_consumer *consume(int max_batch, int pending)
{
    return consume_as(
        (struct bus_consumer_options){.max_batch = max_batch, .max_ack_pending = pending});
}

static struct bus_consumer *consume_whole(int max_batch)
{
    return consume_as((struct bus_consumer_options){
        .max_batch = max_batch, .whole_messages = true, .fn = see_whole});
}

static void check_each_once(int n)
{
    AWAIT(atomic_load(&n_seen) >= n, 20000);
    for (int i = 0; i < n; i++)
        ck_assert_msg(atomic_load(&times[i]) == 1, "event %d came %d times", i,
                      atomic_load(&times[i]));
}

START_TEST(many_that_wait_share_messages_and_come_apart)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;
    uint64_t applied, failed, dead;

    add_many(queue, 3000);
    ck_assert_uint_lt(messages(), 300);
    consumer = consume(500, 1000);
    check_each_once(3000);
    ck_assert(atomic_load(&in_order));
    ck_assert_int_lt(atomic_load(&most), 501);
    AWAIT((bus_consumer_stats(consumer, &applied, &failed, &dead), applied == 3000), 5000);
    bus_consumer_stop(consumer);
    consumer = consume(500, 1000); /* all were acknowledged */
    usleep(300000);                /* what was not acknowledged would come again */
    ck_assert_int_eq(atomic_load(&n_seen), 0);
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(few_have_a_message_each)
{
    struct bus_event_queue *queue = queue_new();

    add_many(queue, 40);
    ck_assert_uint_eq(messages(), 40);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(each_subject_has_messages_of_its_own)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;
    uint64_t sent = 0, dropped, waiting;

    for (int i = 0; i < 300; i++)
        add_one(queue, i % 2 ? "mal.evt.test.a" : "mal.evt.test.b", i);
    AWAIT((bus_event_queue_stats(queue, &sent, &dropped, &waiting), sent == 300), 10000);
    ck_assert_uint_le(messages(), 60);
    consumer =
        consume_as((struct bus_consumer_options){.filter = "mal.evt.test.b", .max_batch = 100});
    AWAIT(atomic_load(&n_seen) >= 150, 10000);
    bus_consumer_stop(consumer);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(atomic_load(&times[i]), i % 2 ? 0 : 1);
    bus_event_queue_free(queue, 1000);
}
END_TEST

static enum status see_bare(const struct bus_event *events, size_t n, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++) {
        bool first = strcmp(events[i].event_id, events[i].message_id) == 0;
        char data[24];

        (void)snprintf(data, sizeof(data), "data-%s", events[i].event_id + 3);
        ck_assert_uint_eq(events[i].len, strlen(data));
        ck_assert_mem_eq(events[i].data, data, events[i].len);
        ck_assert_int_eq(*events[i].actor != '\0', first);
        ck_assert_int_eq(*events[i].request_id != '\0', first);
        ck_assert_int_eq(*events[i].time != '\0', first);
        atomic_fetch_add(&times[strtol(events[i].event_id + 3, NULL, 10)], 1);
        atomic_fetch_add(&n_seen, 1);
    }
    return ST_OK;
}

START_TEST(bare_ones_have_headers_only_as_the_first_of_a_message)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;

    bus_event_queue_share(queue, true);
    add_many(queue, 700);
    ck_assert_uint_lt(messages(), 100);
    consumer = consume_as((struct bus_consumer_options){.max_batch = 100, .fn = see_bare});
    check_each_once(700);
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(who_takes_one_at_a_time_gets_one_at_a_time)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;

    add_many(queue, 300);
    consumer = consume(1, 1);
    check_each_once(300);
    ck_assert_int_eq(atomic_load(&most), 1);
    ck_assert(atomic_load(&in_order));
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(who_wants_messages_gets_them_whole)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;

    add_many(queue, 1000);
    ck_assert_uint_lt(messages(), 20);
    consumer = consume_whole(10);
    check_each_once(1000);
    ck_assert_int_ge(atomic_load(&most), 1000 / 20);
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(a_whole_message_fails_as_one)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;
    uint64_t applied = 0, failed = 0, dead = 0;

    add_many(queue, 1000);
    atomic_store(&poisoned, true);
    consumer = consume_whole(1000);
    AWAIT((bus_consumer_stats(consumer, &applied, &failed, &dead), failed >= 2), 10000);
    for (int i = 0; i <= BUS_RIDERS_MAX; i++)
        ck_assert_int_eq(atomic_load(&times[i]), 0);
    atomic_store(&poisoned, false);
    check_each_once(1000);
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(one_that_fails_keeps_its_message_only)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;
    uint64_t applied = 0, failed = 0, dead = 0;

    add_many(queue, 640);
    atomic_store(&poisoned, true);
    consumer = consume(640, 1000);
    AWAIT((bus_consumer_stats(consumer, &applied, &failed, &dead), failed >= 2), 10000);
    atomic_store(&poisoned, false);
    AWAIT(atomic_load(&times[70]) > 0, 10000);
    for (int i = 0; i < 640; i++) {
        ck_assert_int_ge(atomic_load(&times[i]), 1); /* mates of its message come again */
        if (i > BUS_RIDERS_MAX)
            ck_assert_int_eq(atomic_load(&times[i]), 1);
    }
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

static void see_one(const struct bus_event *event, void *arg)
{
    (void)arg;
    if (event)
        see(event);
}

START_TEST(tails_and_readers_get_each)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_stream stream;
    struct bus_tail *tail = NULL;

    forget();
    ck_assert_int_eq(bus_tail(bus, "mal.evt.>", see_one, NULL, &tail), ST_OK);
    add_many(queue, 700);
    check_each_once(700);
    ck_assert(atomic_load(&in_order));
    bus_tail_stop(tail);
    forget();
    ck_assert_int_eq(bus_read(bus,
                              &(struct bus_read_options){
                                  .reader = "check_read", .filter = "mal.evt.>", .fn = see_all},
                              &stream),
                     ST_OK);
    check_each_once(700);
    bus_event_queue_free(queue, 1000);
}
END_TEST

START_TEST(outages_lose_nothing_and_double_nothing)
{
    struct bus_event_queue *queue = queue_new();
    struct bus_consumer *consumer;
    uint64_t sent, dropped, waiting = 1;
    int i = 0;

    for (int round = 0; round < 3; round++) {
        for (int j = 0; j < 700; j++)
            add_one(queue, "mal.evt.test.a", i++);
        usleep(round * 60000); /* before, while and after they are sent */
        nats_server_kill(&nats);
        for (int j = 0; j < 300; j++)
            add_one(queue, "mal.evt.test.a", i++);
        nats_server_restart(&nats);
        AWAIT(bus_up(bus), 5000);
    }
    AWAIT((bus_event_queue_stats(queue, &sent, &dropped, &waiting), waiting == 0), 20000);
    ck_assert_uint_eq(dropped, 0);
    consumer = consume(500, 1000);
    check_each_once(i);
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
}
END_TEST

/* What a killed process left was perhaps stored already: it is sent again as it
 * was, so that the stream has it once. */
START_TEST(those_of_a_killed_process_come_once)
{
    char dir[] = "/tmp/mal-riders-XXXXXX";
    struct bus_consumer *consumer;
    uint64_t sent, dropped, waiting = 1;
    struct bus_event_queue *queue;
    pid_t pid;
    int status;

#ifdef __SANITIZE_THREAD__
    return; /* it refuses new threads after a fork beside threads */
#endif
    ck_assert_ptr_nonnull(mkdtemp(dir));
    nats_server_freeze(&nats, 1); /* takes what it gets and answers nothing */
    pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 64; fd++)
            (void)close(fd); /* the parent's connection is not ours */
        nats_server_freeze(&nats, 0);
        bus = connect_bus("doomed");
        queue = queue_new();
        if (bus_event_queue_keep(queue, dir, &err) != ST_OK)
            _exit(1);
        nats_server_freeze(&nats, 1);
        for (int i = 0; i < 500; i++)
            add_one(queue, "mal.evt.test.a", i);
        usleep(400000); /* sent, and not acknowledged */
        (void)kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    nats_server_freeze(&nats, 0);
    queue = queue_new();
    ck_assert_msg(bus_event_queue_keep(queue, dir, &err) == ST_OK, "%s", err.message);
    AWAIT((bus_event_queue_stats(queue, &sent, &dropped, &waiting), waiting == 0), 20000);
    ck_assert_uint_eq(sent, 500);
    consumer = consume(500, 1000);
    AWAIT(atomic_load(&n_seen) >= 500, 20000);
    usleep(300000); /* doubled ones would come in this time */
    check_each_once(500);
    ck_assert_uint_lt(messages(), 20);
    bus_consumer_stop(consumer);
    bus_event_queue_free(queue, 1000);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_torn_message_gives_what_can_be_read)
{
    CLEANUP(strbuf_done) struct strbuf payload = STRBUF_INIT;
    struct bus_event out[1 + BUS_RIDERS_MAX];
    char text[BUS_RIDER_TEXT];
    size_t n;

    strbuf_str(&payload, "first");
    for (int i = 0; i < 3; i++)
        bus_rider_put(&payload, &(struct bus_event){.event_id = "id",
                                                    .actor = "ana",
                                                    .request_id = "",
                                                    .time = "t",
                                                    .data = "rider",
                                                    .len = 5});
    (void)bus_rider_header(text, 3, 5);
    for (size_t len = 0; len <= payload.len; len++) {
        char *copy = malloc(len + 1);

        memcpy(copy, payload.data, len);
        out[0] = (struct bus_event){.event_id = "first-id", .data = copy, .len = len};
        n = bus_events_split(out, text);
        ck_assert_uint_eq(n, len < 5 ? 1 : 1 + (len - 5) * 3 / (payload.len - 5));
        if (len >= 5)
            ck_assert_uint_eq(out[0].len, 5);
        for (size_t i = 1; i < n; i++) {
            ck_assert_str_eq(out[i].event_id, "id");
            ck_assert_uint_eq(out[i].len, 5);
        }
        free(copy);
    }
    out[0] = (struct bus_event){.data = payload.data, .len = payload.len};
    ck_assert_uint_eq(bus_events_split(out, "999999999999 5"), 1);
    out[0] = (struct bus_event){.data = payload.data, .len = payload.len};
    ck_assert_uint_eq(bus_events_split(out, "3 99999999999"), 1);
    out[0] = (struct bus_event){.data = payload.data, .len = payload.len};
    ck_assert_uint_eq(bus_events_split(out, NULL), 1);
    ck_assert_uint_eq(out[0].len, payload.len);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, many_that_wait_share_messages_and_come_apart);
    ADD_TEST(tests, few_have_a_message_each);
    ADD_TEST(tests, each_subject_has_messages_of_its_own);
    ADD_TEST(tests, bare_ones_have_headers_only_as_the_first_of_a_message);
    ADD_TEST(tests, who_takes_one_at_a_time_gets_one_at_a_time);
    ADD_TEST(tests, who_wants_messages_gets_them_whole);
    ADD_TEST(tests, a_whole_message_fails_as_one);
    ADD_TEST(tests, one_that_fails_keeps_its_message_only);
    ADD_TEST(tests, tails_and_readers_get_each);
    ADD_TEST(tests, outages_lose_nothing_and_double_nothing);
    ADD_TEST(tests, those_of_a_killed_process_come_once);
    ADD_TEST(tests, a_torn_message_gives_what_can_be_read);
}

#define set_up riders_set_up
RUN_TESTS("bus riders", add)
