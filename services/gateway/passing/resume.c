/* SPDX-License-Identifier: Apache-2.0 */
/* Retries that come to another gateway copy than the one that holds the exchange:
 * they are handed to it over the bus (resumed.c), and what it says comes back in
 * pieces. */
#include "resume.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "mcp_reply.h"
#include "progress.h"
#include "wire/codec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ALIVE_MS = 1000, GRACE_MS = 10000, MESSAGE_MAX = 4 << 20 };

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
    const char *subject = arena_printf(x->arena, RESUME_SUBJECT "%s.resume", away->state->instance);
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
        inflight_cancel(gw->inflight, handle, RESUME_FLIGHT_ID, strlen(RESUME_FLIGHT_ID));
        away->over = true;
        return ST_OK;
    }
    if (now >= away->until_ms)
        return lost(pass);
    if (now - away->alive_ms >= ALIVE_MS) {
        away->alive_ms = now;
        subject = arena_printf(pass->m->x->arena, RESUME_SUBJECT "%s.alive", away->state->instance);
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
        enum status status = bus_sub_next(away->sub, RESUME_LOOK_MS, &bytes);

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
