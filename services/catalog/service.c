/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, the consumer of the
 * gateway's calls. */
#include "catalog.h"

#include "base/clock.h"
#include "migrations.sql.h"
#include "svc/feed.h"
#include "svc/settings.h"
#include "svc/svc.h"

#include <stdlib.h>

struct catalog_settings catalog_config = {
    .confirm_tools = DEFAULT_CONFIRM_TOOLS,
    .stdio_allow = "",
    .env_allow = "",
    .subagent_model = "claude-sonnet-4-5-20250929",
    .exec_max = 4,
    .data_dir = "",
    .secret_keys = "",
};

static const struct setting settings[] = {
    SETTING_CONFIRM_TOOLS(&catalog_config.confirm_tools),
    SETTING_STDIO_ALLOW(&catalog_config.stdio_allow),
    SETTING_ENV_ALLOW(&catalog_config.env_allow),
    {.env = "MAL_SUBAGENT_MODEL",
     .type = SETTING_STRING,
     .fallback = "claude-sonnet-4-5-20250929",
     .help = "Model of a subagent that names none.",
     .target = &catalog_config.subagent_model},
    {.env = "MAL_EXEC_ENABLED",
     .type = SETTING_BOOL,
     .fallback = "false",
     .help = "Whether mal_execute_command may run scripts.",
     .target = &catalog_config.exec_enabled},
    {.env = "MAL_EXEC_NETWORK",
     .type = SETTING_BOOL,
     .fallback = "false",
     .help = "Whether scripts of commands reach the network.",
     .target = &catalog_config.exec_network},
    {.env = "MAL_EXEC_MAX",
     .type = SETTING_INT,
     .fallback = "4",
     .help = "Scripts that one process runs at once.",
     .target = &catalog_config.exec_max,
     .min = 1,
     .max = 64},
    SETTING_DIR(&catalog_config.data_dir,
                "Folder of the hub's own data, which scripts of commands cannot see."),
    SETTING_SECRET_KEYS(&catalog_config.secret_keys),
    {0},
};

bool is_guarded(const char *tool)
{
    return list_names(catalog_config.confirm_tools, tool);
}

enum status catalog_check(struct call *call, const Catalog__CheckRequest *req,
                          Catalog__CheckResponse *rsp)
{
    (void)req;
    rsp->up = true;
    svc_check(call, &rsp->database_up, &rsp->latency_ms, &rsp->error);
    return ST_OK;
}

/* More than comes while a batch gathers: what is over it is a statement of its own,
 * which costs as much as ten to thirty rows more. */
enum { AUDIT_BATCH = 4096, AUDIT_PENDING = 4096 };

struct service_state {
    struct feed *audit, *downstream, *status;
};

static enum status store_calls(struct call *call, const struct bus_event *events, size_t n,
                               void *arg)
{
    (void)arg;
    return audit_store(call, events, n);
}

static enum status follow_status(struct call *call, const struct bus_event *events, size_t n,
                                 void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++)
        TRY(mcp_status_apply(call, &events[i]));
    return ST_OK;
}

static const struct feed_options audit = {.durable = "catalog_audit",
                                          .filter = "mal.evt.gateway.tool.called",
                                          .max_batch = AUDIT_BATCH,
                                          .max_ack_pending = AUDIT_PENDING,
                                          .apply = store_calls};
/* Beside the other, not in place of it with a wider filter: a consumer whose filter
 * is changed never gets what it has passed over before. */
static const struct feed_options downstream = {.durable = "catalog_downstream",
                                               .filter = "mal.evt.gateway.downstream.called",
                                               .max_batch = AUDIT_BATCH,
                                               .max_ack_pending = AUDIT_PENDING,
                                               .apply = store_calls};
/* In strict order: the last status counts. */
static const struct feed_options status_feed = {.durable = "catalog_status",
                                                .filter = "mal.evt.mcp_health.mcp.status_changed",
                                                .max_batch = 1,
                                                .max_ack_pending = 1,
                                                .apply = follow_status};

static enum status reseal(struct svc_context *ctx, struct error *err)
{
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena, .now_ms = clock_wall_ms()};
    enum status status;

    TRY(ctx->pg_open(&call.pg, err));
    arena_init(&arena);
    status = secrets_reseal(&call);
    if (status != ST_OK)
        *err = call.error;
    pg_conn_free(call.pg);
    return status;
}

/* Called again after a failure. */
static enum status start(struct svc_context *ctx, struct error *err)
{
    struct service_state *state = ctx->service;

    if (!state)
        state = ctx->service = calloc(1, sizeof(*state));
    if (!state)
        abort();
    TRY(reseal(ctx, err));
    /* A script holds its worker while it runs; the others serve on. */
    ctx->extra_workers = catalog_config.exec_enabled ? (int)catalog_config.exec_max : 0;
    if (!state->audit)
        TRY(feed_new(&state->audit, ctx, &audit, err));
    if (!state->downstream)
        TRY(feed_new(&state->downstream, ctx, &downstream, err));
    if (!state->status)
        TRY(feed_new(&state->status, ctx, &status_feed, err));
    return ST_OK;
}

static void stop(struct svc_context *ctx)
{
    struct service_state *state = ctx->service;

    if (!state)
        return;
    feed_free(state->audit);
    feed_free(state->downstream);
    feed_free(state->status);
    free(state);
    ctx->service = NULL;
}

struct svc catalog_service(void)
{
    return (struct svc){
        .name = "catalog",
        .description = "Skills, commands, subagents, downstream MCP "
                       "servers and the log of tool calls.",
        .settings = settings,
        .endpoints = catalog_endpoints,
        .n_endpoints = catalog_n_endpoints,
        .gather = true,
        .migrations = catalog_migrations,
        .n_migrations = catalog_n_migrations,
        .start = start,
        .stop = stop,
    };
}
