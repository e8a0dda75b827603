/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a sprint. */
#include "report.h"

/* Days of a burndown that fit a reply: nobody plans 270 years. */
enum { BURNDOWN_MAX = 100000 };

/* Numbers per value of an enum, which has fewer values than this. */
enum { VALUES_MAX = 8 };

struct count {
    int32_t count, done, points;
};

static void count_by(struct count *counts, const Sprint__WorkItem *item, int value)
{
    counts[value].count++;
    counts[value].points += item->story_points;
    counts[value].done += item->status == SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_DONE;
}

static void add_statuses(struct call *call, const struct sprint_facts *facts,
                         Sprint__GetSprintReportResponse *rsp)
{
    struct count counts[VALUES_MAX] = {0};

    for (size_t i = 0; i < facts->n_items; i++)
        count_by(counts, facts->items[i], (int)facts->items[i]->status);
    rsp->by_status = arena_alloc(call->arena, VALUES_MAX * sizeof(void *));
    for (int i = 0; i < VALUES_MAX; i++) {
        Sprint__StatusCount *entry;

        if (counts[i].count == 0)
            continue;
        entry = new_message(call, &sprint__status_count__descriptor);
        entry->status = (Sprint__WorkItemStatus)i;
        entry->count = counts[i].count;
        entry->points = counts[i].points;
        rsp->by_status[rsp->n_by_status++] = entry;
    }
}

static void add_types(struct call *call, const struct sprint_facts *facts,
                      Sprint__GetSprintReportResponse *rsp)
{
    struct count counts[VALUES_MAX] = {0};

    for (size_t i = 0; i < facts->n_items; i++)
        if (facts->items[i]->status != SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_CANCELLED)
            count_by(counts, facts->items[i], (int)facts->items[i]->type);
    rsp->by_type = arena_alloc(call->arena, VALUES_MAX * sizeof(void *));
    for (int i = 0; i < VALUES_MAX; i++) {
        Sprint__TypeCount *entry;

        if (counts[i].count == 0)
            continue;
        entry = new_message(call, &sprint__type_count__descriptor);
        entry->type = (Sprint__WorkItemType)i;
        entry->count = counts[i].count;
        entry->done = counts[i].done;
        entry->points = counts[i].points;
        rsp->by_type[rsp->n_by_type++] = entry;
    }
}

static int by_day(const void *a, const void *b)
{
    return ((const struct burn_done *)a)->day - ((const struct burn_done *)b)->day;
}

static size_t done_by_day(const struct sprint_facts *facts, struct burn_done *done)
{
    int64_t start = date_ms(facts->sprint->start_date);
    size_t n = 0;

    for (size_t i = 0; i < facts->n_items; i++) {
        const Sprint__WorkItem *item = facts->items[i];

        if (item->status == SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_DONE)
            done[n++] = (struct burn_done){
                (int32_t)((date_ms(item->completed_at) - start) / DAY_MS), item->story_points};
    }
    qsort(done, n, sizeof(*done), by_day);
    return n;
}

static enum status add_burndown(struct call *call, const struct sprint_facts *facts,
                                Sprint__GetSprintReportResponse *rsp)
{
    size_t n = (size_t)facts->days.total + 1;
    struct burn_done *done;
    struct burn_entry *entries;

    if (n > BURNDOWN_MAX) {
        call_hint(call, "mal_update_sprint to correct its first or last day.");
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "REPLY_TOO_LARGE",
                                "Sprint '%s' has %d days, too many for a burndown.",
                                facts->sprint->id, facts->days.total);
    }
    done = arena_alloc(call->arena, facts->n_items * sizeof(*done));
    entries = arena_alloc(call->arena, n * sizeof(*entries));
    burndown(entries, &facts->days, facts->points, done, done_by_day(facts, done));
    rsp->n_burndown = n;
    rsp->burndown = arena_alloc(call->arena, n * sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        Sprint__BurndownDay *day = new_message(call, &sprint__burndown_day__descriptor);
        char date[DATE_SIZE];

        date_format(date_ms(facts->sprint->start_date) + (int64_t)i * DAY_MS, date);
        day->date = arena_strdup(call->arena, date);
        day->ideal = entries[i].ideal;
        if (entries[i].known)
            day->has_remaining_case = SPRINT__BURNDOWN_DAY__HAS_REMAINING_REMAINING;
        day->remaining = entries[i].remaining;
        rsp->burndown[i] = day;
    }
    return ST_OK;
}

static void add_totals(struct call *call, const struct sprint_facts *facts,
                       Sprint__GetSprintReportResponse *rsp)
{
    const Sprint__Sprint *sprint = facts->sprint;

    rsp->points = new_message(call, &sprint__points__descriptor);
    rsp->points->total = facts->points;
    rsp->points->done = facts->points_done;
    rsp->points->remaining = facts->points - facts->points_done;
    rsp->items = new_message(call, &sprint__sprint_items__descriptor);
    rsp->items->total = facts->total;
    rsp->items->done = facts->done;
    rsp->items->open = facts->open;
    rsp->items->cancelled = facts->cancelled;
    rsp->completion_percent = percent(facts->points_done, facts->points);
    rsp->velocity = sprint->velocity;
    rsp->velocity_frozen = sprint->status == SPRINT__SPRINT_STATUS__SPRINT_STATUS_COMPLETED;
    if (sprint->has_team_capacity_case && sprint->team_capacity > 0) {
        rsp->has_capacity_percent_case =
            SPRINT__GET_SPRINT_REPORT_RESPONSE__HAS_CAPACITY_PERCENT_CAPACITY_PERCENT;
        rsp->capacity_percent = percent(facts->points, sprint->team_capacity);
    }
}

enum status sprint_get_sprint_report(struct call *call, const Sprint__GetSprintReportRequest *req,
                                     Sprint__GetSprintReportResponse *rsp)
{
    struct sprint_facts facts;

    TRY(sprint_facts_load(call, req->sprint_id, &facts));
    rsp->sprint = facts.sprint;
    rsp->health = facts.health;
    rsp->health_reason = facts.health_reason;
    rsp->day = facts.days.day;
    rsp->total_days = facts.days.total;
    rsp->elapsed_days = facts.days.elapsed;
    rsp->remaining_days = facts.days.remaining;
    rsp->elapsed_percent = facts.days.elapsed_percent;
    add_totals(call, &facts, rsp);
    add_statuses(call, &facts, rsp);
    add_types(call, &facts, rsp);
    rsp->n_by_assignee = facts.n_assignees;
    rsp->by_assignee = facts.assignees;
    TRY(add_burndown(call, &facts, rsp));
    rsp->n_blocked = facts.n_blocked;
    rsp->blocked = facts.blocked;
    rsp->n_trend = facts.n_trend;
    rsp->trend = facts.trend;
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = report_text(call, &facts, rsp);
    return ST_OK;
}
