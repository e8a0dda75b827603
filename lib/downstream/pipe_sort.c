/* SPDX-License-Identifier: Apache-2.0 */
/* What a child says, sorted: answers and progress by their numbers, the rest to
 * the only exchange there is (questions to the newest, when all are of one client), or to
 * the session. */
#include "downstream/pipe.h"
#include "downstream/queue.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

void pipe_fail_all(struct pipe *pipe, enum downstream_fault fault, const char *why)
{
    (void)pthread_mutex_lock(&pipe->lock);
    for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next)
        queue_fail(x, fault, why);
    (void)pthread_mutex_unlock(&pipe->lock);
}

/* ---- finding whose it is -------------------------------------------------------------- */

/* With the pipe's lock held. */
static struct downstream_exchange *by_id(struct pipe *pipe, uint64_t id)
{
    for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next)
        if (x->id == id)
            return x;
    return NULL;
}

static struct downstream_exchange *by_token(struct pipe *pipe, uint64_t token)
{
    for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next)
        if (x->token == token)
            return x;
    return NULL;
}

/* What comes after an answer is not of its exchange, though nobody has read that yet. */
static struct downstream_exchange *the_only(struct pipe *pipe)
{
    struct downstream_exchange *only = NULL;

    for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next) {
        if (x->settled)
            continue;
        if (only != NULL)
            return NULL;
        only = x;
    }
    return only;
}

/* Of whom a question may be asked: of the only one, or of the newest when all are of one
 * client, whose answer it is either way. */
static struct downstream_exchange *the_asked(struct pipe *pipe)
{
    struct downstream_exchange *newest = NULL;

    for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next) {
        if (x->settled)
            continue;
        if (newest == NULL)
            newest = x;
        else if (x->client == NULL || newest->client == NULL ||
                 strcmp(x->client, newest->client) != 0)
            return NULL;
    }
    return newest;
}

static bool concerns_all(const char *method)
{
    static const char suffix[] = "/list_changed";
    size_t len = strlen(method);

    return (len > sizeof(suffix) - 1 && strcmp(method + len - sizeof(suffix) + 1, suffix) == 0) ||
           strcmp(method, "notifications/resources/updated") == 0 ||
           strncmp(method, "notifications/subscriptions/", 28) == 0;
}

/* With the pipe's lock held. NULL: nobody's, or the session's when *ret_session. An error that
 * names no request may be about any of those that wait, or none of them (a notification of ours):
 * of several none is failed for it, since the others are carried out and will be answered. */
static struct downstream_exchange *owner(struct pipe *pipe, const struct json *json,
                                         const struct json_node *node, bool *ret_session)
{
    const struct json_node *method = json_get(json, node, "method");
    const struct json_node *params = json_get(json, node, "params");
    struct downstream_exchange *x;
    struct arena arena = {0};
    uint64_t number;

    *ret_session = false;
    if (method == NULL)
        return inbound_number(json, json_get(json, node, "id"), &number) ? by_id(pipe, number)
               : json_get(json, node, "error") != NULL                   ? the_only(pipe)
                                                                         : NULL;
    if (json_is(json, method, "notifications/progress"))
        return inbound_number(json, json_get(json, params, "progressToken"), &number)
                   ? by_token(pipe, number)
                   : NULL;
    if (json_is(json, method, "notifications/cancelled"))
        return NULL; /* heard by all */
    x = json_get(json, node, "id") != NULL ? the_asked(pipe) : the_only(pipe);
    if (x != NULL && method->type == JSON_T_STRING && concerns_all(json_text(&arena, json, method)))
        x = NULL;
    arena_done(&arena);
    *ret_session = x == NULL;
    return x;
}

/* ---- messages ---------------------------------------------------------------------------- */

static void answer(struct pipe *pipe, const struct downstream_message *msg, const char *tail)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const char *raw;
    size_t len;

    raw = json_raw(&msg->json, msg->id, &len);
    strbuf_str(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    strbuf_add(&out, raw, len);
    strbuf_str(&out, tail);
    (void)pipe_write(pipe, out.data, out.len);
}

/* What belongs to no exchange. */
static void tell_session(struct pipe *pipe, struct downstream_message *msg)
{
    struct downstream_session *session = pipe->session;

    msg->version = session->modern ? MCP_2026_07_28 : MCP_2025_11_25;
    if (msg->kind == DOWNSTREAM_REQUEST && session->modern)
        return;
    if (session->on_message != NULL)
        session->on_message(session, msg, session->arg);
    else if (msg->kind == DOWNSTREAM_REQUEST)
        answer(pipe, msg,
               ",\"error\":{\"code\":-32601,\"message\":\"nobody here can answer that\"}}");
}

/* Whose question is withdrawn only those know that asked it. With the pipe's lock held. */
static void give_all(struct pipe *pipe, const struct downstream_message *msg)
{
    for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next)
        if (!x->modern)
            queue_put_copy(x, msg);
}

/* One message; takes the item, whose arena holds it. */
static void sort_one(struct pipe *pipe, struct queued *item, const struct json *json,
                     const struct json_node *node)
{
    struct downstream_exchange *x;
    enum inbound kind;
    bool session;

    (void)pthread_mutex_lock(&pipe->lock);
    x = owner(pipe, json, node, &session);
    kind = inbound_read(&item->arena, json, node, x != NULL ? x->id : 0, x != NULL ? x->token : 0,
                        &item->msg);
    if (kind == INBOUND_PASS && x != NULL && !(item->msg.kind == DOWNSTREAM_REQUEST && x->modern)) {
        x->settled =
            x->settled || item->msg.kind == DOWNSTREAM_RESULT || item->msg.kind == DOWNSTREAM_ERROR;
        queue_put(x, TAKE(item));
    } else if (kind == INBOUND_PASS && inbound_withdraws(&item->msg)) {
        give_all(pipe, &item->msg);
    }
    (void)pthread_mutex_unlock(&pipe->lock);
    if (item == NULL)
        return;
    if (kind == INBOUND_PING)
        answer(pipe, &item->msg, ",\"result\":{}}");
    else if (kind == INBOUND_PASS && session)
        tell_session(pipe, &item->msg);
    queued_free(item);
}

void pipe_sort(struct pipe *pipe, const char *text, size_t len)
{
    struct error why = {0};
    struct json json;
    struct queued *item = queued_read(pipe->server, text, len, &json, &why);
    const struct json_node *node;

    if (item == NULL) {
        /* Programs print what they like: noise is passed over. */
        log_debug("server %s: a line that is no message: %.200s", pipe->server->id, why.message);
        return;
    }
    if (json.nodes->type != JSON_T_ARRAY) {
        sort_one(pipe, item, &json, json.nodes);
        return;
    }
    /* A batch of 2025-03-26: each with an arena of its own. */
    node = json_first(json.nodes);
    for (uint32_t i = 0; i < json.nodes->count; i++, node = json_next(node)) {
        size_t part_len;
        const char *part = json_raw(&json, node, &part_len);

        if (node->type == JSON_T_OBJECT)
            pipe_sort(pipe, part, part_len);
    }
    queued_free(item);
}

/* With the pipe's lock held. */
static void fail(struct downstream_exchange *x)
{
    if (x != NULL)
        queue_fail(x, DOWNSTREAM_FAULT_TOO_LARGE, "sent a line that is too long");
}

/* What bears a number is its exchange's, as it would have been. A notification without
 * one that comes while several wait is told to none of them, so none of them misses it.
 * What says nothing of itself may be the answer that any of them waits for: they all
 * hear so now, since whoever it was would else wait for nothing until its time is over. */
void pipe_sort_too_long(struct pipe *pipe, const struct outline *outline)
{
    log_warn("server %s: a line of more than %u bytes is passed over", pipe->server->id,
             pipe->server->limits.message_bytes);
    (void)pthread_mutex_lock(&pipe->lock);
    switch (outline->kind) {
    case OUTLINE_ANSWER:
        fail(by_id(pipe, outline->number));
        break;
    case OUTLINE_PROGRESS:
        fail(by_token(pipe, outline->number));
        break;
    case OUTLINE_OTHER:
        fail(the_only(pipe));
        break;
    case OUTLINE_UNKNOWN:
        for (struct downstream_exchange *x = pipe->waiting; x != NULL; x = x->pipe_next)
            fail(x);
        break;
    }
    (void)pthread_mutex_unlock(&pipe->lock);
}
