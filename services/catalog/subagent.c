/* SPDX-License-Identifier: Apache-2.0 */
/* Subagents: prompts with the model, tools and limits they are made for. */
#include "catalog.h"

#include "subagent.sql.h"

enum status catalog_list_subagents(struct call *call, const Catalog__ListSubagentsRequest *req,
                                   Catalog__ListSubagentsResponse *rsp)
{
    const char **tags;
    size_t n;

    TRY(filter_tags(call, "tags", req->tags, &n, &tags));
    TRY(pg_one(call, &rsp->base, sql_subagent_count, "a", n, tags));
    TRY(pg_all(call, &rsp->base, "items", sql_subagent_list, "aii", n, tags, req->limit,
               req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status catalog_page_subagents(struct call *call, const Catalog__PageSubagentsRequest *req,
                                   Catalog__PageSubagentsResponse *rsp)
{
    return pg_all(call, &rsp->base, "items", sql_subagent_page, "si", req->after, req->limit);
}

enum status catalog_get_subagent(struct call *call, const Catalog__GetSubagentRequest *req,
                                 Catalog__GetSubagentResponse *rsp)
{
    rsp->subagent = new_message(call, &catalog__subagent__descriptor);
    return fail_missing(call, pg_one(call, &rsp->subagent->base, sql_subagent_get, "s", req->id),
                        "Subagent", req->id);
}

enum status subagent_add(struct tx *tx, const Catalog__RegisterSubagentRequest *req,
                         const struct birth *birth, Catalog__Subagent *subagent)
{
    struct call *call = tx->call;
    Catalog__SubagentRegistered event = CATALOG__SUBAGENT_REGISTERED__INIT;

    TRY(fail_taken(
        call,
        pg_one(call, &subagent->base, sql_subagent_insert, "ssssassaissSS", req->id, req->name,
               req->description, req->author, req->n_tags, req->tags, req->system_prompt,
               *req->model ? req->model : catalog_config.subagent_model, req->n_tools_allowed,
               req->tools_allowed, req->max_turns, req->input_schema,
               enum_text(&req->base, "output_format"), birth->created_at, birth->updated_at),
        "Subagent", req->id));
    event.id = subagent->id;
    event.name = subagent->name;
    return event_add(tx, "mal.evt.catalog.subagent.registered", &event.base);
}

enum status catalog_register_subagent(struct call *call,
                                      const Catalog__RegisterSubagentRequest *req,
                                      Catalog__RegisterSubagentResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names warnings = {0};

    rsp->subagent = new_message(call, &catalog__subagent__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(subagent_add(&tx, req, &(struct birth){0}, rsp->subagent));
    tools_warn(call, req->n_tools_allowed, req->tools_allowed, &warnings);
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}

static enum status save(struct tx *tx, Catalog__Subagent **subagent_io, const struct names *changed)
{
    struct call *call = tx->call;
    Catalog__SubagentUpdated event = CATALOG__SUBAGENT_UPDATED__INIT;
    const Catalog__Subagent *subagent = *subagent_io;
    Catalog__Subagent *stored = new_message(call, &catalog__subagent__descriptor);

    TRY(pg_one(call, &stored->base, sql_subagent_update, "sssassaiss", subagent->id, subagent->name,
               subagent->description, subagent->n_tags, subagent->tags, subagent->system_prompt,
               subagent->model, subagent->n_tools_allowed, subagent->tools_allowed,
               subagent->max_turns, subagent->input_schema,
               enum_text(&subagent->base, "output_format")));
    event.id = stored->id;
    event.name = stored->name;
    event.n_changed = changed->n;
    event.changed = changed->items;
    *subagent_io = stored;
    return event_add(tx, "mal.evt.catalog.subagent.updated", &event.base);
}

enum status catalog_update_subagent(struct call *call, const Catalog__UpdateSubagentRequest *req,
                                    Catalog__UpdateSubagentResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__Subagent *subagent = new_message(call, &catalog__subagent__descriptor);
    Catalog__UpdateSubagentRequest update = *req;
    struct names changed = {0}, warnings = {0};

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &subagent->base, sql_subagent_lock, "s", req->id),
                     "Subagent", req->id));
    TRY(pg_keep_json(call, &update.input_schema, subagent->input_schema));
    update_merge(call, &subagent->base, &update.base, &changed);
    tools_warn(call, req->n_tools_allowed, req->tools_allowed, &warnings);
    if (changed.n)
        TRY(save(&tx, &subagent, &changed));
    rsp->subagent = subagent;
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}

enum status catalog_delete_subagent(struct call *call, const Catalog__DeleteSubagentRequest *req,
                                    Catalog__DeleteSubagentResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__SubagentDeleted event = CATALOG__SUBAGENT_DELETED__INIT;
    Catalog__Subagent subagent = CATALOG__SUBAGENT__INIT;

    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &subagent.base, sql_subagent_lock, "s", req->id),
                     "Subagent", req->id));
    if (!req->confirm) {
        call_hint(call, "ask the user, then delete it again with confirm: true.");
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "CONFIRMATION_REQUIRED",
                                "Deleting subagent '%s' removes \"%s\" and its prompt for good.",
                                subagent.id, subagent.name);
    }
    TRY(pg_exec(call, sql_subagent_delete, NULL, "s", req->id));
    event.id = subagent.id;
    event.name = subagent.name;
    TRY(event_add(&tx, "mal.evt.catalog.subagent.deleted", &event.base));
    rsp->id = subagent.id;
    rsp->deleted = true;
    return tx_commit(&tx);
}
