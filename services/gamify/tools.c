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

static const struct query inbox_copy = {
    .name = "tool_inbox_copy",
    .sql = "copy inbox (event_id) from stdin",
};

static bool has_id(const struct bus_event *event)
{
    return event->event_id && uuid_valid(event->event_id);
}

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

/* The calls that count, of the events that are new (NULL: all are). */
static void collect(struct call *call, const struct bus_event *events, size_t n, struct names *new,
                    struct uses *uses)
{
    for (size_t i = 0; i < n; i++) {
        const Gateway__ToolCalled *called;

        if (new ? !take_name(new, events[i].event_id) : !has_id(&events[i]))
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
        if (has_id(&events[i]))
            names_add(call, &ids, events[i].event_id);
    TRY(pg_rows(call, &rows, sql_tool_seen, "a", ids.n, ids.items));
    for (int i = 0; i < rows.n; i++)
        names_add(call, ret_new, pg_cell(&rows, i, "event_id"));
    return ST_OK;
}

/* Remembers all; ALREADY_EXISTS when one was known. */
static enum status add_all(struct call *call, const struct bus_event *events, size_t n)
{
    CLEANUP(strbuf_done) struct strbuf rows = STRBUF_INIT;

    for (size_t i = 0; i < n; i++)
        if (has_id(&events[i]))
            pg_copy_row(&rows, &events[i].event_id, 1);
    return rows.len > 0 ? pg_copy(call, &inbox_copy, &rows) : ST_OK;
}

static enum status store(struct call *call, const struct bus_event *events, size_t n, bool all_new)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names new = {0}, keys = {0};
    struct uses uses = {.key = arena_alloc(call->arena, n * sizeof(*uses.key)),
                        .tool = arena_alloc(call->arena, n * sizeof(*uses.tool)),
                        .at = arena_alloc(call->arena, n * sizeof(*uses.at))};
    struct pg_rows rows;

    TRY(tx_begin(&tx, call));
    TRY(all_new ? add_all(call, events, n) : find_new(&tx, events, n, &new));
    collect(call, events, n, all_new ? NULL : &new, &uses);
    if (uses.n) {
        TRY(pg_rows(call, &rows, sql_tool_add, "aaa", uses.n, uses.key, uses.n, uses.tool, uses.n,
                    uses.at));
        for (int i = 0; i < rows.n; i++)
            names_add(call, &keys, pg_cell(&rows, i, "user_key"));
    }
    TRY(evaluate(&tx, keys.n, keys.items));
    return tx_commit(&tx);
}

/* Nearly always all of them are new: that is tried first, for it costs half. */
enum status tool_use_store(struct call *call, const struct bus_event *events, size_t n)
{
    enum status status = store(call, events, n, true);

    if (status != ST_ALREADY_EXISTS)
        return status;
    error_clear(&call->error);
    return store(call, events, n, false);
}
