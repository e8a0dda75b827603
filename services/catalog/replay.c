/* SPDX-License-Identifier: Apache-2.0 */
/* The log of tool calls made anew from the event stream. */
#include "catalog.h"

#include "replay.sql.h"
#include "svc/replay.h"

static enum status apply(struct call *call, struct replay_report *report)
{
    Mal__ReplayedTable *table = replay_table(call, report, "usage_log");

    TRY(pg_exec(call, sql_replay_look, NULL, ""));
    TRY(replay_step(call, &table->changed, sql_replay_change, report));
    TRY(replay_step(call, &table->added, sql_replay_add, report));
    TRY(pg_exec(call, sql_replay_recount, NULL, ""));
    TRY(replay_count(call, report, sql_replay_events));
    return pg_one(call, &table->base, sql_replay_rows, "");
}

/* Both kinds in one reading, so that they come in the order of the stream. */
static const struct replay_part parts[] = {{"mal.evt.gateway.*.called", audit_take}};

enum status catalog_replay(struct call *call, const Catalog__ReplayRequest *req,
                           Catalog__ReplayResponse *rsp)
{
    const struct query *const make[] = {sql_replay_make, NULL};
    const struct query *const lock[] = {sql_replay_lock, NULL};
    const struct query *const drop[] = {sql_replay_drop, NULL};
    struct replay_report report;

    TRY(svc_replay(call,
                   &(struct replay_plan){.reader = "catalog_replay",
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
