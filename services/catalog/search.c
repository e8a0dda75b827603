/* SPDX-License-Identifier: Apache-2.0 */
/* Full-text search. */
#include "catalog.h"

#include "search.sql.h"

enum status catalog_search_skills(struct call *call, const Catalog__SearchSkillsRequest *req,
                                  Catalog__SearchSkillsResponse *rsp)
{
    Catalog__Totals totals = CATALOG__TOTALS__INIT;

    TRY(pg_one(call, &totals.base, sql_search_totals, "s", req->query));
    TRY(pg_all(call, &rsp->base, "items", sql_search_hits, "ssiib", req->query, "skills",
               req->limit, req->offset, true));
    rsp->total = totals.skills;
    PAGE_DONE(rsp, req);
    return ST_OK;
}

static int32_t kept(bool wanted, int32_t total)
{
    return wanted ? total : 0;
}

/* Only the collection asked for counts. */
static void narrow(Catalog__Totals *totals, Catalog__Collection only)
{
    bool all = only == CATALOG__COLLECTION__COLLECTION_UNSPECIFIED;

    totals->skills = kept(all || only == CATALOG__COLLECTION__COLLECTION_SKILLS, totals->skills);
    totals->commands =
        kept(all || only == CATALOG__COLLECTION__COLLECTION_COMMANDS, totals->commands);
    totals->subagents =
        kept(all || only == CATALOG__COLLECTION__COLLECTION_SUBAGENTS, totals->subagents);
    totals->mcps = kept(all || only == CATALOG__COLLECTION__COLLECTION_MCPS, totals->mcps);
}

/* limit and offset count in every collection by itself. */
static bool more_follow(const Catalog__Totals *totals, int64_t shown)
{
    return totals->skills > shown || totals->commands > shown || totals->subagents > shown ||
           totals->mcps > shown;
}

enum status catalog_search_catalog(struct call *call, const Catalog__SearchCatalogRequest *req,
                                   Catalog__SearchCatalogResponse *rsp)
{
    Catalog__Totals *totals = new_message(call, &catalog__totals__descriptor);
    int64_t shown = (int64_t)req->offset + req->limit;

    TRY(pg_one(call, &totals->base, sql_search_totals, "s", req->query));
    TRY(pg_all(call, &rsp->base, "items", sql_search_hits, "ssiib", req->query,
               enum_text(&req->base, "collection"), req->limit, req->offset, false));
    narrow(totals, req->collection);
    rsp->totals = totals;
    rsp->total = totals->skills + totals->commands + totals->subagents + totals->mcps;
    rsp->count = (int32_t)rsp->n_items;
    rsp->offset = req->offset;
    rsp->has_more = more_follow(totals, shown);
    if (rsp->has_more) {
        rsp->has_next_offset_case = CATALOG__SEARCH_CATALOG_RESPONSE__HAS_NEXT_OFFSET_NEXT_OFFSET;
        rsp->next_offset = (int32_t)shown;
    }
    return ST_OK;
}
