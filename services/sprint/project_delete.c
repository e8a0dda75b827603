/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting a project, alone or with everything in it. */
#include "sprint.h"

#include "project.sql.h"

enum { DELETE_BATCH = 1000 };

/* Says exactly what is lost. */
static enum status ask(struct call *call, const Sprint__DeleteProjectRequest *req, int32_t sprints,
                       int32_t items)
{
    const char *what = arena_printf(call->arena, "%d sprint%s and %d work item%s", sprints,
                                    sprints == 1 ? "" : "s", items, items == 1 ? "" : "s");

    if (req->cascade)
        return fail_unconfirmed(call, "mal_delete_project",
                                "Deleting project '%s' with cascade removes %s.", req->id, what);
    return fail_unconfirmed(call, "mal_delete_project",
                            "Deleting project '%s' removes it for good; %s stay without a project.",
                            req->id, what);
}

static enum status delete_items(struct tx *tx, const char *project, size_t *ret_n)
{
    struct call *call = tx->call;
    Sprint__ListWorkItemsResponse gone = SPRINT__LIST_WORK_ITEMS_RESPONSE__INIT;
    Sprint__WorkItemDeleted *told;
    struct event *events;

    TRY(pg_all(call, &gone.base, "items", sql_project_delete_items, "si", project, DELETE_BATCH));
    told = arena_alloc(call->arena, gone.n_items * sizeof(*told));
    events = arena_alloc(call->arena, gone.n_items * sizeof(*events));
    for (size_t i = 0; i < gone.n_items; i++) {
        told[i] = (Sprint__WorkItemDeleted)SPRINT__WORK_ITEM_DELETED__INIT;
        told[i].id = gone.items[i]->id;
        told[i].project_id = project;
        told[i].sprint_id = gone.items[i]->sprint_id;
        told[i].status = gone.items[i]->status;
        events[i] = (struct event){"mal.evt.sprint.work_item.deleted", &told[i].base};
    }
    *ret_n = gone.n_items;
    return event_add_all(tx, gone.n_items, events);
}

static enum status delete_sprints(struct tx *tx, const char *project, size_t *ret_n)
{
    struct call *call = tx->call;
    Sprint__ListSprintsResponse gone = SPRINT__LIST_SPRINTS_RESPONSE__INIT;
    Sprint__SprintDeleted *told;
    struct event *events;

    TRY(pg_all(call, &gone.base, "items", sql_project_delete_sprints, "si", project, DELETE_BATCH));
    told = arena_alloc(call->arena, gone.n_items * sizeof(*told));
    events = arena_alloc(call->arena, gone.n_items * sizeof(*events));
    for (size_t i = 0; i < gone.n_items; i++) {
        told[i] = (Sprint__SprintDeleted)SPRINT__SPRINT_DELETED__INIT;
        told[i].id = gone.items[i]->id;
        told[i].project_id = project;
        told[i].status = gone.items[i]->status;
        events[i] = (struct event){"mal.evt.sprint.sprint.deleted", &told[i].base};
    }
    *ret_n = gone.n_items;
    return event_add_all(tx, gone.n_items, events);
}

/* Batch after batch until nothing is left, each in memory of its own. */
static enum status delete_all(struct tx *tx, const char *project,
                              enum status (*batch)(struct tx *tx, const char *project,
                                                   size_t *ret_n),
                              int32_t *ret_total)
{
    struct arena *kept = tx->call->arena;
    enum status status;
    size_t n;

    do {
        struct arena own;

        arena_init(&own);
        tx->call->arena = &own;
        status = batch(tx, project, &n);
        tx->call->arena = kept;
        arena_done(&own);
        *ret_total += status == ST_OK ? (int32_t)n : 0;
    } while (status == ST_OK && n > 0);
    return status;
}

static enum status delete_contents(struct tx *tx, const char *id,
                                   Sprint__DeleteProjectResponse *rsp)
{
    TRY(pg_exec(tx->call, sql_project_orphan_items, NULL, "ss", id,
                tx->call->actor ? tx->call->actor : ""));
    TRY(delete_all(tx, id, delete_items, &rsp->work_items_deleted));
    return delete_all(tx, id, delete_sprints, &rsp->sprints_deleted);
}

static enum status detach_contents(struct call *call, const char *id,
                                   Sprint__DeleteProjectResponse *rsp)
{
    int items, sprints;

    TRY(pg_exec(call, sql_project_detach_items, &items, "ss", id, call->actor ? call->actor : ""));
    TRY(pg_exec(call, sql_project_detach_sprints, &sprints, "s", id));
    rsp->work_items_detached = items;
    rsp->sprints_detached = sprints;
    return ST_OK;
}

enum status sprint_delete_project(struct call *call, const Sprint__DeleteProjectRequest *req,
                                  Sprint__DeleteProjectResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__Project project = SPRINT__PROJECT__INIT;
    Sprint__ItemCounts items = SPRINT__ITEM_COUNTS__INIT;
    Sprint__GetProjectResponse sprints = SPRINT__GET_PROJECT_RESPONSE__INIT;
    Sprint__ProjectDeleted event = SPRINT__PROJECT_DELETED__INIT;

    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &project.base, sql_project_claim, "s", req->id), "Project",
                     req->id));
    if (!req->confirm && is_guarded("mal_delete_project")) {
        TRY(pg_one(call, &items.base, sql_project_items, "s", req->id));
        TRY(pg_one(call, &sprints.base, sql_project_sprints_total, "s", req->id));
        return ask(call, req, sprints.sprints_total, items.total);
    }
    if (req->cascade)
        TRY(delete_contents(&tx, req->id, rsp));
    else
        TRY(detach_contents(call, req->id, rsp));
    TRY(pg_exec(call, sql_project_delete, NULL, "s", req->id));
    event.id = project.id;
    event.name = project.name;
    event.status = project.status;
    event.cascade = req->cascade;
    TRY(event_add(&tx, "mal.evt.sprint.project.deleted", &event.base));
    rsp->id = project.id;
    rsp->deleted = true;
    rsp->cascade = req->cascade;
    return tx_commit(&tx);
}
