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
