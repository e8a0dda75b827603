/* SPDX-License-Identifier: Apache-2.0 */
/* Retries that another gateway copy hands to this one, because it holds the exchange:
 * each runs on a thread of its own, and what the server says is sent back in pieces. */
#include "base/clock.h"
#include "base/log.h"
#include "mcp_reply.h"
#include "resume.h"
#include "wire/codec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE = 256 * 1024,
    SILENCE_MS = 10000, /* after which the other copy is taken for dead */
};

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
        inflight_cancel(resumed->resumes->gw->inflight, resumed->request->handle, RESUME_FLIGHT_ID,
                        strlen(RESUME_FLIGHT_ID));
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
    pass.relay.quiet_ms = RESUME_LOOK_MS;
    pass.flight.request_id = m->x->request_id;
    pass.flight.session = resumed->request->handle;
    pass.flight.id = RESUME_FLIGHT_ID;
    pass.flight.id_len = strlen(RESUME_FLIGHT_ID);
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
    (void)snprintf(subject, sizeof(subject), RESUME_SUBJECT "%s.*", gw->instance);
    if (bus_subscribe(gw->bus, subject, told, resumes, &resumes->sub) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to " RESUME_SUBJECT);
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
