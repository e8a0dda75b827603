/* SPDX-License-Identifier: Apache-2.0 */
/* The whole catalog as one object, read in one snapshot. */
#include "catalog.h"

#include "base/clock.h"
#include "exchange.sql.h"

enum { REPLY_MAX_BYTES = 6 * 1024 * 1024 };

static bool wanted(const Catalog__ExportCatalogRequest *req, Catalog__Collection collection)
{
    for (size_t i = 0; i < req->n_collections; i++)
        if (req->collections[i] == collection)
            return true;
    return req->n_collections == 0;
}

static enum status read_all(struct call *call, const Catalog__ExportCatalogRequest *req,
                            Catalog__ExportCatalogResponse *rsp)
{
    bool skills = wanted(req, CATALOG__COLLECTION__COLLECTION_SKILLS);
    bool assets = !req->has_include_assets_case || req->include_assets;

    if (skills)
        TRY(pg_all(call, &rsp->base, "skills", sql_exchange_skills, ""));
    if (skills && assets)
        TRY(pg_all(call, &rsp->base, "assets", sql_exchange_assets, ""));
    if (wanted(req, CATALOG__COLLECTION__COLLECTION_COMMANDS))
        TRY(pg_all(call, &rsp->base, "commands", sql_exchange_commands, ""));
    if (wanted(req, CATALOG__COLLECTION__COLLECTION_SUBAGENTS))
        TRY(pg_all(call, &rsp->base, "subagents", sql_exchange_subagents, ""));
    if (wanted(req, CATALOG__COLLECTION__COLLECTION_MCPS))
        TRY(pg_all(call, &rsp->base, "mcps", sql_exchange_mcps, ""));
    return ST_OK;
}

static enum status check_size(struct call *call, const Catalog__ExportCatalogResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    wire_to_json(&buf, wire_rule(rsp->base.descriptor), &rsp->base);
    if (buf.len <= REPLY_MAX_BYTES)
        return ST_OK;
    call_hint(call, "include_assets false, or one collection at a time.");
    return call_fail_reason(call, ST_FAILED_PRECONDITION, "REPLY_TOO_LARGE",
                            "The export has %zu bytes, more than the %d of one reply.", buf.len,
                            REPLY_MAX_BYTES);
}

enum status catalog_export_catalog(struct call *call, const Catalog__ExportCatalogRequest *req,
                                   Catalog__ExportCatalogResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    char now[TIMESTAMP_SIZE];

    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(read_all(call, req, rsp));
    TRY(tx_commit(&tx));
    for (size_t i = 0; i < rsp->n_mcps; i++)
        mcp_export(call, rsp->mcps[i]);
    clock_format(call->now_ms, now);
    rsp->version = "1.0.0";
    rsp->exported_at = arena_strdup(call->arena, now);
    return check_size(call, rsp);
}
