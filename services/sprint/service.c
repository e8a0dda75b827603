/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings and health. */
#include "sprint.h"

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

enum status sprint_start(struct svc_context *ctx, struct error *err)
{
    (void)ctx;
    (void)err;
    return ST_OK;
}

void sprint_stop(struct svc_context *ctx)
{
    (void)ctx;
}
