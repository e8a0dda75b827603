/* SPDX-License-Identifier: Apache-2.0 */
/* The leaderboard: over all time, the last 7 days or the running sprint. */
#include "gamify.h"

#include "days.h"
#include "leaderboard.sql.h"
#include "mal/sprint/v1/sprint.api.h"
#include "report.h"
#include "rules.h"
#include "wire/handler.h"

enum { WEEK_DAYS = 7, SPRINTS_PAGE = 100 };

/* ---- the running sprint --------------------------------------------------- */

static enum status ask_sprints(struct call *call, const char *project_id, int offset,
                               const Sprint__ListSprintsResponse **ret_page)
{
    Sprint__ListSprintsRequest request = SPRINT__LIST_SPRINTS_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;

    request.status = SPRINT__SPRINT_STATUS__SPRINT_STATUS_ACTIVE;
    request.project_id = project_id;
    request.limit = SPRINTS_PAGE;
    request.offset = offset;
    TRY(bus_call(call->bus, call, &sprint_list_sprints_rpc, &request.base, 0, &reply));
    *ret_page = (const void *)reply;
    return reply ? ST_OK : ST_INTERNAL;
}

/* Whether a began after b; of those that began together the first id counts. */
static bool is_later(const Sprint__Sprint *a, const Sprint__Sprint *b)
{
    int order = strcmp(a->start_date, b->start_date);

    return order > 0 || (order == 0 && strcmp(a->id, b->id) < 0);
}

/* The active one that began last, of the project if one is named; NULL when
 * there is none. */
static enum status find_sprint(struct call *call, const char *project_id,
                               const Sprint__Sprint **ret_sprint)
{
    const Sprint__ListSprintsResponse *page;
    int offset = 0;

    *ret_sprint = NULL;
    do {
        TRY(ask_sprints(call, project_id, offset, &page));
        for (size_t i = 0; i < page->n_items; i++)
            if (!*ret_sprint || is_later(page->items[i], *ret_sprint))
                *ret_sprint = page->items[i];
        offset += page->count;
    } while (page->has_more);
    return ST_OK;
}

static enum status fail_without_sprint(struct call *call, const char *project_id)
{
    call_hint(call, "mal_update_sprint to start one, or period week or all_time.");
    if (*project_id)
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "NO_ACTIVE_SPRINT",
                                "Project '%s' has no active sprint.", project_id);
    return call_fail_reason(call, ST_FAILED_PRECONDITION, "NO_ACTIVE_SPRINT",
                            "There is no active sprint.");
}

/* ---- the places ----------------------------------------------------------- */

static enum status set_sprint(struct call *call, const char *project_id,
                              Gamify__GetLeaderboardResponse *rsp)
{
    const Sprint__Sprint *sprint;

    if (!call->bus)
        return call_fail(call, ST_UNAVAILABLE, "The sprint service cannot be reached.");
    TRY(find_sprint(call, project_id, &sprint));
    if (!sprint)
        return fail_without_sprint(call, project_id);
    rsp->sprint_id = sprint->id;
    rsp->since = sprint->start_date;
    rsp->until = sprint->end_date;
    return ST_OK;
}

static enum status set_days(struct call *call, const Gamify__GetLeaderboardRequest *req,
                            Gamify__GetLeaderboardResponse *rsp)
{
    int today = day_of_ms(call->now_ms);

    if (req->period == GAMIFY__PERIOD__PERIOD_SPRINT)
        return set_sprint(call, req->project_id, rsp);
    if (req->period == GAMIFY__PERIOD__PERIOD_WEEK) {
        rsp->since = day_text(call->arena, today - WEEK_DAYS + 1);
        rsp->until = day_text(call->arena, today);
    }
    return ST_OK;
}

static enum status read_places(struct call *call, const Gamify__GetLeaderboardRequest *req,
                               Gamify__GetLeaderboardResponse *rsp)
{
    if (*rsp->since) {
        TRY(pg_one(call, &rsp->base, sql_leaderboard_days_count, "ssS", rsp->since, rsp->until,
                   req->project_id));
        return pg_all(call, &rsp->base, "items", sql_leaderboard_days, "ssSii", rsp->since,
                      rsp->until, req->project_id, req->limit, req->offset);
    }
    if (*req->project_id) {
        TRY(pg_one(call, &rsp->base, sql_leaderboard_project_count, "s", req->project_id));
        return pg_all(call, &rsp->base, "items", sql_leaderboard_project, "sii", req->project_id,
                      req->limit, req->offset);
    }
    TRY(pg_one(call, &rsp->base, sql_leaderboard_all_count, ""));
    return pg_all(call, &rsp->base, "items", sql_leaderboard_all, "ii", req->limit, req->offset);
}

enum status gamify_get_leaderboard(struct call *call, const Gamify__GetLeaderboardRequest *req,
                                   Gamify__GetLeaderboardResponse *rsp)
{
    TRY(set_days(call, req, rsp));
    TRY(read_places(call, req, rsp));
    for (size_t i = 0; i < rsp->n_items; i++) {
        Gamify__LeaderboardEntry *entry = rsp->items[i];

        entry->title = level_title(entry->level);
        entry->streak_active = streak_is_active(call, entry->streak_last_date);
    }
    rsp->period = req->period;
    rsp->project_id = req->project_id;
    PAGE_DONE(rsp, req);
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = report_leaderboard(call, rsp);
    return ST_OK;
}
