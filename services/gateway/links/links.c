/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about shared sessions beside the calls: ending them, passing on what
 * is heard, tidying up after copies that died. */
#include "base/clock.h"
#include "base/log.h"
#include "links_internal.h"
#include "secrets.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { END_MS = 2000, STOP_MS = 3000, TRIES = 8 };

/* ---- what is to be done --------------------------------------------------------------- */

static void add(struct links *links, struct link_job *job)
{
    bool taken;

    (void)pthread_mutex_lock(&links->lock);
    taken = !links->stop && link_jobs_add(&links->jobs, job);
    if (taken)
        (void)pthread_cond_signal(&links->cond);
    else if (job->kind == JOB_SWEEP)
        links->sweeping = false;
    (void)pthread_mutex_unlock(&links->lock);
    if (!taken)
        link_job_free(job);
}

void links_end(struct links *links, const char *session)
{
    if (links != NULL)
        add(links, link_job_new(JOB_END, session));
}

void links_sweep(struct links *links)
{
    bool sweeping;

    if (links == NULL)
        return;
    (void)pthread_mutex_lock(&links->lock);
    sweeping = links->sweeping;
    links->sweeping = true;
    (void)pthread_mutex_unlock(&links->lock);
    if (!sweeping)
        add(links, link_job_new(JOB_SWEEP, ""));
}

void links_resume(struct links *links, const char *session)
{
    if (links != NULL)
        add(links, link_job_new(JOB_RESUME, session));
}

void links_asked(struct links *links, const char *server, const char *key, const char *json,
                 size_t len)
{
    add(links, link_job_asked(server, key, json, len));
}

/* ---- ends ------------------------------------------------------------------------------ */

static void drop(struct links *links, const char *key)
{
    struct picture *picture = servers_look(links->gw->servers);

    for (size_t i = 0; i < picture->n; i++)
        if (picture->servers[i].upstream != NULL)
            link_drop(&picture->servers[i].upstream->links, key);
    picture_unref(picture);
}

/* The watch is needed for what was there at the start only. */
static void sweep(struct links *links)
{
    struct picture *picture = servers_look(links->gw->servers);
    struct bus_kv_watch *watch = NULL;

    for (size_t i = 0; i < picture->n; i++)
        if (picture->servers[i].upstream != NULL)
            link_sweep(&picture->servers[i].upstream->links, clock_mono_ms());
    picture_unref(picture);
    (void)pthread_mutex_lock(&links->lock);
    links->sweeping = false;
    if (links->told)
        watch = TAKE(links->watch);
    (void)pthread_mutex_unlock(&links->lock);
    if (watch != NULL)
        bus_kv_watch_stop(watch);
}

/* By DELETE, unless the server is another by now. */
static void end_session(struct links *links, const Gateway__LinkState *state)
{
    struct picture *picture = servers_look(links->gw->servers);
    const struct server *server = picture_server(picture, state->server);
    struct downstream_session_options options = {0};
    struct downstream_session *session;

    if (server != NULL && server->upstream != NULL && server->upstream->server != NULL &&
        server->config->revision == state->revision &&
        downstream_resume(server->upstream->server, &options, state->saved, strlen(state->saved),
                          &session, NULL) == ST_OK)
        downstream_close(session, END_MS);
    picture_unref(picture);
}

/* Every copy does so, for the entry may be written at one while the session is ended at
 * another; whoever removes the entry ends the session with the server. */
static void end(struct links *links, const char *key)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const Gateway__LinkState *state;
    Gateway__Link *link;
    uint64_t revision;
    enum status status = ST_FAILED_PRECONDITION;

    arena_init(&arena);
    drop(links, key);
    for (int i = 0; i < TRIES && status == ST_FAILED_PRECONDITION; i++) {
        if (links_get(links, &arena, key, &link, &revision) != ST_OK)
            return;
        status = bus_kv_remove(links->kv, key, revision);
    }
    if (status != ST_OK)
        log_warn("a session could not be removed from MAL_LINKS");
    state = links_unseal(links, &arena, key, link->sealed);
    if (state != NULL)
        end_session(links, state);
}

/* ---- taking over ------------------------------------------------------------------------- */

/* Somebody heard the server for this session; perhaps nobody does any more. */
static void resume(struct links *links, const char *key)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct link_wish wish = {
        .key = key,
        .shared = true,
        .options = {.capabilities = sessions_capabilities(links->gw->sessions, &arena, key),
                    .deadline_ms = clock_mono_ms() + END_MS}};
    struct picture *picture = servers_look(links->gw->servers);
    const Gateway__LinkState *state = NULL;
    const struct server *server;
    Gateway__Link *entry;
    struct link *link;
    uint64_t revision;

    if (links_get(links, &arena, key, &entry, &revision) == ST_OK && *entry->owner != '\0')
        state = links_unseal(links, &arena, key, entry->sealed);
    server = state != NULL ? picture_server(picture, state->server) : NULL;
    if (server != NULL && server->upstream != NULL && server->upstream->server != NULL &&
        upstream_link(server, links, &wish, &link, NULL) == ST_OK) {
        share_hear(link->share, link->session, wish.options.deadline_ms);
        link_give(&server->upstream->links, link);
    }
    picture_unref(picture);
}

/* ---- threads ------------------------------------------------------------------------- */

/* False: it is to be tried once more. */
static bool run_job(struct links *links, const struct link_job *job)
{
    switch (job->kind) {
    case JOB_END:
        end(links, job->key);
        break;
    case JOB_CHECK:
        if (sessions_gone(links->gw->sessions, job->key))
            end(links, job->key);
        break;
    case JOB_RESUME:
        resume(links, job->key);
        break;
    case JOB_SWEEP:
        sweep(links);
        break;
    case JOB_ASKED:
        return links_ask(links, job);
    }
    return true;
}

static void *work(void *arg)
{
    struct links *links = arg;

    (void)pthread_mutex_lock(&links->lock);
    while (!links->stop || clock_mono_ms() < links->stop_ms) {
        struct link_job *job = link_jobs_take(&links->jobs);
        bool done;

        if (job == NULL && links->stop)
            break;
        if (job == NULL) {
            (void)pthread_cond_wait(&links->cond, &links->lock);
            continue;
        }
        if (links->stop)
            job->until_ms = 0;
        (void)pthread_mutex_unlock(&links->lock);
        done = run_job(links, job);
        (void)pthread_mutex_lock(&links->lock);
        if (done)
            link_jobs_finish(&links->jobs, job);
        else
            link_jobs_again(&links->jobs, job);
        (void)pthread_cond_signal(&links->cond); /* a question may be taken now */
    }
    (void)pthread_mutex_unlock(&links->lock);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------- */

/* What copies that died left behind. */
static void present(const char *key, const void *data, size_t len, void *arg)
{
    struct links *links = arg;
    bool first;

    (void)len;
    (void)pthread_mutex_lock(&links->lock);
    first = !links->told;
    links->told = links->told || key == NULL;
    (void)pthread_mutex_unlock(&links->lock);
    if (first && key != NULL && data != NULL)
        add(links, link_job_new(JOB_CHECK, key));
}

static enum status follow(struct links *links, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf alive = STRBUF_INIT;
    struct bus *bus = links->gw->bus;

    strbuf_printf(&alive, LINKS_ALIVE ".%s", links->gw->instance);
    TRY(bus_kv_open(bus, "MAL_LINKS", 0, &links->kv, err));
    if (bus_subscribe(bus, alive.data, links_alive, links, &links->alive) != ST_OK ||
        bus_subscribe(bus, LINKS_HEARD ".*", links_told, links, &links->heard) != ST_OK ||
        bus_kv_watch(links->kv, present, links, &links->watch) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot follow the bucket MAL_LINKS");
    return ST_OK;
}

enum status links_new(struct links **ret_links, struct gateway *gw, struct error *err)
{
    static const char purpose[] = "mal links";
    struct links *links = calloc(1, sizeof(*links));

    if (links == NULL)
        abort();
    links->gw = gw;
    link_jobs_init(&links->jobs);
    withdrawn_init(&links->withdrawn);
    (void)pthread_mutex_init(&links->lock, NULL);
    (void)pthread_cond_init(&links->cond, NULL);
    *ret_links = links; /* from here on it is given work */
    (void)crypto_generichash(links->seal_key, sizeof(links->seal_key),
                             (const unsigned char *)purpose, sizeof(purpose) - 1,
                             gw->secrets->state, sizeof(gw->secrets->state));
    TRY(follow(links, err));
    while (links->n_threads < LINK_THREADS) {
        if (pthread_create(&links->threads[links->n_threads], NULL, work, links) != 0)
            return error_set(err, ST_INTERNAL, "cannot start a thread");
        links->n_threads++;
    }
    return ST_OK;
}

void links_stop(struct links *links)
{
    struct bus_kv_watch *watch;

    if (links == NULL)
        return;
    (void)pthread_mutex_lock(&links->lock);
    watch = TAKE(links->watch);
    (void)pthread_mutex_unlock(&links->lock);
    if (watch != NULL)
        bus_kv_watch_stop(watch);
    bus_sub_free(TAKE(links->alive));
    bus_sub_free(TAKE(links->heard));
    (void)pthread_mutex_lock(&links->lock);
    links->stop = true;
    links->stop_ms = clock_mono_ms() + STOP_MS;
    (void)pthread_cond_broadcast(&links->cond);
    (void)pthread_mutex_unlock(&links->lock);
    while (links->n_threads > 0)
        (void)pthread_join(links->threads[--links->n_threads], NULL);
}

void links_free(struct links *links)
{
    if (links == NULL)
        return;
    links_stop(links);
    link_jobs_done(&links->jobs);
    if (links->kv != NULL)
        bus_kv_free(links->kv);
    withdrawn_done(&links->withdrawn);
    (void)pthread_cond_destroy(&links->cond);
    (void)pthread_mutex_destroy(&links->lock);
    sodium_memzero(links->seal_key, sizeof(links->seal_key));
    free(links);
}
