/* SPDX-License-Identifier: Apache-2.0 */
/* Which digests are due, and storing them once. Each is looked for by what is
 * stored, so that nothing is lost while the service is down. */
#include "digest.h"

#include "digest.sql.h"
#include "report_figures.h"

enum {
    HOUR_MS = 3600000,
    PULSE_HOUR = 6,    /* of the day, UTC */
    DAILY_BACK = 7,    /* missed days that are made up for */
    WEEKLY_BACK = 4,   /* missed weeks */
    ENDS_BACK_DAYS = 7 /* completions that are told of late */
};

struct digest {
    Sprint__DigestKind kind;
    const char *name; /* of the kind */
    const char *period, *project_id;
    const char *body;
    const char *told; /* text[] of the completions that it tells of */
};

static enum status announce(struct tx *tx, const struct digest *digest)
{
    Sprint__DigestPublished event = SPRINT__DIGEST_PUBLISHED__INIT;

    event.kind = digest->kind;
    event.period = digest->period;
    event.project_id = digest->project_id;
    return event_add(tx, "mal.evt.sprint.digest.published", &event.base);
}

static enum status store(struct call *call, const struct digest *digest)
{
    CLEANUP(tx_done) struct tx tx = {0};
    int stored;

    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_digest_store, &stored, "ssssss", digest->name, digest->period,
                digest->project_id, digest->body, now_text(call), digest->told));
    if (stored)
        TRY(announce(&tx, digest));
    return tx_commit(&tx);
}

static const char *day_text(struct call *call, int64_t ms)
{
    char text[DATE_SIZE];

    date_format(ms, text);
    return arena_strdup(call->arena, text);
}

/* The first period that is missing: the one after the latest stored, but not
 * more than `back` before the newest; the newest alone when there is none. */
static enum status first_missing(struct call *call, const char *kind, int64_t newest_ms,
                                 int64_t step_ms, int back, int64_t *ret_first_ms)
{
    const char *latest;
    int64_t first = newest_ms;

    TRY(pg_text(call, sql_digest_latest, &latest, "s", kind));
    if (latest)
        first = date_ms(latest) + step_ms;
    if (first < newest_ms - (back - 1) * step_ms)
        first = newest_ms - (back - 1) * step_ms;
    *ret_first_ms = first;
    return ST_OK;
}

/* The day whose pulse was taken last: it begins with the pulse's hour. */
static int64_t pulse_day(int64_t now_ms)
{
    int64_t ms = now_ms - (int64_t)PULSE_HOUR * HOUR_MS;

    return ms - ms % DAY_MS;
}

static enum status make_daily(struct call *call)
{
    int64_t newest = pulse_day(call->now_ms) - DAY_MS, ms;

    TRY(first_missing(call, "daily", newest, DAY_MS, DAILY_BACK, &ms));
    for (; ms <= newest; ms += DAY_MS) {
        struct digest digest = {.kind = SPRINT__DIGEST_KIND__DIGEST_KIND_DAILY,
                                .name = "daily",
                                .period = day_text(call, ms),
                                .project_id = "",
                                .told = "{}"};

        TRY(digest_daily_text(call, digest.period, &digest.body));
        TRY(store(call, &digest));
    }
    return ST_OK;
}

static enum status make_weekly(struct call *call)
{
    const int64_t week_ms = (int64_t)7 * DAY_MS;
    int64_t day = pulse_day(call->now_ms);
    /* 1 January 1970 was a Thursday. */
    int64_t newest = day - (day / DAY_MS + 3) % 7 * DAY_MS - week_ms, ms;

    TRY(first_missing(call, "weekly", newest, week_ms, WEEKLY_BACK, &ms));
    for (; ms <= newest; ms += week_ms) {
        struct digest digest = {.kind = SPRINT__DIGEST_KIND__DIGEST_KIND_WEEKLY,
                                .name = "weekly",
                                .period = day_text(call, ms),
                                .project_id = "",
                                .told = "{}"};

        TRY(digest_weekly_text(call, digest.period, day_text(call, ms + 6 * (int64_t)DAY_MS),
                               ms == newest, &digest.body));
        TRY(store(call, &digest));
    }
    return ST_OK;
}

static enum status make_sprint_ends(struct call *call)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_digest_due, "s",
                day_text(call, call->now_ms - (int64_t)ENDS_BACK_DAYS * DAY_MS)));
    for (int row = 0; row < rows.n; row++) {
        struct digest digest = {.kind = SPRINT__DIGEST_KIND__DIGEST_KIND_SPRINT_END,
                                .name = "sprint_end",
                                .period = pg_cell(&rows, row, "period"),
                                .project_id = pg_cell(&rows, row, "project_id"),
                                .told = pg_cell(&rows, row, "told")};

        TRY(digest_sprints_text(call, pg_cell(&rows, row, "ids"), &digest.body));
        TRY(store(call, &digest));
    }
    return ST_OK;
}

enum status digests_make(struct call *call, void *arg)
{
    (void)arg;
    call->actor = "sprint";
    TRY(make_daily(call));
    TRY(make_weekly(call));
    return make_sprint_ends(call);
}

enum status sprint_list_digests(struct call *call, const Sprint__ListDigestsRequest *req,
                                Sprint__ListDigestsResponse *rsp)
{
    const char *kind = enum_text(&req->base, "kind");

    TRY(pg_one(call, &rsp->base, sql_digest_count, "s", kind));
    TRY(pg_all(call, &rsp->base, "items", sql_digest_list, "sii", kind, req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}
