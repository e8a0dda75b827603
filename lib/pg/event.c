/* SPDX-License-Identifier: Apache-2.0 */
/* Events leave through the outbox, in the transaction of the change they tell
 * of, and are remembered in the inbox, in the transaction of their effect. */
#include "pg/internal.h"

#include "base/ids.h"
#include "wire/codec.h"

/* Half of what NATS takes by default: an event that cannot be published would
 * hold up all that follow. */
enum { EVENT_SIZE_MAX = 512 * 1024 };

/* The notification is sent with the commit and wakes the relay. */
static const struct query outbox_add = {
    .name = "mal_outbox_add",
    .sql = "with added as (insert into outbox (event_id, subject, payload, actor, request_id)"
           " values ($1, $2, $3, coalesce($4, ''), coalesce($5, '')) returning id)"
           " select pg_notify('mal_outbox_' || current_schema(), '') from added",
    .params = 5,
};

static const struct query outbox_add_all = {
    .name = "mal_outbox_add_all",
    .sql = "with added as (insert into outbox (event_id, subject, payload, actor, request_id)"
           " select id, subject, decode(payload, 'hex'), coalesce($4, ''), coalesce($5, '')"
           " from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality"
           " as t (id, subject, payload, n) order by n returning id)"
           " select pg_notify('mal_outbox_' || current_schema(), '') where exists"
           " (select from added)",
    .params = 5,
};

static const struct query inbox_add = {
    .name = "mal_inbox_add",
    .sql = "insert into inbox (event_id) values ($1) on conflict do nothing",
    .params = 1,
};

enum status event_add(struct tx *tx, const char *subject, const ProtobufCMessage *payload)
{
    struct call *call = tx->call;
    char id[UUID_SIZE];
    const void *bytes;
    size_t len;

    if (!call)
        return ST_INTERNAL;
    bytes = wire_pack(call->arena, payload, &len);
    if (len > EVENT_SIZE_MAX)
        return fail_internal(call, subject, "an event of %zu bytes", len);
    uuid_v7(id);
    return pg_exec(call, &outbox_add, NULL, "ssyss", id, subject, len, bytes, call->actor,
                   call->request_id);
}

static char *hex(struct arena *arena, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    char *out = arena_alloc(arena, 2 * len + 1);

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    return out;
}

enum status event_add_all(struct tx *tx, size_t n, const struct event *events)
{
    struct call *call = tx->call;
    char **ids, **subjects, **payloads;

    if (!call)
        return ST_INTERNAL;
    if (n == 0)
        return ST_OK;
    ids = arena_alloc(call->arena, n * sizeof(*ids));
    subjects = arena_alloc(call->arena, n * sizeof(*subjects));
    payloads = arena_alloc(call->arena, n * sizeof(*payloads));
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const void *bytes = wire_pack(call->arena, events[i].payload, &len);

        if (len > EVENT_SIZE_MAX)
            return fail_internal(call, events[i].subject, "an event of %zu bytes", len);
        ids[i] = arena_alloc(call->arena, UUID_SIZE);
        uuid_v7(ids[i]);
        subjects[i] = arena_strdup(call->arena, events[i].subject);
        payloads[i] = hex(call->arena, bytes, len);
    }
    return pg_exec(call, &outbox_add_all, NULL, "aaass", n, ids, n, subjects, n, payloads,
                   call->actor, call->request_id);
}

enum status event_seen(struct tx *tx, const char *event_id, bool *ret_new)
{
    int rows = 0;

    *ret_new = false;
    if (!tx->call)
        return ST_INTERNAL;
    if (!event_id || !uuid_valid(event_id))
        return call_fail(tx->call, ST_INVALID_ARGUMENT, "The event's id is no UUID.");
    TRY(pg_exec(tx->call, &inbox_add, &rows, "s", event_id));
    *ret_new = rows == 1;
    return ST_OK;
}
