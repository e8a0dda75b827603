/* SPDX-License-Identifier: Apache-2.0 */
/* A sprint and its items read at one moment, added up, and judged. */
#include "base/clock.h"
#include "report.h"
#include "report.sql.h"
#include "sprint.sql.h"

bool item_is_open(const Sprint__WorkItem *item)
{
    return item->status != SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_DONE &&
           item->status != SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_CANCELLED;
}

const char *counted(struct call *call, int32_t n, const char *word)
{
    return arena_printf(call->arena, "%d %s%s", n, word, n == 1 ? "" : "s");
}

static int64_t time_of(const char *timestamp, int64_t otherwise)
{
    int64_t ms;

    return clock_parse(timestamp, &ms) ? ms : otherwise;
}

static enum status read_rows(struct call *call, const char *sprint_id, struct sprint_facts *facts)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__GetSprintResponse items = SPRINT__GET_SPRINT_RESPONSE__INIT;
    Sprint__GetSprintReportResponse rest = SPRINT__GET_SPRINT_REPORT_RESPONSE__INIT;
    Sprint__Sprint *sprint = new_message(call, &sprint__sprint__descriptor);

    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(fail_missing(call, pg_one(call, &sprint->base, sql_sprint_get, "s", sprint_id), "Sprint",
                     sprint_id));
    TRY(pg_all(call, &items.base, "items", sql_report_items, "s", sprint_id));
    TRY(pg_all(call, &rest.base, "by_assignee", sql_report_assignees, "s", sprint_id));
    TRY(pg_all(call, &rest.base, "trend", sql_report_trend, "sSS", sprint_id, sprint->project_id,
               sprint->completed_at));
    facts->sprint = sprint;
    facts->n_items = items.n_items;
    facts->items = items.items;
    facts->n_assignees = rest.n_by_assignee;
    facts->assignees = rest.by_assignee;
    facts->n_trend = rest.n_trend;
    facts->trend = rest.trend;
    return tx_commit(&tx);
}

static void add_up(struct sprint_facts *facts)
{
    for (size_t i = 0; i < facts->n_items; i++) {
        const Sprint__WorkItem *item = facts->items[i];

        if (item->status == SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_CANCELLED) {
            facts->cancelled++;
            continue;
        }
        facts->total++;
        facts->points += item->story_points;
        if (item_is_open(item)) {
            facts->open++;
        } else {
            facts->done++;
            facts->points_done += item->story_points;
        }
    }
}

/* RFC 3339 in UTC sorts as text. */
static int by_age(const void *a, const void *b)
{
    const Sprint__BlockedItem *const *left = a, *const *right = b;
    int order = strcmp((*left)->blocked_since, (*right)->blocked_since);

    return order ? order : strcmp((*left)->id, (*right)->id);
}

static void find_blocked(struct call *call, struct sprint_facts *facts)
{
    facts->blocked = arena_alloc(call->arena, facts->n_items * sizeof(void *));
    for (size_t i = 0; i < facts->n_items; i++) {
        const Sprint__WorkItem *item = facts->items[i];
        Sprint__BlockedItem *blocked;

        if (!*item->blocked_since || !item_is_open(item))
            continue;
        blocked = new_message(call, &sprint__blocked_item__descriptor);
        blocked->id = item->id;
        blocked->title = item->title;
        blocked->assignee = item->assignee;
        blocked->blocked_since = item->blocked_since;
        blocked->days = blocked_days(time_of(item->blocked_since, facts->at_ms), facts->at_ms);
        facts->blocked[facts->n_blocked++] = blocked;
    }
    qsort(facts->blocked, facts->n_blocked, sizeof(void *), by_age);
}

static const char *lag(struct call *call, const struct sprint_facts *facts)
{
    int64_t tenths = sprint_lag(&facts->days, facts->points_done, facts->points);

    return arena_printf(call->arena, "%.1f points behind pace", (double)tenths / 10);
}

static void judge(struct call *call, struct sprint_facts *facts)
{
    enum pace pace = sprint_pace(&facts->days, facts->points_done, facts->points);
    const Sprint__BlockedItem *oldest = facts->n_blocked ? facts->blocked[0] : NULL;

    if (oldest && !blocked_too_long(time_of(oldest->blocked_since, facts->at_ms), facts->at_ms))
        oldest = NULL;
    if (pace == PACE_BEHIND || oldest) {
        facts->health = SPRINT__HEALTH__HEALTH_BEHIND;
        facts->health_reason = pace == PACE_BEHIND
                                   ? arena_printf(call->arena, "Behind, %s", lag(call, facts))
                                   : arena_printf(call->arena, "Behind, %s blocked for %s",
                                                  oldest->id, counted(call, oldest->days, "day"));
    } else if (pace == PACE_AT_RISK) {
        facts->health = SPRINT__HEALTH__HEALTH_AT_RISK;
        facts->health_reason = arena_printf(call->arena, "At Risk, %s", lag(call, facts));
    } else {
        facts->health = SPRINT__HEALTH__HEALTH_ON_TRACK;
        facts->health_reason = "On Track";
    }
}

enum status sprint_facts_load(struct call *call, const char *sprint_id,
                              struct sprint_facts *ret_facts)
{
    struct sprint_facts *facts = ret_facts;

    *facts = (struct sprint_facts){.at_ms = call->now_ms};
    TRY(read_rows(call, sprint_id, facts));
    if (facts->sprint->status == SPRINT__SPRINT_STATUS__SPRINT_STATUS_COMPLETED)
        facts->at_ms = time_of(facts->sprint->completed_at, facts->at_ms);
    if (facts->sprint->status == SPRINT__SPRINT_STATUS__SPRINT_STATUS_CANCELLED)
        facts->at_ms = time_of(facts->sprint->updated_at, facts->at_ms);
    facts->days = sprint_days(facts->sprint->start_date, facts->sprint->end_date, facts->at_ms);
    add_up(facts);
    find_blocked(call, facts);
    judge(call, facts);
    return ST_OK;
}
