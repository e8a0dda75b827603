/* SPDX-License-Identifier: Apache-2.0 */
/* One gateway copy's part in a session with a legacy server that others use, too:
 * what is saved of it, and who has its stream. */
#include "base/clock.h"
#include "base/log.h"
#include "links_internal.h"
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES = 8, ALIVE_MS = 1000, CHECK_MS = 2000, TOLD_MAX = 100, SECOND_MS = 1000 };

struct share {
    struct links *links;
    char key[SESSION_HASH_SIZE];
    char *server;
    int32_t revision;
    pthread_mutex_t lock; /* of what follows */
    char *known;          /* what was loaded or saved last; secret */
    bool hearing;
    int64_t check_ms; /* when to look next whether its owner lives */
    /* Of the thread that reads the streams. */
    int64_t told_second;
    int told; /* in that second */
};

/* ---- entries ----------------------------------------------------------------------- */

static void seal(const struct share *share, struct arena *arena, const char *saved,
                 Gateway__Link *link)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    Gateway__LinkState state = GATEWAY__LINK_STATE__INIT;
    size_t len;
    const void *packed;

    state.server = share->server;
    state.revision = share->revision;
    state.session = share->key;
    state.saved = saved;
    packed = wire_pack(arena, &state.base, &len);
    mcp_seal(&out, share->links->seal_key, packed, len);
    link->sealed = arena_memdup(arena, out.data, out.len);
}

Gateway__LinkState *links_unseal(struct links *links, struct arena *arena, const char *key,
                                 const char *sealed)
{
    ProtobufCAllocator allocator = wire_allocator(arena);
    Gateway__LinkState *state = NULL;
    const void *data;
    size_t len;

    if (mcp_unseal(arena, links->seal_key, sealed, &data, &len))
        state = gateway__link_state__unpack(&allocator, len, data);
    return state != NULL && strcmp(state->session, key) == 0 ? state : NULL;
}

enum status links_get(struct links *links, struct arena *arena, const char *key,
                      Gateway__Link **ret_link, uint64_t *ret_revision)
{
    ProtobufCAllocator allocator = wire_allocator(arena);
    const void *data;
    size_t len;

    TRY(bus_kv_get(links->kv, key, arena, &data, &len, ret_revision));
    *ret_link = gateway__link__unpack(&allocator, len, data);
    return *ret_link != NULL ? ST_OK : ST_INTERNAL;
}

/* What is saved for this very server; NULL when nothing is. */
static const char *saved_of(const struct share *share, struct arena *arena,
                            const Gateway__Link *link)
{
    const Gateway__LinkState *state = links_unseal(share->links, arena, share->key, link->sealed);

    if (state == NULL || state->revision != share->revision ||
        strcmp(state->server, share->server) != 0)
        return NULL;
    return state->saved;
}

/* ---- saving and loading ------------------------------------------------------------------ */

/* With the lock held. */
static void know(struct share *share, const char *saved)
{
    if (share->known != NULL && strcmp(share->known, saved) != 0)
        withdrawn_forget(&share->links->withdrawn, share->key);
    free(share->known);
    share->known = strdup(saved);
    if (share->known == NULL)
        abort();
}

static bool load(struct strbuf *out, void *arg)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct share *share = arg;
    Gateway__Link *link;
    uint64_t revision;
    const char *saved = NULL;

    arena_init(&arena);
    if (links_get(share->links, &arena, share->key, &link, &revision) == ST_OK)
        saved = saved_of(share, &arena, link);
    if (saved == NULL)
        return false;
    strbuf_str(out, saved);
    (void)pthread_mutex_lock(&share->lock);
    know(share, saved);
    (void)pthread_mutex_unlock(&share->lock);
    return true;
}

/* FAILED_PRECONDITION, ALREADY_EXISTS: somebody changed it just now; PERMISSION_DENIED:
 * somebody saved another session. */
static enum status try_save(struct share *share, struct arena *arena, const char *text)
{
    Gateway__Link fresh = GATEWAY__LINK__INIT, *link = &fresh;
    uint64_t revision = 0;
    const char *saved;
    const void *packed;
    size_t len;
    enum status found = links_get(share->links, arena, share->key, &link, &revision);

    if (found != ST_OK && found != ST_NOT_FOUND)
        return found;
    saved = found == ST_OK ? saved_of(share, arena, link) : NULL;
    if (saved != NULL && (share->known == NULL || strcmp(saved, share->known) != 0))
        return ST_PERMISSION_DENIED;
    seal(share, arena, text, link);
    packed = wire_pack(arena, &link->base, &len);
    if (found == ST_NOT_FOUND)
        return bus_kv_create(share->links->kv, share->key, packed, len);
    return bus_kv_update(share->links->kv, share->key, packed, len, revision);
}

static bool save(const char *text, size_t len, void *arg)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct share *share = arg;
    enum status status = ST_FAILED_PRECONDITION;

    (void)len;
    arena_init(&arena);
    (void)pthread_mutex_lock(&share->lock);
    for (int i = 0; i < TRIES && (status == ST_FAILED_PRECONDITION || status == ST_ALREADY_EXISTS);
         i++)
        status = try_save(share, &arena, text);
    if (status == ST_OK)
        know(share, text);
    (void)pthread_mutex_unlock(&share->lock);
    /* Who ended the caller's session meanwhile did not find this one yet. */
    if (status == ST_OK && !sessions_known(share->links->gw->sessions, share->key))
        links_end(share->links, share->key);
    if (status != ST_OK && status != ST_PERMISSION_DENIED)
        log_warn("a session with server %s could not be saved for other gateways: %s",
                 share->server, status_lower_name(status));
    return status != ST_PERMISSION_DENIED;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static bool lives(struct links *links, const char *owner)
{
    CLEANUP(strbuf_done) struct strbuf subject = STRBUF_INIT;
    struct bus_message reply;
    enum status status;

    if (*owner == '\0')
        return false;
    strbuf_printf(&subject, LINKS_ALIVE ".%s", owner);
    status = bus_request(links->gw->bus, subject.data, NULL, NULL, 0, ALIVE_MS, &reply);
    if (status == ST_OK)
        bus_message_release(&reply);
    /* Whoever is only slow still has the stream. */
    return status != ST_UNAVAILABLE;
}

/* Whether the stream is this copy's from now on. */
static bool claim(struct share *share)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct links *links = share->links;
    Gateway__Link *link;
    uint64_t revision;
    const void *packed;
    size_t len;

    arena_init(&arena);
    if (links_get(links, &arena, share->key, &link, &revision) != ST_OK)
        return false;
    if (strcmp(link->owner, links->gw->instance) == 0)
        return true;
    if (lives(links, link->owner))
        return false;
    link->owner = links->gw->instance;
    packed = wire_pack(&arena, &link->base, &len);
    return bus_kv_update(links->kv, share->key, packed, len, revision) == ST_OK;
}

void share_hear(struct share *share, struct downstream_session *session, int64_t deadline_ms)
{
    int64_t now_ms = clock_mono_ms();
    bool due;

    (void)pthread_mutex_lock(&share->lock);
    due = !share->hearing && now_ms >= share->check_ms;
    if (due)
        share->check_ms = now_ms + CHECK_MS;
    (void)pthread_mutex_unlock(&share->lock);
    if (!due || !claim(share))
        return;
    (void)pthread_mutex_lock(&share->lock);
    share->hearing = true;
    (void)pthread_mutex_unlock(&share->lock);
    if (downstream_hear(session, deadline_ms, NULL) != ST_OK)
        log_debug("server %s: its stream could not be opened", share->server);
}

/* So much that a server out of its mind does not keep the bus and all copies busy. */
static bool may_tell(struct share *share)
{
    int64_t second = clock_mono_ms() / SECOND_MS;

    if (second != share->told_second) {
        share->told_second = second;
        share->told = 0;
    }
    return share->told++ < TOLD_MAX;
}

/* On the thread that reads the streams. */
static void heard(struct downstream_session *session, const struct downstream_message *msg,
                  void *arg)
{
    struct share *share = arg;
    const char *raw;
    size_t len;

    (void)session;
    if (msg->kind != DOWNSTREAM_NOTIFICATION && msg->kind != DOWNSTREAM_REQUEST)
        return;
    raw = json_raw(&msg->json, msg->json.nodes, &len);
    if (msg->kind == DOWNSTREAM_REQUEST)
        links_asked(share->links, share->server, share->key, raw, len);
    else if (may_tell(share))
        links_publish(share->links, share->key, raw, len);
}

/* ---- life ---------------------------------------------------------------------------- */

struct share *share_new(struct links *links, const struct server *server, const char *key)
{
    struct share *share = calloc(1, sizeof(*share));

    if (share == NULL || (share->server = strdup(server->config->id)) == NULL)
        abort();
    share->links = links;
    share->revision = server->config->revision;
    (void)snprintf(share->key, sizeof(share->key), "%s", key);
    (void)pthread_mutex_init(&share->lock, NULL);
    return share;
}

void share_free(struct share *share)
{
    if (share == NULL)
        return;
    (void)pthread_mutex_destroy(&share->lock);
    free(share->known);
    free(share->server);
    free(share);
}

void share_options(struct share *share, struct downstream_session_options *options)
{
    options->shared = (struct downstream_shared){.load = load, .save = save, .arg = share};
    options->on_message = heard;
    options->arg = share;
}
