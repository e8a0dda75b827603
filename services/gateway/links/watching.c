/* SPDX-License-Identifier: Apache-2.0 */
/* Which servers are listened to, for what, as streams come and go. */
#include "watching_internal.h"

#include "base/clock.h"
#include "gathering.h"
#include "servers.h"
#include "streams.h"
#include "wire/codec.h"

#include "mal/mcp_runner/v1/runner.pb-c.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WATCHED_MAX = 256, /* servers at once, and as many programs of callers' own */
    TICK_MS = 1000,
    ENDING_MS = 50,     /* between looks whether threads are over */
    EXPECT_MS = 700,    /* how long a new stream waits for its server */
    EXPECTED_MS = 5000, /* how long its wish counts without it */
};

/* The wish of a stream that is being opened. */
struct expected {
    struct expected *next;
    char *endpoint, *principal, *capabilities, *child;
    struct wish wish;
    int64_t until_ms;
    bool waited_for; /* by its stream, still */
    bool late;       /* the stream is open without it */
};

void watching_wait(struct watching *watching, int64_t ms)
{
    struct timespec until = clock_in_ms(ms);

    (void)pthread_cond_timedwait(&watching->cond, &watching->lock, &until);
}

/* With the lock held; the one before it, if it still is there, has stopped. */
static struct watched *newest(const struct watching *watching, const char *endpoint,
                              const char *child)
{
    struct watched *watched = watching->first;

    while (watched != NULL &&
           (strcmp(watched->endpoint, endpoint) != 0 || strcmp(watched->child, child) != 0))
        watched = watched->next;
    return watched;
}

/* With the lock held: whether streams here wish to hear of the server. */
static bool concerns(const struct watching *watching, const char *endpoint)
{
    const struct watched *watched = watching->first;

    while (watched != NULL && strcmp(watched->endpoint, endpoint) != 0)
        watched = watched->next;
    return watched != NULL;
}

/* Its params stand in the arena; false: they are no JSON. */
static bool read_said(struct arena *arena, const McpRunner__Heard *said,
                      struct downstream_message *ret_msg)
{
    static const struct json_limits limits = {.loose = true};

    *ret_msg = (struct downstream_message){.kind = DOWNSTREAM_NOTIFICATION,
                                           .version = mcp_version_parse(said->protocol_version),
                                           .method = said->method};
    if (*said->params == '\0')
        return true;
    if (json_parse(arena, said->params, strlen(said->params), &limits, &ret_msg->json, NULL) !=
        ST_OK)
        return false;
    ret_msg->params = ret_msg->json.nodes;
    return true;
}

/* With the lock held: something may have been missed. */
static void look_again(struct watching *watching, struct watched *watched, int32_t generation)
{
    if (generation == 0)
        watched->again = true;
    else if (generation == watched->generation)
        return; /* it was told already */
    else
        watched->started = generation;
    watched->changed = true;
    (void)pthread_cond_broadcast(&watching->cond);
}

/* A program says something: on the subscription's thread. */
static void heard(struct bus_message *bytes, void *arg)
{
    struct watching *watching = arg;
    CLEANUP(arena_done) struct arena arena = {0};
    McpRunner__Heard *said = mcp_runner__heard__unpack(NULL, bytes->len, bytes->data);
    struct downstream_message msg;
    struct watched *watched;
    bool concerned;

    bus_message_release(bytes);
    if (said == NULL)
        return;
    (void)pthread_mutex_lock(&watching->lock);
    watched = newest(watching, said->server, said->caller);
    if (watched != NULL && *said->method == '\0')
        look_again(watching, watched, said->generation);
    concerned = concerns(watching, said->server);
    (void)pthread_mutex_unlock(&watching->lock);
    if (concerned && *said->method != '\0' && read_said(&arena, said, &msg)) {
        watched_tell(watching->gw, said->server, said->caller, said->method, &msg.json, msg.params);
        if (*said->caller != '\0')
            streams_pass_on_of_child(watching->gw->streams, said->server, said->caller, &msg);
    }
    mcp_runner__heard__free_unpacked(said, NULL);
}

/* ---- what is wished for -------------------------------------------------------------- */

/* With the lock held; NULL when there are too many. */
static struct watched *watched_of(struct watching *watching, const struct gathered *what)
{
    struct watched *watched = newest(watching, what->endpoint, what->child);
    size_t *n = *what->child != '\0' ? &watching->n_own : &watching->n;

    if (watched != NULL && !watched->stop)
        return watched;
    watched = *n < WATCHED_MAX ? watched_new(watching, what) : NULL;
    if (watched == NULL)
        return NULL;
    watched->next = watching->first;
    watching->first = watched;
    (*n)++;
    return watched;
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
        *(*watched->child != '\0' ? &watching->n_own : &watching->n) -= 1;
        watched_free(watched);
    }
}

static void expected_free(struct expected *expected)
{
    arena_done(&expected->wish.arena);
    free(expected->endpoint);
    free(expected->principal);
    free(expected->capabilities);
    free(expected->child);
    free(expected);
}

/* With the lock held. */
static void gather_expected(struct watching *watching, struct gathering *all)
{
    int64_t now = clock_mono_ms();

    for (struct expected **at = &watching->expected; *at != NULL;) {
        struct expected *one = *at;
        struct stream_wish wish = {.endpoint = one->endpoint,
                                   .principal = one->principal,
                                   .capabilities = one->capabilities,
                                   .kinds = one->wish.kinds,
                                   .uris = one->wish.uris,
                                   .n_uris = one->wish.n};

        if (one->waited_for || now < one->until_ms) {
            gathering_add(&wish, all);
            at = &one->next;
            continue;
        }
        *at = one->next;
        expected_free(one);
    }
}

/* With the lock held. */
static void wish_for(struct watching *watching, const struct picture *picture,
                     const struct gathered *one)
{
    struct watched *watched =
        picture_server(picture, one->endpoint) != NULL ? watched_of(watching, one) : NULL;

    if (watched == NULL)
        return;
    watched->round = watching->round;
    if (wish_same(&watched->wish, &one->wish))
        return;
    wish_copy(&watched->wish, &one->wish);
    watched->changed = true;
    (void)pthread_cond_broadcast(&watching->cond);
}

/* With the lock held: whose server was not listened to when they were opened. */
static void note_late(struct watching *watching)
{
    for (struct expected *one = watching->expected; one != NULL; one = one->next) {
        struct watched *watched = one->late ? newest(watching, one->endpoint, one->child) : NULL;

        if (watched == NULL)
            continue;
        one->late = false;
        watched->late = true;
        (void)pthread_cond_broadcast(&watching->cond);
    }
}

static void look(struct watching *watching)
{
    struct picture *picture = servers_look(watching->gw->servers);
    CLEANUP(gathering_done) struct gathering all = {.picture = picture};

    streams_wishes(watching->gw->streams, gathering_add, &all);
    (void)pthread_mutex_lock(&watching->lock);
    gather_expected(watching, &all);
    watching->round++;
    for (const struct gathered *one = all.first; one != NULL; one = one->next)
        wish_for(watching, picture, one);
    note_late(watching);
    sweep(watching);
    (void)pthread_mutex_unlock(&watching->lock);
    picture_unref(picture);
}

static void *run(void *arg)
{
    struct watching *watching = arg;

    (void)pthread_mutex_lock(&watching->lock);
    while (!watching->stop) {
        if (!watching->dirty)
            watching_wait(watching, TICK_MS);
        watching->dirty = false;
        (void)pthread_mutex_unlock(&watching->lock);
        look(watching);
        (void)pthread_mutex_lock(&watching->lock);
    }
    while (watching->first != NULL) {
        watching->round++;
        sweep(watching);
        if (watching->first != NULL)
            watching_wait(watching, ENDING_MS);
    }
    (void)pthread_mutex_unlock(&watching->lock);
    return NULL;
}

/* ---- streams that are being opened --------------------------------------------------- */

/* With the lock held. */
static bool is_settled(const struct watched *watched, const struct wish *wish)
{
    if (watched == NULL || watched->stop || (wish->kinds & ~watched->settled.kinds) != 0)
        return false;
    for (size_t i = 0; i < wish->n; i++)
        if (!wish_has(&watched->settled, wish->uris[i]))
            return false;
    return true;
}

/* With the lock held; what cannot be reached is not waited for. */
static bool is_waited_for(const struct watching *watching, const struct expected *expected)
{
    const struct watched *watched = newest(watching, expected->endpoint, expected->child);

    return !watching->stop && !is_settled(watched, &expected->wish) &&
           (watched == NULL || watched->stop || watched->not_before_ms <= clock_mono_ms());
}

static char *copy(const char *text)
{
    char *out = strdup(text != NULL ? text : "");

    if (out == NULL)
        abort();
    return out;
}

static struct expected *expected_new(struct watching *watching, const struct stream_wish *wish)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct picture *picture = servers_look(watching->gw->servers);
    struct expected *expected = calloc(1, sizeof(*expected));

    if (expected == NULL)
        abort();
    expected->endpoint = copy(wish->endpoint);
    expected->principal = copy(wish->principal);
    expected->capabilities = copy(wish->capabilities);
    expected->child = copy(wish_child(&arena, picture, wish));
    expected->until_ms = clock_mono_ms() + EXPECTED_MS;
    expected->waited_for = true;
    expected->wish.kinds = wish->kinds;
    for (size_t i = 0; i < wish->n_uris; i++)
        (void)wish_add(&expected->wish, wish->uris[i]);
    picture_unref(picture);
    return expected;
}

void watching_expect(struct watching *watching, const struct stream_wish *wish)
{
    struct expected *expected = expected_new(watching, wish);
    int64_t until = clock_mono_ms() + EXPECT_MS;

    (void)pthread_mutex_lock(&watching->lock);
    expected->next = watching->expected;
    watching->expected = expected;
    watching->dirty = true;
    (void)pthread_cond_broadcast(&watching->cond);
    while (clock_mono_ms() < until && is_waited_for(watching, expected))
        watching_wait(watching, until - clock_mono_ms());
    expected->waited_for = false;
    expected->late =
        !is_settled(newest(watching, expected->endpoint, expected->child), &expected->wish);
    watching->dirty = watching->dirty || expected->late;
    (void)pthread_cond_broadcast(&watching->cond);
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

/* ---- life ---------------------------------------------------------------------------- */

enum status watching_new(struct watching **ret_watching, struct gateway *gw, struct error *err)
{
    struct watching *watching = calloc(1, sizeof(*watching));

    if (watching == NULL)
        abort();
    watching->gw = gw;
    (void)pthread_mutex_init(&watching->lock, NULL);
    (void)pthread_cond_init(&watching->cond, NULL);
    *ret_watching = watching; /* from here on it is woken */
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
