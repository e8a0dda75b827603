/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown of a sprint's report, and the parts that its retrospective shares. */
#include "report.h"
#include "wire/text.h"

/* ---- parts ----------------------------------------------------------------- */

void text_add_heading(struct strbuf *buf, const char *heading)
{
    strbuf_printf(buf, "\n### %s\n\n", heading);
}

const char *mention_of(struct call *call, const char *member)
{
    return *member ? arena_printf(call->arena, "@%s", member) : "";
}

void text_add_facts(struct strbuf *buf, const char *first, const char *second, const char *third)
{
    const char *const facts[] = {first, second, third};
    const char *before = " — ";

    for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
        if (*facts[i]) {
            strbuf_printf(buf, "%s%s", before, facts[i]);
            before = ", ";
        }
    strbuf_char(buf, '\n');
}

void text_add_trend(struct strbuf *buf, size_t n, Sprint__TrendSprint *const *trend)
{
    if (n)
        text_add_heading(buf, "Velocity trend");
    for (size_t i = 0; i < n; i++)
        strbuf_printf(buf, "- %s (`%s`): %d\n", trend[i]->name, trend[i]->sprint_id,
                      trend[i]->velocity);
}

void text_add_head(struct strbuf *buf, struct call *call, const struct sprint_facts *facts)
{
    const Sprint__Sprint *sprint = facts->sprint;

    strbuf_printf(buf, "**status**: %s · **health**: %s\n", enum_text(&sprint->base, "status"),
                  facts->health_reason);
    if (*sprint->goal)
        strbuf_printf(buf, "**goal**: %s\n", sprint->goal);
    strbuf_printf(buf, "**dates**: %s → %s · day %d of %d · %.1f %% elapsed · %s left\n",
                  sprint->start_date, sprint->end_date, facts->days.day, facts->days.total,
                  facts->days.elapsed_percent, counted(call, facts->days.remaining, "day"));
}

/* ---- the report ------------------------------------------------------------- */

static void add_totals(struct strbuf *buf, const Sprint__GetSprintReportResponse *rsp)
{
    strbuf_printf(buf,
                  "**points**: %d of %d done (%.1f %%) · **items**: %d of %d done · "
                  "**velocity**: %d (%s)",
                  rsp->points->done, rsp->points->total, rsp->completion_percent, rsp->items->done,
                  rsp->items->total, rsp->velocity, rsp->velocity_frozen ? "frozen" : "live");
    if (rsp->has_capacity_percent_case)
        strbuf_printf(buf, " · **capacity**: %d of %d (%.1f %%)", rsp->points->total,
                      rsp->sprint->team_capacity, rsp->capacity_percent);
    strbuf_char(buf, '\n');
}

static void add_counts(struct strbuf *buf, const Sprint__GetSprintReportResponse *rsp)
{
    if (rsp->n_by_status) {
        text_add_heading(buf, "By status");
        strbuf_str(buf, "| Status | Items | Points |\n|---|--:|--:|\n");
    }
    for (size_t i = 0; i < rsp->n_by_status; i++)
        strbuf_printf(buf, "| %s | %d | %d |\n", enum_text(&rsp->by_status[i]->base, "status"),
                      rsp->by_status[i]->count, rsp->by_status[i]->points);
    if (rsp->n_by_type) {
        text_add_heading(buf, "By type");
        strbuf_str(buf, "| Type | Items | Done | Points |\n|---|--:|--:|--:|\n");
    }
    for (size_t i = 0; i < rsp->n_by_type; i++)
        strbuf_printf(buf, "| %s | %d | %d | %d |\n", enum_text(&rsp->by_type[i]->base, "type"),
                      rsp->by_type[i]->count, rsp->by_type[i]->done, rsp->by_type[i]->points);
}

static void add_assignees(struct strbuf *buf, const Sprint__GetSprintReportResponse *rsp)
{
    if (rsp->n_by_assignee == 0)
        return;
    text_add_heading(buf, "By assignee");
    strbuf_str(buf, "| Assignee | Items | Done | Points | Points done |\n"
                    "|---|--:|--:|--:|--:|\n");
    for (size_t i = 0; i < rsp->n_by_assignee; i++) {
        const Sprint__AssigneeCount *entry = rsp->by_assignee[i];

        strbuf_str(buf, "| ");
        wire_text_cell(buf, *entry->assignee ? entry->assignee : "(nobody)");
        strbuf_printf(buf, " | %d | %d | %d | %d |\n", entry->count, entry->done, entry->points,
                      entry->points_done);
    }
}

static void add_burndown(struct strbuf *buf, const Sprint__GetSprintReportResponse *rsp)
{
    text_add_heading(buf, "Burndown");
    strbuf_str(buf, "| Date | Remaining | Ideal |\n|---|--:|--:|\n");
    for (size_t i = 0; i < rsp->n_burndown; i++) {
        const Sprint__BurndownDay *day = rsp->burndown[i];

        strbuf_printf(buf, "| %s | ", day->date);
        if (day->has_remaining_case)
            strbuf_printf(buf, "%d", day->remaining);
        else
            strbuf_str(buf, "–");
        strbuf_printf(buf, " | %.1f |\n", day->ideal);
    }
}

static void add_lists(struct strbuf *buf, struct call *call,
                      const Sprint__GetSprintReportResponse *rsp)
{
    if (rsp->n_blocked)
        text_add_heading(buf, "Blocked");
    for (size_t i = 0; i < rsp->n_blocked; i++) {
        const Sprint__BlockedItem *item = rsp->blocked[i];

        strbuf_printf(buf, "- `%s` %s", item->id, item->title);
        text_add_facts(buf, mention_of(call, item->assignee), counted(call, item->days, "day"), "");
    }
    text_add_trend(buf, rsp->n_trend, rsp->trend);
}

const char *report_text(struct call *call, const struct sprint_facts *facts,
                        const Sprint__GetSprintReportResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_printf(&buf, "## Sprint report: %s (`%s`)\n", rsp->sprint->name, rsp->sprint->id);
    text_add_head(&buf, call, facts);
    add_totals(&buf, rsp);
    add_counts(&buf, rsp);
    add_assignees(&buf, rsp);
    add_burndown(&buf, rsp);
    add_lists(&buf, call, rsp);
    if (*rsp->sprint->summary) {
        text_add_heading(&buf, "Summary");
        strbuf_str(&buf, rsp->sprint->summary);
    }
    return take_lines(call, &buf);
}
