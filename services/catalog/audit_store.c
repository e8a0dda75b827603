/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of tools, as the gateway tells them, into the log: a batch is one
 * statement, and an event that comes again changes nothing. */
#include "catalog.h"

#include "audit.sql.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "bus/bus.h"
#include "mal/gateway/v1/events.pb-c.h"
#include "replay.sql.h"

/* One array per column. */
struct columns {
    size_t n;
    const char **event_id, **tool, **resource, **user, **at, **duration, **success, **status,
        **channel, **request_id;
};

static void columns_init(struct columns *columns, struct arena *arena, size_t n)
{
    const char ***all[] = {&columns->event_id,  &columns->tool,   &columns->resource,
                           &columns->user,      &columns->at,     &columns->duration,
                           &columns->success,   &columns->status, &columns->channel,
                           &columns->request_id};

    columns->n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        *all[i] = arena_alloc(arena, n * sizeof(**all[i]));
}

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

static void columns_add(struct columns *columns, struct call *call, const char *event_id,
                        const Gateway__ToolCalled *called)
{
    size_t i = columns->n++;

    columns->event_id[i] = event_id;
    columns->tool[i] = called->tool_name;
    columns->resource[i] = called->resource_id;
    columns->user[i] = called->user_key;
    columns->at[i] = called->called_at;
    columns->duration[i] = arena_printf(call->arena, "%d", called->duration_ms);
    columns->success[i] = called->success ? "t" : "f";
    columns->status[i] = called->status;
    columns->channel[i] = called->channel;
    columns->request_id[i] = called->request_id;
}

static enum status store(struct call *call, const struct query *query,
                         const struct bus_event *events, size_t n)
{
    struct columns c;

    columns_init(&c, call->arena, n);
    for (size_t i = 0; i < n; i++) {
        const Gateway__ToolCalled *called = read_event(call, &events[i]);

        if (called)
            columns_add(&c, call, events[i].event_id, called);
        else
            log_warn("an event on %s is no tool call; left out", events[i].subject);
    }
    if (c.n == 0)
        return ST_OK;
    return pg_exec(call, query, NULL, "aaaaaaaaaa", c.n, c.event_id, c.n, c.tool, c.n, c.resource,
                   c.n, c.user, c.n, c.at, c.n, c.duration, c.n, c.success, c.n, c.status, c.n,
                   c.channel, c.n, c.request_id);
}

enum status audit_store(struct call *call, const struct bus_event *events, size_t n)
{
    return store(call, sql_audit_insert, events, n);
}

enum status audit_take(struct call *call, const struct bus_event *events, size_t n)
{
    return store(call, sql_replay_take, events, n);
}
