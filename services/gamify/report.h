/* SPDX-License-Identifier: Apache-2.0 */
/* The finished Markdown of the game's reports. */
#pragma once

#include "gamify.h"

const char *report_leaderboard(struct call *call, const Gamify__GetLeaderboardResponse *rsp);
/* name is the member's; NULL without member. */
const char *report_achievements(struct call *call, const Gamify__GetAchievementsResponse *rsp,
                                const char *name);
