/* SPDX-License-Identifier: Apache-2.0 */
/* Downstream MCP servers: reading and deleting. What leaves this file is
 * masked, but for mal.catalog.v1.resolve_mcp, which is on the bus only. */
#include "catalog.h"

#include "mcp.sql.h"

enum status catalog_list_mcps(struct call *call, const Catalog__ListMcpsRequest *req,
                              Catalog__ListMcpsResponse *rsp)
{
    const char *status = enum_text(&req->base, "status"), **tags;
    size_t n;

    TRY(filter_tags(call, "tags", req->tags, &n, &tags));
    TRY(pg_one(call, &rsp->base, sql_mcp_count, "sa", status, n, tags));
    TRY(pg_all(call, &rsp->base, "items", sql_mcp_list, "saii", status, n, tags, req->limit,
               req->offset));
    for (size_t i = 0; i < rsp->n_items; i++)
        mcp_mask(rsp->items[i]);
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status catalog_get_mcp(struct call *call, const Catalog__GetMcpRequest *req,
                            Catalog__GetMcpResponse *rsp)
{
    rsp->mcp = new_message(call, &catalog__mcp__descriptor);
    TRY(fail_missing(call, pg_one(call, &rsp->mcp->base, sql_mcp_get, "s", req->id), "MCP server",
                     req->id));
    mcp_mask(rsp->mcp);
    return ST_OK;
}

enum status catalog_resolve_mcp(struct call *call, const Catalog__ResolveMcpRequest *req,
                                Catalog__ResolveMcpResponse *rsp)
{
    TRY(pg_all(call, &rsp->base, "items", sql_mcp_all, "S", req->id));
    if (*req->id && rsp->n_items == 0)
        return fail_missing(call, ST_NOT_FOUND, "MCP server", req->id);
    return ST_OK;
}

enum status catalog_delete_mcp(struct call *call, const Catalog__DeleteMcpRequest *req,
                               Catalog__DeleteMcpResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__McpDeleted event = CATALOG__MCP_DELETED__INIT;
    Catalog__Mcp mcp = CATALOG__MCP__INIT;

    TRY(mcp_trusted(call));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &mcp.base, sql_mcp_lock, "s", req->id), "MCP server",
                     req->id));
    TRY(pg_exec(call, sql_mcp_delete, NULL, "s", req->id));
    event.id = mcp.id;
    event.transport = mcp.transport;
    event.status = mcp.status;
    TRY(event_add(&tx, "mal.evt.catalog.mcp.deleted", &event.base));
    rsp->id = mcp.id;
    rsp->deleted = true;
    return tx_commit(&tx);
}
