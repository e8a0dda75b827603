/* SPDX-License-Identifier: Apache-2.0 */
/* What digests say. */
#include "base/clock.h"
#include "digest.h"
#include "digest.sql.h"
#include "peer.h"
#include "report.h"
#include "wire/text.h"

enum { SHOWN_MAX = 20, TOP = 5 };

/* Items done, conversations, decisions and who took part, on those days. */
static enum status add_figures(struct strbuf *buf, struct call *call, const char *from,
                               const char *to, Sprint__GetSprintResponse *ret_done)
{
    struct pg_rows talk;
    int32_t points = 0;

    TRY(pg_all(call, &ret_done->base, "items", sql_digest_done, "ss", from, to));
    TRY(pg_rows(call, &talk, sql_digest_talk, "ss", from, to));
    for (size_t i = 0; i < ret_done->n_items; i++)
        points += ret_done->items[i]->story_points;
    strbuf_printf(buf, "**done**: %s, %s · **conversations**: %s · **decisions**: %s",
                  counted(call, (int32_t)ret_done->n_items, "item"), counted(call, points, "point"),
                  pg_cell(&talk, 0, "interactions"), pg_cell(&talk, 0, "decisions"));
    if (pg_cell(&talk, 0, "contributors"))
        strbuf_printf(buf, " · **contributors**: %s", pg_cell(&talk, 0, "contributors"));
    strbuf_char(buf, '\n');
    return ST_OK;
}

static void add_done(struct strbuf *buf, struct call *call, const Sprint__GetSprintResponse *done)
{
    if (done->n_items)
        text_add_heading(buf, "Done");
    for (size_t i = 0; i < done->n_items && i < SHOWN_MAX; i++) {
        const Sprint__WorkItem *item = done->items[i];

        strbuf_printf(buf, "- `%s` %s", item->id, item->title);
        text_add_facts(
            buf, item->has_story_points_case ? counted(call, item->story_points, "point") : "",
            mention_of(call, item->assignee), "");
    }
    if (done->n_items > SHOWN_MAX)
        strbuf_printf(buf, "- … and %zu more\n", done->n_items - SHOWN_MAX);
}

static enum status add_blocked(struct strbuf *buf, struct call *call)
{
    Sprint__GetSprintReportResponse now = SPRINT__GET_SPRINT_REPORT_RESPONSE__INIT;

    TRY(pg_all(call, &now.base, "blocked", sql_digest_blocked, ""));
    if (now.n_blocked)
        text_add_heading(buf, "Blocked");
    for (size_t i = 0; i < now.n_blocked; i++) {
        const Sprint__BlockedItem *item = now.blocked[i];
        int64_t since = call->now_ms;

        (void)clock_parse(item->blocked_since, &since);
        strbuf_printf(buf, "- `%s` %s", item->id, item->title);
        text_add_facts(buf, mention_of(call, item->assignee),
                       counted(call, blocked_days(since, call->now_ms), "day"), "");
    }
    return ST_OK;
}

enum status digest_daily_text(struct call *call, const char *day, const char **ret_text)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    Sprint__GetSprintResponse done = SPRINT__GET_SPRINT_RESPONSE__INIT;

    strbuf_printf(&buf, "## Daily pulse: %s\n", day);
    TRY(add_figures(&buf, call, day, day, &done));
    add_done(&buf, call, &done);
    TRY(add_blocked(&buf, call));
    *ret_text = take_lines(call, &buf);
    return ST_OK;
}

static int32_t number(const struct pg_rows *rows, int row, const char *column)
{
    return (int32_t)strtol(pg_cell(rows, row, column), NULL, 10);
}

static enum status add_progress(struct strbuf *buf, struct call *call)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_digest_progress, ""));
    if (rows.n)
        text_add_heading(buf, "Progress");
    for (int row = 0; row < rows.n; row++) {
        struct sprint_days days = sprint_days(pg_cell(&rows, row, "start_date"),
                                              pg_cell(&rows, row, "end_date"), call->now_ms);
        int32_t points = number(&rows, row, "points"), done = number(&rows, row, "points_done");

        strbuf_printf(buf, "- %s (`%s`): %d of %s (%.1f %%), day %d of %d\n",
                      pg_cell(&rows, row, "name"), pg_cell(&rows, row, "id"), done,
                      counted(call, points, "point"), percent(done, points), days.day, days.total);
    }
    return ST_OK;
}

static enum status add_trend(struct strbuf *buf, struct call *call)
{
    Sprint__GetSprintReportResponse now = SPRINT__GET_SPRINT_REPORT_RESPONSE__INIT;

    TRY(pg_all(call, &now.base, "trend", sql_digest_trend, ""));
    text_add_trend(buf, now.n_trend, now.trend);
    return ST_OK;
}

static void add_top(struct strbuf *buf, struct call *call)
{
    const Gamify__GetLeaderboardResponse *top = peer_top(call, TOP);

    if (!top) {
        strbuf_str(buf, "\nNote: The gamify service did not answer; the top 5 is left out.\n");
        return;
    }
    if (top->n_items == 0)
        return;
    text_add_heading(buf, "Top 5");
    strbuf_str(buf, "| # | Member | XP |\n|--:|---|--:|\n");
    for (size_t i = 0; i < top->n_items; i++) {
        strbuf_printf(buf, "| %d | ", top->items[i]->rank);
        wire_text_cell(buf, top->items[i]->name);
        strbuf_printf(buf, " (`%s`) | %d |\n", top->items[i]->user_id, top->items[i]->xp);
    }
}

enum status digest_weekly_text(struct call *call, const char *from, const char *to, bool latest,
                               const char **ret_text)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    Sprint__GetSprintResponse done = SPRINT__GET_SPRINT_RESPONSE__INIT;

    strbuf_printf(&buf, "## Weekly pulse: %s → %s\n", from, to);
    TRY(add_figures(&buf, call, from, to, &done));
    /* How things stand and the XP of the last days say nothing of weeks before. */
    if (latest) {
        TRY(add_progress(&buf, call));
        TRY(add_trend(&buf, call));
        add_top(&buf, call);
    }
    *ret_text = take_lines(call, &buf);
    return ST_OK;
}

enum status digest_sprints_text(struct call *call, const char *ids, const char **ret_text)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    for (const char *p = ids; *p;) {
        Sprint__RunRetrospectiveRequest req = SPRINT__RUN_RETROSPECTIVE_REQUEST__INIT;
        Sprint__RunRetrospectiveResponse rsp = SPRINT__RUN_RETROSPECTIVE_RESPONSE__INIT;
        size_t len = strcspn(p, " ");

        req.sprint_id = arena_memdup(call->arena, p, len);
        TRY(sprint_run_retrospective(call, &req, &rsp));
        strbuf_printf(&buf, "%s%s", p == ids ? "" : "\n\n", rsp.text);
        p += len + (p[len] == ' ');
    }
    *ret_text = take_text(call, &buf);
    return ST_OK;
}
