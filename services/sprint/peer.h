/* SPDX-License-Identifier: Apache-2.0 */
/* What sprint asks of gamify. Without an answer in time the call goes on, and
 * its own error stays as it is. */
#pragma once

#include "mal/gamify/v1/gamify.pb-c.h"
#include "wire/call.h"

/* XP per member on those days; NULL when gamify did not answer within a second. */
const Gamify__SumPointsResponse *peer_sum_points(struct call *call, size_t n,
                                                 const char *const *user_ids, const char *from,
                                                 const char *to);
/* The n members with most XP in the last 7 days; NULL as above. */
const Gamify__GetLeaderboardResponse *peer_top(struct call *call, int n);
