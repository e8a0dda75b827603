/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, the job that makes digests. */
#include "digest.h"

#include "svc/job.h"
#include "svc/svc.h"

#define CONFIRM_TOOLS "mal_delete_skill,mal_delete_project,mal_import_catalog,mal_execute_command"

struct sprint_settings sprint_config = {
    .confirm_tools = CONFIRM_TOOLS,
    .context_injection = true,
};

const struct setting sprint_setting_table[] = {
    {.env = "MAL_CONFIRM_TOOLS",
     .type = SETTING_STRING,
     .fallback = CONFIRM_TOOLS,
     .help = "Comma-separated tools that act only after the user agreed.",
     .target = &sprint_config.confirm_tools},
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
    bool up;
    int latency_ms;

    (void)req;
    svc_check(call, &up, &latency_ms, &rsp->error);
    rsp->up = true;
    rsp->database_up = up;
    rsp->latency_ms = latency_ms;
    return ST_OK;
}

enum { DIGEST_MS = 5000 };

/* Called again after a failure. */
enum status sprint_start(struct svc_context *ctx, struct error *err)
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

void sprint_stop(struct svc_context *ctx)
{
    job_free(ctx->service);
    ctx->service = NULL;
}
