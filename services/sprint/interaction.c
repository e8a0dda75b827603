/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations: browsing, reading and searching them. */
#include "interaction.sql.h"
#include "sprint.h"

/* Whether the total has to be counted. */
static bool is_narrowed(const Sprint__ListInteractionsRequest *req)
{
    return *req->user_id || *req->sprint_id || *req->work_item_id || *req->session_id ||
           *req->tags || *req->from || *req->to;
}

enum status sprint_list_interactions(struct call *call, const Sprint__ListInteractionsRequest *req,
                                     Sprint__ListInteractionsResponse *rsp)
{
    const char *source = enum_text(&req->base, "source"), **tags;
    size_t n;

    TRY(filter_tags(call, "tags", req->tags, &n, &tags));
    TRY(filter_range(call, req->from, req->to));
    if (is_narrowed(req))
        TRY(pg_one(call, &rsp->base, sql_interaction_count, "SSSSsaSS", req->user_id,
                   req->sprint_id, req->work_item_id, req->session_id, source, n, tags, req->from,
                   req->to));
    else
        TRY(tally_total(call, &rsp->total, "interaction", NULL, source, NULL));
    TRY(pg_all(call, &rsp->base, "items", sql_interaction_list, "SSSSsaSSii", req->user_id,
               req->sprint_id, req->work_item_id, req->session_id, source, n, tags, req->from,
               req->to, req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status sprint_get_interaction(struct call *call, const Sprint__GetInteractionRequest *req,
                                   Sprint__GetInteractionResponse *rsp)
{
    Sprint__Interaction *interaction = new_message(call, &sprint__interaction__descriptor);

    TRY(fail_missing(call, pg_one(call, &interaction->base, sql_interaction_get, "s", req->id),
                     "Interaction", req->id));
    TRY(pg_all(call, &rsp->base, "messages", sql_interaction_messages, "s", req->id));
    rsp->interaction = interaction;
    return ST_OK;
}

/* The conversations of the hits, in their order. */
static enum status load(struct call *call, const struct pg_rows *hits,
                        Sprint__SearchInteractionsResponse *rsp)
{
    Sprint__ListInteractionsResponse found = SPRINT__LIST_INTERACTIONS_RESPONSE__INIT;
    const char **ids = arena_alloc(call->arena, (size_t)hits->n * sizeof(*ids));

    for (int i = 0; i < hits->n; i++)
        ids[i] = pg_cell(hits, i, "id");
    TRY(pg_all(call, &found.base, "items", sql_interaction_named, "a", (size_t)hits->n, ids));
    rsp->items = arena_alloc(call->arena, found.n_items * sizeof(void *));
    /* None is ever deleted, so that each is there. */
    rsp->n_items = found.n_items;
    for (size_t i = 0; i < found.n_items; i++) {
        Sprint__InteractionHit *hit = new_message(call, &sprint__interaction_hit__descriptor);

        hit->interaction = found.items[i];
        hit->rank = strtod(pg_cell(hits, (int)i, "rank"), NULL);
        hit->snippet = pg_cell(hits, (int)i, "snippet");
        rsp->items[i] = hit;
    }
    return ST_OK;
}

enum status sprint_search_interactions(struct call *call,
                                       const Sprint__SearchInteractionsRequest *req,
                                       Sprint__SearchInteractionsResponse *rsp)
{
    struct pg_rows hits;
    const char **tags;
    size_t n;

    TRY(filter_tags(call, "tags", req->tags, &n, &tags));
    TRY(filter_range(call, req->from, req->to));
    TRY(pg_one(call, &rsp->base, sql_interaction_search_count, "sSaSS", req->query, req->user_id, n,
               tags, req->from, req->to));
    TRY(pg_rows(call, &hits, sql_interaction_search, "sSaSSii", req->query, req->user_id, n, tags,
                req->from, req->to, req->limit, req->offset));
    TRY(load(call, &hits, rsp));
    PAGE_DONE(rsp, req);
    return ST_OK;
}
