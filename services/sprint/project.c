/* SPDX-License-Identifier: Apache-2.0 */
/* Projects: creating, reading and updating. */
#include "sprint.h"

#include "project.sql.h"
#include "sprint.sql.h"

enum { PROJECT_SPRINTS_MAX = 50 };

static enum status insert(struct call *call, const char *id, const void *arg, void *stored)
{
    const Sprint__CreateProjectRequest *req = arg;

    return pg_one(call, stored, sql_project_insert, "sssSsSss", id, req->key, req->name,
                  req->description, enum_text(&req->base, "status"), req->owner_id, req->color,
                  req->metadata);
}

enum status sprint_create_project(struct call *call, const Sprint__CreateProjectRequest *req,
                                  Sprint__CreateProjectResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__ProjectCreated event = SPRINT__PROJECT_CREATED__INIT;
    const struct named named = {"Project",           req->id, req->name, sql_project_slug,
                                sql_project_free_id, insert};

    rsp->project = new_message(call, &sprint__project__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(add_named(call, &named, req, rsp->project));
    event.id = rsp->project->id;
    event.name = rsp->project->name;
    event.status = rsp->project->status;
    TRY(event_add(&tx, "mal.evt.sprint.project.created", &event.base));
    return tx_commit(&tx);
}

enum status sprint_list_projects(struct call *call, const Sprint__ListProjectsRequest *req,
                                 Sprint__ListProjectsResponse *rsp)
{
    const char *status = enum_text(&req->base, "status");

    TRY(tally_total(call, &rsp->total, "project", status, NULL, NULL));
    TRY(pg_all(call, &rsp->base, "items", sql_project_list, "sii", status, req->limit,
               req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status sprint_get_project(struct call *call, const Sprint__GetProjectRequest *req,
                               Sprint__GetProjectResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};

    rsp->project = new_message(call, &sprint__project__descriptor);
    rsp->work_items = new_message(call, &sprint__item_counts__descriptor);
    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(fail_missing(call, pg_one(call, &rsp->project->base, sql_project_get, "s", req->id),
                     "Project", req->id));
    TRY(pg_all(call, &rsp->base, "sprints", sql_sprint_of_project, "si", req->id,
               PROJECT_SPRINTS_MAX));
    TRY(pg_one(call, &rsp->base, sql_project_sprints_total, "s", req->id));
    TRY(pg_one(call, &rsp->work_items->base, sql_project_items, "s", req->id));
    return tx_commit(&tx);
}

static enum status save(struct tx *tx, const Sprint__Project *project, Sprint__Project *stored)
{
    struct call *call = tx->call;
    Sprint__ProjectUpdated event = SPRINT__PROJECT_UPDATED__INIT;

    TRY(pg_one(call, &stored->base, sql_project_update, "sssSsSss", project->id, project->key,
               project->name, project->description, enum_text(&project->base, "status"),
               project->owner_id, project->color, project->metadata));
    event.id = stored->id;
    event.name = stored->name;
    event.status = stored->status;
    return event_add(tx, "mal.evt.sprint.project.updated", &event.base);
}

enum status sprint_update_project(struct call *call, const Sprint__UpdateProjectRequest *req,
                                  Sprint__UpdateProjectResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__Project *project = new_message(call, &sprint__project__descriptor), before;
    struct names changed = {0};

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &project->base, sql_project_lock, "s", req->id), "Project",
                     req->id));
    before = *project;
    update_merge(call, &project->base, &req->base, &changed);
    TRY(keep_metadata(call, &project->metadata, before.metadata, &changed));
    rsp->project = project;
    if (changed.n) {
        rsp->project = new_message(call, &sprint__project__descriptor);
        TRY(save(&tx, project, rsp->project));
    }
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    return tx_commit(&tx);
}
