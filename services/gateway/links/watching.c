/* SPDX-License-Identifier: Apache-2.0 */
/* Listening to downstream servers for the streams at their endpoints. */
#include "watching.h"

#include "base/clock.h"
#include "base/log.h"
#include "remote/remote.h"
#include "servers.h"
#include "streams.h"
#include "wire/codec.h"
#include "wishes.h"

#include "mal/mcp_runner/v1/runner.pb-c.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CALLER_MAX = 300,  /* URIs of one caller at one server */
    WATCHED_MAX = 256, /* servers at once */
    GATHER_MS = 50,    /* wishes that come together are told once */
    TICK_MS = 1000,
    OPEN_MS = 5000,
    SUBSCRIBE_MS = 10000,
    PAUSE_MS = 1000, /* after the first failure; doubled */
    PAUSE_MAX_MS = 60000,
    EXPECT_MS = 700,    /* how long a new stream waits for its server */
    EXPECTED_MS = 5000, /* how long its wish counts without it */
    SETTLE_MS = 3000,
};

/* One server that is listened to, by a thread of its own. */
struct watched {
    struct watched *next;
    struct watching *watching;
    char *endpoint;
    pthread_t thread;
    struct wish wish, settled; /* under the lock, as what follows */
    unsigned round;
    bool changed, stop, over;
    int64_t not_before_ms; /* when the next attempt is due */
    bool again;            /* a program was started anew: it knows nothing of us */
    /* The thread's. */
    struct upstream *upstream; /* to which the session belongs */
    struct downstream_session *session;
    struct wish told; /* to a program */
    int64_t pause_ms;
};

/* Of a stream that is being opened. */
struct expected {
    struct expected *next;
    char *endpoint;
    struct wish wish;
    int64_t until_ms;
};

struct watching {
    struct gateway *gw;
    struct bus_sub *heard;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct watched *first;
    struct expected *expected;
    size_t n;
    unsigned round;
    bool dirty, stop, running;
    pthread_t thread;
};

/* ---- what servers say ------------------------------------------------------------------------ */

static unsigned kind_of(const char *method)
{
    if (strcmp(method, "notifications/tools/list_changed") == 0)
        return STREAM_TOOLS;
    if (strcmp(method, "notifications/prompts/list_changed") == 0)
        return STREAM_PROMPTS;
    return strcmp(method, "notifications/resources/list_changed") == 0 ? STREAM_RESOURCES : 0;
}

static void tell(struct gateway *gw, const char *endpoint, const char *method,
                 const struct json *json, const struct json_node *params)
{
    CLEANUP(arena_done) struct arena arena = {0};
    unsigned kinds = kind_of(method);
    const char *uri = NULL;

    if (strcmp(method, "notifications/resources/updated") == 0)
        uri = json_text(&arena, json, json_get(json, params, "uri"));
    if (kinds != 0 || uri != NULL)
        streams_notify_endpoint(gw->streams, endpoint, kinds, &uri, uri != NULL ? 1 : 0);
}

/* Changes may have been missed: of lists mcp-health finds out, of resources nobody
 * but who reads them. */
static void tell_missed(struct watched *watched)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct wish wish = {.n = 0};

    (void)pthread_mutex_lock(&watched->watching->lock);
    wish_copy(&wish, &watched->wish);
    (void)pthread_mutex_unlock(&watched->watching->lock);
    streams_notify_endpoint(watched->watching->gw->streams, watched->endpoint, 0, wish.uris,
                            wish.n);
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
        tell(watched->watching->gw, watched->endpoint, msg->method, &msg->json, msg->params);
}

/* A program says something: on the subscription's thread. */
static void heard(struct bus_message *bytes, void *arg)
{
    struct watching *watching = arg;
    CLEANUP(arena_done) struct arena arena = {0};
    McpRunner__Heard *said = mcp_runner__heard__unpack(NULL, bytes->len, bytes->data);
    struct watched *watched;
    struct json json = {0};

    bus_message_release(bytes);
    if (said == NULL)
        return;
    (void)pthread_mutex_lock(&watching->lock);
    watched = watching->first;
    while (watched != NULL && strcmp(watched->endpoint, said->server) != 0)
        watched = watched->next;
    if (watched != NULL && *said->method == '\0') {
        watched->again = true;
        watched->changed = true;
        (void)pthread_cond_broadcast(&watching->cond);
    }
    (void)pthread_mutex_unlock(&watching->lock);
    if (watched != NULL && *said->method != '\0' &&
        (*said->params == '\0' ||
         json_parse(&arena, said->params, strlen(said->params),
                    &(struct json_limits){.loose = true}, &json, NULL) == ST_OK))
        tell(watching->gw, said->server, said->method, &json, json.nodes);
    mcp_runner__heard__free_unpacked(said, NULL);
}

/* ---- over HTTP ---------------------------------------------------------------------------------
 */

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

/* ---- through a runner
 * ---------------------------------------------------------------------------- */

static enum status subscribe_one(struct watched *watched, const char *uri, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    struct remote_request request = {
        .server = watched->endpoint,
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

/* Children say everything unasked, but for single resources. */
static enum status subscribe(struct watched *watched, const struct wish *wish, bool again,
                             struct error *err)
{
    if (again)
        wish_clear(&watched->told);
    for (size_t i = 0; i < wish->n; i++) {
        if (wish_has(&watched->told, wish->uris[i]))
            continue;
        TRY(subscribe_one(watched, wish->uris[i], err));
        (void)wish_add(&watched->told, wish->uris[i]);
    }
    return ST_OK;
}

/* ---- one server
 * ------------------------------------------------------------------------------------ */

static enum status apply(struct watched *watched, const struct wish *wish, bool again,
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
    if (again)
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

/* With the lock held. */
static void sleep_ms(struct watching *watching, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&watching->cond, &watching->lock, &until);
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
    bool again = watched->again;
    enum status status;

    watched->changed = false;
    watched->again = false;
    wish_copy(&wish, &watched->wish);
    (void)pthread_mutex_unlock(&watching->lock);
    status = apply(watched, &wish, again, &err);
    (void)pthread_mutex_lock(&watching->lock);
    note(watched, status, &err);
    if (status == ST_OK)
        wish_copy(&watched->settled, &wish);
    else
        watched->changed = true;
    (void)pthread_cond_broadcast(&watching->cond);
    arena_done(&wish.arena);
}

static void *run_one(void *arg)
{
    struct watched *watched = arg;
    struct watching *watching = watched->watching;

    (void)pthread_mutex_lock(&watching->lock);
    while (!watched->stop) {
        bool moved;

        if (watched->changed && clock_mono_ms() >= watched->not_before_ms)
            step(watched);
        if (watched->stop)
            break;
        if (!watched->changed || clock_mono_ms() < watched->not_before_ms)
            sleep_ms(watching, TICK_MS);
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

/* ---- all of them
 * ------------------------------------------------------------------------------------- */

static void watched_free(struct watched *watched)
{
    arena_done(&watched->wish.arena);
    arena_done(&watched->settled.arena);
    arena_done(&watched->told.arena);
    free(watched->endpoint);
    free(watched);
}

/* With the lock held; NULL when there are too many. */
static struct watched *watched_of(struct watching *watching, const char *endpoint)
{
    struct watched *watched = watching->first;

    while (watched != NULL && (watched->stop || strcmp(watched->endpoint, endpoint) != 0))
        watched = watched->next;
    if (watched != NULL || watching->n >= WATCHED_MAX)
        return watched;
    watched = calloc(1, sizeof(*watched));
    if (watched == NULL || (watched->endpoint = strdup(endpoint)) == NULL)
        abort();
    watched->watching = watching;
    watched->pause_ms = PAUSE_MS;
    if (pthread_create(&watched->thread, NULL, run_one, watched) != 0) {
        watched_free(watched);
        return NULL;
    }
    watched->next = watching->first;
    watching->first = watched;
    watching->n++;
    return watched;
}

/* How much of an endpoint's wish one caller has. */
struct portion {
    struct portion *next;
    const char *principal;
    size_t n;
};

struct gathered {
    struct gathered *next;
    const char *endpoint;
    struct wish wish;
    struct portion *portions;
};

struct gathering {
    struct arena arena;
    struct gathered *first;
};

static struct portion *portion_of(struct gathering *all, struct gathered *one,
                                  const char *principal)
{
    struct portion *portion = one->portions;

    while (portion != NULL && strcmp(portion->principal, principal) != 0)
        portion = portion->next;
    if (portion != NULL)
        return portion;
    portion = arena_alloc(&all->arena, sizeof(*portion));
    *portion =
        (struct portion){.next = one->portions, .principal = arena_strdup(&all->arena, principal)};
    one->portions = portion;
    return portion;
}

static void gather(const struct stream_wish *wish, void *arg)
{
    struct gathering *all = arg;
    struct gathered *one = all->first;
    struct portion *portion;

    while (one != NULL && strcmp(one->endpoint, wish->endpoint) != 0)
        one = one->next;
    if (one == NULL) {
        one = arena_alloc(&all->arena, sizeof(*one));
        *one = (struct gathered){.next = all->first,
                                 .endpoint = arena_strdup(&all->arena, wish->endpoint)};
        all->first = one;
    }
    one->wish.kinds |= wish->kinds;
    if (wish->n_uris == 0)
        return;
    portion = portion_of(all, one, wish->principal != NULL ? wish->principal : "");
    for (size_t i = 0; i < wish->n_uris && portion->n < CALLER_MAX; i++)
        portion->n += wish_add(&one->wish, wish->uris[i]);
}

static bool is_server(struct watching *watching, const char *endpoint)
{
    struct picture *picture = servers_look(watching->gw->servers);
    bool found = picture_server(picture, endpoint) != NULL;

    picture_unref(picture);
    return found;
}

/* With the lock held: those that nobody wishes any more, once they are over. */
static void sweep(struct watching *watching)
{
    for (struct watched **at = &watching->first; *at != NULL;) {
        struct watched *watched = *at;

        if (watched->round != watching->round && !watched->stop) {
            watched->stop = true;
            (void)pthread_cond_broadcast(&watching->cond);
        }
        if (!watched->over) {
            at = &watched->next;
            continue;
        }
        *at = watched->next;
        watching->n--;
        (void)pthread_join(watched->thread, NULL);
        watched_free(watched);
    }
}

static void expected_free(struct expected *expected)
{
    arena_done(&expected->wish.arena);
    free(expected->endpoint);
    free(expected);
}

/* With the lock held. */
static void gather_expected(struct watching *watching, struct gathering *all)
{
    int64_t now = clock_mono_ms();

    for (struct expected **at = &watching->expected; *at != NULL;) {
        struct expected *one = *at;
        struct stream_wish wish = {.endpoint = one->endpoint,
                                   .kinds = one->wish.kinds,
                                   .uris = one->wish.uris,
                                   .n_uris = one->wish.n};

        if (now < one->until_ms) {
            gather(&wish, all);
            at = &one->next;
            continue;
        }
        *at = one->next;
        expected_free(one);
    }
}

static void look(struct watching *watching)
{
    struct gathering all = {.first = NULL};

    streams_wishes(watching->gw->streams, gather, &all);
    (void)pthread_mutex_lock(&watching->lock);
    gather_expected(watching, &all);
    watching->round++;
    for (struct gathered *one = all.first; one != NULL; one = one->next) {
        struct watched *watched =
            is_server(watching, one->endpoint) ? watched_of(watching, one->endpoint) : NULL;

        if (watched != NULL) {
            watched->round = watching->round;
            if (!wish_same(&watched->wish, &one->wish)) {
                wish_copy(&watched->wish, &one->wish);
                watched->changed = true;
                (void)pthread_cond_broadcast(&watching->cond);
            }
        }
        arena_done(&one->wish.arena);
    }
    sweep(watching);
    (void)pthread_mutex_unlock(&watching->lock);
    arena_done(&all.arena);
}

static void *run(void *arg)
{
    struct watching *watching = arg;

    (void)pthread_mutex_lock(&watching->lock);
    while (!watching->stop) {
        if (!watching->dirty)
            sleep_ms(watching, TICK_MS);
        watching->dirty = false;
        (void)pthread_mutex_unlock(&watching->lock);
        look(watching);
        (void)pthread_mutex_lock(&watching->lock);
    }
    while (watching->first != NULL) {
        watching->round++;
        sweep(watching);
        if (watching->first != NULL)
            sleep_ms(watching, GATHER_MS);
    }
    (void)pthread_mutex_unlock(&watching->lock);
    return NULL;
}

/* ---- life
 * ---------------------------------------------------------------------------------------------- */

enum status watching_new(struct watching **ret_watching, struct gateway *gw, struct error *err)
{
    struct watching *watching = calloc(1, sizeof(*watching));

    if (watching == NULL)
        abort();
    *ret_watching = watching;
    watching->gw = gw;
    (void)pthread_mutex_init(&watching->lock, NULL);
    (void)pthread_cond_init(&watching->cond, NULL);
    if (bus_subscribe(gw->bus, "mal.runner_heard.*", heard, watching, &watching->heard) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to mal.runner_heard.*");
    watching->running = pthread_create(&watching->thread, NULL, run, watching) == 0;
    return watching->running ? ST_OK : error_set(err, ST_INTERNAL, "cannot start a thread");
}

void watching_stop(struct watching *watching)
{
    if (watching == NULL)
        return;
    if (watching->heard != NULL)
        bus_sub_free(TAKE(watching->heard));
    (void)pthread_mutex_lock(&watching->lock);
    watching->stop = true;
    (void)pthread_cond_broadcast(&watching->cond);
    (void)pthread_mutex_unlock(&watching->lock);
    if (watching->running)
        (void)pthread_join(watching->thread, NULL);
    watching->running = false;
}

void watching_free(struct watching *watching)
{
    if (watching == NULL)
        return;
    watching_stop(watching);
    while (watching->expected != NULL) {
        struct expected *next = watching->expected->next;

        expected_free(watching->expected);
        watching->expected = next;
    }
    (void)pthread_mutex_destroy(&watching->lock);
    (void)pthread_cond_destroy(&watching->cond);
    free(watching);
}

/* With the lock held. */
static bool is_settled(const struct watching *watching, const struct expected *expected)
{
    const struct watched *watched = watching->first;

    while (watched != NULL && (watched->stop || strcmp(watched->endpoint, expected->endpoint) != 0))
        watched = watched->next;
    /* What cannot be reached is not waited for. */
    if (watched != NULL && watched->not_before_ms > clock_mono_ms())
        return true;
    if (watched == NULL || (expected->wish.kinds & ~watched->settled.kinds) != 0)
        return false;
    for (size_t i = 0; i < expected->wish.n; i++)
        if (!wish_has(&watched->settled, expected->wish.uris[i]))
            return false;
    return true;
}

void watching_expect(struct watching *watching, const struct stream_wish *wish)
{
    struct expected *expected = calloc(1, sizeof(*expected));
    int64_t until = clock_mono_ms() + EXPECT_MS;

    if (expected == NULL || (expected->endpoint = strdup(wish->endpoint)) == NULL)
        abort();
    expected->until_ms = clock_mono_ms() + EXPECTED_MS;
    expected->wish.kinds = wish->kinds;
    for (size_t i = 0; i < wish->n_uris; i++)
        (void)wish_add(&expected->wish, wish->uris[i]);
    (void)pthread_mutex_lock(&watching->lock);
    expected->next = watching->expected;
    watching->expected = expected;
    watching->dirty = true;
    (void)pthread_cond_broadcast(&watching->cond);
    /* Before that time nobody frees it. */
    while (!watching->stop && clock_mono_ms() < until && !is_settled(watching, expected))
        sleep_ms(watching, until - clock_mono_ms());
    (void)pthread_mutex_unlock(&watching->lock);
}

void watching_wake(struct watching *watching)
{
    if (watching == NULL)
        return;
    (void)pthread_mutex_lock(&watching->lock);
    watching->dirty = true;
    (void)pthread_cond_broadcast(&watching->cond);
    (void)pthread_mutex_unlock(&watching->lock);
}
