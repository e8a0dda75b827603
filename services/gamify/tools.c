/* SPDX-License-Identifier: Apache-2.0 */
/* The use of tools, as the gateway tells it: which ones each key has called. */
#include "tools.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "ledger.h"
#include "packages.h"
#include "tool.sql.h"
#include "wire/handler.h"

int tools_built_in(void)
{
    size_t n = 0;

    while (packages_tool_at(n))
        n++;
    return (int)n;
}

bool tool_use_counts(const Gateway__ToolCalled *called)
{
    return called->success && *called->user_key && strcmp(called->channel, "web") != 0 &&
           packages_tool(called->tool_name) != NULL;
}

/* ---- storing -------------------------------------------------------------- */

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
    return clock_parse(called->called_at, &ignored) ? called : NULL;
}

/* One array per column. */
struct uses {
    size_t n;
    const char **key, **tool, **at;
};

/* Whether the id is among those; it is so once only, for a batch may hold an
 * event twice. */
static bool take_name(struct names *names, const char *id)
{
    for (size_t i = 0; id && i < names->n; i++)
        if (strcasecmp(names->items[i], id) == 0) {
            names->items[i] = "";
            return true;
        }
    return false;
}

/* The calls that count, of the events that are new. */
static void collect(struct call *call, const struct bus_event *events, size_t n, struct names *new,
                    struct uses *uses)
{
    for (size_t i = 0; i < n; i++) {
        const Gateway__ToolCalled *called;

        if (!take_name(new, events[i].event_id))
            continue;
        called = read_event(call, &events[i]);
        if (!called)
            log_warn("event %s on %s is no tool call; left out", events[i].event_id,
                     events[i].subject);
        if (!called || !tool_use_counts(called))
            continue;
        uses->key[uses->n] = called->user_key;
        uses->tool[uses->n] = called->tool_name;
        uses->at[uses->n++] = called->called_at;
    }
}

static enum status evaluate(struct tx *tx, size_t n, const char **keys)
{
    struct pg_rows members;

    if (n == 0)
        return ST_OK;
    TRY(pg_rows(tx->call, &members, sql_tool_members, "a", n, keys));
    for (int i = 0; i < members.n; i++) {
        struct ledger ledger;

        TRY(ledger_open(&ledger, tx, pg_cell(&members, i, "id")));
        TRY(ledger_evaluate(&ledger));
        TRY(ledger_close(&ledger));
    }
    return ST_OK;
}

static enum status find_new(struct tx *tx, const struct bus_event *events, size_t n,
                            struct names *ret_new)
{
    struct call *call = tx->call;
    struct names ids = {0};
    struct pg_rows rows;

    for (size_t i = 0; i < n; i++)
        if (events[i].event_id && uuid_valid(events[i].event_id))
            names_add(call, &ids, events[i].event_id);
    TRY(pg_rows(call, &rows, sql_tool_seen, "a", ids.n, ids.items));
    for (int i = 0; i < rows.n; i++)
        names_add(call, ret_new, pg_cell(&rows, i, "event_id"));
    return ST_OK;
}

enum status tool_use_store(struct call *call, const struct bus_event *events, size_t n)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names new = {0}, keys = {0};
    struct uses uses = {.key = arena_alloc(call->arena, n * sizeof(*uses.key)),
                        .tool = arena_alloc(call->arena, n * sizeof(*uses.tool)),
                        .at = arena_alloc(call->arena, n * sizeof(*uses.at))};
    struct pg_rows rows;

    TRY(tx_begin(&tx, call));
    TRY(find_new(&tx, events, n, &new));
    collect(call, events, n, &new, &uses);
    if (uses.n) {
        TRY(pg_rows(call, &rows, sql_tool_add, "aaa", uses.n, uses.key, uses.n, uses.tool, uses.n,
                    uses.at));
        for (int i = 0; i < rows.n; i++)
            names_add(call, &keys, pg_cell(&rows, i, "user_key"));
    }
    TRY(evaluate(&tx, keys.n, keys.items));
    return tx_commit(&tx);
}
