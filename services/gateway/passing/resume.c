/* SPDX-License-Identifier: Apache-2.0 */
/* Retries that come to another gateway copy than the one that holds the exchange:
 * they are handed to it over the bus, and what it says comes back in pieces. */
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "mcp_reply.h"
#include "park.h"
#include "progress.h"
#include "wire/codec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECT "mal.gateway.v1.parked."
#define FLIGHT_ID "0" /* of a retry that runs for another copy, in inflight.h */

enum {
    PIECE = 256 * 1024,
    LOOK_MS = 500,
    ALIVE_MS = 1000,
    SILENCE_MS = 10000, /* after which the other copy is taken for dead */
    GRACE_MS = 10000,
    MESSAGE_MAX = 4 << 20,
};

/* ---- the copy that the retry came to ------------------------------------------------------ */

struct away {
    struct pass *pass;
    const Gateway__BridgeState *state;
    struct bus_sub *sub;
    char inbox[BUS_INBOX_SIZE];
    struct strbuf json; /* pieces of the message that comes */
    int64_t alive_ms, until_ms;
    bool over;
};

static enum status lost(struct pass *pass)
{
    (void)call_fail_reason(&pass->call, ST_UNAVAILABLE, "MCP_LOST",
                           "The gateway that held this call of MCP server '%s' is gone, and the "
                           "call with it; whether it was carried out is not known.",
                           pass->server->config->id);
    call_hint(&pass->call, "again, if doing it twice does no harm.");
    return ST_UNAVAILABLE;
}

static enum status send_retry(struct away *away)
{
    Gateway__Resume resume = GATEWAY__RESUME__INIT;
    struct pass *pass = away->pass;
    struct exchange *x = pass->m->x;
    const char *subject = arena_printf(x->arena, SUBJECT "%s.resume", away->state->instance);
    const char *raw;
    size_t len;
    const void *packed;

    raw = json_raw(pass->m->msg.json, pass->m->msg.root, &len);
    if (len > MESSAGE_MAX)
        return call_fail_reason(&pass->call, ST_RESOURCE_EXHAUSTED, "MCP_TOO_LARGE",
                                "The request is too large to be answered by another gateway.");
    resume.handle = away->state->handle;
    resume.principal = x->who.id;
    resume.request_id = x->request_id;
    resume.message.data = (uint8_t *)(uintptr_t)raw;
    resume.message.len = len;
    resume.streams = pass->streams;
    resume.endpoint = x->endpoint != NULL ? x->endpoint : "";
    resume.name = x->who.name;
    resume.tool = pass->tool != NULL ? pass->tool : "";
    packed = wire_pack(x->arena, &resume.base, &len);
    away->alive_ms = clock_mono_ms();
    return bus_publish_now(x->gw->bus, subject, away->inbox, packed, len) == ST_OK ? ST_OK
                                                                                   : lost(pass);
}

static void take_answer(struct away *away, const Gateway__Resumed *piece)
{
    struct pass *pass = away->pass;
    struct mcp *m = pass->m;

    if (!piece->last) {
        pass_say(pass, away->json.data, away->json.len);
        strbuf_clear(&away->json);
        return;
    }
    strbuf_clear(&m->out);
    strbuf_add(&m->out, away->json.data, away->json.len);
    m->http_status = piece->http_status;
    pass->is_error = piece->is_error;
    pass->paused = piece->paused;
    away->over = true;
}

static enum status take_piece(struct away *away, const struct bus_message *bytes)
{
    Gateway__Resumed *piece = gateway__resumed__unpack(NULL, bytes->len, bytes->data);

    if (piece == NULL)
        return lost(away->pass);
    strbuf_add(&away->json, piece->json.data, piece->json.len);
    if (!piece->more && away->json.len > 0)
        take_answer(away, piece);
    gateway__resumed__free_unpacked(piece, NULL);
    return ST_OK;
}

static enum status waited(struct away *away)
{
    struct pass *pass = away->pass;
    struct gateway *gw = pass->m->x->gw;
    int64_t now = clock_mono_ms();
    const char *handle = away->state->handle, *subject;

    if (pass->flight.cancelled) {
        inflight_cancel(gw->inflight, handle, FLIGHT_ID, strlen(FLIGHT_ID));
        away->over = true;
        return ST_OK;
    }
    if (now >= away->until_ms)
        return lost(pass);
    if (now - away->alive_ms >= ALIVE_MS) {
        away->alive_ms = now;
        subject = arena_printf(pass->m->x->arena, SUBJECT "%s.alive", away->state->instance);
        if (bus_publish_now(gw->bus, subject, away->inbox, handle, strlen(handle)) != ST_OK)
            log_debug("the bus is away while a retry waits for another gateway");
    }
    if (now >= pass->comment_ms && pass->streams) {
        pass->comment_ms = now + progress_keepalive_ms();
        if (mcp_stream(pass->m))
            (void)!http_sse_comment(pass->m->x->req);
    }
    return ST_OK;
}

static enum status wait(struct away *away)
{
    while (!away->over) {
        struct bus_message bytes;
        enum status status = bus_sub_next(away->sub, LOOK_MS, &bytes);

        if (status == ST_OK) {
            status = take_piece(away, &bytes);
            bus_message_release(&bytes);
            TRY(status);
        } else if (status != ST_DEADLINE_EXCEEDED) {
            return lost(away->pass);
        }
        TRY(waited(away));
    }
    return ST_OK;
}

enum status resume_elsewhere(struct pass *pass, const Gateway__BridgeState *state)
{
    struct away away = {
        .pass = pass,
        .state = state,
        .until_ms = clock_mono_ms() + pass->timeout_ms + GRACE_MS,
    };
    struct gateway *gw = pass->m->x->gw;
    enum status status;

    bus_inbox_name(away.inbox);
    if (bus_subscribe_sync(gw->bus, away.inbox, &away.sub) != ST_OK)
        return lost(pass);
    inflight_begin(gw->inflight, &pass->flight);
    status = send_retry(&away);
    if (status == ST_OK)
        status = wait(&away);
    inflight_end(gw->inflight, &pass->flight);
    bus_sub_free(away.sub);
    strbuf_done(&away.json);
    return status;
}

/* ---- the copy that holds the exchange ------------------------------------------------------- */

struct resumed {
    struct resumed *next;
    struct resumes *resumes;
    struct arena arena;
    const Gateway__Resume *request;
    const char *reply;
    _Atomic int64_t alive_ms;
};

struct resumes {
    struct gateway *gw;
    struct bus_sub *sub;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct resumed *first;
    int64_t n;
    _Atomic bool stop;
};

static void send(struct resumed *resumed, Gateway__Resumed *piece, const char *text, size_t len)
{
    do {
        CLEANUP(arena_done) struct arena arena = {0};
        size_t part = len < PIECE ? len : PIECE, packed_len;
        const void *packed;

        piece->json.data = (uint8_t *)(uintptr_t)text;
        piece->json.len = part;
        text += part;
        len -= part;
        piece->more = len > 0;
        packed = wire_pack(&arena, &piece->base, &packed_len);
        if (bus_publish_now(resumed->resumes->gw->bus, resumed->reply, NULL, packed, packed_len) !=
            ST_OK)
            return;
    } while (len > 0);
}

static void say(struct pass *pass, const char *text, size_t len)
{
    Gateway__Resumed piece = GATEWAY__RESUMED__INIT;

    send(pass->arg, &piece, text, len);
}

/* The copy that the caller is at says so once a second. */
static void look(struct pass *pass)
{
    struct resumed *resumed = pass->arg;

    if (resumed->resumes->stop || clock_mono_ms() - resumed->alive_ms > SILENCE_MS)
        inflight_cancel(resumed->resumes->gw->inflight, resumed->request->handle, FLIGHT_ID,
                        strlen(FLIGHT_ID));
}

static void answer(struct resumed *resumed, struct mcp *m, const struct pass *pass)
{
    Gateway__Resumed piece = GATEWAY__RESUMED__INIT;

    piece.last = true;
    piece.http_status = m->http_status;
    piece.is_error = pass->is_error;
    piece.paused = pass->paused;
    send(resumed, &piece, m->out.data, m->out.len);
}

static void carry_out(struct resumed *resumed, struct mcp *m, const struct server *server)
{
    struct pass pass = {
        .streams = resumed->request->streams, .say = say, .pause = look, .arg = resumed};

    if (*resumed->request->tool != '\0')
        pass.tool = resumed->request->tool;
    pass.call.arena = m->x->arena;
    pass_begin(&pass, m, server);
    pass.relay.quiet_ms = LOOK_MS;
    pass.flight.request_id = m->x->request_id;
    pass.flight.session = resumed->request->handle;
    pass.flight.id = FLIGHT_ID;
    pass.flight.id_len = strlen(FLIGHT_ID);
    if (park_go_on(&pass, resumed->request->handle) != ST_OK)
        pass_fail(&pass, &pass.call.error);
    if (!pass.flight.cancelled)
        answer(resumed, m, &pass);
}

static void resumed_free(struct resumed *resumed)
{
    struct resumes *resumes = resumed->resumes;
    struct resumed **at = &resumes->first;

    (void)pthread_mutex_lock(&resumes->lock);
    while (*at != NULL && *at != resumed)
        at = &(*at)->next;
    if (*at != NULL)
        *at = resumed->next;
    resumes->n--;
    (void)pthread_cond_broadcast(&resumes->cond);
    (void)pthread_mutex_unlock(&resumes->lock);
    arena_done(&resumed->arena);
    free(resumed);
}

static void *run(void *arg)
{
    struct resumed *resumed = arg;
    const Gateway__Resume *request = resumed->request;
    struct exchange x = {
        .gw = resumed->resumes->gw,
        .arena = &resumed->arena,
        .who = {.id = request->principal, .name = request->name},
        .request_id = request->request_id,
        .channel = "mcp",
        .endpoint = *request->endpoint != '\0' ? request->endpoint : NULL,
        .started_us = clock_mono_us(),
        .now_ms = clock_wall_ms(),
    };
    struct mcp m = {.x = &x, .modern = true, .version = MCP_2026_07_28, .http_status = 200};
    struct json json;

    if (json_parse(x.arena, (const char *)request->message.data, request->message.len,
                   &(struct json_limits){.loose = true}, &json, NULL) == ST_OK &&
        mcp_message_parse(x.arena, &json, json.nodes, &m.msg, NULL) == ST_OK) {
        const struct server *server = park_server(x.gw, request->handle, &x.picture);
        struct pass gone = {.m = &m};

        if (server != NULL) {
            carry_out(resumed, &m, server);
        } else {
            park_void(&gone);
            answer(resumed, &m, &gone);
        }
    }
    picture_unref(x.picture);
    strbuf_done(&m.out);
    resumed_free(resumed);
    return NULL;
}

static struct resumed *resumed_new(struct resumes *resumes, const struct bus_message *msg)
{
    struct resumed *resumed = calloc(1, sizeof(*resumed));
    ProtobufCMessage *request = NULL;

    if (resumed == NULL)
        abort();
    resumed->resumes = resumes;
    arena_init(&resumed->arena);
    resumed->alive_ms = clock_mono_ms();
    if (msg->reply == NULL || wire_unpack(&resumed->arena, &gateway__resume__descriptor, msg->data,
                                          msg->len, &request, NULL) != ST_OK) {
        arena_done(&resumed->arena);
        free(resumed);
        return NULL;
    }
    resumed->request = (const Gateway__Resume *)request;
    resumed->reply = arena_strdup(&resumed->arena, msg->reply);
    return resumed;
}

static void start(struct resumes *resumes, const struct bus_message *msg)
{
    struct resumed *resumed = resumed_new(resumes, msg);
    pthread_attr_t attr;
    pthread_t thread;
    bool started = false;

    if (resumed == NULL)
        return;
    (void)pthread_mutex_lock(&resumes->lock);
    resumes->n++;
    started = !resumes->stop && resumes->n <= config.max_parked;
    if (started) {
        resumed->next = resumes->first;
        resumes->first = resumed;
    }
    (void)pthread_mutex_unlock(&resumes->lock);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (started)
        started = pthread_create(&thread, &attr, run, resumed) == 0;
    (void)pthread_attr_destroy(&attr);
    if (!started) {
        log_warn("a retry of another gateway could not be taken");
        resumed_free(resumed);
    }
}

static void note_alive(struct resumes *resumes, const struct bus_message *msg)
{
    (void)pthread_mutex_lock(&resumes->lock);
    for (struct resumed *r = resumes->first; r != NULL; r = r->next)
        if (strlen(r->request->handle) == msg->len &&
            memcmp(r->request->handle, msg->data, msg->len) == 0)
            r->alive_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&resumes->lock);
}

static void told(struct bus_message *msg, void *arg)
{
    if (strcmp(strrchr(msg->subject, '.'), ".resume") == 0)
        start(arg, msg);
    else
        note_alive(arg, msg);
    bus_message_release(msg);
}

enum status resumes_new(struct resumes **ret_resumes, struct gateway *gw, struct error *err)
{
    struct resumes *resumes = calloc(1, sizeof(*resumes));
    char subject[96];

    if (resumes == NULL)
        abort();
    *ret_resumes = resumes;
    resumes->gw = gw;
    (void)pthread_mutex_init(&resumes->lock, NULL);
    (void)pthread_cond_init(&resumes->cond, NULL);
    (void)snprintf(subject, sizeof(subject), SUBJECT "%s.*", gw->instance);
    if (bus_subscribe(gw->bus, subject, told, resumes, &resumes->sub) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to " SUBJECT);
    return ST_OK;
}

void resumes_free(struct resumes *resumes)
{
    if (resumes == NULL)
        return;
    if (resumes->sub != NULL)
        bus_sub_free(resumes->sub);
    (void)pthread_mutex_lock(&resumes->lock);
    resumes->stop = true;
    while (resumes->n > 0)
        (void)pthread_cond_wait(&resumes->cond, &resumes->lock);
    (void)pthread_mutex_unlock(&resumes->lock);
    (void)pthread_mutex_destroy(&resumes->lock);
    (void)pthread_cond_destroy(&resumes->cond);
    free(resumes);
}
