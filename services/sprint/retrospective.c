/* SPDX-License-Identifier: Apache-2.0 */
/* The retrospective of a sprint: sentences that its figures make true, and each
 * member's share. Nothing is stored. */
#include "peer.h"
#include "report.h"
#include "retrospective.sql.h"

enum { WELL_PERCENT = 80, REPLAN_MAX = 10 };

static bool is_bug(const Sprint__WorkItem *item)
{
    return item->type == SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_BUG;
}

static bool is_done(const Sprint__WorkItem *item)
{
    return item->status == SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_DONE;
}

/* ---- figures ------------------------------------------------------------- */

static enum status add_metrics(struct call *call, const struct sprint_facts *facts,
                               Sprint__RunRetrospectiveResponse *rsp)
{
    Sprint__RetrospectiveMetrics *metrics =
        new_message(call, &sprint__retrospective_metrics__descriptor);

    TRY(pg_one(call, &metrics->base, sql_retrospective_talk, "s", facts->sprint->id));
    metrics->points_total = facts->points;
    metrics->points_done = facts->points_done;
    metrics->velocity = facts->sprint->velocity;
    metrics->completion_percent = percent(facts->points_done, facts->points);
    metrics->completed = facts->done;
    metrics->carried_over = facts->open;
    metrics->cancelled = facts->cancelled;
    for (size_t i = 0; i < facts->n_items; i++) {
        metrics->bugs_fixed += is_bug(facts->items[i]) && is_done(facts->items[i]);
        metrics->bugs_open += is_bug(facts->items[i]) && item_is_open(facts->items[i]);
    }
    if (facts->sprint->has_team_capacity_case) {
        metrics->has_capacity_case = SPRINT__RETROSPECTIVE_METRICS__HAS_CAPACITY_CAPACITY;
        metrics->capacity = facts->sprint->team_capacity;
    }
    rsp->metrics = metrics;
    return ST_OK;
}

static Sprint__CompletedItem *completed_item(struct call *call, const Sprint__WorkItem *item)
{
    Sprint__CompletedItem *entry = new_message(call, &sprint__completed_item__descriptor);

    entry->id = item->id;
    entry->title = item->title;
    if (item->has_story_points_case)
        entry->has_story_points_case = SPRINT__COMPLETED_ITEM__HAS_STORY_POINTS_STORY_POINTS;
    entry->story_points = item->story_points;
    entry->assignee = item->assignee;
    return entry;
}

static Sprint__IncompleteItem *incomplete_item(struct call *call, const Sprint__WorkItem *item)
{
    Sprint__IncompleteItem *entry = new_message(call, &sprint__incomplete_item__descriptor);

    entry->id = item->id;
    entry->title = item->title;
    entry->status = item->status;
    if (item->has_story_points_case)
        entry->has_story_points_case = SPRINT__INCOMPLETE_ITEM__HAS_STORY_POINTS_STORY_POINTS;
    entry->story_points = item->story_points;
    entry->assignee = item->assignee;
    return entry;
}

static void add_items(struct call *call, const struct sprint_facts *facts,
                      Sprint__RunRetrospectiveResponse *rsp)
{
    rsp->completed = arena_alloc(call->arena, facts->n_items * sizeof(void *));
    rsp->incomplete = arena_alloc(call->arena, facts->n_items * sizeof(void *));
    for (size_t i = 0; i < facts->n_items; i++) {
        if (is_done(facts->items[i]))
            rsp->completed[rsp->n_completed++] = completed_item(call, facts->items[i]);
        else if (item_is_open(facts->items[i]))
            rsp->incomplete[rsp->n_incomplete++] = incomplete_item(call, facts->items[i]);
    }
}

/* ---- members --------------------------------------------------------------- */

static int by_share(const void *a, const void *b)
{
    const Sprint__MemberShare *const *left = a, *const *right = b;

    if ((*left)->points_done != (*right)->points_done)
        return (*left)->points_done < (*right)->points_done ? 1 : -1;
    if ((*left)->completed != (*right)->completed)
        return (*left)->completed < (*right)->completed ? 1 : -1;
    return strcmp((*left)->user_id, (*right)->user_id);
}

static void add_members(struct call *call, const struct sprint_facts *facts,
                        Sprint__RunRetrospectiveResponse *rsp)
{
    rsp->members = arena_alloc(call->arena, facts->n_assignees * sizeof(void *));
    for (size_t i = 0; i < facts->n_assignees; i++) {
        const Sprint__AssigneeCount *assignee = facts->assignees[i];
        Sprint__MemberShare *share;

        if (!*assignee->assignee)
            continue;
        share = new_message(call, &sprint__member_share__descriptor);
        share->user_id = assignee->assignee;
        share->completed = assignee->done;
        share->points_done = assignee->points_done;
        rsp->members[rsp->n_members++] = share;
    }
    qsort(rsp->members, rsp->n_members, sizeof(void *), by_share);
}

/* Gamify may be away, and then the rest is told; a member it does not know has
 * no XP. */
static void add_xp(struct call *call, const Sprint__Sprint *sprint,
                   Sprint__RunRetrospectiveResponse *rsp)
{
    const char **ids = arena_alloc(call->arena, rsp->n_members * sizeof(*ids));
    const Gamify__SumPointsResponse *points;
    struct names warnings = {0};

    if (rsp->n_members == 0)
        return;
    for (size_t i = 0; i < rsp->n_members; i++)
        ids[i] = rsp->members[i]->user_id;
    points = peer_sum_points(call, rsp->n_members, ids, sprint->start_date, sprint->end_date);
    for (size_t i = 0; points && i < points->n_items; i++)
        for (size_t k = 0; k < rsp->n_members; k++)
            if (strcmp(points->items[i]->user_id, rsp->members[k]->user_id) == 0) {
                rsp->members[k]->has_xp_case = SPRINT__MEMBER_SHARE__HAS_XP_XP;
                rsp->members[k]->xp = points->items[i]->points;
            }
    if (!points)
        names_add(call, &warnings, "The gamify service did not answer; XP is left out.");
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
}

/* ---- sentences -------------------------------------------------------------- */

struct sentences {
    struct call *call;
    struct names names;
};

static void say(struct sentences *to, const char *fmt, ...) PRINTF(2, 3);
static void say(struct sentences *to, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    names_add(to->call, &to->names, arena_vprintf(to->call->arena, fmt, ap));
    va_end(ap);
}

static bool was_in_time(const Sprint__Sprint *sprint)
{
    return sprint->status == SPRINT__SPRINT_STATUS__SPRINT_STATUS_COMPLETED &&
           strncmp(sprint->completed_at, sprint->end_date, DATE_SIZE - 1) <= 0;
}

/* The sentence about earlier sprints, if it is the one for `below`. */
static void compare(struct sentences *to, const struct sprint_facts *facts, bool below)
{
    int64_t sum = 0, n = (int64_t)facts->n_trend;

    for (size_t i = 0; i < facts->n_trend; i++)
        sum += facts->trend[i]->velocity;
    if (n == 0 || below != (facts->sprint->velocity * n < sum))
        return;
    say(to, "Velocity %d is %s the average of the last %s (%.1f).", facts->sprint->velocity,
        below ? "below" : "at or above",
        n == 1 ? "sprint" : counted(to->call, (int32_t)n, "sprint"),
        (double)permille(sum, n * 100) / 10);
}

static struct names went_well(struct call *call, const struct sprint_facts *facts,
                              const Sprint__RetrospectiveMetrics *metrics)
{
    struct sentences to = {.call = call};

    if (facts->points > 0 &&
        100 * (int64_t)facts->points_done >= WELL_PERCENT * (int64_t)facts->points)
        say(&to, "Completed %d of %s (%.1f %%).", facts->points_done,
            counted(call, facts->points, "point"), metrics->completion_percent);
    if (was_in_time(facts->sprint))
        say(&to, "Finished on time.");
    compare(&to, facts, false);
    if (metrics->bugs_fixed)
        say(&to, "Fixed %s.", counted(call, metrics->bugs_fixed, "bug"));
    if (metrics->decisions)
        say(&to, "Recorded %s.", counted(call, metrics->decisions, "decision"));
    return to.names;
}

/* "was" or "were" with so many. */
static const char *be(int32_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

static int32_t without_estimate(const struct sprint_facts *facts)
{
    int32_t n = 0;

    for (size_t i = 0; i < facts->n_items; i++)
        n += !facts->items[i]->has_story_points_case &&
             (is_done(facts->items[i]) || item_is_open(facts->items[i]));
    return n;
}

static struct names could_improve(struct call *call, const struct sprint_facts *facts,
                                  const Sprint__RetrospectiveMetrics *metrics)
{
    struct sentences to = {.call = call};
    int32_t blocked = (int32_t)facts->n_blocked, unknown = without_estimate(facts);

    if (facts->open)
        say(&to, "%s (%s) %s not completed.", counted(call, facts->open, "item"),
            counted(call, facts->points - facts->points_done, "point"),
            be(facts->open, "was", "were"));
    if (metrics->bugs_open)
        say(&to, "%s %s still open.", counted(call, metrics->bugs_open, "bug"),
            be(metrics->bugs_open, "is", "are"));
    if (facts->cancelled)
        say(&to, "%s %s cancelled.", counted(call, facts->cancelled, "item"),
            be(facts->cancelled, "was", "were"));
    compare(&to, facts, true);
    if (blocked)
        say(&to, "%s %s blocked.", counted(call, blocked, "item"), be(blocked, "is", "are"));
    if (metrics->has_capacity_case && facts->points > metrics->capacity)
        say(&to, "%s %s planned for a capacity of %d.", counted(call, facts->points, "point"),
            be(facts->points, "was", "were"), metrics->capacity);
    if (unknown)
        say(&to, "%s %s no estimate.", counted(call, unknown, "item"), be(unknown, "has", "have"));
    return to.names;
}

static enum status action_items(struct call *call, const struct sprint_facts *facts,
                                struct names *ret_items)
{
    struct sentences to = {.call = call};
    struct pg_rows rows;
    int replans = 0;

    TRY(pg_rows(call, &rows, sql_retrospective_action_items, "s", facts->sprint->id));
    for (int row = 0; row < rows.n; row++)
        names_add(call, &to.names, pg_cell(&rows, row, "item"));
    for (size_t i = 0; i < facts->n_items && replans < REPLAN_MAX; i++)
        if (item_is_open(facts->items[i])) {
            say(&to, "Re-plan %s: %s.", facts->items[i]->id, facts->items[i]->title);
            replans++;
        }
    for (size_t i = 0; i < facts->n_blocked; i++)
        say(&to, "Unblock %s: %s.", facts->blocked[i]->id, facts->blocked[i]->title);
    *ret_items = to.names;
    return ST_OK;
}

static enum status add_sentences(struct call *call, const struct sprint_facts *facts,
                                 Sprint__RunRetrospectiveResponse *rsp)
{
    struct names well = went_well(call, facts, rsp->metrics),
                 improve = could_improve(call, facts, rsp->metrics), next;

    TRY(action_items(call, facts, &next));
    rsp->n_went_well = well.n;
    rsp->went_well = well.items;
    rsp->n_could_improve = improve.n;
    rsp->could_improve = improve.items;
    rsp->n_action_items = next.n;
    rsp->action_items = next.items;
    return ST_OK;
}

enum status sprint_run_retrospective(struct call *call, const Sprint__RunRetrospectiveRequest *req,
                                     Sprint__RunRetrospectiveResponse *rsp)
{
    struct sprint_facts facts;

    TRY(sprint_facts_load(call, req->sprint_id, &facts));
    rsp->sprint = facts.sprint;
    TRY(add_metrics(call, &facts, rsp));
    TRY(add_sentences(call, &facts, rsp));
    add_items(call, &facts, rsp);
    add_members(call, &facts, rsp);
    add_xp(call, facts.sprint, rsp);
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = retrospective_text(call, &facts, rsp);
    return ST_OK;
}
