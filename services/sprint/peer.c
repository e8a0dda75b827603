/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to gamify. */
#include "peer.h"

#include "bus/bus.h"
#include "mal/gamify/v1/gamify.api.h"

enum { TIMEOUT_MS = 1000, MEMBERS_MAX = 1000 /* of one question */ };

static const ProtobufCMessage *ask(const struct call *call, const struct rpc *rpc,
                                   const ProtobufCMessage *req)
{
    struct call own = *call;
    ProtobufCMessage *reply = NULL;

    if (!call->bus || bus_call(call->bus, &own, rpc, req, TIMEOUT_MS, &reply) != ST_OK)
        return NULL;
    return reply;
}

const Gamify__SumPointsResponse *peer_sum_points(struct call *call, size_t n,
                                                 const char *const *user_ids, const char *from,
                                                 const char *to)
{
    Gamify__SumPointsRequest req = GAMIFY__SUM_POINTS_REQUEST__INIT;

    req.n_user_ids = n < MEMBERS_MAX ? n : MEMBERS_MAX;
    req.user_ids = (const char **)user_ids;
    req.from = from;
    req.to = to;
    return (const void *)ask(call, &gamify_sum_points_rpc, &req.base);
}

const Gamify__GetLeaderboardResponse *peer_top(struct call *call, int n)
{
    Gamify__GetLeaderboardRequest req = GAMIFY__GET_LEADERBOARD_REQUEST__INIT;

    req.period = GAMIFY__PERIOD__PERIOD_WEEK;
    req.limit = n;
    return (const void *)ask(call, &gamify_get_leaderboard_rpc, &req.base);
}
