/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, the job that makes digests. */
#include "digest.h"

#include "migrations.sql.h"
#include "svc/job.h"
#include "svc/settings.h"
#include "svc/svc.h"

struct sprint_settings sprint_config = {
    .confirm_tools = DEFAULT_CONFIRM_TOOLS,
    .context_injection = true,
};

static const struct setting settings[] = {
    SETTING_CONFIRM_TOOLS(&sprint_config.confirm_tools),
    {.env = "MAL_TEAM_PULSE_ENABLED",
     .type = SETTING_BOOL,
     .fallback = "false",
     .help = "Whether daily, weekly and sprint end digests are made.",
     .target = &sprint_config.team_pulse},
    {.env = "MAL_CONTEXT_INJECTION_ENABLED",
     .type = SETTING_BOOL,
     .fallback = "true",
     .help = "Whether agents are told of the running sprint, open items, decisions and "
             "conversations.",
     .target = &sprint_config.context_injection},
    {0},
};

enum status sprint_check(struct call *call, const Sprint__CheckRequest *req,
                         Sprint__CheckResponse *rsp)
{
    (void)req;
    rsp->up = true;
    svc_check(call, &rsp->database_up, &rsp->latency_ms, &rsp->error);
    return ST_OK;
}

enum { DIGEST_MS = 5000 };

/* Called again after a failure. */
static enum status start(struct svc_context *ctx, struct error *err)
{
    struct pg_conn *conn = NULL;
    struct job *digests = NULL;

    if (!sprint_config.team_pulse || ctx->service)
        return ST_OK;
    TRY(ctx->pg_open(&conn, err));
    TRY(job_new(
        &digests,
        &(struct job_options){.name = "digests", .interval_ms = DIGEST_MS, .run = digests_make},
        conn, ctx->bus, err));
    ctx->service = digests;
    return ST_OK;
}

static void stop(struct svc_context *ctx)
{
    job_free(ctx->service);
    ctx->service = NULL;
}

struct svc sprint_service(void)
{
    return (struct svc){
        .name = "sprint",
        .description = "Projects, sprints, work items, conversations "
                       "with their decisions, reports and digests.",
        .settings = settings,
        .endpoints = sprint_endpoints,
        .n_endpoints = sprint_n_endpoints,
        .migrations = sprint_migrations,
        .n_migrations = sprint_n_migrations,
        .start = start,
        .stop = stop,
    };
}
