/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds and their counters. */
#include "svc/feed.h"

#include "base/clock.h"

#include <pthread.h>

enum { FEEDS_MAX = 8 };

struct feed {
    struct feed_options options;
    struct bus *bus;
    struct pg_conn *pg;
    struct bus_consumer *consumer;
};

/* Those that run, for the page of metrics. */
static struct {
    pthread_mutex_t lock;
    struct metric *events;
    const struct feed *feeds[FEEDS_MAX];
} shown = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void show_feed(const struct feed *feed)
{
    static const char *const outcomes[] = {"applied", "failed", "dead"};
    uint64_t counts[ARRAY_SIZE(outcomes)];

    bus_consumer_stats(feed->consumer, &counts[0], &counts[1], &counts[2]);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        char labels[96];

        (void)snprintf(labels, sizeof(labels), "consumer=\"%s\",outcome=\"%s\"",
                       feed->options.durable, outcomes[i]);
        metric_set(shown.events, labels, (int64_t)counts[i]);
    }
}

/* Counted by the consumers themselves; shown as the page is made. */
static void show(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&shown.lock);
    for (size_t i = 0; i < FEEDS_MAX; i++)
        if (shown.feeds[i])
            show_feed(shown.feeds[i]);
    pthread_mutex_unlock(&shown.lock);
}

static void shown_replace(const struct feed *from, const struct feed *to)
{
    pthread_mutex_lock(&shown.lock);
    if (!shown.events) {
        shown.events = metric_new(METRIC_COUNTER, "mal_events_consumed_total",
                                  "Deliveries of events; dead ones were put aside after 20.");
        metrics_on_render(show, NULL);
    }
    for (size_t i = 0; i < FEEDS_MAX; i++)
        if (shown.feeds[i] == from) {
            shown.feeds[i] = to;
            break;
        }
    pthread_mutex_unlock(&shown.lock);
}

static enum status consume(const struct bus_event *events, size_t n, void *arg)
{
    struct feed *feed = arg;
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena,
                        .pg = feed->pg,
                        .bus = feed->bus,
                        .actor = events[0].actor,
                        .request_id = events[0].request_id,
                        .now_ms = clock_wall_ms()};
    enum status status;

    arena_init(&arena);
    status = feed->options.apply(&call, events, n, feed->options.arg);
    pg_conn_settle(feed->pg);
    return status;
}

enum status feed_new(struct feed **ret_feed, struct svc_context *ctx,
                     const struct feed_options *options, struct error *err)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    enum status status;

    if (!feed)
        abort();
    feed->options = *options;
    feed->bus = ctx->bus;
    status = ctx->pg_open(&feed->pg, err);
    if (status == ST_OK)
        status =
            bus_consume(ctx->bus,
                        &(struct bus_consumer_options){.durable = options->durable,
                                                       .filter = options->filter,
                                                       .max_batch = options->max_batch,
                                                       .max_ack_pending = options->max_ack_pending,
                                                       .whole_messages = options->whole_messages,
                                                       .fn = consume,
                                                       .arg = feed},
                        &feed->consumer, err);
    if (status != ST_OK) {
        feed_free(feed);
        return status;
    }
    shown_replace(NULL, feed);
    *ret_feed = feed;
    return ST_OK;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    shown_replace(feed, NULL);
    if (feed->consumer)
        bus_consumer_stop(feed->consumer);
    pg_conn_free(feed->pg);
    free(feed);
}
