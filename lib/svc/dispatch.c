/* SPDX-License-Identifier: Apache-2.0 */
/* Around every request of a service: the worker's connection before, the access
 * line and the metrics after. */
#include "svc/internal.h"

#include "base/fiber.h"
#include "base/ids.h"
#include "base/log.h"

#include <stdatomic.h>

static struct metric *calls, *durations, *in_flight;
static struct series *all_in_flight;

/* What the calls of an endpoint are counted into, looked up at the first. */
struct tally {
    _Atomic(struct series *) ok, duration;
};

void dispatch_init(void)
{
    calls = metric_new(METRIC_COUNTER, "mal_calls_total", "Calls answered, by tool and status.");
    durations = metric_new(METRIC_HISTOGRAM, "mal_call_duration_seconds",
                           "Time from taking a call to its answer.");
    in_flight = metric_new(METRIC_GAUGE, "mal_calls_in_flight", "Calls that run.");
    all_in_flight = metric_series(in_flight, NULL);
}

static void *worker_new(void *arg, int index)
{
    struct service *service = arg;
    struct pg_conn *conn = NULL;
    struct error err = {0};
    char purpose[32];

    (void)snprintf(purpose, sizeof(purpose), "worker %d", index);
    /* The URL was read before; only that can fail. */
    if (service_pg_open(service->svc, purpose, &conn, &err) != ST_OK)
        log_error("%s", err.message);
    return conn;
}

static void worker_free(void *state)
{
    pg_conn_free(state);
}

static void prepare(struct call *call, void *state, void *arg)
{
    struct service *service = arg;

    call->pg = state;
    call->bus = service->context.bus;
    call->service = service->context.service;
    series_add(all_in_flight, 1);
}

static void round_of(void *state)
{
    if (state)
        pg_conn_round(state);
}

static const char *call_name(const struct call *call)
{
    if (!call->rpc)
        return "unknown";
    return call->rpc->tool_name ? call->rpc->tool_name : call->rpc->name;
}

static struct tally *tally_of(const struct service *service, const struct rpc *rpc)
{
    for (size_t i = 0; service->tallies && i < service->svc->n_endpoints; i++)
        if (service->svc->endpoints[i].rpc == rpc)
            return &service->tallies[i];
    return NULL;
}

/* The series of those labels, kept in the slot when there is one. */
static struct series *kept(_Atomic(struct series *) *slot, struct metric *metric,
                           const char *labels)
{
    struct series *series = metric_series(metric, labels);

    if (slot)
        atomic_store_explicit(slot, series, memory_order_release);
    return series;
}

static void count(const struct service *service, const struct call *call, enum status status,
                  int64_t duration_us)
{
    struct tally *tally = tally_of(service, call->rpc);
    struct series *answered =
        tally && status == ST_OK ? atomic_load_explicit(&tally->ok, memory_order_acquire) : NULL;
    struct series *duration =
        tally ? atomic_load_explicit(&tally->duration, memory_order_acquire) : NULL;
    char labels[160];

    if (!answered) {
        (void)snprintf(labels, sizeof(labels), "tool=\"%.90s\",status=\"%s\"", call_name(call),
                       status_lower_name(status));
        answered = kept(tally && status == ST_OK ? &tally->ok : NULL, calls, labels);
    }
    if (!duration) {
        (void)snprintf(labels, sizeof(labels), "tool=\"%.90s\"", call_name(call));
        duration = kept(tally ? &tally->duration : NULL, durations, labels);
    }
    series_add(answered, 1);
    series_observe_us(duration, duration_us);
}

static void observe(const struct call *call, enum status status, int64_t duration_us, void *arg)
{
    bool has_id = call->request_id && uuid_valid(call->request_id);
    int64_t tenths = (duration_us + 50) / 100; /* of a millisecond */
    char fields[256];

    /* A request that was refused as invalid never got there. */
    if (call->pg) {
        pg_conn_settle(call->pg);
        series_add(all_in_flight, -1);
    }
    count(arg, call, status, duration_us);
    (void)snprintf(fields, sizeof(fields), "req=%s tool=%.90s status=%s ms=%lld.%d",
                   has_id ? call->request_id : "-", call_name(call), status_lower_name(status),
                   (long long)(tenths / 10), (int)(tenths % 10));
    log_fields(LOG_INFO, fields, "call");
}

static void stats(struct strbuf *out, void *arg)
{
    struct pg_stats pg;

    (void)arg;
    pg_stats(&pg);
    strbuf_printf(out,
                  "{\"database\":{\"connections\":%lld,\"up\":%lld,\"connects\":%lld,"
                  "\"lost\":%lld,\"queries\":%lld,\"failures\":%lld}}",
                  (long long)pg.connections, (long long)pg.up, (long long)pg.connects,
                  (long long)pg.lost, (long long)pg.queries, (long long)pg.failures);
}

enum status dispatch_start(struct service *service, int workers, struct bus_server **ret_server,
                           struct error *err)
{
    const struct svc *svc = service->svc;

    if (!service->tallies)
        service->tallies = calloc(svc->n_endpoints + 1, sizeof(*service->tallies));
    return bus_serve(service->context.bus,
                     &(struct bus_service){.name = svc->name,
                                           .version = MAL_VERSION,
                                           .description = svc->description,
                                           .endpoints = svc->endpoints,
                                           .n_endpoints = svc->n_endpoints,
                                           .workers = workers,
                                           .worker_new = worker_new,
                                           .worker_free = worker_free,
                                           .prepare = prepare,
                                           .round = svc->gather ? round_of : NULL,
                                           .observe = observe,
                                           .stats = stats,
                                           .arg = service},
                     ret_server, err);
}

void svc_check(struct call *call, protobuf_c_boolean *ret_database_up, int32_t *ret_latency_ms,
               const char **ret_error)
{
    int64_t us = 0;

    fiber_alone();
    *ret_database_up = call->pg && pg_conn_check(call->pg, &us) == ST_OK;
    *ret_latency_ms = (int32_t)((us + 999) / 1000);
    if (ret_error)
        *ret_error = *ret_database_up ? "" : "The database cannot be reached.";
}
