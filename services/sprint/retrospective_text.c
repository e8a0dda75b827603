/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown of a retrospective. */
#include "report.h"
#include "wire/text.h"

static void add_metrics(struct strbuf *buf, const Sprint__RetrospectiveMetrics *metrics)
{
    strbuf_printf(buf,
                  "**velocity**: %d of %d points (%.1f %%) · **completed**: %d · "
                  "**carried over**: %d · **cancelled**: %d · **bugs**: %d fixed, %d open",
                  metrics->velocity, metrics->points_total,
                  percent(metrics->velocity, metrics->points_total), metrics->completed,
                  metrics->carried_over, metrics->cancelled, metrics->bugs_fixed,
                  metrics->bugs_open);
    if (metrics->has_capacity_case)
        strbuf_printf(buf, " · **capacity**: %d", metrics->capacity);
    strbuf_char(buf, '\n');
}

static void add_bullets(struct strbuf *buf, const char *heading, size_t n,
                        const char *const *sentences)
{
    if (n)
        text_add_heading(buf, heading);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(buf, "- %s\n", sentences[i]);
}

static const char *points(struct call *call, bool known, int32_t n)
{
    return known ? counted(call, n, "point") : "";
}

static void add_items(struct strbuf *buf, struct call *call,
                      const Sprint__RunRetrospectiveResponse *rsp)
{
    if (rsp->n_completed)
        text_add_heading(buf, "Completed");
    for (size_t i = 0; i < rsp->n_completed; i++) {
        const Sprint__CompletedItem *item = rsp->completed[i];

        strbuf_printf(buf, "- `%s` %s", item->id, item->title);
        text_add_facts(buf, points(call, item->has_story_points_case, item->story_points),
                       mention_of(call, item->assignee), "");
    }
    if (rsp->n_incomplete)
        text_add_heading(buf, "Not completed");
    for (size_t i = 0; i < rsp->n_incomplete; i++) {
        const Sprint__IncompleteItem *item = rsp->incomplete[i];

        strbuf_printf(buf, "- `%s` %s", item->id, item->title);
        text_add_facts(buf, enum_text(&item->base, "status"),
                       points(call, item->has_story_points_case, item->story_points),
                       mention_of(call, item->assignee));
    }
}

static void add_members(struct strbuf *buf, const Sprint__RunRetrospectiveResponse *rsp)
{
    if (rsp->n_members == 0)
        return;
    text_add_heading(buf, "Members");
    strbuf_str(buf, "| Member | Completed | Points | XP |\n|---|--:|--:|--:|\n");
    for (size_t i = 0; i < rsp->n_members; i++) {
        const Sprint__MemberShare *member = rsp->members[i];

        strbuf_str(buf, "| ");
        wire_text_cell(buf, member->user_id);
        strbuf_printf(buf, " | %d | %d | ", member->completed, member->points_done);
        if (member->has_xp_case)
            strbuf_printf(buf, "%d", member->xp);
        else
            strbuf_str(buf, "–");
        strbuf_str(buf, " |\n");
    }
}

const char *retrospective_text(struct call *call, const struct sprint_facts *facts,
                               const Sprint__RunRetrospectiveResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_printf(&buf, "## Retrospective: %s (`%s`)\n", rsp->sprint->name, rsp->sprint->id);
    text_add_head(&buf, call, facts);
    add_metrics(&buf, rsp->metrics);
    add_bullets(&buf, "What went well", rsp->n_went_well, rsp->went_well);
    add_bullets(&buf, "What could improve", rsp->n_could_improve, rsp->could_improve);
    add_bullets(&buf, "Action items", rsp->n_action_items, rsp->action_items);
    add_items(&buf, call, rsp);
    add_members(&buf, rsp);
    if (rsp->n_warnings)
        strbuf_char(&buf, '\n');
    for (size_t i = 0; i < rsp->n_warnings; i++)
        strbuf_printf(&buf, "Note: %s\n", rsp->warnings[i]);
    return take_lines(call, &buf);
}
