/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, what follows the registry
 * and tells gateways and runners. */
#include "health.h"

#include "base/clock.h"
#include "bus/bus.h"
#include "history.sql.h"
#include "mal/catalog/v1/catalog.api.h"
#include "mal/catalog/v1/events.pb-c.h"
#include "migrations.sql.h"
#include "probe.h"
#include "svc/feed.h"
#include "svc/job.h"
#include "svc/settings.h"
#include "svc/svc.h"

#include <stdlib.h>

enum {
    RESOLVE_TIMEOUT_MS = 5000,
    FOLLOW_TIMEOUT_MS = 2 * RESOLVE_TIMEOUT_MS,
    SYNC_MS = 300000,
    PUBLISH_MS = 5000,
    CLEAN_MS = 600000,
    PROBE_MS = 250,
    CHECKS_AT_ONCE = 4, /* health checks wait for others, not for the database */
};

struct health_settings health_config = {.secret_keys = "",
                                        .env_allow = "",
                                        .pin_tools = "hold",
                                        .mcp_prefix = "on-conflict",
                                        .interval_s = 30,
                                        .window = 5,
                                        .threshold = 3};

static const struct setting settings[] = {
    SETTING_SECRET_KEYS(&health_config.secret_keys),
    SETTING_ENV_ALLOW(&health_config.env_allow),
    {.env = "MAL_PIN_TOOLS",
     .type = SETTING_STRING,
     .fallback = "hold",
     .help = "What happens when a downstream tool's definition changes: off serves it, warn serves "
             "and reports it, hold serves the approved one until somebody approves.",
     .target = &health_config.pin_tools},
    {.env = "MAL_MCP_PREFIX",
     .type = SETTING_STRING,
     .fallback = "on-conflict",
     .help = "How exposed tools of downstream servers are named in /mcp, where the server's policy "
             "does not say otherwise: always (<server>_<tool>), on-conflict (only where two names "
             "are equal) or never.",
     .target = &health_config.mcp_prefix},
    {.env = "MAL_HEALTH_INTERVAL_S",
     .type = SETTING_INT,
     .fallback = "30",
     .help = "Seconds between probes of a downstream server that is well.",
     .target = &health_config.interval_s,
     .min = 1,
     .max = 3600},
    {.env = "MAL_HEALTH_WINDOW",
     .type = SETTING_INT,
     .fallback = "5",
     .help = "Latest outcomes of probes and calls that are looked at.",
     .target = &health_config.window,
     .min = 1,
     .max = 31},
    {.env = "MAL_HEALTH_THRESHOLD",
     .type = SETTING_INT,
     .fallback = "3",
     .help = "How many of them without an answer in time make a server's status error.",
     .target = &health_config.threshold,
     .min = 1,
     .max = 31},
    {0},
};

enum status mcp_health_check(struct call *call, const McpHealth__CheckRequest *req,
                             McpHealth__CheckResponse *rsp)
{
    (void)req;
    rsp->up = true;
    svc_check(call, &rsp->database_up, &rsp->latency_ms, &rsp->error);
    return ST_OK;
}

struct service_state {
    struct bus_kv *servers; /* MAL_MCPS */
    struct feed *registry;
    struct prober *prober;
    struct job *sync, *publish, *clean, *probe;
    bool published; /* once since the start: settings may have changed */
};

/* ---- the registry ----------------------------------------------------------- */

/* id "" = all. */
static enum status resolve(struct call *call, const char *id)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__ResolveMcpRequest request = CATALOG__RESOLVE_MCP_REQUEST__INIT;
    Catalog__ResolveMcpResponse *reply = NULL;
    enum status status;

    request.id = id;
    status = catalog_resolve_mcp_call(call->bus, call, &request, RESOLVE_TIMEOUT_MS, &reply);
    if (status == ST_NOT_FOUND) {
        error_clear(&call->error);
        TRY(tx_begin(&tx, call));
        TRY(registry_remove(call, id));
        return tx_commit(&tx);
    }
    TRY(status);
    TRY(tx_begin(&tx, call));
    TRY(registry_store(call, reply->n_items, reply->items, *id == '\0'));
    return tx_commit(&tx);
}

static enum status sync_all(struct call *call, void *arg)
{
    (void)arg;
    return resolve(call, "");
}

/* All three events of catalog begin with the server's id. */
static const char *event_server(struct arena *arena, const struct bus_event *event)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;

    if (wire_unpack(arena, &catalog__mcp_updated__descriptor, event->data, event->len, &message,
                    &err) != ST_OK)
        return "";
    return ((const Catalog__McpUpdated *)message)->id;
}

/* The event only says which server to ask for, so that order and repetition do
 * not matter and the inbox is not needed. */
static enum status follow(struct call *call, const struct bus_event *events, size_t n, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++) {
        const char *id = event_server(call->arena, &events[i]);

        call->deadline_ms = clock_mono_ms() + FOLLOW_TIMEOUT_MS;
        if (*id)
            TRY(resolve(call, id));
    }
    return ST_OK;
}

/* ---- jobs ---------------------------------------------------------------------- */

static enum status publish(struct call *call, void *arg)
{
    struct service_state *state = arg;

    TRY(publish_changes(call, state->servers, !state->published));
    state->published = true;
    return ST_OK;
}

static enum status clean(struct call *call, void *arg)
{
    (void)arg;
    TRY(pg_exec(call, sql_history_probe_clean, NULL, ""));
    return pg_exec(call, sql_history_transition_clean, NULL, "");
}

static enum status probe(struct call *call, void *arg)
{
    struct service_state *state = arg;

    return prober_feed(call, state->prober);
}

static enum status start_job(struct svc_context *ctx, struct job **job,
                             const struct job_options *options, struct error *err)
{
    struct pg_conn *conn;

    if (*job)
        return ST_OK;
    TRY(ctx->pg_open(&conn, err));
    return job_new(job, options, conn, ctx->bus, err);
}

static enum status start_jobs(struct svc_context *ctx, struct service_state *state,
                              struct error *err)
{
    TRY(start_job(
        ctx, &state->sync,
        &(struct job_options){.name = "registry", .interval_ms = SYNC_MS, .run = sync_all}, err));
    TRY(start_job(ctx, &state->publish,
                  &(struct job_options){.name = "publish",
                                        .interval_ms = PUBLISH_MS,
                                        .channel = HEALTH_CHANNEL,
                                        .run = publish,
                                        .arg = state},
                  err));
    TRY(start_job(
        ctx, &state->probe,
        &(struct job_options){.name = "probe", .interval_ms = PROBE_MS, .run = probe, .arg = state},
        err));
    return start_job(ctx, &state->clean,
                     &(struct job_options){.name = "clean", .interval_ms = CLEAN_MS, .run = clean},
                     err);
}

static bool is_one_of(const char *word, const char *const words[3])
{
    return strcmp(word, words[0]) == 0 || strcmp(word, words[1]) == 0 ||
           strcmp(word, words[2]) == 0;
}

static enum status check_settings(struct error *err)
{
    static const char *const pins[] = {"off", "warn", "hold"};
    static const char *const prefixes[] = {"always", "on-conflict", "never"};
    struct secret_keys keys;

    if (!is_one_of(health_config.pin_tools, pins))
        return error_set(err, ST_INVALID_ARGUMENT, "MAL_PIN_TOOLS: must be off, warn or hold");
    if (!is_one_of(health_config.mcp_prefix, prefixes))
        return error_set(err, ST_INVALID_ARGUMENT,
                         "MAL_MCP_PREFIX: must be always, on-conflict or never");
    return secret_keys_read(health_config.secret_keys, &keys, err);
}

/* What the stored rows have to become before anything else. */
static enum status prepare(struct svc_context *ctx, struct error *err)
{
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena, .now_ms = clock_wall_ms()};
    enum status status;

    TRY(ctx->pg_open(&call.pg, err));
    arena_init(&arena);
    status = secrets_reseal(&call);
    if (status == ST_OK)
        status = own_tools_store(&call);
    if (status != ST_OK)
        *err = call.error;
    pg_conn_free(call.pg);
    return status;
}

static const struct feed_options registry = {.durable = "health_registry",
                                             .filter = "mal.evt.catalog.mcp.>",
                                             .max_batch = 16,
                                             .max_ack_pending = 16,
                                             .apply = follow};

/* Called again after a failure. */
static enum status start(struct svc_context *ctx, struct error *err)
{
    struct service_state *state = ctx->service;

    if (!state)
        state = ctx->service = calloc(1, sizeof(*state));
    if (!state)
        abort();
    ctx->extra_workers = CHECKS_AT_ONCE;
    TRY(check_settings(err));
    TRY(prepare(ctx, err));
    if (!state->servers)
        TRY(bus_kv_open(ctx->bus, "MAL_MCPS", 0, &state->servers, err));
    if (!state->prober) {
        struct pg_conn *conn;

        TRY(ctx->pg_open(&conn, err));
        TRY(prober_new(&state->prober, conn, ctx->bus, err));
    }
    TRY(start_jobs(ctx, state, err));
    if (!state->registry)
        TRY(feed_new(&state->registry, ctx, &registry, err));
    return ST_OK;
}

static void stop(struct svc_context *ctx)
{
    struct service_state *state = ctx->service;

    if (!state)
        return;
    feed_free(state->registry);
    job_free(state->sync);
    job_free(state->publish);
    job_free(state->clean);
    job_free(state->probe);
    prober_free(state->prober);
    bus_kv_free(state->servers);
    free(state);
    ctx->service = NULL;
}

struct svc health_service(void)
{
    return (struct svc){
        .name = "mcp-health",
        .description = "Health, policy and tool definitions of "
                       "downstream MCP servers.",
        .settings = settings,
        .endpoints = mcp_health_endpoints,
        .n_endpoints = mcp_health_n_endpoints,
        .migrations = mcp_health_migrations,
        .n_migrations = mcp_health_n_migrations,
        .start = start,
        .stop = stop,
    };
}
