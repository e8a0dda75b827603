/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to NATS: made once with a deadline, then kept for ever. */
#include "internal.h"

#include "base/clock.h"
#include "base/fiber.h"
#include "base/ids.h"
#include "base/log.h"

#include <errno.h>

void bus_cond_init_mono(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool bus_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};

    fiber_blocks();
    return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}

enum status bus_status(natsStatus s)
{
    switch (s) {
    case NATS_OK:
        return ST_OK;
    case NATS_TIMEOUT:
        return ST_DEADLINE_EXCEEDED;
    case NATS_NO_RESPONDERS:
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NO_SERVER:
    case NATS_STALE_CONNECTION:
    case NATS_IO_ERROR:
    case NATS_INSUFFICIENT_BUFFER:
    case NATS_DRAINING:
    case NATS_INVALID_SUBSCRIPTION:
        return ST_UNAVAILABLE;
    case NATS_MAX_PAYLOAD:
        return ST_RESOURCE_EXHAUSTED;
    case NATS_NOT_FOUND:
        return ST_NOT_FOUND;
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
        return ST_INVALID_ARGUMENT;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return ST_PERMISSION_DENIED;
    default:
        return ST_INTERNAL;
    }
}

static void set_up(struct bus *bus, bool up)
{
    pthread_mutex_lock(&bus->lock);
    atomic_store(&bus->up, up);
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

static void on_disconnected(natsConnection *nc, void *arg)
{
    struct bus *bus = arg;

    (void)nc;
    set_up(bus, false);
    if (!atomic_load(&bus->closing))
        log_warn("connection to NATS lost; reconnecting");
    bus_inbox_kill_all(bus);
}

static void on_reconnected(natsConnection *nc, void *arg)
{
    struct bus *bus = arg;

    /* A second loss may be queued behind this callback. */
    if (natsConnection_Status(nc) != NATS_CONN_STATUS_CONNECTED)
        return;
    set_up(bus, true);
    log_info("connected to NATS again");
}

static void on_closed(natsConnection *nc, void *arg)
{
    struct bus *bus = arg;

    (void)nc;
    if (!atomic_load(&bus->closing))
        log_error("NATS closed the connection for good; check the user and password");
    atomic_store(&bus->up, false);
    bus_inbox_kill_all(bus);
    /* Last: bus_free waits for this before it frees. */
    pthread_mutex_lock(&bus->lock);
    atomic_store(&bus->closed, true);
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *arg)
{
    struct bus *bus = arg;
    const char *text = NULL;

    if (s == NATS_SLOW_CONSUMER) {
        atomic_fetch_add(&bus->slow, 1);
        log_warn("a subscription could not keep up and lost messages: %s",
                 sub ? natsSubscription_GetSubject(sub) : "?");
        return;
    }
    (void)natsConnection_GetLastError(nc, &text);
    log_warn("NATS: %s: %s", natsStatus_GetText(s), text ? text : "");
}

static natsStatus set_options(struct bus *bus, natsOptions *opts, const struct bus_options *options)
{
    natsStatus s = natsOptions_SetURL(opts, options->url);

    if (s == NATS_OK && options->user && *options->user)
        s = natsOptions_SetUserInfo(opts, options->user, options->password);
    if (s == NATS_OK && options->name)
        s = natsOptions_SetName(opts, options->name);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(opts, 2000);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(opts, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(opts, 200);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectJitter(opts, 300, 300);
    /* Nothing that was meant for before an outage is sent after it: requests
     * were answered UNAVAILABLE, events have a queue of their own. */
    if (s == NATS_OK)
        s = natsOptions_SetReconnectBufSize(opts, 1);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(opts, 10000);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(opts, 2);
    if (s == NATS_OK)
        s = natsOptions_SetWriteDeadline(opts, 5000);
    if (s == NATS_OK)
        s = natsOptions_SetIOBufSize(opts, 64 * 1024);
    /* The default flusher naps a millisecond before every write. */
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(opts, true);
    if (s == NATS_OK)
        s = natsOptions_SetFailRequestsOnDisconnect(opts, true);
    if (s == NATS_OK)
        s = bus_loop_attach(bus->loop, opts);
    /* One thread for all callbacks: we only have short ones ($SRV, the door of
     * the request queue). */
    if (s == NATS_OK)
        s = natsOptions_UseGlobalMessageDelivery(opts, true);
    if (s == NATS_OK)
        s = natsOptions_SetDisconnectedCB(opts, on_disconnected, bus);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(opts, on_reconnected, bus);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(opts, on_closed, bus);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(opts, on_error, bus);
    return s;
}

/* cnats takes the first of its ids from OpenSSL, which would load all of its
 * providers for that: two MiB a process. OpenSSL itself does not call it. */
int bus_rand_bytes(unsigned char *out, int len) __asm__("RAND_bytes");
int bus_rand_bytes(unsigned char *out, int len)
{
    random_bytes(out, (size_t)len);
    return 1;
}

static void open_library(void)
{
    /* 0: no spinning on locks; measured to be the better choice here. */
    (void)nats_Open(0);
}

/* A server that is only being started. */
static bool may_come(natsStatus s)
{
    return s == NATS_NO_SERVER || s == NATS_TIMEOUT || s == NATS_IO_ERROR ||
           s == NATS_CONNECTION_CLOSED;
}

enum status bus_new(struct bus **ret_bus, const struct bus_options *options, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    natsOptions *opts = NULL;
    natsStatus s;
    int64_t deadline =
        clock_mono_ms() + (options->connect_ms > 0 ? options->connect_ms : BUS_CONNECT_MS);

    pthread_once(&once, open_library);
    struct bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        abort();
    atomic_init(&bus->refs, 1);
    pthread_mutex_init(&bus->lock, NULL);
    pthread_mutex_init(&bus->parsing, NULL);
    bus_cond_init_mono(&bus->changed);
    bus_waiters_init(&bus->waiters);

    s = bus_loop_new(&bus->loop, &bus->parsing, &bus->in_flight) == ST_OK
            ? natsOptions_Create(&opts)
            : NATS_NO_MEMORY;
    if (s == NATS_OK)
        s = set_options(bus, opts, options);
    if (s == NATS_OK) {
        bus_loop_add(bus->loop, bus_waiters_look, &bus->waiters);
        while (may_come((s = natsConnection_Connect(&bus->nc, opts))) && clock_mono_ms() < deadline)
            nats_Sleep(100);
    }
    natsOptions_Destroy(opts);
    if (s == NATS_OK)
        s = natsConnection_JetStream(&bus->js, bus->nc, NULL);
    if (s != NATS_OK) {
        bus_free(bus);
        return error_set(err, may_come(s) ? ST_UNAVAILABLE : bus_status(s),
                         "cannot connect to NATS: %s", natsStatus_GetText(s));
    }
    set_up(bus, natsConnection_Status(bus->nc) == NATS_CONN_STATUS_CONNECTED);
    *ret_bus = bus;
    return ST_OK;
}

static void wait_closed(struct bus *bus, int timeout_ms)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    pthread_mutex_lock(&bus->lock);
    while (!atomic_load(&bus->closed) && bus_cond_wait_until(&bus->changed, &bus->lock, deadline))
        ;
    pthread_mutex_unlock(&bus->lock);
}

void bus_drain(struct bus *bus, int timeout_ms)
{
    if (!bus || atomic_exchange(&bus->closing, true))
        return;
    /* Not natsConnection_Drain: it waits for synchronous subscriptions to be
     * read empty, and nobody reads the inboxes any more. */
    if (atomic_load(&bus->up) && timeout_ms > 0)
        (void)natsConnection_FlushTimeout(bus->nc, timeout_ms);
    natsConnection_Close(bus->nc);
}

void bus_unref(struct bus *bus)
{
    if (atomic_fetch_sub(&bus->refs, 1) != 1)
        return;
    bus_waiters_done(&bus->waiters);
    pthread_cond_destroy(&bus->changed);
    pthread_mutex_destroy(&bus->lock);
    pthread_mutex_destroy(&bus->parsing);
    free(bus);
}

static void end_loop(struct bus *bus)
{
    if (!bus->loop)
        return;
    bus_loop_remove(bus->loop, &bus->waiters);
    bus_loop_free(TAKE(bus->loop));
}

void bus_free(struct bus *bus)
{
    if (!bus)
        return;
    atomic_store(&bus->closing, true);
    if (bus->nc) {
        natsConnection_Close(bus->nc);
        /* The callbacks of cnats still use the bus until this one was run. */
        wait_closed(bus, BUS_CONNECT_MS);
        bus_inbox_kill_all(bus);
        bus_answers_free_spare(bus);
        jsCtx_Destroy(bus->js);
        end_loop(bus);
        natsConnection_Destroy(bus->nc);
        bus->nc = NULL;
        bus_msg_free_all();
    }
    end_loop(bus);
    bus_unref(bus);
}

bool bus_up(const struct bus *bus)
{
    return atomic_load(&bus->up);
}

bool bus_closed(const struct bus *bus)
{
    return atomic_load(&bus->closed);
}

void bus_stats(const struct bus *bus, struct bus_stats *ret_stats)
{
    natsStatistics *stats = NULL;

    *ret_stats = (struct bus_stats){.slow = atomic_load(&bus->slow),
                                    .in_flight = atomic_load(&bus->in_flight)};
    if (natsStatistics_Create(&stats) == NATS_OK &&
        natsConnection_GetStats(bus->nc, stats) == NATS_OK)
        (void)natsStatistics_GetCounts(stats, &ret_stats->in_messages, &ret_stats->in_bytes,
                                       &ret_stats->out_messages, &ret_stats->out_bytes,
                                       &ret_stats->reconnects);
    natsStatistics_Destroy(stats);
}

bool bus_wait_up(struct bus *bus, int timeout_ms)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    pthread_mutex_lock(&bus->lock);
    while (!atomic_load(&bus->up) && !atomic_load(&bus->closed) &&
           bus_cond_wait_until(&bus->changed, &bus->lock, deadline))
        ;
    pthread_mutex_unlock(&bus->lock);
    return atomic_load(&bus->up);
}

enum status bus_check(struct bus *bus, int64_t *ret_us)
{
    int64_t start = clock_mono_us();

    if (!atomic_load(&bus->up))
        return ST_UNAVAILABLE;
    TRY(bus_status(natsConnection_FlushTimeout(bus->nc, 2000)));
    if (ret_us)
        if (ret_us)
            *ret_us = clock_mono_us() - start;
    return ST_OK;
}
