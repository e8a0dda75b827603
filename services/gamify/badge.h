/* SPDX-License-Identifier: Apache-2.0 */
/* What an achievement counts and when it unlocks. */
#pragma once

#include "wire/call.h"

enum measure {
    MEASURE_NONE, /* nothing known: never unlocks */
    MEASURE_COMMIT,
    MEASURE_INTERACTION,
    MEASURE_UNIQUE_TOOLS,
    MEASURE_SPRINT_COMPLETED,
    MEASURE_SPRINT_TOP_VELOCITY,
    MEASURE_BUG_CLOSED,
    MEASURE_STREAK_DAYS,
    MEASURE_DECISIONS_LOGGED,
    MEASURE_LEVEL_REACHED,
};

/* Reads {"type": …, "count": …}; "all" tools is as many as this build has. False
 * when it is not of that form. */
bool criteria_read(struct arena *arena, const char *json, enum measure *ret_measure,
                   int *ret_target);

struct ledger;
/* How much of it the member of the ledger has. */
int measure_of(const struct ledger *ledger, enum measure measure);
