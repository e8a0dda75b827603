/* SPDX-License-Identifier: Apache-2.0 */
/* One server that is listened to: a conversation of its own over HTTP, or what a
 * runner passes on of a program. */
#include "watching_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "gathering.h"
#include "remote/remote.h"
#include "servers.h"
#include "streams.h"
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    OPEN_MS = 5000,
    SUBSCRIBE_MS = 10000,
    PAUSE_MS = 1000, /* after the first failure; doubled */
    PAUSE_MAX_MS = 60000,
    SETTLE_MS = 3000,
};

/* ---- what servers say ---------------------------------------------------------------- */

static unsigned kind_of(const char *method)
{
    if (strcmp(method, "notifications/tools/list_changed") == 0)
        return STREAM_TOOLS;
    if (strcmp(method, "notifications/prompts/list_changed") == 0)
        return STREAM_PROMPTS;
    return strcmp(method, "notifications/resources/list_changed") == 0 ? STREAM_RESOURCES : 0;
}

void watched_tell(struct gateway *gw, const char *endpoint, const char *child, const char *method,
                  const struct json *json, const struct json_node *params)
{
    CLEANUP(arena_done) struct arena arena = {0};
    unsigned kinds = kind_of(method);
    const char *uri = NULL;

    if (strcmp(method, "notifications/resources/updated") == 0)
        uri = json_text(&arena, json, json_get(json, params, "uri"));
    if (uri != NULL && *child != '\0')
        streams_notify_child(gw->streams, endpoint, child, &uri, 1);
    else if (kinds != 0 || uri != NULL)
        streams_notify_endpoint(gw->streams, endpoint, kinds, &uri, uri != NULL ? 1 : 0);
}

/* Changes may have been missed: of lists mcp-health finds out, of resources nobody
 * but who reads them. */
static void tell_missed(struct watched *watched)
{
    struct streams *streams = watched->watching->gw->streams;
    struct wish wish = {.n = 0};

    (void)pthread_mutex_lock(&watched->watching->lock);
    wish_copy(&wish, &watched->wish);
    (void)pthread_mutex_unlock(&watched->watching->lock);
    if (*watched->child != '\0')
        streams_notify_child(streams, watched->endpoint, watched->child, wish.uris, wish.n);
    else
        streams_notify_endpoint(streams, watched->endpoint, 0, wish.uris, wish.n);
    arena_done(&wish.arena);
}

/* On the thread of lib/downstream that reads all streams. */
static void on_message(struct downstream_session *session, const struct downstream_message *msg,
                       void *arg)
{
    struct watched *watched = arg;

    (void)session;
    if (msg->kind == DOWNSTREAM_STALE)
        tell_missed(watched);
    else if (msg->method != NULL)
        watched_tell(watched->watching->gw, watched->endpoint, "", msg->method, &msg->json,
                     msg->params);
}

/* ---- over HTTP ----------------------------------------------------------------------- */

static void close_session(struct watched *watched)
{
    if (watched->session != NULL)
        downstream_close(TAKE(watched->session), 0);
    upstream_unref(TAKE(watched->upstream));
}

static enum status listen(struct watched *watched, struct upstream *upstream,
                          const struct wish *wish, struct error *err)
{
    const struct downstream_session_options options = {
        .on_message = on_message, .arg = watched, .deadline_ms = clock_mono_ms() + OPEN_MS};
    const struct downstream_wish wanted = {
        .tools = (wish->kinds & STREAM_TOOLS) != 0,
        .prompts = (wish->kinds & STREAM_PROMPTS) != 0,
        .resources = (wish->kinds & STREAM_RESOURCES) != 0,
        .uris = wish->uris,
        .n_uris = wish->n,
    };

    if (upstream != watched->upstream) {
        close_session(watched);
        if (upstream->server == NULL)
            return error_set(err, ST_UNAVAILABLE, "%s", upstream->error.message);
        watched->upstream = upstream_ref(upstream);
    }
    if (watched->session == NULL)
        TRY(downstream_open(upstream->server, &options, &watched->session, err));
    TRY(downstream_watch(watched->session, &wanted, err));
    downstream_watched(watched->session, clock_mono_ms() + SETTLE_MS);
    return ST_OK;
}

/* ---- through a runner ---------------------------------------------------------------- */

/* Starts the program unless it runs: which one it is. */
static enum status open_child(struct watched *watched, int32_t *ret_generation, struct error *err)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct gateway *gw = watched->watching->gw;
    struct call call = {.arena = &arena,
                        .bus = gw->bus,
                        .now_ms = clock_wall_ms(),
                        .deadline_ms = clock_mono_ms() + SUBSCRIBE_MS};
    struct remote_facts facts = {0};

    arena_init(&arena);
    if (remote_open(gw->bus, &call, watched->endpoint, watched->child, watched->capabilities,
                    &facts) != ST_OK)
        return error_set(err, call.error.status, "%s", call.error.message);
    *ret_generation = facts.generation;
    return ST_OK;
}

static enum status subscribe_one(struct watched *watched, const char *uri, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    struct remote_request request = {
        .server = watched->endpoint,
        .caller = watched->child,
        .capabilities = watched->capabilities,
        .method = "resources/subscribe",
        .repeatable = true,
        .deadline_ms = clock_mono_ms() + SUBSCRIBE_MS,
    };
    struct remote_exchange *exchange;
    struct downstream_message msg = {.kind = DOWNSTREAM_NOTHING};
    enum status status;

    strbuf_str(&params, "{\"uri\":");
    json_put_string(&params, uri);
    strbuf_char(&params, '}');
    request.params = params.data;
    TRY(remote_begin(watched->watching->gw->bus, &request, &exchange, err));
    do
        status = remote_next(exchange, -1, &msg, err);
    while (status == ST_OK && msg.kind != DOWNSTREAM_RESULT && msg.kind != DOWNSTREAM_ERROR);
    remote_end(exchange);
    return status;
}

static bool all_told(const struct watched *watched, const struct wish *wish)
{
    for (size_t i = 0; i < wish->n; i++)
        if (!wish_has(&watched->told, wish->uris[i]))
            return false;
    return true;
}

/* Children say everything unasked, but for single resources. Another child than the one that was
 * told knows of none. */
static enum status subscribe(struct watched *watched, const struct wish *wish, bool *again,
                             struct error *err)
{
    struct watching *watching = watched->watching;
    int32_t generation = 0;

    if (*again)
        wish_clear(&watched->told);
    if (all_told(watched, wish))
        return ST_OK;
    TRY(open_child(watched, &generation, err));
    (void)pthread_mutex_lock(&watching->lock);
    if (generation != watched->generation) {
        *again = *again || watched->told.n > 0;
        wish_clear(&watched->told);
    }
    watched->generation = generation;
    (void)pthread_mutex_unlock(&watching->lock);
    for (size_t i = 0; i < wish->n; i++) {
        if (wish_has(&watched->told, wish->uris[i]))
            continue;
        TRY(subscribe_one(watched, wish->uris[i], err));
        (void)wish_add(&watched->told, wish->uris[i]);
    }
    return ST_OK;
}

/* ---- its thread ---------------------------------------------------------------------- */

/* *again: what was missed is told, as soon as it is listened to. */
static enum status apply(struct watched *watched, const struct wish *wish, bool *again,
                         struct error *err)
{
    struct picture *picture = servers_look(watched->watching->gw->servers);
    const struct server *server = picture_server(picture, watched->endpoint);
    enum status status = ST_OK;

    if (server == NULL || server->config->status != MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE)
        close_session(watched);
    else if (server->upstream != NULL)
        status = listen(watched, server->upstream, wish, err);
    else
        status = subscribe(watched, wish, again, err);
    picture_unref(picture);
    if (*again && status == ST_OK)
        tell_missed(watched);
    return status;
}

/* Whether what the session belongs to is still how the server is reached. */
static bool is_current(const struct watched *watched)
{
    struct picture *picture = servers_look(watched->watching->gw->servers);
    const struct server *server = picture_server(picture, watched->endpoint);
    bool current = (server != NULL ? server->upstream : NULL) == watched->upstream;

    picture_unref(picture);
    return current;
}

static void note(struct watched *watched, enum status status, const struct error *err)
{
    if (status == ST_OK) {
        watched->pause_ms = PAUSE_MS;
        watched->not_before_ms = 0;
        return;
    }
    log_debug("cannot listen to server %s: %s", watched->endpoint, err->message);
    watched->not_before_ms = clock_mono_ms() + watched->pause_ms;
    watched->pause_ms *= 2;
    if (watched->pause_ms > PAUSE_MAX_MS)
        watched->pause_ms = PAUSE_MAX_MS;
}

/* With the lock held, which is released meanwhile. */
static void step(struct watched *watched)
{
    struct watching *watching = watched->watching;
    struct wish wish = {.n = 0};
    struct error err = {0};
    bool again = watched->again || (watched->started != 0 && watched->told.n > 0);
    enum status status;

    watched->changed = false;
    watched->again = false;
    watched->started = 0;
    wish_copy(&wish, &watched->wish);
    (void)pthread_mutex_unlock(&watching->lock);
    status = apply(watched, &wish, &again, &err);
    (void)pthread_mutex_lock(&watching->lock);
    note(watched, status, &err);
    if (watched->started == watched->generation)
        watched->started = 0; /* that is the one that was told */
    if (status == ST_OK) {
        wish_copy(&watched->settled, &wish);
    } else {
        watched->changed = true;
        watched->again = watched->again || again;
    }
    (void)pthread_cond_broadcast(&watching->cond);
    arena_done(&wish.arena);
}

/* With the lock held, which is released meanwhile: what streams missed that were opened
 * before all they wish was listened for. */
static void make_up(struct watched *watched)
{
    if (!watched->late || watched->changed)
        return;
    watched->late = false;
    (void)pthread_mutex_unlock(&watched->watching->lock);
    tell_missed(watched);
    (void)pthread_mutex_lock(&watched->watching->lock);
}

static void *run(void *arg)
{
    struct watched *watched = arg;
    struct watching *watching = watched->watching;

    (void)pthread_mutex_lock(&watching->lock);
    while (!watched->stop) {
        bool moved;

        if (watched->changed && clock_mono_ms() >= watched->not_before_ms)
            step(watched);
        make_up(watched);
        if (watched->stop)
            break;
        if (!watched->changed || clock_mono_ms() < watched->not_before_ms)
            watching_wait(watching, TICK_MS);
        (void)pthread_mutex_unlock(&watching->lock);
        moved = !is_current(watched);
        (void)pthread_mutex_lock(&watching->lock);
        watched->changed |= moved;
    }
    (void)pthread_mutex_unlock(&watching->lock);
    close_session(watched);
    (void)pthread_mutex_lock(&watching->lock);
    watched->over = true;
    (void)pthread_cond_broadcast(&watching->cond);
    (void)pthread_mutex_unlock(&watching->lock);
    return NULL;
}

static void release(struct watched *watched)
{
    arena_done(&watched->wish.arena);
    arena_done(&watched->settled.arena);
    arena_done(&watched->told.arena);
    free(watched->endpoint);
    free(watched->child);
    free(watched->capabilities);
    free(watched);
}

struct watched *watched_new(struct watching *watching, const struct gathered *what)
{
    struct watched *watched = calloc(1, sizeof(*watched));

    if (watched == NULL || (watched->endpoint = strdup(what->endpoint)) == NULL ||
        (watched->child = strdup(what->child)) == NULL ||
        (watched->capabilities = strdup(what->capabilities)) == NULL)
        abort();
    watched->watching = watching;
    watched->pause_ms = PAUSE_MS;
    if (pthread_create(&watched->thread, NULL, run, watched) == 0)
        return watched;
    release(watched);
    return NULL;
}

void watched_free(struct watched *watched)
{
    (void)pthread_join(watched->thread, NULL);
    release(watched);
}
