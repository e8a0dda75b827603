/* SPDX-License-Identifier: Apache-2.0 */
/* Updating a sprint: its velocity is frozen as it is completed, and follows the
 * items again when it is taken up again. */
#include "sprint.h"

#include "sprint.sql.h"

enum { VELOCITY_MAX = 100000 };

static bool is_completed(const Sprint__Sprint *sprint)
{
    return sprint->status == SPRINT__SPRINT_STATUS__SPRINT_STATUS_COMPLETED;
}

static enum status check(struct call *call, const Sprint__Sprint *sprint,
                         const Sprint__UpdateSprintRequest *req)
{
    if (strcmp(sprint->end_date, sprint->start_date) < 0)
        call_field(call, *req->end_date ? "end_date" : "start_date",
                   "leaves the last day, %s, before the first, %s", sprint->end_date,
                   sprint->start_date);
    if (req->has_velocity_case && !is_completed(sprint))
        call_field(call, "velocity",
                   "is accepted only for a completed sprint; until then it "
                   "follows the items");
    return call_invalid(call);
}

/* Who finished what; the velocity is the sum of all, nobody's items included. */
static enum status complete(struct call *call, Sprint__Sprint *sprint, bool velocity_given,
                            Sprint__SprintCompleted *event)
{
    int32_t sum = 0;

    TRY(pg_all(call, &event->base, "members", sql_sprint_shares, "s", sprint->id));
    for (size_t i = 0; i < event->n_members; i++)
        sum += event->members[i]->done_points;
    if (event->n_members && !*event->members[event->n_members - 1]->user_id)
        event->n_members--;
    if (!velocity_given)
        sprint->velocity = sum < VELOCITY_MAX ? sum : VELOCITY_MAX;
    sprint->completed_at = now_text(call);
    event->id = sprint->id;
    event->project_id = sprint->project_id;
    event->name = sprint->name;
    event->start_date = sprint->start_date;
    event->end_date = sprint->end_date;
    event->completed_at = sprint->completed_at;
    event->on_time = strncmp(sprint->completed_at, sprint->end_date, strlen("2026-03-02")) <= 0;
    event->velocity = sprint->velocity;
    return ST_OK;
}

static enum status store(struct call *call, const Sprint__Sprint *sprint)
{
    enum status status = pg_exec(
        call, sql_sprint_update, NULL, "ssSsssssSSSsS", sprint->id, sprint->name, sprint->goal,
        sprint->start_date, sprint->end_date, enum_text(&sprint->base, "status"),
        int_text(call, is_completed(sprint), sprint->velocity),
        int_text(call, sprint->has_team_capacity_case, sprint->team_capacity), sprint->summary,
        sprint->retrospective, sprint->project_id, sprint->metadata, sprint->completed_at);

    return fail_reference(call, status, &sprint->base);
}

static enum status save(struct tx *tx, Sprint__Sprint *sprint, bool was_completed,
                        bool velocity_given, const struct names *changed)
{
    struct call *call = tx->call;
    Sprint__SprintUpdated updated = SPRINT__SPRINT_UPDATED__INIT;
    Sprint__SprintCompleted completed = SPRINT__SPRINT_COMPLETED__INIT;
    Sprint__SprintReopened reopened = SPRINT__SPRINT_REOPENED__INIT;
    struct event events[2] = {{"mal.evt.sprint.sprint.updated", &updated.base}};
    size_t n = 1;

    if (is_completed(sprint) && !was_completed) {
        TRY(complete(call, sprint, velocity_given, &completed));
        events[n++] = (struct event){"mal.evt.sprint.sprint.completed", &completed.base};
    } else if (!is_completed(sprint) && was_completed) {
        sprint->completed_at = "";
        reopened.id = sprint->id;
        events[n++] = (struct event){"mal.evt.sprint.sprint.reopened", &reopened.base};
    }
    TRY(store(call, sprint));
    updated.id = sprint->id;
    updated.project_id = sprint->project_id;
    updated.status = sprint->status;
    updated.n_changed = changed->n;
    updated.changed = changed->items;
    return event_add_all(tx, n, events);
}

enum status sprint_update_sprint(struct call *call, const Sprint__UpdateSprintRequest *req,
                                 Sprint__UpdateSprintResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__Sprint *sprint = new_message(call, &sprint__sprint__descriptor), before;
    struct names changed = {0};

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &sprint->base, sql_sprint_lock, "s", req->id), "Sprint",
                     req->id));
    before = *sprint;
    update_merge(call, &sprint->base, &req->base, &changed);
    TRY(keep_metadata(call, &sprint->metadata, before.metadata, &changed));
    TRY(check(call, sprint, req));
    rsp->sprint = sprint;
    if (changed.n) {
        TRY(save(&tx, sprint, is_completed(&before), req->has_velocity_case, &changed));
        rsp->sprint = new_message(call, &sprint__sprint__descriptor);
        TRY(pg_one(call, &rsp->sprint->base, sql_sprint_get, "s", req->id));
    }
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    return tx_commit(&tx);
}
