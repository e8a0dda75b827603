/* SPDX-License-Identifier: Apache-2.0 */
/* Places, breaker and counts of one downstream server. */
#include "gate.h"

#include "base/clock.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/utf8.h"
#include "breaker.h"
#include "http/http.h"
#include "svc/metrics.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    UNANSWERED_FREE = 2, /* calls that a server may always have without an answer */
    ALIVE_MS = 100,      /* how long an answer proves that it works */
    PATIENCE_MS = 250,
    LABEL_SIZE = 128,
    RANDOM_STEPS = 1000
};

struct gate {
    atomic_int refs;
    struct gateway *gw;
    pthread_mutex_t lock; /* of what follows */
    struct breaker breaker;
    pthread_cond_t answered;
    int running, places;
    int unanswered; /* calls since its last answer */
    int64_t answered_ms;
    struct {
        int ok, slow, failed;
        int64_t failed_ms; /* of the last one */
        bool opened;
        char words[400];                            /* of the last slow or failed one */
    } since;                                        /* the last report */
    struct series *ok, *shown_running, *shown_open; /* NULL until they are counted in */
    char id[];
};

static struct metric *calls_total, *running_now, *circuit_open;

void gate_metrics(void)
{
    calls_total = metric_new(METRIC_COUNTER, "mal_gateway_downstream_calls_total",
                             "Calls of downstream servers by server and outcome.");
    running_now = metric_new(METRIC_GAUGE, "mal_gateway_downstream_running",
                             "Calls of downstream servers in progress, by server.");
    circuit_open = metric_new(METRIC_GAUGE, "mal_gateway_circuit_open",
                              "1 while a downstream server is not called because it failed.");
}

/* ---- life ---------------------------------------------------------------------------- */

struct gate *gate_new(struct gateway *gw, const char *id)
{
    size_t size = strlen(id) + 1;
    struct gate *gate = calloc(1, sizeof(*gate) + size);
    pthread_condattr_t attr;

    if (gate == NULL)
        abort();
    gate->refs = 1;
    gate->gw = gw;
    memcpy(gate->id, id, size);
    (void)pthread_mutex_init(&gate->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&gate->answered, &attr);
    (void)pthread_condattr_destroy(&attr);
    gate_allow(gate, 0);
    return gate;
}

struct gate *gate_ref(struct gate *gate)
{
    (void)atomic_fetch_add(&gate->refs, 1);
    return gate;
}

void gate_unref(struct gate *gate)
{
    if (gate == NULL || atomic_fetch_sub(&gate->refs, 1) > 1)
        return;
    (void)pthread_cond_destroy(&gate->answered);
    (void)pthread_mutex_destroy(&gate->lock);
    free(gate);
}

void gate_allow(struct gate *gate, int places)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->places = places > 0 ? places : (int)config.proxy_max_inflight;
    (void)pthread_mutex_unlock(&gate->lock);
}

/* ---- metrics --------------------------------------------------------------------------- */

/* With the lock held. */
static void show(struct gate *gate)
{
    char labels[LABEL_SIZE];

    if (running_now == NULL)
        return;
    if (gate->shown_open == NULL) {
        (void)snprintf(labels, sizeof(labels), "server=\"%s\"", gate->id);
        gate->shown_running = metric_series(running_now, labels);
        gate->shown_open = metric_series(circuit_open, labels);
    }
    series_set(gate->shown_running, gate->running);
    series_set(gate->shown_open, gate->breaker.pause_ms > 0);
}

static struct series *outcome_of(const struct gate *gate, const char *outcome)
{
    char labels[LABEL_SIZE];

    (void)snprintf(labels, sizeof(labels), "server=\"%s\",outcome=\"%s\"", gate->id, outcome);
    return metric_series(calls_total, labels);
}

static void count(const struct gate *gate, const char *outcome)
{
    if (calls_total != NULL)
        series_add(outcome_of(gate, outcome), 1);
}

/* With the lock held. */
static void count_ok(struct gate *gate)
{
    if (calls_total == NULL)
        return;
    if (gate->ok == NULL)
        gate->ok = outcome_of(gate, "ok");
    series_add(gate->ok, 1);
}

void gate_reset(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->breaker = (struct breaker){.trying = gate->breaker.trying};
    show(gate);
    (void)pthread_mutex_unlock(&gate->lock);
}

/* ---- in and out -------------------------------------------------------------------------- */

/* A server that answers may use its places. One that does not may hold half of the
 * workers that nothing else holds: however many servers hang, there is always a
 * place for those that do not. */
static bool answers(const struct gate *gate, int64_t now_ms)
{
    const struct http_server *http = gate->gw->http;
    uint64_t streams, working = 0;

    if (gate->unanswered < UNANSWERED_FREE || now_ms - gate->answered_ms < ALIVE_MS || http == NULL)
        return true;
    http_server_stats(http, &streams, &working);
    return gate->unanswered < (http_workers() - (int64_t)working) / 2;
}

/* Many calls may come before the first answer can: waits a moment for it. */
static bool has_place(struct gate *gate, int64_t now_ms)
{
    int64_t until_ms = now_ms + PATIENCE_MS;
    struct timespec until;

    until.tv_sec = until_ms / 1000;
    until.tv_nsec = until_ms % 1000 * 1000000L;
    if (answers(gate, now_ms))
        return gate->running < gate->places;
    fiber_blocks();
    while (gate->running < gate->places && !answers(gate, clock_mono_ms()))
        if (pthread_cond_timedwait(&gate->answered, &gate->lock, &until) != 0)
            return false;
    return gate->running < gate->places;
}

static enum status busy(const struct gate *gate, struct error *err)
{
    (void)error_set(err, ST_RESOURCE_EXHAUSTED,
                    "MCP server '%s' has %d calls running, as many as it may have now.", gate->id,
                    gate->running);
    error_hint(err, "it again in a moment, or another server.");
    err->reason = downstream_fault_text(DOWNSTREAM_FAULT_BUSY);
    count(gate, "busy");
    return ST_RESOURCE_EXHAUSTED;
}

static enum status is_open(const struct gate *gate, int64_t now_ms, struct error *err)
{
    int64_t left_s = (gate->breaker.resume_ms - now_ms + 999) / 1000;

    (void)error_set(err, ST_UNAVAILABLE,
                    "MCP server '%s' failed %d times in a row and is left alone for now; the last "
                    "time: %.300s",
                    gate->id, gate->breaker.faults, gate->since.words);
    error_hint(err, "it again in %lld s, or mal_health_check.",
               (long long)(left_s > 0 ? left_s : 1));
    err->reason = "MCP_CIRCUIT_OPEN";
    count(gate, "open");
    return ST_UNAVAILABLE;
}

enum status gate_enter(struct gate *gate, struct passage *passage, struct error *err)
{
    enum status status = ST_OK;
    int64_t now_ms = clock_mono_ms();

    passage->trial = false;
    (void)pthread_mutex_lock(&gate->lock);
    if (!has_place(gate, now_ms)) {
        status = busy(gate, err);
    } else if (!breaker_ask(&gate->breaker, now_ms, &passage->trial)) {
        status = is_open(gate, now_ms, err);
    } else {
        gate->running++;
        gate->unanswered++;
        show(gate);
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return status;
}

/* With the lock held. */
static enum breaker_outcome note(struct gate *gate, const struct error *err, bool hurried,
                                 int64_t now_ms)
{
    enum downstream_fault fault = err != NULL ? downstream_fault_of(err) : DOWNSTREAM_FAULT_NONE;
    bool slow = fault == DOWNSTREAM_FAULT_TIMEOUT, doubtful = downstream_fault_doubtful(fault);

    if (fault == DOWNSTREAM_FAULT_NONE) {
        gate->since.ok++;
        gate->unanswered = 0;
        gate->answered_ms = now_ms;
        (void)pthread_cond_broadcast(&gate->answered);
        count_ok(gate);
        return BREAKER_ANSWERED;
    }
    if (!slow && !downstream_fault_blames(fault)) {
        count(gate, "other");
        return BREAKER_NOTHING;
    }
    /* As the runner counts: what may lie in the call is for a probe to decide. The
     * breaker counts it as a fault all the same: it stops calls here for a moment. */
    if (doubtful) {
        gate->since.slow++;
    } else {
        gate->since.failed++;
        gate->since.failed_ms = clock_mono_ms();
    }
    count(gate, slow ? "slow" : "failed");
    (void)snprintf(gate->since.words, sizeof(gate->since.words), "%.399s", err->message);
    utf8_mend(gate->since.words);
    return slow && hurried ? BREAKER_NOTHING : BREAKER_FAULT;
}

void gate_leave(struct gate *gate, struct passage *passage, const struct error *err, bool hurried)
{
    const struct breaker_limits limits = {.faults = (int)config.breaker_faults,
                                          .pause_ms = config.breaker_pause_ms,
                                          .pause_max_ms = config.breaker_pause_max_ms};
    int64_t now_ms = clock_mono_ms();
    enum breaker_outcome outcome;
    double random = 0;

    if (err != NULL)
        random = (double)randombytes_uniform(RANDOM_STEPS) / RANDOM_STEPS;
    (void)pthread_mutex_lock(&gate->lock);
    gate->running--;
    gate->unanswered -= gate->unanswered > 0;
    outcome = note(gate, err, hurried, now_ms);
    if (breaker_tell(&gate->breaker, &limits, outcome, passage->trial, now_ms, random)) {
        gate->since.opened = true;
        log_warn("server %s failed %d times in a row and is left alone for %lld ms", gate->id,
                 gate->breaker.faults, (long long)gate->breaker.pause_ms);
    }
    show(gate);
    (void)pthread_mutex_unlock(&gate->lock);
}

bool gate_report(struct gate *gate, struct arena *arena, McpHealth__ServerReport *ret_report)
{
    bool any;

    mcp_health__server_report__init(ret_report);
    (void)pthread_mutex_lock(&gate->lock);
    ret_report->id = arena_strdup(arena, gate->id);
    ret_report->ok = gate->since.ok;
    ret_report->slow = gate->since.slow;
    ret_report->failed = gate->since.failed;
    ret_report->opened = gate->since.opened;
    if (gate->since.ok > 0)
        ret_report->ok_ms_ago = (int32_t)(clock_mono_ms() - gate->answered_ms);
    if (gate->since.failed > 0)
        ret_report->failed_ms_ago = (int32_t)(clock_mono_ms() - gate->since.failed_ms);
    any = gate->since.ok + gate->since.slow + gate->since.failed > 0 || gate->since.opened;
    if (gate->since.slow + gate->since.failed > 0)
        ret_report->error = arena_strdup(arena, gate->since.words);
    gate->since.ok = gate->since.slow = gate->since.failed = 0;
    gate->since.opened = false;
    (void)pthread_mutex_unlock(&gate->lock);
    return any;
}
