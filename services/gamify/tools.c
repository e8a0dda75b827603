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

static const Gateway__ToolCalled *read_event(struct call *call, const struct bus_event *event,
                                             int64_t *ret_at_ms)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;
    const Gateway__ToolCalled *called;

    if (wire_unpack(call->arena, &gateway__tool_called__descriptor, event->data, event->len,
                    &message, &err) != ST_OK)
        return NULL;
    called = (const void *)message;
    return clock_parse(called->called_at, ret_at_ms) ? called : NULL;
}

/* Calls of one tool by one key. */
struct use {
    const char *key, *tool;
    int calls;
    int64_t first_ms, last_ms;
};

/* Those of a batch, and where to look for them: slot = number of a use + 1. */
struct uses {
    size_t n, n_slots; /* a power of two */
    struct use *items;
    uint32_t *slots;
};

static void uses_init(struct uses *uses, struct call *call, size_t room)
{
    *uses = (struct uses){.n_slots = 16};
    while (uses->n_slots < 2 * room)
        uses->n_slots *= 2;
    uses->items = arena_alloc(call->arena, room * sizeof(*uses->items));
    uses->slots = arena_alloc(call->arena, uses->n_slots * sizeof(*uses->slots));
    memset(uses->slots, 0, uses->n_slots * sizeof(*uses->slots));
}

static size_t hash(const char *text, size_t start)
{
    for (; *text; text++)
        start = (start ^ (unsigned char)*text) * 16777619U;
    return start;
}

static void add_use(struct uses *uses, const Gateway__ToolCalled *called, int64_t at_ms)
{
    const char *key = called->user_key, *tool = called->tool_name;
    size_t at = hash(tool, hash(key, 2166136261U));
    struct use *use;

    for (at &= uses->n_slots - 1; uses->slots[at]; at = (at + 1) & (uses->n_slots - 1)) {
        use = &uses->items[uses->slots[at] - 1];
        if (strcmp(use->tool, tool) == 0 && strcmp(use->key, key) == 0) {
            use->calls++;
            use->first_ms = at_ms < use->first_ms ? at_ms : use->first_ms;
            use->last_ms = at_ms > use->last_ms ? at_ms : use->last_ms;
            return;
        }
    }
    uses->items[uses->n++] = (struct use){key, tool, 1, at_ms, at_ms};
    uses->slots[at] = (uint32_t)uses->n;
}

/* The messages of a batch that can be remembered, and where they begin and end. */
struct messages {
    size_t n, *first, *end;
    const char **id;
    bool *new;
};

/* The events of one delivery share the pointer. */
static struct messages messages_of(struct call *call, const struct bus_event *events, size_t n)
{
    struct messages messages = {.first = arena_alloc(call->arena, n * sizeof(size_t)),
                                .end = arena_alloc(call->arena, n * sizeof(size_t)),
                                .id = arena_alloc(call->arena, n * sizeof(char *)),
                                .new = arena_alloc(call->arena, n * sizeof(bool))};

    for (size_t i = 0, end; i < n; i = end) {
        const char *id = events[i].message_id;

        for (end = i + 1; end < n && events[end].message_id == id;)
            end++;
        if (!uuid_valid(id)) {
            log_warn("a message on %s has no UUID; left out", events[i].subject);
            continue;
        }
        messages.first[messages.n] = i;
        messages.end[messages.n] = end;
        messages.new[messages.n] = false;
        messages.id[messages.n++] = id;
    }
    return messages;
}

/* Remembers them, and which of them were not known. */
static enum status remember(struct call *call, struct messages *messages)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_tool_seen, "a", messages->n, messages->id));
    for (int i = 0; i < rows.n; i++)
        messages->new[strtoul(pg_cell(&rows, i, "n"), NULL, 10) - 1] = true;
    return ST_OK;
}

/* The calls that count, of one message. */
static void collect(struct call *call, const struct bus_event *events, size_t n, struct uses *uses)
{
    for (size_t i = 0; i < n; i++) {
        int64_t at_ms = 0;
        const Gateway__ToolCalled *called = read_event(call, &events[i], &at_ms);

        if (!called)
            log_warn("event %s on %s is no tool call; left out", events[i].event_id,
                     events[i].subject);
        else if (uuid_valid(events[i].event_id) && tool_use_counts(called))
            add_use(uses, called, at_ms);
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

static const char *time_of(struct call *call, int64_t wall_ms)
{
    char text[TIMESTAMP_SIZE];

    clock_format(wall_ms, text);
    return arena_strdup(call->arena, text);
}

static enum status add_uses(struct call *call, const struct uses *uses, struct names *ret_keys)
{
    const char **columns[5];
    struct pg_rows rows;
    size_t n = uses->n;

    for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
        columns[c] = arena_alloc(call->arena, (n + 1) * sizeof(**columns));
    for (size_t i = 0; i < n; i++) {
        const struct use *use = &uses->items[i];

        columns[0][i] = use->key;
        columns[1][i] = use->tool;
        columns[2][i] = arena_printf(call->arena, "%d", use->calls);
        columns[3][i] = time_of(call, use->first_ms);
        columns[4][i] = time_of(call, use->last_ms);
    }
    TRY(pg_rows(call, &rows, sql_tool_add, "aaaaa", n, columns[0], n, columns[1], n, columns[2], n,
                columns[3], n, columns[4]));
    for (int i = 0; i < rows.n; i++)
        names_add(call, ret_keys, pg_cell(&rows, i, "user_key"));
    return ST_OK;
}

/* Messages are remembered, not events: there are fewer of them, and an event is
 * always in the same one. */
enum status tool_use_store(struct call *call, const struct bus_event *events, size_t n)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct messages messages = messages_of(call, events, n);
    struct names keys = {0};
    struct uses uses;

    uses_init(&uses, call, n);
    TRY(tx_begin(&tx, call));
    TRY(remember(call, &messages));
    for (size_t i = 0; i < messages.n; i++)
        if (messages.new[i])
            collect(call, events + messages.first[i], messages.end[i] - messages.first[i], &uses);
    if (uses.n > 0)
        TRY(add_uses(call, &uses, &keys));
    TRY(evaluate(&tx, keys.n, keys.items));
    return tx_commit(&tx);
}
