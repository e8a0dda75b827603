/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of tools, as the gateway tells them, into the log: a batch is one
 * statement, and an event that comes again changes nothing. Nearly always all of
 * them are new: that is tried first, for it costs half. */
#include "catalog.h"

#include "audit.sql.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "bus/bus.h"
#include "mal/gateway/v1/events.pb-c.h"
#include "replay.sql.h"

/* What is to be stored. */
struct entries {
    size_t n;
    const char **event_id;
    const Gateway__ToolCalled **called;
};

/* The columns of the log, but for its own number. */
enum { COLUMNS = 10 };

static const struct query audit_copy = {
    .name = "audit_copy",
    .sql = "copy usage_log (event_id, tool_name, resource_id, user_key, \"timestamp\","
           " duration_ms, success, status, channel, request_id) from stdin",
};

static bool is_channel(const char *channel)
{
    static const char *const known[] = {"mcp", "rest", "web", "cli"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcmp(known[i], channel) == 0)
            return true;
    return false;
}

/* NULL for what is no such event: it could never be stored and would be
 * delivered for ever. */
static const Gateway__ToolCalled *read_event(struct call *call, const struct bus_event *event)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;
    const Gateway__ToolCalled *called;
    int64_t ignored;

    if (wire_unpack(call->arena, &gateway__tool_called__descriptor, event->data, event->len,
                    &message, &err) != ST_OK)
        return NULL;
    called = (const void *)message;
    return event->event_id && uuid_valid(event->event_id) && *called->tool_name &&
                   is_channel(called->channel) && clock_parse(called->called_at, &ignored)
               ? called
               : NULL;
}

static struct entries read_entries(struct call *call, const struct bus_event *events, size_t n)
{
    struct entries entries = {
        .event_id = arena_alloc(call->arena, n * sizeof(*entries.event_id)),
        .called = arena_alloc(call->arena, n * sizeof(void *)),
    };

    for (size_t i = 0; i < n; i++) {
        const Gateway__ToolCalled *called = read_event(call, &events[i]);

        if (called) {
            entries.event_id[entries.n] = events[i].event_id;
            entries.called[entries.n++] = called;
        } else {
            log_warn("an event on %s is no tool call; left out", events[i].subject);
        }
    }
    return entries;
}

static void columns_of(const struct entries *entries, size_t i, char duration[16],
                       const char *values[COLUMNS])
{
    const Gateway__ToolCalled *called = entries->called[i];
    size_t n = 0;

    (void)snprintf(duration, 16, "%d", called->duration_ms);
    values[n++] = entries->event_id[i];
    values[n++] = called->tool_name;
    values[n++] = *called->resource_id ? called->resource_id : NULL;
    values[n++] = called->user_key;
    values[n++] = called->called_at;
    values[n++] = duration;
    values[n++] = called->success ? "t" : "f";
    values[n++] = called->status;
    values[n++] = called->channel;
    values[n++] = called->request_id;
}

/* As long as none of them is in the log. */
static enum status copy_new(struct call *call, const struct entries *entries)
{
    CLEANUP(strbuf_done) struct strbuf rows = STRBUF_INIT;
    const char *values[COLUMNS];
    char duration[16];

    for (size_t i = 0; i < entries->n; i++) {
        columns_of(entries, i, duration, values);
        pg_copy_row(&rows, values, COLUMNS);
    }
    return pg_copy(call, &audit_copy, &rows);
}

/* Whatever the log has already. */
static enum status insert(struct call *call, const struct query *query,
                          const struct entries *entries)
{
    const char **columns[COLUMNS], *values[COLUMNS];
    size_t n = entries->n;

    for (size_t c = 0; c < COLUMNS; c++)
        columns[c] = arena_alloc(call->arena, (n + 1) * sizeof(**columns));
    for (size_t i = 0; i < n; i++) {
        columns_of(entries, i, arena_alloc(call->arena, 16), values);
        for (size_t c = 0; c < COLUMNS; c++)
            columns[c][i] = values[c];
    }
    return pg_exec(call, query, NULL, "aaaaaaaaaa", n, columns[0], n, columns[1], n, columns[2], n,
                   columns[3], n, columns[4], n, columns[5], n, columns[6], n, columns[7], n,
                   columns[8], n, columns[9]);
}

enum status audit_store(struct call *call, const struct bus_event *events, size_t n)
{
    struct entries entries = read_entries(call, events, n);

    if (entries.n == 0)
        return ST_OK;
    enum status status = copy_new(call, &entries);
    if (status != ST_ALREADY_EXISTS)
        return status;
    error_clear(&call->error);
    return insert(call, sql_audit_insert, &entries);
}

enum status audit_take(struct call *call, const struct bus_event *events, size_t n)
{
    struct entries entries = read_entries(call, events, n);

    return entries.n > 0 ? insert(call, sql_replay_take, &entries) : ST_OK;
}
