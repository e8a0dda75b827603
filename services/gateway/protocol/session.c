/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and their bucket. */
#include "session_map.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "links.h"
#include "streams.h"
#include "text.h"
#include "watching.h"
#include "wire/codec.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 64, BATCH = 32, SWEEP_MS = 250, MARK_S = 3600 };

static void hash_id(const char *id, char out[SESSION_HASH_SIZE])
{
    unsigned char hash[16];

    (void)crypto_generichash(hash, sizeof(hash), (const unsigned char *)id, strlen(id), NULL, 0);
    (void)sodium_bin2hex(out, SESSION_HASH_SIZE, hash, sizeof(hash));
}

void session_forget(struct sessions *sessions, const char *hash, bool remove)
{
    bool at_server = remove;
    struct item **at;

    (void)pthread_mutex_lock(&sessions->lock);
    at = session_place(sessions, hash);
    if (*at != NULL) {
        at_server = *(*at)->record->endpoint != '\0';
        session_remove(sessions, at);
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    if (at_server)
        links_end(sessions->gw->links, hash);
    if (sessions->gw->streams != NULL)
        streams_end_session(sessions->gw->streams, hash);
}

static void changed(const char *key, const void *data, size_t len, void *arg)
{
    struct sessions *sessions = arg;
    Gateway__Session *record;
    bool at_server;

    if (key == NULL) {
        (void)pthread_mutex_lock(&sessions->lock);
        session_round_over(sessions);
        (void)pthread_mutex_unlock(&sessions->lock);
        return;
    }
    record = data != NULL ? gateway__session__unpack(NULL, len, data) : NULL;
    if (record == NULL) {
        session_forget(sessions, key, false);
        return;
    }
    at_server = *record->endpoint != '\0';
    (void)pthread_mutex_lock(&sessions->lock);
    session_store(sessions, key, record);
    (void)pthread_mutex_unlock(&sessions->lock);
    if (at_server)
        watching_wake(sessions->gw->watching);
}

enum status sessions_new(struct sessions **ret_sessions, struct gateway *gw, struct error *err)
{
    struct sessions *sessions = calloc(1, sizeof(*sessions));

    if (sessions == NULL)
        abort();
    *ret_sessions = sessions;
    sessions->gw = gw;
    (void)pthread_mutex_init(&sessions->lock, NULL);
    /* Sessions in use are written anew before that; what is left by then are the marks
     * of those that ended. */
    TRY(bus_kv_open(gw->bus, "MAL_SESSIONS", 2 * config.session_timeout_ms / 1000 + MARK_S,
                    &sessions->kv, err));
    if (bus_kv_watch(sessions->kv, changed, sessions, &sessions->watch) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot watch the bucket MAL_SESSIONS");
    return ST_OK;
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    if (sessions->watch != NULL)
        bus_kv_watch_stop(sessions->watch);
    if (sessions->kv != NULL)
        bus_kv_free(sessions->kv);
    for (size_t i = 0; i < SESSION_BUCKETS; i++)
        while (sessions->buckets[i] != NULL)
            session_remove(sessions, &sessions->buckets[i]);
    (void)pthread_mutex_destroy(&sessions->lock);
    free(sessions);
}

int64_t sessions_count(struct sessions *sessions)
{
    int64_t n;

    (void)pthread_mutex_lock(&sessions->lock);
    n = sessions->n;
    (void)pthread_mutex_unlock(&sessions->lock);
    return n;
}

bool sessions_known(struct sessions *sessions, const char *hash)
{
    bool known;

    (void)pthread_mutex_lock(&sessions->lock);
    known = *session_place(sessions, hash) != NULL;
    (void)pthread_mutex_unlock(&sessions->lock);
    return known;
}

bool sessions_gone(struct sessions *sessions, const char *hash)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const void *data;
    uint64_t revision;
    size_t len;

    arena_init(&arena);
    return bus_kv_get(sessions->kv, hash, &arena, &data, &len, &revision) == ST_NOT_FOUND;
}

const char *sessions_capabilities(struct sessions *sessions, struct arena *arena, const char *hash)
{
    const char *text = NULL;
    struct item *item;

    (void)pthread_mutex_lock(&sessions->lock);
    item = *session_place(sessions, hash);
    if (item != NULL && *item->record->capabilities != '\0')
        text = arena_strdup(arena, item->record->capabilities);
    (void)pthread_mutex_unlock(&sessions->lock);
    return text;
}

bool sessions_listener(struct sessions *sessions, struct arena *arena, const char *hash,
                       enum mcp_version *ret_version, const char **ret_level)
{
    const struct item *item;

    (void)pthread_mutex_lock(&sessions->lock);
    item = *session_place(sessions, hash);
    if (item != NULL) {
        *ret_version = mcp_version_parse(item->record->version);
        *ret_level =
            *item->record->log_level != '\0' ? arena_strdup(arena, item->record->log_level) : NULL;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return item != NULL;
}

void session_remember(struct sessions *sessions, const char *hash, const void *data, size_t len,
                      bool known)
{
    Gateway__Session *record = gateway__session__unpack(NULL, len, data);

    (void)pthread_mutex_lock(&sessions->lock);
    if (record != NULL && (!known || *session_place(sessions, hash) != NULL))
        session_store(sessions, hash, TAKE(record));
    (void)pthread_mutex_unlock(&sessions->lock);
    if (record != NULL)
        gateway__session__free_unpacked(record, NULL);
}

static const char *endpoint_of(const struct exchange *x)
{
    return x->endpoint != NULL ? x->endpoint : "";
}

enum status sessions_create(struct sessions *sessions, struct exchange *x,
                            const struct mcp_client *client, char ret_id[SESSION_ID_SIZE])
{
    Gateway__Session record = GATEWAY__SESSION__INIT;
    char hash[SESSION_HASH_SIZE];
    size_t len;
    void *packed;
    enum status status;

    if (sessions_count(sessions) >= config.max_sessions)
        return ST_RESOURCE_EXHAUSTED;
    token_hex(ret_id);
    hash_id(ret_id, hash);
    record.version = mcp_version_text(client->version);
    record.principal = x->who.id;
    record.elicitation = client->form_elicitation;
    record.client_name = client->name != NULL ? text_cut(x->arena, client->name, LABEL_MAX) : "";
    record.endpoint = endpoint_of(x);
    record.capabilities = client->capabilities != NULL ? client->capabilities : "";
    record.last_used_ms = arena_printf(x->arena, "%lld", (long long)x->now_ms);
    packed = wire_pack(x->arena, &record.base, &len);
    status = bus_kv_create(sessions->kv, hash, packed, len);
    if (status != ST_OK)
        return ST_UNAVAILABLE;
    session_remember(sessions, hash, packed, len, false);
    return ST_OK;
}

/* Fetches from the bucket what the watch has not told yet. */
static enum status fetch(struct sessions *sessions, struct exchange *x, const char *hash)
{
    const void *data;
    size_t len;
    uint64_t revision;
    enum status status = bus_kv_get(sessions->kv, hash, x->arena, &data, &len, &revision);

    if (status == ST_OK)
        session_remember(sessions, hash, data, len, false);
    return status == ST_OK || status == ST_NOT_FOUND ? status : ST_UNAVAILABLE;
}

/* ret_write: the use has to be written down for the other copies. */
static enum status look_up(struct sessions *sessions, struct exchange *x,
                           struct session *ret_session, bool *ret_write)
{
    struct item *item;
    enum status status = ST_NOT_FOUND;

    (void)pthread_mutex_lock(&sessions->lock);
    item = *session_place(sessions, ret_session->hash);
    if (item != NULL && session_expired(item, x->now_ms)) {
        status = ST_CANCELLED;
    } else if (item != NULL) {
        bool ours = strcmp(item->record->principal, x->who.id) == 0 &&
                    strcmp(item->record->endpoint, endpoint_of(x)) == 0;

        status = ours ? ST_OK : ST_PERMISSION_DENIED;
        ret_session->capabilities = ours ? arena_strdup(x->arena, item->record->capabilities) : "";
        ret_session->log_level = ours ? arena_strdup(x->arena, item->record->log_level) : "";
        ret_session->version = mcp_version_parse(item->record->version);
        ret_session->elicitation = item->record->elicitation;
    }
    if (status == ST_OK) {
        item->used_ms = x->now_ms;
        item->local = true;
        *ret_write = x->now_ms - item->written_ms > config.session_timeout_ms / 4;
    }
    (void)pthread_mutex_unlock(&sessions->lock);
    return status;
}

enum status sessions_find(struct sessions *sessions, struct exchange *x, const char *id,
                          struct session *ret_session)
{
    bool write = false;
    enum status status;

    hash_id(id, ret_session->hash);
    status = look_up(sessions, x, ret_session, &write);
    if (status == ST_NOT_FOUND || status == ST_CANCELLED) {
        /* Not here yet, or used elsewhere since. */
        TRY(fetch(sessions, x, ret_session->hash));
        status = look_up(sessions, x, ret_session, &write);
    }
    if (status == ST_CANCELLED)
        sessions_end(sessions, ret_session->hash);
    if (status != ST_OK)
        return ST_NOT_FOUND;
    if (write)
        sessions_touch(sessions, ret_session->hash, x->now_ms);
    return ST_OK;
}

void sessions_end(struct sessions *sessions, const char *hash)
{
    if (bus_kv_delete(sessions->kv, hash) != ST_OK)
        log_warn("a session could not be deleted from MAL_SESSIONS");
    session_forget(sessions, hash, true);
}

size_t sessions_uris(struct sessions *sessions, const char *hash, struct arena *arena,
                     const char *const **ret_uris)
{
    const struct item *item;
    const char **uris;
    size_t n = 0;

    (void)pthread_mutex_lock(&sessions->lock);
    item = *session_place(sessions, hash);
    uris = arena_alloc(arena, (item != NULL ? item->record->n_subscriptions : 0) * sizeof(*uris));
    for (; item != NULL && n < item->record->n_subscriptions; n++)
        uris[n] = arena_strdup(arena, item->record->subscriptions[n]);
    (void)pthread_mutex_unlock(&sessions->lock);
    *ret_uris = uris;
    return n;
}

bool sessions_owner(struct sessions *sessions, const char *hash, char ret_owner[33])
{
    struct item *item;

    (void)pthread_mutex_lock(&sessions->lock);
    item = *session_place(sessions, hash);
    if (item != NULL)
        (void)snprintf(ret_owner, 33, "%s", item->record->stream_owner);
    (void)pthread_mutex_unlock(&sessions->lock);
    return item != NULL;
}

/* Ends some of those that nobody used; how many. */
static size_t sweep_some(struct sessions *sessions, int64_t now_ms)
{
    char gone[BATCH][SESSION_HASH_SIZE];
    size_t n = 0;

    (void)pthread_mutex_lock(&sessions->lock);
    for (size_t i = 0; i < SESSION_BUCKETS && n < BATCH; i++)
        for (struct item *item = sessions->buckets[i]; item != NULL && n < BATCH; item = item->next)
            if (session_expired(item, now_ms))
                memcpy(gone[n++], item->hash, SESSION_HASH_SIZE);
    (void)pthread_mutex_unlock(&sessions->lock);
    for (size_t i = 0; i < n; i++)
        sessions_end(sessions, gone[i]);
    return n;
}

void sessions_sweep(struct sessions *sessions, int64_t now_ms)
{
    int64_t until_ms = clock_mono_ms() + SWEEP_MS;

    /* The rest at the next tick: whoever sweeps has other things to do. */
    while (sweep_some(sessions, now_ms) == BATCH && clock_mono_ms() < until_ms)
        ;
}
