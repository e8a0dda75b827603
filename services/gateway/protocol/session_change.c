/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of what is written down of a session, whichever copies make them. */
#include "session_map.h"

#include "base/log.h"
#include "wire/codec.h"

#include <string.h>

enum { TRIES = 8 };

/* NULL = as it is. */
struct change {
    const char *level, *owner, *used;
    const char *uri; /* subscribed to from now on, or no longer */
    bool on;
};

static void apply(struct arena *arena, Gateway__Session *record, const struct change *change)
{
    size_t n = 0;

    record->changes++;
    if (change->level != NULL)
        record->log_level = change->level;
    if (change->owner != NULL)
        record->stream_owner = change->owner;
    if (change->used != NULL && session_number(change->used) > session_number(record->last_used_ms))
        record->last_used_ms = change->used;
    if (change->uri != NULL) {
        const char **uris = arena_alloc(arena, (record->n_subscriptions + 1) * sizeof(*uris));

        for (size_t i = 0; i < record->n_subscriptions; i++)
            if (strcmp(record->subscriptions[i], change->uri) != 0)
                uris[n++] = record->subscriptions[i];
        if (change->on)
            uris[n++] = change->uri;
        record->subscriptions = (void *)uris;
        record->n_subscriptions = n;
    }
}

/* Reads, changes and writes the record; again when another copy was faster. */
static enum status update(struct sessions *sessions, struct arena *arena, const char *hash,
                          const struct change *change)
{
    ProtobufCAllocator allocator = wire_allocator(arena);
    enum status status = ST_FAILED_PRECONDITION;

    for (int i = 0; i < TRIES && status == ST_FAILED_PRECONDITION; i++) {
        const void *data;
        size_t len;
        uint64_t revision;
        Gateway__Session *record;
        void *packed;

        TRY(bus_kv_get(sessions->kv, hash, arena, &data, &len, &revision));
        record = gateway__session__unpack(&allocator, len, data);
        if (record == NULL)
            return ST_INTERNAL;
        apply(arena, record, change);
        if (record->n_subscriptions > SESSION_URIS_MAX)
            return ST_RESOURCE_EXHAUSTED;
        packed = wire_pack(arena, &record->base, &len);
        status = bus_kv_update(sessions->kv, hash, packed, len, revision);
        if (status == ST_OK)
            session_remember(sessions, hash, packed, len, true);
    }
    return status;
}

static enum status update_alone(struct sessions *sessions, const char *hash,
                                const struct change *change)
{
    CLEANUP(arena_done) struct arena arena = {0};
    enum status status;

    arena_init(&arena);
    status = update(sessions, &arena, hash, change);
    if (status != ST_OK)
        log_debug("a session could not be written");
    return status;
}

enum status sessions_subscribe(struct sessions *sessions, struct exchange *x, const char *hash,
                               const char *uri, bool on)
{
    return update(sessions, x->arena, hash, &(struct change){.uri = uri, .on = on});
}

enum status sessions_log_level(struct sessions *sessions, struct exchange *x, const char *hash,
                               const char *level)
{
    return update(sessions, x->arena, hash, &(struct change){.level = level});
}

void sessions_claim(struct sessions *sessions, const char *hash, const char *instance)
{
    (void)update_alone(sessions, hash, &(struct change){.owner = instance});
}

void sessions_touch(struct sessions *sessions, const char *hash, int64_t now_ms)
{
    char used[24];
    struct item *item;
    bool write = false;

    (void)pthread_mutex_lock(&sessions->lock);
    item = *session_place(sessions, hash);
    if (item != NULL) {
        item->used_ms = now_ms;
        item->local = true;
        write = now_ms - item->written_ms > config.session_timeout_ms / 4;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    if (!write)
        return;
    (void)snprintf(used, sizeof(used), "%lld", (long long)now_ms);
    /* Gone from the bucket, which this copy did not hear. */
    if (update_alone(sessions, hash, &(struct change){.used = used}) == ST_NOT_FOUND)
        session_forget(sessions, hash, false);
}
