/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: opening, what is known of them, initializing anew, closing. */
#include "downstream/probe.h"

#include "downstream/headers.h"
#include "downstream/pipe.h"
#include "downstream/watch.h"
#include "mcp/message.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STREAM_MS = 2000 };

/* Locks within a deadline. */
static bool lock_until(pthread_mutex_t *lock, int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    if (left < 0)
        left = 0;
    until.tv_sec += left / 1000;
    until.tv_nsec += left % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    return pthread_mutex_timedlock(lock, &until) == 0;
}

static enum status too_slow(struct downstream *server, struct error *err)
{
    return fault_set(err, server->id, DOWNSTREAM_FAULT_TIMEOUT, "is still being connected to");
}

/* ---- life ------------------------------------------------------------------------- */

struct downstream_session *session_new(struct downstream *server,
                                       const struct downstream_session_options *options)
{
    struct downstream_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        abort();
    session->server = server;
    session->capabilities = strdup(options->capabilities != NULL ? options->capabilities : "{}");
    if (session->capabilities == NULL)
        abort();
    session->on_message = options->on_message;
    session->arg = options->arg;
    session->shared = options->shared;
    (void)pthread_mutex_init(&session->lock, NULL);
    (void)pthread_mutex_init(&session->init_lock, NULL);
    return session;
}

void session_free(struct downstream_session *session)
{
    pipe_close(session);
    facts_unref(session->facts);
    (void)pthread_mutex_destroy(&session->lock);
    (void)pthread_mutex_destroy(&session->init_lock);
    strbuf_done(&session->headers);
    free(session->capabilities);
    free(session);
}

static enum status find_era(struct downstream_session *session, int64_t deadline_ms,
                            struct error *err)
{
    struct downstream *server = session->server;
    enum status status = ST_OK;
    enum era era;

    if (!lock_until(&server->probe_lock, deadline_ms))
        return too_slow(server, err);
    (void)pthread_mutex_lock(&server->lock);
    era = server->era;
    (void)pthread_mutex_unlock(&server->lock);
    if (era == ERA_UNKNOWN)
        status = probe(session, deadline_ms, &era, err);
    (void)pthread_mutex_unlock(&server->probe_lock);
    session->modern = era == ERA_MODERN;
    return status;
}

enum status downstream_hear(struct downstream_session *session, int64_t deadline_ms,
                            struct error *err)
{
    int64_t until = clock_mono_ms() + STREAM_MS;

    if (session->server->stdio || session->modern)
        return ST_OK;
    TRY(downstream_watch(session, &(struct downstream_wish){0}, err));
    downstream_watched(session, until < deadline_ms ? until : deadline_ms);
    return ST_OK;
}

/* A legacy server may ask on the session's own stream, and may forget questions
 * for which there is none. Whoever shares a session decides who has the stream. */
static enum status hear_questions(struct downstream_session *session, int64_t deadline_ms,
                                  struct error *err)
{
    if (session->shared.load != NULL || strcmp(session->capabilities, "{}") == 0)
        return ST_OK;
    return downstream_hear(session, deadline_ms, err);
}

static enum status open_session(struct downstream_session *session, int64_t deadline_ms,
                                struct error *err)
{
    struct downstream *server = session->server;

    if (server->stdio)
        TRY(pipe_open(session, err));
    else if (share_take(session))
        return ST_OK;
    TRY(find_era(session, deadline_ms, err));
    if (!session->modern) {
        TRY(initialize(session, deadline_ms, err));
        share_give(session);
        return hear_questions(session, deadline_ms, err);
    }
    (void)pthread_mutex_lock(&server->lock);
    session->facts = server->facts != NULL ? facts_ref(server->facts) : NULL;
    (void)pthread_mutex_unlock(&server->lock);
    return ST_OK;
}

enum status downstream_open(struct downstream *server,
                            const struct downstream_session_options *options,
                            struct downstream_session **ret_session, struct error *err)
{
    struct downstream_session *session = session_new(server, options);
    struct error scratch = {0};
    enum status status;

    if (err == NULL)
        err = &scratch;
    status = headers_more(&session->headers, options->headers, options->n_headers, err);
    if (status == ST_OK)
        status = open_session(session, server_probe_deadline(server, options->deadline_ms), err);
    if (status == ST_OK) {
        *ret_session = session;
    } else {
        watch_stop(session);
        session_free(session);
    }
    return status;
}

void downstream_close(struct downstream_session *session, int wait_ms)
{
    struct session_view view;

    if (session == NULL)
        return;
    watch_stop(session);
    session_look(session, &view);
    if (!session->server->stdio && !session->modern && wait_ms > 0)
        post_delete(session, &view, clock_mono_ms() + wait_ms);
    session_free(session);
}

/* ---- what is known ------------------------------------------------------------------ */

bool downstream_modern(struct downstream_session *session)
{
    return session->modern;
}

void session_look(struct downstream_session *session, struct session_view *ret_view)
{
    (void)pthread_mutex_lock(&session->lock);
    ret_view->version = session->facts != NULL ? session->facts->version : MCP_2025_03_26;
    ret_view->generation = session->generation;
    memcpy(ret_view->id, session->id, sizeof(ret_view->id));
    (void)pthread_mutex_unlock(&session->lock);
}

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

void downstream_describe(struct downstream_session *session, struct arena *arena,
                         struct downstream_facts *ret_facts)
{
    struct facts *facts = NULL;

    *ret_facts = (struct downstream_facts){.version = MCP_2026_07_28};
    (void)pthread_mutex_lock(&session->lock);
    if (session->facts != NULL)
        facts = facts_ref(session->facts);
    ret_facts->has_session = session->id[0] != '\0';
    ret_facts->generation = session->generation;
    (void)pthread_mutex_unlock(&session->lock);
    if (facts == NULL)
        return;
    ret_facts->version = facts->version;
    ret_facts->capabilities = copy(arena, facts->capabilities);
    ret_facts->server_info = copy(arena, facts->server_info);
    ret_facts->instructions = copy(arena, facts->instructions);
    ret_facts->ttl_ms = facts->ttl_ms;
    facts_unref(facts);
}

/* ---- anew ------------------------------------------------------------------------------ */

static enum status renew(struct downstream_session *session, int64_t deadline_ms, bool *ret_anew,
                         struct error *err)
{
    *ret_anew = false;
    if (!session->server->stdio && share_take(session))
        return ST_OK;
    *ret_anew = true;
    if (session->server->stdio) {
        pipe_close(session);
        TRY(pipe_open(session, err));
        if (session->modern) {
            (void)pthread_mutex_lock(&session->lock);
            session->generation++;
            (void)pthread_mutex_unlock(&session->lock);
            return ST_OK;
        }
    }
    TRY(initialize(session, deadline_ms, err));
    share_give(session);
    level_renew(session, deadline_ms);
    return ST_OK;
}

enum status session_renew(struct downstream_session *session, uint64_t generation,
                          int64_t deadline_ms, bool *ret_anew, struct error *err)
{
    struct session_view view;
    enum status status = ST_OK;

    *ret_anew = true;
    if (!lock_until(&session->init_lock, deadline_ms))
        return too_slow(session->server, err);
    session_look(session, &view);
    if (view.generation == generation)
        status = renew(session, server_probe_deadline(session->server, deadline_ms), ret_anew, err);
    (void)pthread_mutex_unlock(&session->init_lock);
    if (status == ST_OK)
        watch_renewed(session);
    return status;
}

bool session_alive(struct downstream_session *session, uint64_t generation, int64_t deadline_ms)
{
    const struct downstream_request ping = {
        .method = "ping", .deadline_ms = server_probe_deadline(session->server, deadline_ms)};
    struct downstream_exchange *x;
    struct downstream_message msg;
    bool alive = true;

    if (exchange_begin(session, &ping, false, false, &x, NULL) != ST_OK)
        return true;
    x->renewed = true; /* only asks */
    if (x->view.generation == generation) {
        while (downstream_next(x, -1, &msg, NULL) == ST_OK && x->state != EXCHANGE_OVER)
            ;
        alive = x->http_status != 400 && x->http_status != 404;
    }
    downstream_end(x);
    return alive;
}

enum status downstream_check(struct downstream_session *session, int64_t deadline_ms,
                             int64_t *ret_us, struct error *err)
{
    const struct downstream_request request = {
        .method = session->modern ? "server/discover" : "ping",
        .deadline_ms = server_probe_deadline(session->server, deadline_ms),
        .repeatable = true};
    struct arena arena = {0};
    struct downstream_message last;
    int64_t began_us = clock_mono_us();
    enum status status = downstream_call(session, &request, NULL, &arena, &last, err);

    arena_done(&arena);
    *ret_us = clock_mono_us() - began_us;
    return status;
}
