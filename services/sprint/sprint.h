/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of sprint share. */
#pragma once

#include "base/settings.h"
#include "mal/sprint/v1/events.pb-c.h"
#include "mal/sprint/v1/sprint.server.h"
#include "pg/pg.h"
#include "wire/call.h"
#include "wire/codec.h"

/* Written by settings_load before threads start; tests write it themselves. */
struct sprint_settings {
    const char *confirm_tools; /* comma list of guarded tools */
    bool team_pulse;           /* whether digests are made */
    bool context_injection;    /* whether GetContext tells anything */
};
extern struct sprint_settings sprint_config;
extern const struct setting sprint_setting_table[];

struct svc_context;
enum status sprint_start(struct svc_context *ctx, struct error *err);
void sprint_stop(struct svc_context *ctx);
