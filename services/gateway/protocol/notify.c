/* SPDX-License-Identifier: Apache-2.0 */
/* Following the catalog's events. Changes that come close together, as those of
 * an import do, are told once. */
#include "notify.h"

#include "base/clock.h"
#include "servers.h"
#include "session.h"
#include "skill_uri.h"
#include "streams.h"

#include "mal/catalog/v1/events.pb-c.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS "mal.evt.catalog."

enum { GATHER_MS = 50, TICK_MS = 1000, URIS_MAX = 1000 };

struct notifier {
    struct gateway *gw;
    struct bus_tail *tail;
    pthread_t thread;
    bool running, stop;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    /* What changed and was not told yet. */
    unsigned kinds;
    struct arena arena; /* of uris */
    const char *uris[URIS_MAX];
    size_t n_uris;
};

/* With the lock held. */
static void add_uri(struct notifier *n, const struct bus_event *event)
{
    /* All events of a skill begin with its id. */
    Catalog__SkillDeleted *skill = catalog__skill_deleted__unpack(NULL, event->len, event->data);
    const char *uri;

    if (skill == NULL)
        return;
    uri = skill_uri(&n->arena, skill->id);
    catalog__skill_deleted__free_unpacked(skill, NULL);
    for (size_t i = 0; i < n->n_uris; i++)
        if (strcmp(n->uris[i], uri) == 0)
            return;
    if (n->n_uris < URIS_MAX)
        n->uris[n->n_uris++] = uri;
}

static unsigned kinds_of(const char *subject)
{
    if (strncmp(subject, EVENTS, strlen(EVENTS)) != 0)
        return 0;
    subject += strlen(EVENTS);
    if (strncmp(subject, "skill.", 6) == 0)
        return STREAM_RESOURCES;
    if (strncmp(subject, "mcp.", 4) == 0)
        return STREAM_TOOLS;
    if (strncmp(subject, "catalog.imported", 16) == 0)
        return STREAM_TOOLS | STREAM_RESOURCES | STREAM_PROMPTS;
    if (strcmp(subject, "command.executed") != 0 &&
        (strncmp(subject, "command.", 8) == 0 || strncmp(subject, "subagent.", 9) == 0))
        return STREAM_PROMPTS;
    return 0;
}

static void happened(const struct bus_event *event, void *arg)
{
    struct notifier *n = arg;
    unsigned kinds = STREAM_TOOLS | STREAM_RESOURCES | STREAM_PROMPTS;

    /* NULL: the bus was away, anything may have changed meanwhile. */
    if (event != NULL)
        kinds = kinds_of(event->subject);
    if (kinds == 0)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->kinds |= kinds;
    if (event != NULL && kinds == STREAM_RESOURCES)
        add_uri(n, event);
    (void)pthread_cond_signal(&n->cond);
    (void)pthread_mutex_unlock(&n->lock);
}

void notifier_tell(struct notifier *n, unsigned kinds)
{
    if (n == NULL)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->kinds |= kinds;
    (void)pthread_cond_signal(&n->cond);
    (void)pthread_mutex_unlock(&n->lock);
}

static void wait_ms(struct notifier *n, int64_t ms)
{
    struct timespec until = clock_in_ms(ms);

    (void)pthread_cond_timedwait(&n->cond, &n->lock, &until);
}

/* With the lock held, which is released while the streams are told. */
static void tell(struct notifier *n)
{
    unsigned kinds = n->kinds;
    size_t n_uris = n->n_uris;
    const char **uris = calloc(n_uris + 1, sizeof(*uris));
    struct arena arena = n->arena;

    if (uris == NULL)
        abort();
    if (n_uris > 0)
        memcpy(uris, n->uris, n_uris * sizeof(*uris));
    n->kinds = 0;
    n->n_uris = 0;
    arena_init(&n->arena);
    (void)pthread_mutex_unlock(&n->lock);
    streams_notify(n->gw->streams, kinds, uris, n_uris);
    free(uris);
    arena_done(&arena);
    (void)pthread_mutex_lock(&n->lock);
}

static void *run(void *arg)
{
    struct notifier *n = arg;
    int64_t tick_ms =
        config.session_timeout_ms / 4 < TICK_MS ? config.session_timeout_ms / 4 : TICK_MS;
    int64_t next = clock_mono_ms() + tick_ms;

    (void)pthread_mutex_lock(&n->lock);
    while (!n->stop) {
        int64_t now = clock_mono_ms();

        if (now >= next) {
            (void)pthread_mutex_unlock(&n->lock);
            streams_sweep(n->gw->streams, clock_wall_ms());
            sessions_sweep(n->gw->sessions, clock_wall_ms());
            servers_sweep(n->gw->servers);
            (void)pthread_mutex_lock(&n->lock);
            next = clock_mono_ms() + tick_ms;
        } else if (n->kinds == 0) {
            wait_ms(n, next - now);
        } else {
            wait_ms(n, GATHER_MS);
            tell(n);
        }
    }
    (void)pthread_mutex_unlock(&n->lock);
    return NULL;
}

enum status notifier_new(struct notifier **ret_notifier, struct gateway *gw, struct error *err)
{
    struct notifier *n = calloc(1, sizeof(*n));

    if (n == NULL)
        abort();
    n->gw = gw;
    arena_init(&n->arena);
    (void)pthread_mutex_init(&n->lock, NULL);
    (void)pthread_cond_init(&n->cond, NULL);
    *ret_notifier = n; /* from here on those that already follow something tell it */
    n->running = pthread_create(&n->thread, NULL, run, n) == 0;
    if (!n->running)
        return error_set(err, ST_INTERNAL, "cannot start a thread");
    if (bus_tail(gw->bus, EVENTS ">", happened, n, &n->tail) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot follow " EVENTS ">");
    return ST_OK;
}

void notifier_stop(struct notifier *n)
{
    if (n == NULL)
        return;
    if (n->tail != NULL)
        bus_tail_stop(TAKE(n->tail));
    (void)pthread_mutex_lock(&n->lock);
    n->stop = true;
    (void)pthread_cond_broadcast(&n->cond);
    (void)pthread_mutex_unlock(&n->lock);
    if (n->running)
        (void)pthread_join(n->thread, NULL);
    n->running = false;
}

void notifier_free(struct notifier *n)
{
    if (n == NULL)
        return;
    notifier_stop(n);
    (void)pthread_mutex_destroy(&n->lock);
    (void)pthread_cond_destroy(&n->cond);
    arena_done(&n->arena);
    free(n);
}
