/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges that wait for the retry of a modern caller. */
#include "resume.h"

#include "audit.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "mcp_reply.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUESTION "question" /* the key of the only entry of inputRequests */
#define TOO_LATE "{\"code\":-32603,\"message\":\"the client did not answer in time\"}"

enum { TICK_MS = 1000, SHARE = 8, QUESTION_MAX = 128 * 1024 };

struct parked {
    struct parked *next;
    char handle[TOKEN_SIZE];
    char *principal, *server;
    char *id;          /* of the server's request, as written */
    char *entries;     /* what the caller was asked */
    struct line *line; /* NULL while somebody pulls it */
    int64_t until_ms;
    /* For the audit log, if nobody comes back; tool NULL: no call of one. */
    char *name, *tool, *request_id;
    const char *channel; /* static */
    int64_t started_us, now_ms;
};

struct parking {
    struct gateway *gw;
    struct resumes *resumes;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct parked *first;
    int64_t n;
    pthread_t thread;
    bool running, stop;
};

/* ---- the list -------------------------------------------------------------------------- */

static void parked_free(struct parked *parked)
{
    free(parked->principal);
    free(parked->server);
    free(parked->id);
    free(parked->entries);
    free(parked->name);
    free(parked->tool);
    free(parked->request_id);
    free(parked);
}

/* The call is over without a last request, which would have told of it. */
static void tell(struct gateway *gw, const struct parked *parked, enum status status)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct exchange x = {.gw = gw,
                         .arena = &arena,
                         .who = {.id = parked->principal, .name = parked->name},
                         .request_id = parked->request_id,
                         .channel = parked->channel,
                         .started_us = parked->started_us,
                         .now_ms = parked->now_ms};

    if (parked->tool != NULL)
        audit_downstream(&x, parked->server, parked->tool, status, true);
}

/* Nobody came back, or nobody can any more. */
static void parked_end(struct parking *parking, struct parked *parked, bool stopped)
{
    if (parked->line != NULL)
        line_answer(parked->line, parked->id, strlen(parked->id), NULL, TOO_LATE);
    line_end(parked->line);
    tell(parking->gw, parked, stopped ? ST_UNAVAILABLE : ST_DEADLINE_EXCEEDED);
    parked_free(parked);
}

/* With the lock held. */
static void unlink_parked(struct parking *parking, struct parked *parked)
{
    struct parked **at = &parking->first;

    while (*at != parked)
        at = &(*at)->next;
    *at = parked->next;
    parking->n--;
}

/* How many calls of the server may wait here: some must be left that run. */
static int64_t server_share(const struct server *server)
{
    const McpHealth__Policy *policy = server->config->policy;
    int64_t most = config.proxy_max_inflight;

    if (server->upstream == NULL)
        return config.max_parked;
    if (policy != NULL && policy->max_inflight > 0)
        most = policy->max_inflight;
    return (most + 1) / 2;
}

/* With the lock held. */
static bool has_room(const struct parking *parking, const struct pass *pass)
{
    int64_t of_caller = 0, of_server = 0;

    for (const struct parked *p = parking->first; p != NULL; p = p->next) {
        of_caller += strcmp(p->principal, pass->m->x->who.id) == 0;
        of_server += strcmp(p->server, pass->server->config->id) == 0;
    }
    return !parking->stop && parking->n < config.max_parked &&
           of_caller < (config.max_parked + SHARE - 1) / SHARE &&
           of_server < server_share(pass->server);
}

static char *copy(const char *text, size_t len)
{
    char *out = strndup(text, len);

    if (out == NULL)
        abort();
    return out;
}

static struct parked *parked_new(const struct pass *pass, const struct downstream_message *msg,
                                 const struct strbuf *entries)
{
    struct parked *parked = calloc(1, sizeof(*parked));
    const char *id;
    size_t len;

    if (parked == NULL)
        abort();
    token_hex(parked->handle);
    parked->principal = copy(pass->m->x->who.id, strlen(pass->m->x->who.id));
    parked->server = copy(pass->server->config->id, strlen(pass->server->config->id));
    parked->entries = copy(entries->data, entries->len);
    id = json_raw(&msg->json, msg->id, &len);
    parked->id = copy(id, len);
    parked->name = copy(pass->m->x->who.name, strlen(pass->m->x->who.name));
    parked->tool = pass->tool != NULL ? copy(pass->tool, strlen(pass->tool)) : NULL;
    parked->request_id = copy(pass->m->x->request_id, strlen(pass->m->x->request_id));
    parked->channel = pass->m->x->channel;
    parked->started_us = pass->m->x->started_us;
    parked->now_ms = pass->m->x->now_ms;
    parked->until_ms = clock_mono_ms() + config.confirm_timeout_ms;
    return parked;
}

/* ---- leaving an exchange here ------------------------------------------------------------- */

static void put_question(struct pass *pass, struct parked *parked)
{
    Gateway__BridgeState state = GATEWAY__BRIDGE_STATE__INIT;

    state.kind = GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_PARKED;
    state.handle = arena_strdup(pass->m->x->arena, parked->handle);
    state.instance = pass->m->x->gw->instance;
    pass_input_required(pass, parked->entries, &state);
}

bool park(struct pass *pass, const struct downstream_message *msg)
{
    struct parking *parking = pass->m->x->gw->parking;
    CLEANUP(strbuf_done) struct strbuf entries = STRBUF_INIT;
    struct parked *parked;
    bool room;

    strbuf_char(&entries, '{');
    if (!bridge_put_input_request(&entries, QUESTION, msg->method, &msg->json, msg->params))
        return false;
    strbuf_char(&entries, '}');
    if (entries.len > QUESTION_MAX)
        return false;
    parked = parked_new(pass, msg, &entries);
    (void)pthread_mutex_lock(&parking->lock);
    room = has_room(parking, pass);
    if (room) {
        parked->next = parking->first;
        parking->first = parked;
        parking->n++;
    }
    (void)pthread_mutex_unlock(&parking->lock);
    if (!room) {
        parked_free(parked);
        return false;
    }
    relay_extend(&pass->relay, parked->until_ms + pass->timeout_ms);
    put_question(pass, parked);
    pass->parked = parked;
    pass->relay.park = true;
    return true;
}

void park_done(struct pass *pass)
{
    struct parking *parking = pass->m->x->gw->parking;
    struct parked *parked = TAKE(pass->parked);
    struct line *line = TAKE(pass->relay.line);

    if (parked == NULL) {
        line_end(line);
        return;
    }
    (void)pthread_mutex_lock(&parking->lock);
    if (line != NULL && !pass->flight.cancelled && !parking->stop) {
        parked->line = TAKE(line);
        parked = NULL;
    } else {
        unlink_parked(parking, parked);
    }
    (void)pthread_mutex_unlock(&parking->lock);
    line_end(line);
    if (parked == NULL)
        return;
    tell(parking->gw, parked, pass->flight.cancelled ? ST_CANCELLED : ST_UNAVAILABLE);
    parked_free(parked);
}

/* ---- going on ------------------------------------------------------------------------------- */

void park_void(struct pass *pass)
{
    pass->is_error = true;
    reply_error(pass->m, MCP_INVALID_PARAMS,
                "requestState was used already, or it is too late; send the request anew without");
}

/* NULL: not here, not this caller's, or somebody goes on with it. */
static struct parked *take(struct parking *parking, const char *handle, const char *principal)
{
    struct parked *parked;

    (void)pthread_mutex_lock(&parking->lock);
    parked = parking->first;
    while (parked != NULL && strcmp(parked->handle, handle) != 0)
        parked = parked->next;
    if (parked != NULL && (parked->line == NULL || strcmp(parked->principal, principal) != 0))
        parked = NULL;
    if (parked != NULL)
        unlink_parked(parking, parked);
    (void)pthread_mutex_unlock(&parking->lock);
    return parked;
}

const struct server *park_server(struct gateway *gw, const char *handle,
                                 struct picture **ret_picture)
{
    struct parking *parking = gw->parking;
    const struct server *server = NULL;

    (void)pthread_mutex_lock(&parking->lock);
    for (struct parked *p = parking->first; p != NULL && server == NULL; p = p->next)
        if (p->line != NULL && strcmp(p->handle, handle) == 0) {
            server = p->line->server;
            *ret_picture = picture_ref(p->line->picture);
        }
    (void)pthread_mutex_unlock(&parking->lock);
    return server;
}

/* Back to where it was; the answer was not among what came. */
static void put_back(struct parking *parking, struct parked *parked)
{
    (void)pthread_mutex_lock(&parking->lock);
    parked->next = parking->first;
    parking->first = parked;
    parking->n++;
    (void)pthread_mutex_unlock(&parking->lock);
}

enum status park_go_on(struct pass *pass, const char *handle)
{
    struct mcp *m = pass->m;
    struct parking *parking = m->x->gw->parking;
    struct parked *parked = take(parking, handle, m->x->who.id);
    const struct json_node *answer;
    const char *raw;
    size_t len;

    if (parked == NULL) {
        park_void(pass);
        return ST_OK;
    }
    answer =
        json_get(m->msg.json, json_get(m->msg.json, m->msg.params, "inputResponses"), QUESTION);
    if (answer == NULL) {
        put_question(pass, parked);
        put_back(parking, parked);
        return ST_OK;
    }
    raw = json_raw(m->msg.json, answer, &len);
    pass->relay.line = TAKE(parked->line);
    line_extend(pass->relay.line, clock_mono_ms() + pass->timeout_ms);
    line_answer(pass->relay.line, parked->id, strlen(parked->id),
                arena_memdup(m->x->arena, raw, len), NULL);
    parked_free(parked);
    return pass_run(pass, true);
}

enum status park_resume(struct pass *pass, const Gateway__BridgeState *state)
{
    if (strcmp(state->instance, pass->m->x->gw->instance) != 0)
        return resume_elsewhere(pass, state);
    return park_go_on(pass, state->handle);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* With the lock held, which is released while one is ended. */
static bool end_one(struct parking *parking, int64_t now_ms)
{
    struct parked *parked = parking->first;
    bool stopped;

    while (parked != NULL &&
           (parked->line == NULL || (!parking->stop && now_ms < parked->until_ms)))
        parked = parked->next;
    if (parked == NULL)
        return false;
    unlink_parked(parking, parked);
    stopped = parking->stop && now_ms < parked->until_ms;
    (void)pthread_mutex_unlock(&parking->lock);
    parked_end(parking, parked, stopped);
    (void)pthread_mutex_lock(&parking->lock);
    return true;
}

static void *run(void *arg)
{
    struct parking *parking = arg;

    (void)pthread_mutex_lock(&parking->lock);
    while (!parking->stop || parking->first != NULL) {
        struct timespec until;

        while (end_one(parking, clock_mono_ms()))
            ;
        until = clock_in_ms(TICK_MS);
        if (!parking->stop)
            (void)pthread_cond_timedwait(&parking->cond, &parking->lock, &until);
    }
    (void)pthread_mutex_unlock(&parking->lock);
    return NULL;
}

enum status parking_new(struct parking **ret_parking, struct gateway *gw, struct error *err)
{
    struct parking *parking = calloc(1, sizeof(*parking));

    if (parking == NULL)
        abort();
    *ret_parking = parking;
    parking->gw = gw;
    (void)pthread_mutex_init(&parking->lock, NULL);
    (void)pthread_cond_init(&parking->cond, NULL);
    TRY(resumes_new(&parking->resumes, gw, err));
    parking->running = pthread_create(&parking->thread, NULL, run, parking) == 0;
    return parking->running ? ST_OK : error_set(err, ST_INTERNAL, "cannot start a thread");
}

void parking_free(struct parking *parking)
{
    if (parking == NULL)
        return;
    resumes_free(parking->resumes);
    (void)pthread_mutex_lock(&parking->lock);
    parking->stop = true;
    (void)pthread_cond_broadcast(&parking->cond);
    (void)pthread_mutex_unlock(&parking->lock);
    if (parking->running)
        (void)pthread_join(parking->thread, NULL);
    (void)pthread_mutex_destroy(&parking->lock);
    (void)pthread_cond_destroy(&parking->cond);
    free(parking);
}

int64_t parking_count(struct parking *parking)
{
    int64_t n;

    (void)pthread_mutex_lock(&parking->lock);
    n = parking->n;
    (void)pthread_mutex_unlock(&parking->lock);
    return n;
}
