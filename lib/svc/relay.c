/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox relay: publishes events in id order and marks them. One copy of a
 * service is active at a time, the one that holds the schema's advisory lock. A
 * crash between publishing and marking publishes again under the same message
 * id, which the stream drops, and beyond its window the consumer's inbox. Ids
 * are given out before the commit, so that a lower one may come after a higher
 * one was sent; it is not missed, because what is sent is marked row by row.
 * Events of one entity keep their order: its row is locked before they are
 * added. A stream that lost its end (nats-server acknowledges before it syncs,
 * so the machine's power may take it) gets it again. */
#include "svc/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdatomic.h>

enum {
    BATCH = 100,
    CLEAN_BATCH = 5000,
    PUBLISH_TIMEOUT_MS = 5000,
    QUERY_TIMEOUT_MS = 10000,
    WAIT_MS = 500,     /* for a notification; also how long a stop may take */
    LOOK_MS = 5000,    /* between looks without a notification */
    STANDBY_MS = 1000, /* between tries to become the active one */
    RETRY_FIRST_MS = 100,
    RETRY_LAST_MS = 2000,
    CLEAN_MS = 3600000,
    FLUSH_MS = 3000, /* for the last round at a stop */
};

static const struct query relay_lock = {
    .name = "mal_relay_lock",
    .sql = "select pg_try_advisory_lock(hashtextextended('mal.relay.' || current_schema(), 0))",
};

static const struct query outbox_next = {
    .name = "mal_outbox_next",
    .sql = "select id, event_id, subject, payload, actor, request_id,"
           " to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as created_at"
           " from outbox where published_at is null order by id limit 100",
};

static const struct query outbox_mark = {
    .name = "mal_outbox_mark",
    .sql = "update outbox set published_at = now() where id = any($1::bigint[])",
    .params = 1,
};

static const struct query outbox_last = {
    .name = "mal_outbox_last",
    .sql = "select event_id, subject from outbox where published_at is not null"
           " order by published_at desc, id desc limit 1",
};

/* What the stream has is not marked yet when its relay died in between. */
static const struct query outbox_unmarked = {
    .name = "mal_outbox_unmarked",
    .sql = "select exists (select from outbox where event_id::text = $1 and published_at is null)",
    .params = 1,
};

static const struct query outbox_again = {
    .name = "mal_outbox_again",
    .sql = "update outbox set published_at = null where published_at >"
           " (select max(published_at) from outbox) - interval '10 minutes'",
};

static const struct query outbox_clean = {
    .name = "mal_outbox_clean",
    .sql = "delete from outbox where id in (select id from outbox"
           " where published_at < now() - interval '30 days' limit 5000)",
};

/* Longer than the stream keeps an event, whatever the clocks of the two servers
 * say: while it can be delivered, it is known. */
static const struct query inbox_clean = {
    .name = "mal_inbox_clean",
    .sql = "delete from inbox where event_id in (select event_id from inbox"
           " where seen_at < now() - interval '30 days 6 hours' limit 5000)",
};

static const struct query outbox_count = {
    .name = "mal_outbox_count",
    .sql = "select count(*) from outbox where published_at is null",
};

struct relay {
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* with wake, for waiting without Postgres */
    pthread_cond_t wake;
    struct bus *bus;
    struct pg_conn *conn; /* owned */
    struct arena arena;
    char channel[64];
    bool active;         /* holds the lock in the session `generation` */
    bool unsure;         /* whether the stream still has what was published */
    uint64_t reconnects; /* of the bus, when that was last certain */
    unsigned generation;
    int retry_ms;
    bool cleaning; /* more old rows are there */
    int64_t clean_at_ms;
};

static struct metric *published;

static struct call relay_call(struct relay *relay)
{
    return (struct call){.arena = &relay->arena,
                         .pg = relay->conn,
                         .deadline_ms = clock_mono_ms() + QUERY_TIMEOUT_MS,
                         .now_ms = clock_wall_ms()};
}

/* Waits, but not longer than until the stop. */
static void wait_for_stop(struct relay *relay, int timeout_ms)
{
    struct timespec until;
    int64_t ms = clock_wall_ms() + timeout_ms;

    until = (struct timespec){ms / 1000, ms % 1000 * 1000000};
    pthread_mutex_lock(&relay->lock);
    while (!relay->stop && pthread_cond_timedwait(&relay->wake, &relay->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&relay->lock);
}

/* Whether this copy may publish: a lock lives as long as its session. */
static enum status become_active(struct relay *relay)
{
    struct call call = relay_call(relay);
    const char *locked = NULL;

    if (relay->active && relay->generation == pg_conn_generation(relay->conn) &&
        pg_conn_up(relay->conn))
        return ST_OK;
    relay->active = false;
    TRY(pg_text(&call, &relay_lock, &locked, ""));
    relay->generation = pg_conn_generation(relay->conn);
    relay->active = locked && strcmp(locked, "t") == 0;
    if (relay->active)
        relay->unsure = true;
    return ST_OK;
}

/* Whether the stream's last event of that subject is older than ours. */
static enum status stream_lost(struct relay *relay, const char *event_id, const char *subject,
                               bool *ret_lost)
{
    struct call call = relay_call(relay);
    char last[BUS_EVENT_ID_SIZE] = "";
    const char *unmarked = NULL;
    enum status status = bus_event_last(relay->bus, subject, last);

    *ret_lost = status == ST_NOT_FOUND;
    if (status != ST_OK || strcmp(last, event_id) == 0)
        return status == ST_NOT_FOUND ? ST_OK : status;
    TRY(pg_text(&call, &outbox_unmarked, &unmarked, "s", last));
    *ret_lost = !unmarked || strcmp(unmarked, "t") != 0;
    return ST_OK;
}

/* Asked at the start, and whenever the bus was away: after a failure of the
 * machine the end of the stream may be missing. What is published again and was
 * not lost changes nothing. */
static enum status check_stream(struct relay *relay)
{
    struct call call = relay_call(relay);
    struct bus_stats stats;
    struct pg_rows rows;
    bool lost = false;
    int again = 0;

    bus_stats(relay->bus, &stats);
    if (!relay->unsure && stats.reconnects == relay->reconnects)
        return ST_OK;
    relay->unsure = true;
    relay->reconnects = stats.reconnects;
    TRY(pg_rows(&call, &rows, &outbox_last, ""));
    if (rows.n > 0) {
        enum status status =
            stream_lost(relay, pg_cell(&rows, 0, "event_id"), pg_cell(&rows, 0, "subject"), &lost);

        /* Where it may not be asked, it is trusted. */
        if (status != ST_OK && (status != ST_DEADLINE_EXCEEDED || !bus_up(relay->bus)))
            return status;
    }
    if (lost)
        TRY(pg_exec(&call, &outbox_again, &again, ""));
    relay->unsure = false;
    if (lost)
        log_warn("the event stream lost its end; %d events are published again", again);
    return ST_OK;
}

static enum status publish(struct relay *relay, const struct pg_rows *rows, int row)
{
    const struct bus_header headers[] = {
        {"Mal-Actor", pg_cell(rows, row, "actor")},
        {"Mal-Time", pg_cell(rows, row, "created_at")},
        {"Mal-Request-Id", pg_cell(rows, row, "request_id")},
        {NULL, NULL},
    };
    size_t len;
    const void *payload = pg_cell_bytes(rows, row, "payload", &relay->arena, &len);

    return bus_event_publish(relay->bus, pg_cell(rows, row, "subject"),
                             pg_cell(rows, row, "event_id"), headers, payload ? payload : "", len,
                             PUBLISH_TIMEOUT_MS);
}

/* Publishes one batch up to the first failure and marks what went out. */
static enum status relay_batch(struct relay *relay, int *ret_rows)
{
    struct call call = relay_call(relay);
    enum status status = ST_OK;
    struct pg_rows rows;
    char *ids[BATCH];
    size_t n = 0;

    *ret_rows = 0;
    TRY(pg_rows(&call, &rows, &outbox_next, ""));
    /* Read in a new session, without the lock. */
    if (pg_conn_generation(relay->conn) != relay->generation)
        return ST_UNAVAILABLE;
    *ret_rows = rows.n;
    /* A copy that stood still for long has lost its place to another one. */
    while (n < (size_t)rows.n && n < BATCH && status == ST_OK &&
           clock_mono_ms() < call.deadline_ms) {
        status = publish(relay, &rows, (int)n);
        if (status == ST_OK) {
            ids[n] = arena_strdup(&relay->arena, pg_cell(&rows, (int)n, "id"));
            n++;
        }
    }
    if (n > 0) {
        call = relay_call(relay);
        TRY(pg_exec(&call, &outbox_mark, NULL, "a", n, ids));
        metric_add(published, NULL, (int64_t)n);
    }
    return status;
}

/* A bounded part of what is old; as long as there is more, the next round goes
 * on with it. */
static enum status clean(struct relay *relay)
{
    struct call call = relay_call(relay);
    int sent = 0, seen = 0;

    if (clock_mono_ms() < relay->clean_at_ms)
        return ST_OK;
    TRY(pg_exec(&call, &outbox_clean, &sent, ""));
    TRY(pg_exec(&call, &inbox_clean, &seen, ""));
    relay->cleaning = sent == CLEAN_BATCH || seen == CLEAN_BATCH;
    relay->clean_at_ms = relay->cleaning ? 0 : clock_mono_ms() + CLEAN_MS;
    return ST_OK;
}

/* All that waits, batch by batch. */
static enum status relay_round(struct relay *relay)
{
    int rows = 0;

    do {
        arena_reset(&relay->arena);
        TRY(become_active(relay));
        if (!relay->active)
            return ST_OK;
        TRY(check_stream(relay));
        TRY(relay_batch(relay, &rows));
        if (rows < BATCH)
            TRY(clean(relay));
    } while ((rows == BATCH || relay->cleaning) && !relay->stop);
    return ST_OK;
}

/* Until an event is added, or it is time to look anyway. */
static enum status wait_for_events(struct relay *relay)
{
    int64_t until = clock_mono_ms() + LOOK_MS;
    bool notified = false;

    while (!relay->stop && !notified && clock_mono_ms() < until)
        TRY(pg_wait_notify(relay->conn, relay->channel, WAIT_MS, &notified));
    return ST_OK;
}

static void after_failure(struct relay *relay, enum status status)
{
    if (relay->retry_ms == RETRY_FIRST_MS)
        log_warn("outbox relay: %s; trying on", status_lower_name(status));
    wait_for_stop(relay, relay->retry_ms);
    relay->retry_ms = relay->retry_ms < RETRY_LAST_MS / 2 ? 2 * relay->retry_ms : RETRY_LAST_MS;
}

static void *relay_run(void *arg)
{
    struct relay *relay = arg;

    while (!relay->stop) {
        enum status status = relay_round(relay);

        if (status == ST_OK) {
            relay->retry_ms = RETRY_FIRST_MS;
            if (!relay->active)
                wait_for_stop(relay, STANDBY_MS);
            else
                status = wait_for_events(relay);
        }
        if (status != ST_OK && !relay->stop)
            after_failure(relay, status);
    }
    /* What the last calls wrote still goes out, if it goes quickly. */
    for (int64_t until = clock_mono_ms() + FLUSH_MS; clock_mono_ms() < until && bus_up(relay->bus);)
        if (relay_round(relay) == ST_OK)
            break;
    return NULL;
}

static void release(struct relay *relay)
{
    pg_conn_free(relay->conn);
    arena_done(&relay->arena);
    pthread_cond_destroy(&relay->wake);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}

enum status relay_new(struct relay **ret_relay, const char *schema, struct pg_conn *conn,
                      struct bus *bus, struct error *err)
{
    struct relay *relay = calloc(1, sizeof(*relay));

    if (!relay)
        abort();
    if (!published)
        published = metric_new(METRIC_COUNTER, "mal_outbox_published_total",
                               "Events this copy published from its outbox.");
    metric_add(published, NULL, 0);
    relay->conn = conn;
    relay->bus = bus;
    relay->retry_ms = RETRY_FIRST_MS;
    arena_init(&relay->arena);
    pthread_mutex_init(&relay->lock, NULL);
    pthread_cond_init(&relay->wake, NULL);
    (void)snprintf(relay->channel, sizeof(relay->channel), "mal_outbox_%s", schema);
    if (pthread_create(&relay->thread, NULL, relay_run, relay) != 0) {
        release(relay);
        return error_set(err, ST_INTERNAL, "no thread for the outbox relay");
    }
    *ret_relay = relay;
    return ST_OK;
}

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    pthread_mutex_lock(&relay->lock);
    relay->stop = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->lock);
    pthread_join(relay->thread, NULL);
    release(relay);
}

int64_t outbox_waiting(struct pg_conn *conn)
{
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena, .pg = conn, .deadline_ms = clock_mono_ms() + 2000};
    const char *count = NULL;

    arena_init(&arena);
    if (pg_text(&call, &outbox_count, &count, "") != ST_OK || !count)
        return -1;
    return strtoll(count, NULL, 10);
}
