/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown of the reports: usage stats, the log of calls, the use of tools. */
#include "report.h"

#include "wire/text.h"

static void add_bullet(struct strbuf *buf, const char *name, int32_t number)
{
    strbuf_printf(buf, "- %s: %d\n", name, number);
}

const char *report_usage_stats(struct call *call, const Catalog__GetUsageStatsResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    const Catalog__Collaboration *team = rsp->collaboration;

    strbuf_str(&buf, "## Usage stats\n\n### Catalog\n\n");
    add_bullet(&buf, "skills", rsp->catalog->skills);
    add_bullet(&buf, "commands", rsp->catalog->commands);
    add_bullet(&buf, "subagents", rsp->catalog->subagents);
    add_bullet(&buf, "mcps", rsp->catalog->mcps);
    if (team)
        strbuf_str(&buf, "\n### Collaboration\n\n");
    if (team && team->has_projects_case)
        add_bullet(&buf, "projects", team->projects);
    if (team && team->has_sprints_case)
        add_bullet(&buf, "sprints", team->sprints);
    if (team && team->has_work_items_case)
        add_bullet(&buf, "work items", team->work_items);
    if (team && team->has_members_case)
        add_bullet(&buf, "members", team->members);
    if (rsp->n_warnings)
        strbuf_char(&buf, '\n');
    for (size_t i = 0; i < rsp->n_warnings; i++)
        strbuf_printf(&buf, "Note: %s\n", rsp->warnings[i]);
    return take_lines(call, &buf);
}

static void add_entry(struct strbuf *buf, const Catalog__UsageEntry *entry)
{
    strbuf_printf(buf, "| %s | ", entry->timestamp);
    wire_text_cell(buf, entry->tool_name);
    strbuf_str(buf, " | ");
    wire_text_cell(buf, entry->resource_id);
    strbuf_str(buf, " | ");
    wire_text_cell(buf, entry->user_key);
    strbuf_printf(buf, " | %d | ", entry->duration_ms);
    strbuf_str(buf, entry->success ? "ok" : "FAIL ");
    if (!entry->success)
        wire_text_cell(buf, entry->status);
    strbuf_str(buf, " |\n");
}

const char *report_audit_log(struct call *call, const Catalog__GetAuditLogResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_printf(&buf, "## Audit log\nShowing %d of %d (offset %d)\n\n", rsp->count, rsp->total,
                  rsp->offset);
    if (rsp->n_items == 0) {
        strbuf_str(&buf, "Nothing found. Try: fewer filters or other words.");
        return take_lines(call, &buf);
    }
    strbuf_str(&buf, "| Time | Tool | Resource | Caller | ms | Result |\n"
                     "|---|---|---|---|--:|---|\n");
    for (size_t i = 0; i < rsp->n_items; i++)
        add_entry(&buf, rsp->items[i]);
    if (rsp->has_more)
        strbuf_printf(&buf, "\nMore: call again with offset %d.", rsp->next_offset);
    return take_lines(call, &buf);
}

const char *report_tool_usage(struct call *call, const Catalog__GetToolUsageStatsResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_printf(&buf,
                  "## Tool usage — %d days\n"
                  "**calls**: %d · **errors**: %d · **error rate**: %.1f %%\n",
                  rsp->days, rsp->calls, rsp->errors, rsp->error_percent);
    if (rsp->n_tools)
        strbuf_str(&buf, "\n| Tool | Calls | Errors | Error % | Average ms | p95 ms |\n"
                         "|---|--:|--:|--:|--:|--:|\n");
    for (size_t i = 0; i < rsp->n_tools; i++) {
        const Catalog__ToolUsage *tool = rsp->tools[i];

        strbuf_str(&buf, "| ");
        wire_text_cell(&buf, tool->tool_name);
        strbuf_printf(&buf, " | %d | %d | %.1f | %d | %d |\n", tool->calls, tool->errors,
                      tool->error_percent, tool->average_ms, tool->p95_ms);
    }
    return take_lines(call, &buf);
}
