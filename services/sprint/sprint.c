/* SPDX-License-Identifier: Apache-2.0 */
/* Sprints: creating and reading. */
#include "sprint.h"

#include "sprint.sql.h"

enum { SPRINT_ITEMS_MAX = 500 };

static enum status insert(struct call *call, const char *id, const void *arg, void *stored)
{
    const Sprint__CreateSprintRequest *req = arg;
    bool completed = req->status == SPRINT__SPRINT_STATUS__SPRINT_STATUS_COMPLETED;

    return pg_one(call, stored, sql_sprint_insert, "ssSssssSSss", id, req->name, req->goal,
                  req->start_date, req->end_date, enum_text(&req->base, "status"),
                  int_text(call, req->has_team_capacity_case, req->team_capacity), req->created_by,
                  req->project_id, req->metadata, completed ? now_text(call) : NULL);
}

enum status sprint_create_sprint(struct call *call, const Sprint__CreateSprintRequest *req,
                                 Sprint__CreateSprintResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__SprintCreated event = SPRINT__SPRINT_CREATED__INIT;
    const struct named named = {"Sprint",           req->id, req->name, sql_sprint_slug,
                                sql_sprint_free_id, insert};

    if (strcmp(req->end_date, req->start_date) < 0)
        call_field(call, "end_date", "must not be before start_date");
    TRY(call_invalid(call));
    rsp->sprint = new_message(call, &sprint__sprint__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(fail_reference(call, add_named(call, &named, req, rsp->sprint), &req->base));
    event.id = rsp->sprint->id;
    event.project_id = rsp->sprint->project_id;
    event.status = rsp->sprint->status;
    TRY(event_add(&tx, "mal.evt.sprint.sprint.created", &event.base));
    return tx_commit(&tx);
}

enum status sprint_list_sprints(struct call *call, const Sprint__ListSprintsRequest *req,
                                Sprint__ListSprintsResponse *rsp)
{
    const char *status = enum_text(&req->base, "status");

    TRY(filter_range(call, req->from, req->to));
    if (*req->project_id || *req->from || *req->to)
        TRY(pg_one(call, &rsp->base, sql_sprint_count, "sSSS", status, req->project_id, req->from,
                   req->to));
    else
        TRY(tally_total(call, &rsp->total, "sprint", status, NULL, NULL));
    TRY(pg_all(call, &rsp->base, "items", sql_sprint_list, "sSSSii", status, req->project_id,
               req->from, req->to, req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

static void add_up(Sprint__GetSprintResponse *rsp)
{
    for (size_t i = 0; i < rsp->n_by_status; i++) {
        const Sprint__StatusCount *row = rsp->by_status[i];

        rsp->items_total += row->count;
        if (row->status != SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_CANCELLED)
            rsp->points_total += row->points;
        if (row->status == SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_DONE)
            rsp->points_done += row->points;
    }
}

enum status sprint_get_sprint(struct call *call, const Sprint__GetSprintRequest *req,
                              Sprint__GetSprintResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};

    rsp->sprint = new_message(call, &sprint__sprint__descriptor);
    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(fail_missing(call, pg_one(call, &rsp->sprint->base, sql_sprint_get, "s", req->id), "Sprint",
                     req->id));
    TRY(pg_all(call, &rsp->base, "items", sql_sprint_items, "si", req->id, SPRINT_ITEMS_MAX));
    TRY(pg_all(call, &rsp->base, "by_status", sql_sprint_by_status, "s", req->id));
    add_up(rsp);
    return tx_commit(&tx);
}
