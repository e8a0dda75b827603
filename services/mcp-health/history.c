/* SPDX-License-Identifier: Apache-2.0 */
/* How a server has been: uptime, probes over time, transitions, repair. */
#include "health.h"

#include "history.sql.h"

#include <stdlib.h>

enum status mcp_health_get_mcp_health(struct call *call, const McpHealth__GetMcpHealthRequest *req,
                                      McpHealth__GetMcpHealthResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const char *mttr = NULL;

    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(fail_missing(call, pg_one(call, &rsp->base, sql_history_now, "s", req->id), "MCP server",
                     req->id));
    TRY(pg_one(call, &rsp->base, sql_history_uptime, "si", req->id, req->hours));
    TRY(pg_all(call, &rsp->base, "buckets", sql_history_buckets, "si", req->id, req->hours));
    TRY(pg_all(call, &rsp->base, "transitions", sql_history_transitions, "s", req->id));
    TRY(pg_text(call, sql_history_mttr, &mttr, "s", req->id));
    if (mttr) {
        rsp->has_mttr_s_case = MCP_HEALTH__GET_MCP_HEALTH_RESPONSE__HAS_MTTR_S_MTTR_S;
        rsp->mttr_s = (int32_t)strtol(mttr, NULL, 10);
    }
    return tx_commit(&tx);
}
