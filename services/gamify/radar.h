/* SPDX-License-Identifier: Apache-2.0 */
/* What a member's work is about. */
#pragma once

#include "gamify.h"

/* Counts become whole percents that sum to 100; all 0 stays so. */
void radar_percent(Gamify__Radar *radar);
/* From the sums over commits and the use of tools. */
enum status radar_of(struct call *call, const char *user_id, Gamify__Radar *radar) MUST_CHECK;
