/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent is told at its start. */
#include "context.sql.h"
#include "report.h"

/* Of a summary in the text, in bytes; the reply has all of it. */
enum { SUMMARY_BYTES = 400 };

static enum status add_sprint(struct call *call, Sprint__GetContextResponse *rsp)
{
    Sprint__Sprint sprint = SPRINT__SPRINT__INIT;
    enum status status = pg_one(call, &sprint.base, sql_context_sprint, "");

    if (status == ST_NOT_FOUND)
        return ST_OK;
    TRY(status);
    rsp->sprint = new_message(call, &sprint__context_sprint__descriptor);
    rsp->sprint->id = sprint.id;
    rsp->sprint->name = sprint.name;
    rsp->sprint->goal = sprint.goal;
    rsp->sprint->remaining_days =
        sprint_days(sprint.start_date, sprint.end_date, call->now_ms).remaining;
    return ST_OK;
}

/* The first line, cut between two characters. */
static const char *brief(struct call *call, const char *summary)
{
    size_t len = strcspn(summary, "\r\n");

    if (len <= SUMMARY_BYTES)
        return arena_memdup(call->arena, summary, len);
    len = SUMMARY_BYTES;
    while (len > 0 && (summary[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(call->arena, "%.*s…", (int)len, summary);
}

static void add_items(struct strbuf *buf, const Sprint__GetContextResponse *rsp)
{
    if (rsp->n_work_items)
        text_add_heading(buf, "Open items");
    for (size_t i = 0; i < rsp->n_work_items; i++) {
        const Sprint__WorkItem *item = rsp->work_items[i];

        strbuf_printf(buf, "- `%s` %s", item->id, item->title);
        text_add_facts(buf, enum_text(&item->base, "status"), enum_text(&item->base, "priority"),
                       *item->blocked_since ? "blocked" : "");
    }
}

static void add_talk(struct strbuf *buf, struct call *call, const Sprint__GetContextResponse *rsp)
{
    if (rsp->n_decisions)
        text_add_heading(buf, "Latest decisions");
    for (size_t i = 0; i < rsp->n_decisions; i++)
        strbuf_printf(buf, "- %s — @%s, %.10s\n", brief(call, rsp->decisions[i]->text),
                      rsp->decisions[i]->user_id, rsp->decisions[i]->created_at);
    if (rsp->n_interactions)
        text_add_heading(buf, "Latest conversations");
    for (size_t i = 0; i < rsp->n_interactions; i++) {
        const Sprint__ContextInteraction *talk = rsp->interactions[i];

        strbuf_printf(buf, "- `%s` %s", talk->id, talk->title);
        text_add_facts(buf, brief(call, talk->summary), "", "");
    }
}

static const char *context_text(struct call *call, const Sprint__GetContextResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "## Context\n");
    if (rsp->sprint)
        strbuf_printf(&buf, "**sprint**: %s (`%s`) · %s left\n", rsp->sprint->name, rsp->sprint->id,
                      counted(call, rsp->sprint->remaining_days, "day"));
    if (rsp->sprint && *rsp->sprint->goal)
        strbuf_printf(&buf, "**goal**: %s\n", rsp->sprint->goal);
    add_items(&buf, rsp);
    add_talk(&buf, call, rsp);
    return take_lines(call, &buf);
}

enum status sprint_get_context(struct call *call, const Sprint__GetContextRequest *req,
                               Sprint__GetContextResponse *rsp)
{
    if (!sprint_config.context_injection) {
        rsp->text = "## Context\nSwitched off on this hub.";
        return ST_OK;
    }
    TRY(add_sprint(call, rsp));
    TRY(pg_all(call, &rsp->base, "work_items", sql_context_items, "s",
               *req->user_id ? req->user_id : call->actor));
    TRY(pg_all(call, &rsp->base, "decisions", sql_context_decisions, ""));
    TRY(pg_all(call, &rsp->base, "interactions", sql_context_interactions, ""));
    rsp->text = context_text(call, rsp);
    return ST_OK;
}
