/* SPDX-License-Identifier: Apache-2.0 */
/* The same change to many work items, with a result for each. */
#include "sprint.h"

#include "work_item.sql.h"

/* What the items are to belong to is there, and stays while they are changed. */
static enum status check_sprint(struct call *call, const char *id)
{
    Sprint__WorkItem found = SPRINT__WORK_ITEM__INIT;
    enum status status;

    if (!*id)
        return ST_OK;
    status = pg_one(call, &found.base, sql_work_item_sprint_project, "s", id);
    return status == ST_NOT_FOUND ? fail_unknown(call, "sprint_id", "Sprint", id) : status;
}

/* The failure of one item, after which the others go on. */
static bool is_its_own(enum status status)
{
    return status == ST_NOT_FOUND || status == ST_INVALID_ARGUMENT || status == ST_ALREADY_EXISTS ||
           status == ST_FAILED_PRECONDITION;
}

static enum status change(struct tx *tx, const char *id, const ProtobufCMessage *update,
                          Sprint__BulkResult *result)
{
    struct call *call = tx->call;
    struct names changed = {0};
    Sprint__WorkItem *item;
    enum status status;

    TRY(tx_savepoint(tx));
    status = item_change(tx, id, update, &item, &changed);
    result->id = id;
    result->ok = status == ST_OK;
    if (result->ok || !is_its_own(status))
        return status;
    result->status = status_lower_name(status);
    result->message = arena_strdup(call->arena, call->error.message);
    error_clear(&call->error);
    return tx_rollback_to(tx);
}

static void name_fields(struct call *call, const ProtobufCMessage *update,
                        Sprint__BulkUpdateWorkItemsResponse *rsp)
{
    static const char *const fields[] = {"status", "priority", "sprint_id", "assignee", "labels"};
    struct names given = {0};

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (update_names(update, fields[i]))
            names_add(call, &given, fields[i]);
    rsp->n_changed_fields = given.n;
    rsp->changed_fields = given.items;
}

enum status sprint_bulk_update_work_items(struct call *call,
                                          const Sprint__BulkUpdateWorkItemsRequest *req,
                                          Sprint__BulkUpdateWorkItemsResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct pg_rows locked;

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(check_sprint(call, req->sprint_id));
    TRY(pg_rows(call, &locked, sql_work_item_lock_all, "a", req->n_ids, req->ids));
    rsp->results = arena_alloc(call->arena, req->n_ids * sizeof(Sprint__BulkResult *));
    for (size_t i = 0; i < req->n_ids; i++) {
        rsp->results[i] = new_message(call, &sprint__bulk_result__descriptor);
        TRY(change(&tx, req->ids[i], &req->base, rsp->results[i]));
        rsp->updated += rsp->results[i]->ok;
    }
    rsp->n_results = req->n_ids;
    rsp->total = (int32_t)req->n_ids;
    rsp->failed = rsp->total - rsp->updated;
    name_fields(call, &req->base, rsp);
    return tx_commit(&tx);
}
