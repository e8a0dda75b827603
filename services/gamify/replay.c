/* SPDX-License-Identifier: Apache-2.0 */
/* The game made anew from the event stream. */
#include "svc/replay.h"

#include "replay.h"
#include "replay.sql.h"
#include "rules.h"

#include <stdlib.h>

static enum status replay_ledger(struct call *call, struct replay_report *report)
{
    Mal__ReplayedTable *table = replay_table(call, report, "contribution");

    TRY(replay_step(call, &table->removed, sql_replay_remove_contributions, report));
    TRY(replay_step(call, &table->changed, sql_replay_differ_contributions, report));
    table->added = -table->changed;
    TRY(replay_step(call, &table->changed, sql_replay_change_old_contributions, report));
    TRY(replay_step(call, &table->added, sql_replay_add_contributions, report));
    TRY(pg_exec(call, sql_replay_next_number, NULL, ""));
    return pg_one(call, &table->base, sql_replay_rows_contributions, "");
}

static enum status replay_unlocks(struct call *call, struct replay_report *report)
{
    Mal__ReplayedTable *table = replay_table(call, report, "user_achievement");

    TRY(replay_step(call, &table->removed, sql_replay_remove_unlocks, report));
    TRY(replay_step(call, &table->changed, sql_replay_change_unlocks, report));
    TRY(replay_step(call, &table->added, sql_replay_add_unlocks, report));
    return pg_one(call, &table->base, sql_replay_rows_unlocks, "");
}

static enum status replay_uses(struct call *call, struct replay_report *report)
{
    Mal__ReplayedTable *table = replay_table(call, report, "tool_use");

    TRY(replay_step(call, &table->removed, sql_replay_remove_uses, report));
    TRY(replay_step(call, &table->changed, sql_replay_change_uses, report));
    TRY(replay_step(call, &table->added, sql_replay_add_uses, report));
    TRY(pg_exec(call, sql_replay_see_uses, NULL, ""));
    return pg_one(call, &table->base, sql_replay_rows_uses, "");
}

static enum status set_levels(struct call *call)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_replay_xp, ""));
    const char **ids = arena_alloc(call->arena, (size_t)rows.n * sizeof(char *));
    const char **levels = arena_alloc(call->arena, (size_t)rows.n * sizeof(char *));
    for (int i = 0; i < rows.n; i++) {
        ids[i] = pg_cell(&rows, i, "id");
        levels[i] = arena_printf(call->arena, "%d",
                                 level_of((int)strtol(pg_cell(&rows, i, "xp"), NULL, 10)));
    }
    return pg_exec(call, sql_replay_levels, NULL, "aa", (size_t)rows.n, ids, (size_t)rows.n,
                   levels);
}

/* Sums first: the members' streaks are read from them. */
static enum status replay_members(struct call *call, struct replay_report *report)
{
    Mal__ReplayedTable *table = replay_table(call, report, "member");

    TRY(pg_exec(call, sql_replay_recount, NULL, ""));
    TRY(pg_exec(call, sql_replay_members, NULL, ""));
    TRY(set_levels(call));
    TRY(replay_step(call, &table->changed, sql_replay_change_members, report));
    return pg_one(call, &table->base, sql_replay_rows_members, "");
}

static enum status apply(struct call *call, struct replay_report *report)
{
    uint64_t floor = 0;

    if (bus_consumer_floor(call->bus, "gamify_tools", &floor) != ST_OK)
        return call_fail(call, ST_UNAVAILABLE, "The place of the consumer could not be read.");
    TRY(pg_exec(call, sql_replay_look, NULL, ""));
    TRY(pg_exec(call, sql_replay_leave_uses, NULL, "l", (long long)floor));
    TRY(replay_count(call, report, sql_replay_events));
    TRY(replay_ledger(call, report));
    TRY(replay_unlocks(call, report));
    TRY(replay_uses(call, report));
    return replay_members(call, report);
}

static const struct replay_part parts[] = {
    {"mal.evt.gamify.>", replay_take_game},
    {"mal.evt.gateway.tool.called", replay_take_calls},
};

enum status gamify_replay(struct call *call, const Gamify__ReplayRequest *req,
                          Gamify__ReplayResponse *rsp)
{
    const struct query *const make[] = {
        sql_replay_make_awards,  sql_replay_make_reversals, sql_replay_make_assignments,
        sql_replay_make_unlocks, sql_replay_make_uses,      sql_replay_make_members,
        sql_replay_make_ledger,  sql_replay_make_counts,    NULL};
    const struct query *const lock[] = {sql_replay_lock_tool_use, sql_replay_lock_members,
                                        sql_replay_lock_rest, NULL};
    const struct query *const drop[] = {sql_replay_drop_views, sql_replay_drop_tables, NULL};
    struct replay_report report;

    TRY(svc_replay(call,
                   &(struct replay_plan){.reader = "gamify_replay",
                                         .parts = parts,
                                         .n_parts = ARRAY_SIZE(parts),
                                         .make = make,
                                         .lock = lock,
                                         .apply = apply,
                                         .drop = drop},
                   req->dry_run, &report));
    rsp->dry_run = report.dry_run;
    rsp->events = report.events;
    rsp->since = report.since;
    rsp->n_tables = report.n_tables;
    rsp->tables = report.tables;
    return ST_OK;
}
