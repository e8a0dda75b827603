/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked after while streams are open: their keys, their sessions. */
#include "keyring.h"
#include "streams_internal.h"

#include <stdlib.h>
#include <string.h>

enum { CHECK_MS = 10000 };

bool stream_welcome(const struct stream *stream, int64_t now_ms)
{
    struct keyring *keys = stream->streams->gw->keys;

    if (strcmp(stream->principal, "open") == 0)
        return keyring_empty(keys);
    return keyring_valid(keys, stream->principal, now_ms);
}

/* A session that ended while the bus was away ends its streams here. */
static void check(struct streams *streams, int64_t now_ms)
{
    unsigned generation = keyring_generation(streams->gw->keys);
    bool keys = generation != streams->keys_seen || now_ms - streams->checked_ms >= CHECK_MS;

    if (keys) {
        streams->keys_seen = generation;
        streams->checked_ms = now_ms;
    }
    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (!stream_has_session(stream) || (keys && !stream_welcome(stream, now_ms)))
            stream_end(stream);
    (void)pthread_mutex_unlock(&streams->lock);
}

/* Hashes of all sessions with a stream here, in the arena. */
static size_t open_sessions(struct streams *streams, struct arena *arena, char ***ret_hashes)
{
    size_t n = 0, size = 0;

    (void)pthread_mutex_lock(&streams->lock);
    for (const struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        size++;
    *ret_hashes = arena_alloc(arena, size * sizeof(**ret_hashes));
    for (const struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (stream->session != NULL && !stream->shadowed)
            (*ret_hashes)[n++] = arena_strdup(arena, stream->session);
    (void)pthread_mutex_unlock(&streams->lock);
    return n;
}

void streams_sweep(struct streams *streams, int64_t now_ms)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct release *released;
    char **hashes, owner[33];
    size_t n;

    arena_init(&arena);
    check(streams, now_ms);
    n = open_sessions(streams, &arena, &hashes);
    for (size_t i = 0; i < n; i++)
        sessions_touch(streams->gw->sessions, hashes[i], now_ms);
    (void)pthread_mutex_lock(&streams->lock);
    released = TAKE(streams->released);
    (void)pthread_mutex_unlock(&streams->lock);
    while (released != NULL) {
        struct release *next = released->next;

        if (sessions_owner(streams->gw->sessions, released->session, owner) &&
            strcmp(owner, streams->gw->instance) == 0)
            sessions_claim(streams->gw->sessions, released->session, "");
        free(released);
        released = next;
    }
}
