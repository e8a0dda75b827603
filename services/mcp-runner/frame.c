/* SPDX-License-Identifier: Apache-2.0 */
/* What goes back of a request, in order and never more than the reader keeps up
 * with. */
#include "exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/codec.h"

#include <time.h>

enum { SLICE_MS = 1000, WINDOW = 32, PIECE = 256 * 1024, SILENCE_MS = 15000 };

static enum status send(struct exchange *x, McpRunner__Frame *frame)
{
    CLEANUP(arena_done) struct arena arena;
    size_t len;

    arena_init(&arena);
    frame->number = ++x->number;
    const void *data = wire_pack(&arena, &frame->base, &len);
    return bus_publish_now(x->runner->bus, x->reply, NULL, data, len);
}

void frame_fault(struct exchange *x, const char *reason, enum status status, const char *text)
{
    McpRunner__Frame frame = MCP_RUNNER__FRAME__INIT;

    frame.kind = MCP_RUNNER__FRAME_KIND__FRAME_KIND_FAULT;
    frame.reason = reason ? reason : "MCP_CLOSED";
    frame.status = (int32_t)status;
    frame.text = text;
    if (send(x, &frame) != ST_OK)
        log_debug("a fault could not be told");
}

bool exchange_deserted(const struct exchange *x)
{
    return x->cancelled || (!x->asked && clock_mono_ms() - x->word_ms > SILENCE_MS);
}

/* Waits until the reader has kept up; false when nobody reads any more. */
static bool keep_pace(struct exchange *x)
{
    bool go_on;

    pthread_mutex_lock(&x->lock);
    while (x->number - x->taken >= WINDOW && !exchange_deserted(x) &&
           clock_mono_ms() < x->deadline_ms) {
        struct timespec until = clock_in_ms(SLICE_MS);

        (void)pthread_cond_timedwait(&x->changed, &x->lock, &until);
    }
    go_on = x->number - x->taken < WINDOW;
    pthread_mutex_unlock(&x->lock);
    return go_on;
}

static const struct json_node *fill(const struct downstream_message *msg, McpRunner__Frame *frame)
{
    switch (msg->kind) {
    case DOWNSTREAM_RESULT:
        frame->kind = MCP_RUNNER__FRAME_KIND__FRAME_KIND_RESULT;
        return msg->result;
    case DOWNSTREAM_ERROR:
        frame->kind = MCP_RUNNER__FRAME_KIND__FRAME_KIND_ERROR;
        return msg->error;
    case DOWNSTREAM_REQUEST:
        frame->kind = MCP_RUNNER__FRAME_KIND__FRAME_KIND_REQUEST;
        return msg->params;
    default:
        frame->kind = MCP_RUNNER__FRAME_KIND__FRAME_KIND_NOTIFICATION;
        return msg->params;
    }
}

bool frame_send(struct exchange *x, const struct downstream_message *msg)
{
    McpRunner__Frame frame = MCP_RUNNER__FRAME__INIT;
    CLEANUP(arena_done) struct arena arena;
    const struct json_node *node = fill(msg, &frame);
    const char *text = "";
    size_t len = 0, id_len;

    arena_init(&arena);
    frame.method = msg->method ? msg->method : "";
    frame.own_progress = msg->own_progress;
    frame.protocol_version = mcp_version_text(msg->version);
    if (msg->id) {
        const char *id = json_raw(&msg->json, msg->id, &id_len);

        frame.id = arena_memdup(&arena, id, id_len);
    }
    if (node)
        text = json_raw(&msg->json, node, &len);
    do {
        size_t piece = len < PIECE ? len : PIECE;

        frame.json.data = (uint8_t *)(uintptr_t)text;
        frame.json.len = piece;
        text += piece;
        len -= piece;
        frame.more = len > 0;
        if (!keep_pace(x) || send(x, &frame) != ST_OK)
            return false;
    } while (len > 0);
    return true;
}
