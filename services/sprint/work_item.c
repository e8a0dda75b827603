/* SPDX-License-Identifier: Apache-2.0 */
/* Work items: creating and reading. */
#include "sprint.h"

#include "work_item.sql.h"

enum { CHILDREN_MAX = 50, INTERACTIONS_MAX = 10, HISTORY_MAX = 20 };

/* A work item as it is to be created. */
static void from_request(Sprint__WorkItem *item, const Sprint__CreateWorkItemRequest *req)
{
    item->id = req->id;
    item->title = req->title;
    item->description = req->description;
    item->type = req->type;
    item->status = req->status;
    item->priority = req->priority;
    if (req->has_story_points_case) {
        item->has_story_points_case = SPRINT__WORK_ITEM__HAS_STORY_POINTS_STORY_POINTS;
        item->story_points = req->story_points;
    }
    item->sprint_id = req->sprint_id;
    item->project_id = req->project_id;
    item->assignee = req->assignee;
    item->reporter = req->reporter;
    item->n_labels = req->n_labels;
    item->labels = req->labels;
    item->parent_id = req->parent_id;
    item->due_date = req->due_date;
    item->completed_at = req->completed_at;
    item->metadata = req->metadata;
}

/* Takes the project of its sprint where it has none of its own; *ret_key is the
 * prefix of its id. */
static enum status place(struct call *call, Sprint__WorkItem *item, const char **ret_key)
{
    Sprint__WorkItem found = SPRINT__WORK_ITEM__INIT;
    enum status status;

    *ret_key = "MAL";
    if (*item->sprint_id && !*item->project_id) {
        status = pg_one(call, &found.base, sql_work_item_sprint_project, "s", item->sprint_id);
        if (status == ST_NOT_FOUND)
            return fail_unknown(call, "sprint_id", "Sprint", item->sprint_id);
        TRY(status);
        item->project_id = found.project_id;
    }
    if (!*item->project_id)
        return ST_OK;
    status = pg_text(call, sql_work_item_key, ret_key, "s", item->project_id);
    if (status == ST_NOT_FOUND)
        return fail_unknown(call, "project_id", "Project", item->project_id);
    return status;
}

static enum status insert(struct call *call, const Sprint__WorkItem *item, const char *id,
                          Sprint__WorkItem *stored)
{
    enum status status =
        pg_one(call, &stored->base, sql_work_item_insert, "ssSssssSSSSaSSSs", id, item->title,
               item->description, enum_text(&item->base, "type"), enum_text(&item->base, "status"),
               enum_text(&item->base, "priority"),
               int_text(call, item->has_story_points_case, item->story_points), item->sprint_id,
               item->project_id, item->assignee, item->reporter, item->n_labels, item->labels,
               item->parent_id, item->due_date, item->completed_at, item->metadata);

    if (status == ST_NOT_FOUND && !*pg_constraint(call))
        return ST_ALREADY_EXISTS;
    return fail_reference(call, status, &item->base);
}

static enum status add(struct call *call, const Sprint__WorkItem *item, const char *key,
                       Sprint__WorkItem *stored)
{
    enum status status;
    const char *id;

    if (*item->id)
        return fail_taken(call, insert(call, item, item->id, stored), "Work item", item->id);
    do {
        TRY(pg_text(call, sql_work_item_next_id, &id, "s", key));
        status = insert(call, item, id, stored);
        /* Someone took the number by hand since. */
    } while (status == ST_ALREADY_EXISTS);
    return status;
}

static enum status tell(struct tx *tx, const Sprint__WorkItem *item)
{
    Sprint__WorkItemCreated created = SPRINT__WORK_ITEM_CREATED__INIT;
    Sprint__WorkItemCompleted completed = SPRINT__WORK_ITEM_COMPLETED__INIT;
    const struct event events[] = {
        {"mal.evt.sprint.work_item.created", &created.base},
        {"mal.evt.sprint.work_item.completed", &completed.base},
    };

    created.id = item->id;
    created.project_id = item->project_id;
    created.sprint_id = item->sprint_id;
    created.status = item->status;
    item_completed_event(&completed, item);
    return event_add_all(tx, *item->completed_at ? 2 : 1, events);
}

enum status sprint_create_work_item(struct call *call, const Sprint__CreateWorkItemRequest *req,
                                    Sprint__CreateWorkItemResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__WorkItem item = SPRINT__WORK_ITEM__INIT;
    const char *key;

    from_request(&item, req);
    TRY(item_settle(call, &item, false, *req->completed_at != '\0'));
    if (*req->id && strcmp(req->id, req->parent_id) == 0)
        return fail_cycle(call, req->id);
    rsp->work_item = new_message(call, &sprint__work_item__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(place(call, &item, &key));
    TRY(add(call, &item, key, rsp->work_item));
    TRY(tell(&tx, rsp->work_item));
    return tx_commit(&tx);
}

static enum status count(struct call *call, const Sprint__ListWorkItemsRequest *req, size_t n,
                         const char **labels, Sprint__ListWorkItemsResponse *rsp)
{
    const char *status = enum_text(&req->base, "status"), *type = enum_text(&req->base, "type");
    const char *priority = enum_text(&req->base, "priority");

    if (!*req->sprint_id && !*req->project_id && !*req->assignee && !*req->parent_id && n == 0)
        return tally_total(call, &rsp->total, "work_item", status, type, priority);
    return pg_one(call, &rsp->base, sql_work_item_count, "SSSSsssa", req->sprint_id,
                  req->project_id, req->assignee, req->parent_id, status, type, priority, n,
                  labels);
}

enum status sprint_list_work_items(struct call *call, const Sprint__ListWorkItemsRequest *req,
                                   Sprint__ListWorkItemsResponse *rsp)
{
    const char **labels;
    size_t n;

    TRY(filter_tags(call, "labels", req->labels, &n, &labels));
    TRY(count(call, req, n, labels, rsp));
    TRY(pg_all(call, &rsp->base, "items", sql_work_item_list, "SSSSsssaii", req->sprint_id,
               req->project_id, req->assignee, req->parent_id, enum_text(&req->base, "status"),
               enum_text(&req->base, "type"), enum_text(&req->base, "priority"), n, labels,
               req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status sprint_get_work_item(struct call *call, const Sprint__GetWorkItemRequest *req,
                                 Sprint__GetWorkItemResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};

    rsp->work_item = new_message(call, &sprint__work_item__descriptor);
    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(fail_missing(call, pg_one(call, &rsp->work_item->base, sql_work_item_get, "s", req->id),
                     "Work item", req->id));
    TRY(pg_all(call, &rsp->base, "children", sql_work_item_children, "si", req->id, CHILDREN_MAX));
    TRY(pg_all(call, &rsp->base, "interactions", sql_work_item_interactions, "si", req->id,
               INTERACTIONS_MAX));
    TRY(pg_all(call, &rsp->base, "history", sql_work_item_history, "si", req->id, HISTORY_MAX));
    return tx_commit(&tx);
}
