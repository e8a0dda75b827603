/* SPDX-License-Identifier: Apache-2.0 */
/* Rebuilding the tables that a service fills from events: everything happens in
 * one transaction while the service runs on. The events are gathered in tables
 * made for that; then whoever writes is held up, the last events are added, and
 * the service's tables are made what the events say. Consumers go on afterwards:
 * what the replay knows already changes nothing when it is delivered. */
#pragma once

#include "bus/bus.h"
#include "mal/v1/tool.pb-c.h"
#include "pg/pg.h"

/* Events of one filter, put into the tables that gather them. What is delivered
 * twice, or is no such event, must change nothing. */
struct replay_part {
    const char *filter;
    enum status (*take)(struct call *call, const struct bus_event *events, size_t n);
};

struct replay_report {
    bool dry_run;
    int events;
    const char *since; /* RFC 3339: of later events the stream lacks none */
    size_t n_tables;
    Mal__ReplayedTable **tables;
};

struct replay_plan {
    const char *reader; /* consumer to read with: catalog_replay */
    const struct replay_part *parts;
    size_t n_parts;
    const struct query *const *make; /* NULL-terminated: the tables that gather */
    const struct query *const *lock; /* stops writers, not readers */
    /* Makes the service's tables what the gathered events say. */
    enum status (*apply)(struct call *call, struct replay_report *report);
    const struct query *const *drop;
};

/* Runs it for the call of the rpc; only its deadline bounds the time. */
enum status svc_replay(struct call *call, const struct replay_plan *plan, bool dry_run,
                       struct replay_report *ret_report) MUST_CHECK;

/* For apply: a table of the report. */
Mal__ReplayedTable *replay_table(struct call *call, struct replay_report *report, const char *name);
/* Takes over the number of events that a query counts. */
enum status replay_count(struct call *call, struct replay_report *report,
                         const struct query *query) MUST_CHECK;
/* Runs one statement that adds to *count how many rows it
 * changed; its parameter, if any, is the time since when the stream is complete. */
enum status replay_step(struct call *call, int *count, const struct query *query,
                        const struct replay_report *report) MUST_CHECK;
