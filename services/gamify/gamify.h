/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of the game share. */
#pragma once

#include "base/settings.h"
#include "mal/gamify/v1/events.pb-c.h"
#include "mal/gamify/v1/gamify.server.h"
#include "pg/pg.h"
#include "wire/call.h"
#include "wire/codec.h"

/* Written by settings_load before threads start; tests write it themselves. */
struct gamify_settings {
    int64_t lines_per_point;  /* of a commit */
    int64_t check_interval_s; /* between two sweeps for missed achievements */
};
extern struct gamify_settings gamify_config;

/* ---- process ------------------------------------------------------------ */

struct svc;
struct svc gamify_service(void);

/* ---- members ------------------------------------------------------------- */

/* Whether the run that ends on that day (YYYY-MM-DD, "" = none) still goes on. */
bool streak_is_active(const struct call *call, const char *last_date);
/* The fields that are computed, not stored. */
void member_finish(const struct call *call, Gamify__Member *member);
