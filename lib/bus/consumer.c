/* SPDX-License-Identifier: Apache-2.0 */
/* Durable consumers: batches of events go to a function that applies them; what
 * it cannot apply comes again, later and later, and at last is put aside. */
#include "internal.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    BATCH_MAX = 4096,
    PULL_MAX = 256,       /* messages on their way, of up to 256 events */
    ACK_WAIT_S = 10,      /* after that events of a killed process come to another one */
    KEEP_MS = 3000,       /* a living one says so often that it has them */
    LINGER_MS = 100,      /* how long a batch may wait to fill up */
    RETRY_FIRST_MS = 250, /* of a process that is not able now */
    RETRY_MAX_MS = 10000,
    NAK_MAX_S = 60,
    ACK_PENDING = 20000, /* of a consumer that names no limit */
};

/* A message and the events it brought. */
struct delivery {
    natsMsg *msg;
    size_t first, n; /* of consumer->events */
};

struct bus_consumer {
    struct pull pull;
    struct pause pause;
    struct bus_consumer_options options; /* strings are copies below */
    char durable[64], filter[BUS_SUBJECT_SIZE];
    struct delivery *deliveries; /* of the batch at hand */
    struct bus_event *events;
    pthread_t thread, keeper;
    pthread_mutex_t hand_lock; /* of the two below; messages stay while it is held */
    size_t n_hand;             /* deliveries at hand */
    int64_t since_ms;          /* since when */
    atomic_ullong applied, failed, dead;
};

static void respond(struct bus_consumer *consumer, natsMsg *msg, const char *word)
{
    struct bus *bus = consumer->pull.bus;

    if (!atomic_load(&bus->up))
        return; /* it comes again */
    (void)bus_loop_publish_bytes(bus->loop, natsMsg_GetReply(msg), word, (int)strlen(word), false);
}

static void respond_all(struct bus_consumer *consumer, size_t first, size_t n, const char *word)
{
    bus_loop_hold(consumer->pull.bus->loop);
    for (size_t i = first; i < first + n; i++)
        respond(consumer, consumer->deliveries[i].msg, word);
    bus_loop_release(consumer->pull.bus->loop);
}

/* Applies; while the function says UNAVAILABLE (its database is away, say) the
 * events stay in hand, which is no failed delivery. */
static enum status apply(struct bus_consumer *consumer, size_t first, size_t n)
{
    int wait_ms = RETRY_FIRST_MS;

    for (;;) {
        enum status status =
            consumer->options.fn(consumer->events + first, n, consumer->options.arg);
        if (status != ST_UNAVAILABLE)
            return status;
        if (bus_pause_ms(&consumer->pause, wait_ms))
            return ST_CANCELLED;
        wait_ms = wait_ms * 2 < RETRY_MAX_MS ? wait_ms * 2 : RETRY_MAX_MS;
    }
}

/* In portions that the function takes. */
static enum status apply_all(struct bus_consumer *consumer, size_t n)
{
    size_t most = consumer->options.whole_messages ? n : (size_t)consumer->options.max_batch;

    for (size_t i = 0; i < n; i += most)
        TRY(apply(consumer, i, n - i < most ? n - i : most));
    return ST_OK;
}

/* One event after another; how the first failure ended. */
static enum status apply_each(struct bus_consumer *consumer, const struct delivery *delivery)
{
    enum status failed = ST_OK;

    if (consumer->options.whole_messages)
        return apply(consumer, delivery->first, delivery->n);
    for (size_t i = 0; i < delivery->n; i++) {
        enum status status = apply(consumer, delivery->first + i, 1);

        if (status == ST_CANCELLED)
            return status;
        if (failed == ST_OK)
            failed = status;
    }
    return failed;
}

static enum status put_aside(struct bus_consumer *consumer, const struct delivery *delivery)
{
    const struct bus_event *event = &consumer->events[delivery->first];
    natsMsg *msg = delivery->msg;
    char subject[BUS_SUBJECT_SIZE], id[256], sequence[24];
    const struct bus_header headers[] = {{"Mal-Subject", event->subject},
                                         {"Mal-Event-Id", event->event_id},
                                         {"Mal-Sequence", sequence},
                                         {"Mal-Actor", event->actor},
                                         {"Mal-Request-Id", event->request_id},
                                         {"Mal-Time", event->time},
                                         {BUS_RIDERS, bus_msg_header(msg, BUS_RIDERS)},
                                         {NULL, NULL}};

    (void)snprintf(subject, sizeof(subject), "mal.dead.%s", consumer->durable);
    (void)snprintf(sequence, sizeof(sequence), "%llu", (unsigned long long)event->sequence);
    (void)snprintf(id, sizeof(id), "%s:%s", consumer->durable, sequence);
    TRY(bus_event_publish(consumer->pull.bus, subject, id, headers, natsMsg_GetData(msg),
                          (size_t)natsMsg_GetDataLength(msg), 0));
    respond(consumer, msg, "+TERM");
    atomic_fetch_add(&consumer->dead, 1);
    log_error("event %s (%s) put aside by %s after %d deliveries", event->event_id, event->subject,
              consumer->durable, event->delivered);
    return ST_OK;
}

static void refuse(struct bus_consumer *consumer, const struct delivery *delivery)
{
    int delivered = consumer->events[delivery->first].delivered;
    int delay_s = delivered < 6 ? 1 << (delivered - 1) : NAK_MAX_S;
    char word[64];

    atomic_fetch_add(&consumer->failed, 1);
    if (delivered >= BUS_MAX_DELIVERIES && put_aside(consumer, delivery) == ST_OK)
        return;
    /* The first repetition comes soon: most failures are a lost race. */
    long long delay_ns = delivered <= 1 ? 100000000LL : delay_s * 1000000000LL;
    (void)snprintf(word, sizeof(word), "-NAK {\"delay\": %lld}", delay_ns);
    respond(consumer, delivery->msg, word);
}

/* One event that cannot be applied must not take its batch mates with it. */
static void handle(struct bus_consumer *consumer, size_t n, size_t n_events)
{
    enum status status = apply_all(consumer, n_events);

    if (status == ST_OK) {
        respond_all(consumer, 0, n, "+ACK");
        atomic_fetch_add(&consumer->applied, n_events);
        return;
    }
    for (size_t i = 0; i < n && status != ST_CANCELLED; i++) {
        const struct delivery *delivery = &consumer->deliveries[i];

        status = n_events == delivery->n && (n_events == 1 || consumer->options.whole_messages)
                     ? status
                     : apply_each(consumer, delivery);
        if (status == ST_OK) {
            respond(consumer, delivery->msg, "+ACK");
            atomic_fetch_add(&consumer->applied, delivery->n);
        } else if (status != ST_CANCELLED) {
            refuse(consumer, delivery);
        } else {
            respond_all(consumer, i, n - i, "-NAK"); /* for another process */
        }
    }
}

static enum status collect(struct bus_consumer *consumer, size_t *ret_n, size_t *ret_n_events)
{
    size_t n = 0, n_events = 0, max = (size_t)consumer->options.max_batch;
    int64_t deadline = 0;
    enum status status;

    do {
        struct delivery *delivery = &consumer->deliveries[n];
        struct jet_position position;
        int64_t wait = n == 0 ? 1000 : deadline - clock_mono_ms();

        status =
            bus_pull_next(&consumer->pull, wait > 0 ? (int)wait : 0, &delivery->msg, &position);
        if (status == ST_OK) {
            delivery->first = n_events;
            delivery->n = bus_events_read(delivery->msg, &position, &consumer->events[n_events]);
            n_events += delivery->n;
            if (n++ == 0)
                deadline = clock_mono_ms() + LINGER_MS;
        }
    } while (status == ST_OK && n_events < max);
    *ret_n = n;
    *ret_n_events = n_events;
    return n > 0 ? ST_OK : status;
}

static enum status ensure(struct bus_consumer *consumer)
{
    jsConsumerConfig config;
    jsConsumerInfo *info = NULL;

    jsConsumerConfig_Init(&config);
    config.Durable = consumer->durable;
    config.FilterSubject = consumer->filter;
    config.DeliverPolicy = js_DeliverAll;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = ACK_WAIT_S * 1000000000LL;
    config.MaxDeliver = -1; /* we count, so that nothing is dropped in silence */
    config.MaxAckPending =
        consumer->options.max_ack_pending > 0 ? consumer->options.max_ack_pending : ACK_PENDING;
    TRY(bus_pull_ensure(&consumer->pull, &config, &info));
    jsConsumerInfo_Destroy(info);
    return ST_OK;
}

static void set_hand(struct bus_consumer *consumer, size_t n)
{
    pthread_mutex_lock(&consumer->hand_lock);
    consumer->n_hand = n;
    consumer->since_ms = clock_mono_ms();
    pthread_mutex_unlock(&consumer->hand_lock);
}

/* However long the database takes, the events are not given to another one,
 * which would have to wait as well, and do not count as delivered again. */
static void *run_keeper(void *arg)
{
    struct bus_consumer *consumer = arg;

    while (!bus_pause_ms(&consumer->pause, KEEP_MS)) {
        pthread_mutex_lock(&consumer->hand_lock);
        if (consumer->n_hand > 0 && clock_mono_ms() - consumer->since_ms >= KEEP_MS)
            respond_all(consumer, 0, consumer->n_hand, "+WPI"); /* work in progress */
        pthread_mutex_unlock(&consumer->hand_lock);
    }
    return NULL;
}

static void read_events(struct bus_consumer *consumer)
{
    while (!bus_pause_stopped(&consumer->pause)) {
        size_t n = 0, n_events = 0;
        enum status status = collect(consumer, &n, &n_events);

        if (n > 0) {
            set_hand(consumer, n);
            handle(consumer, n, n_events);
            set_hand(consumer, 0);
        }
        for (size_t i = 0; i < n; i++)
            bus_msg_free(consumer->deliveries[i].msg);
        if (status != ST_OK && status != ST_DEADLINE_EXCEEDED)
            return;
    }
}

static void *run_consumer(void *arg)
{
    struct bus_consumer *consumer = arg;
    bool ready = true; /* bus_consume did it */

    while (!bus_pause_until_up(&consumer->pause, consumer->pull.bus)) {
        if (!ready && ensure(consumer) != ST_OK) {
            bus_pause_ms(&consumer->pause, RETRY_FIRST_MS);
            continue;
        }
        read_events(consumer);
        ready = false;
    }
    return NULL;
}

static struct bus_consumer *consumer_new(struct bus *bus,
                                         const struct bus_consumer_options *options)
{
    struct bus_consumer *consumer = calloc(1, sizeof(*consumer));

    if (!consumer)
        abort();
    consumer->options = *options;
    if (consumer->options.max_batch < 1)
        consumer->options.max_batch = 1;
    if (consumer->options.max_batch > BATCH_MAX)
        consumer->options.max_batch = BATCH_MAX;
    if (consumer->options.max_ack_pending > 0 &&
        consumer->options.max_batch > consumer->options.max_ack_pending)
        consumer->options.max_batch = consumer->options.max_ack_pending;
    (void)snprintf(consumer->durable, sizeof(consumer->durable), "%s", options->durable);
    (void)snprintf(consumer->filter, sizeof(consumer->filter), "%s", options->filter);
    size_t n = (size_t)consumer->options.max_batch;
    consumer->deliveries = calloc(n, sizeof(*consumer->deliveries));
    consumer->events = calloc(n + BUS_RIDERS_MAX, sizeof(*consumer->events));
    if (!consumer->deliveries || !consumer->events)
        abort();
    bus_pause_init(&consumer->pause);
    pthread_mutex_init(&consumer->hand_lock, NULL);
    bus_pull_init(&consumer->pull, bus, "MAL_EVT", (int)(n < PULL_MAX ? n : PULL_MAX));
    return consumer;
}

static void consumer_free(struct bus_consumer *consumer)
{
    bus_pull_done(&consumer->pull);
    bus_pause_done(&consumer->pause);
    pthread_mutex_destroy(&consumer->hand_lock);
    free(consumer->deliveries);
    free(consumer->events);
    free(consumer);
}

static enum status start_threads(struct bus_consumer *consumer)
{
    if (pthread_create(&consumer->keeper, NULL, run_keeper, consumer) != 0)
        return ST_RESOURCE_EXHAUSTED;
    if (pthread_create(&consumer->thread, NULL, run_consumer, consumer) == 0)
        return ST_OK;
    bus_pause_stop(&consumer->pause);
    pthread_join(consumer->keeper, NULL);
    return ST_RESOURCE_EXHAUSTED;
}

enum status bus_consume(struct bus *bus, const struct bus_consumer_options *options,
                        struct bus_consumer **ret_consumer, struct error *err)
{
    struct bus_consumer *consumer = consumer_new(bus, options);
    enum status status = ensure(consumer);

    if (status == ST_OK)
        status = start_threads(consumer);
    if (status != ST_OK) {
        consumer_free(consumer);
        return error_set(err, status, "cannot set up the consumer %s", options->durable);
    }
    *ret_consumer = consumer;
    return ST_OK;
}

void bus_consumer_stop(struct bus_consumer *consumer)
{
    if (!consumer)
        return;
    bus_pause_stop(&consumer->pause);
    bus_pull_stop(&consumer->pull);
    pthread_join(consumer->thread, NULL);
    pthread_join(consumer->keeper, NULL);
    consumer_free(consumer);
}

void bus_consumer_stats(const struct bus_consumer *consumer, uint64_t *ret_applied,
                        uint64_t *ret_failed, uint64_t *ret_dead)
{
    *ret_applied = atomic_load(&consumer->applied);
    *ret_failed = atomic_load(&consumer->failed);
    *ret_dead = atomic_load(&consumer->dead);
}
