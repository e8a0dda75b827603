/* SPDX-License-Identifier: Apache-2.0 */
/* The status of servers as mcp-health sees it. */
#include "catalog.h"

#include "bus/bus.h"
#include "mal/mcp_health/v1/events.pb-c.h"
#include "mcp.sql.h"

enum status mcp_status_apply(struct call *call, const struct bus_event *event)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const McpHealth__McpStatusChanged *changed;
    ProtobufCMessage *message = NULL;
    struct error ignored = {0};
    bool is_new;

    /* What is no such event could never be applied and would come for ever. */
    if (wire_unpack(call->arena, &mcp_health__mcp_status_changed__descriptor, event->data,
                    event->len, &message, &ignored) != ST_OK)
        return ST_OK;
    changed = (const void *)message;
    TRY(tx_begin(&tx, call));
    TRY(event_seen(&tx, event->event_id, &is_new));
    if (is_new)
        TRY(pg_exec(call, sql_mcp_status, NULL, "ss", changed->mcp_id,
                    changed->new_status == MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR
                        ? "error"
                        : "active"));
    return tx_commit(&tx);
}
