/* SPDX-License-Identifier: Apache-2.0 */
/* Rebuilding tables from the event stream. */
#include "svc/replay.h"

#include "base/clock.h"
#include "base/log.h"

enum { TABLES_MAX = 16 };

/* One at a time, however many copies of the service there are. */
static const struct query replay_claim = {
    .name = "mal_replay_claim",
    .sql =
        "select pg_try_advisory_xact_lock(hashtextextended('mal.replay.' || current_schema(), 0))",
};

/* Events that are committed and not yet in the stream. */
static const struct query replay_waiting = {
    .name = "mal_replay_waiting",
    .sql = "select event_id, subject, payload, actor, request_id,"
           " to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as created_at"
           " from outbox where published_at is null order by id",
};

struct run {
    struct call *call;
    const struct replay_plan *plan;
    const struct replay_part *part; /* that is read now */
};

/* In an arena of its own: there may be millions of events. */
static enum status take(const struct bus_event *events, size_t n, void *arg)
{
    struct run *run = arg;
    CLEANUP(arena_done) struct arena arena;
    struct call call = *run->call;
    enum status status;

    arena_init(&arena);
    call.arena = &arena;
    status = run->part->take(&call, events, n);
    if (status != ST_OK)
        return call_fail(run->call, status, "%s", call.error.message);
    return ST_OK;
}

/* ret_stream: what all parts were read to, and since when they are complete. */
static enum status read_parts(struct run *run, uint64_t from, struct bus_stream *ret_stream)
{
    for (size_t i = 0; i < run->plan->n_parts; i++) {
        struct bus_stream stream;

        run->part = &run->plan->parts[i];
        error_clear(&run->call->error);
        enum status status = bus_read(run->call->bus,
                                      &(struct bus_read_options){.reader = run->plan->reader,
                                                                 .filter = run->part->filter,
                                                                 .from = from,
                                                                 .fn = take,
                                                                 .arg = run},
                                      &stream);
        if (status != ST_OK && run->call->error.message[0] == '\0')
            return call_fail(run->call, status, "The event stream could not be read.");
        TRY(status);
        if (i == 0 || stream.last < ret_stream->last)
            ret_stream->last = stream.last;
        ret_stream->since_ms = stream.since_ms;
    }
    return ST_OK;
}

static bool matches(const char *filter, const char *subject)
{
    size_t len = strlen(filter);

    if (len > 0 && filter[len - 1] == '>')
        return strncmp(filter, subject, len - 1) == 0;
    return strcmp(filter, subject) == 0;
}

/* What the service itself wrote and the relay has not sent yet. */
static enum status take_waiting(struct run *run)
{
    struct pg_rows rows;

    TRY(pg_rows(run->call, &rows, &replay_waiting, ""));
    for (int row = 0; row < rows.n; row++) {
        struct bus_event event = {.subject = pg_cell(&rows, row, "subject"),
                                  .event_id = pg_cell(&rows, row, "event_id"),
                                  .message_id = pg_cell(&rows, row, "event_id"),
                                  .actor = pg_cell(&rows, row, "actor"),
                                  .request_id = pg_cell(&rows, row, "request_id"),
                                  .time = pg_cell(&rows, row, "created_at"),
                                  .delivered = 1};

        event.data = pg_cell_bytes(&rows, row, "payload", run->call->arena, &event.len);
        for (size_t i = 0; i < run->plan->n_parts; i++) {
            run->part = &run->plan->parts[i];
            if (matches(run->part->filter, event.subject))
                TRY(take(&event, 1, run));
        }
    }
    return ST_OK;
}

static enum status run_all(struct call *call, const struct query *const *queries)
{
    for (; *queries; queries++)
        TRY(pg_exec(call, *queries, NULL, ""));
    return ST_OK;
}

/* Reads most of the stream before anyone is held up, and after that the rest. An
 * event that leaves the outbox in between is in one of the two: the outbox is
 * looked at first. */
static enum status gather(struct run *run, struct replay_report *report)
{
    struct bus_stream stream = {0}, rest = {0};
    char since[TIMESTAMP_SIZE];

    TRY(run_all(run->call, run->plan->make));
    TRY(read_parts(run, 0, &stream));
    TRY(run_all(run->call, run->plan->lock));
    TRY(take_waiting(run));
    TRY(read_parts(run, stream.last + 1, &rest));
    clock_format(stream.since_ms, since);
    report->since = arena_strdup(run->call->arena, since);
    return ST_OK;
}

static enum status claim(struct call *call)
{
    const char *claimed = NULL;

    TRY(pg_text(call, &replay_claim, &claimed, ""));
    if (!claimed || strcmp(claimed, "t") != 0)
        return call_fail(call, ST_FAILED_PRECONDITION, "A replay is running already.");
    return ST_OK;
}

enum status svc_replay(struct call *call, const struct replay_plan *plan, bool dry_run,
                       struct replay_report *ret_report)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct run run = {.call = call, .plan = plan};

    *ret_report = (struct replay_report){
        .dry_run = dry_run,
        .tables = arena_alloc(call->arena, TABLES_MAX * sizeof(Mal__ReplayedTable *))};
    TRY(tx_begin_mode(&tx, call, TX_LONG));
    TRY(claim(call));
    TRY(gather(&run, ret_report));
    TRY(plan->apply(call, ret_report));
    TRY(run_all(call, plan->drop));
    if (dry_run)
        return ST_OK;
    TRY(tx_commit(&tx));
    for (size_t i = 0; i < ret_report->n_tables; i++) {
        const Mal__ReplayedTable *table = ret_report->tables[i];

        log_info("replay: %s has %d rows: %d added, %d changed, %d removed, %d kept", table->name,
                 table->rows, table->added, table->changed, table->removed, table->kept);
    }
    return ST_OK;
}

Mal__ReplayedTable *replay_table(struct call *call, struct replay_report *report, const char *name)
{
    Mal__ReplayedTable *table = arena_alloc(call->arena, sizeof(*table));

    mal__replayed_table__init(table);
    table->name = name;
    if (report->n_tables < TABLES_MAX)
        report->tables[report->n_tables++] = table;
    return table;
}

enum status replay_step(struct call *call, int *count, const struct query *query,
                        const struct replay_report *report)
{
    int rows = 0;

    if (query->params == 0)
        TRY(pg_exec(call, query, &rows, ""));
    else
        TRY(pg_exec(call, query, &rows, "s", report->since));
    *count += rows;
    return ST_OK;
}

enum status replay_count(struct call *call, struct replay_report *report, const struct query *query)
{
    const char *count = NULL;

    TRY(pg_text(call, query, &count, ""));
    report->events = count ? (int)strtol(count, NULL, 10) : 0;
    return ST_OK;
}
