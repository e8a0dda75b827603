/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to downstream servers. */
#include "relay.h"

#include "base/fiber.h"
#include "base/log.h"
#include "child.h"
#include "forward.h"
#include "links.h"
#include "remote/remote.h"

#include <stdlib.h>
#include <string.h>

static enum status next(struct relay *relay, struct downstream_message *msg, struct error *err)
{
    enum status status;

    if (relay->line->remote == NULL)
        return downstream_next(relay->line->exchange, relay->quiet_ms, msg, err);
    fiber_let_wait(true);
    status = remote_next(relay->line->remote, relay->quiet_ms, msg, err);
    fiber_let_wait(false);
    return status;
}

void line_answer(struct line *line, const char *id, size_t id_len, const char *result,
                 const char *error)
{
    enum status status;

    if (line->remote != NULL)
        status = remote_answer(line->remote, id, id_len, result, error);
    else
        status = downstream_answer(line->link->session, id, id_len, result, error, NULL);
    if (status != ST_OK)
        log_debug("server %s did not take an answer", line->server->config->id);
}

void line_progress(struct line *line, const char *params)
{
    enum status status;

    if (line->remote != NULL)
        status = remote_progress(line->remote, params);
    else
        status = downstream_notify(line->link->session, "notifications/progress", params, NULL);
    if (status != ST_OK)
        log_debug("server %s did not take progress", line->server->config->id);
}

void line_extend(struct line *line, int64_t deadline_ms)
{
    if (line->remote != NULL)
        remote_extend(line->remote, deadline_ms);
    else
        downstream_extend(line->exchange, deadline_ms);
}

static struct line *line_new(const struct relay *relay)
{
    struct line *line = calloc(1, sizeof(*line));

    if (line == NULL)
        abort();
    (void)exchange_picture(relay->x);
    line->picture = picture_ref(relay->x->picture);
    line->server = relay->server;
    return line;
}

void line_end(struct line *line)
{
    if (line == NULL)
        return;
    remote_end(line->remote);
    downstream_end(line->exchange);
    if (line->link != NULL)
        link_give(&line->server->upstream->links, line->link);
    picture_unref(line->picture);
    free(line);
}

void relay_answer(struct relay *relay, const struct downstream_message *msg, const char *result,
                  const char *error)
{
    size_t len;
    const char *id = json_raw(&msg->json, msg->id, &len);

    line_answer(relay->line, id, len, result, error);
}

void relay_extend(struct relay *relay, int64_t deadline_ms)
{
    line_extend(relay->line, deadline_ms);
}

static enum status pull(struct relay *relay, struct error *err)
{
    struct downstream_message msg;

    while (!relay->park) {
        TRY(next(relay, &msg, err));
        switch (msg.kind) {
        case DOWNSTREAM_RESULT:
        case DOWNSTREAM_ERROR:
            relay->answered(relay, &msg);
            return ST_OK;
        case DOWNSTREAM_NOTIFICATION:
        case DOWNSTREAM_REQUEST:
            relay->heard(relay, &msg);
            break;
        default:
            if (relay->quiet != NULL)
                relay->quiet(relay);
        }
    }
    return ST_OK;
}

enum status relay_go_on(struct relay *relay, struct error *err)
{
    struct inflight *inflight = relay->x->gw->inflight;
    enum status status;

    relay->flight->exchange = relay->line->exchange;
    relay->flight->remote = relay->line->remote;
    inflight_begin(inflight, relay->flight);
    status = pull(relay, err);
    inflight_end(inflight, relay->flight);
    relay->flight->exchange = NULL;
    relay->flight->remote = NULL;
    if (relay->park && status == ST_OK)
        return ST_OK;
    if (relay->over != NULL && (status == ST_OK || relay->flight->cancelled))
        relay->over(relay);
    line_end(TAKE(relay->line));
    return status;
}

static enum status begin_remote(struct relay *relay, struct error *err)
{
    const struct downstream_request *request = &relay->request;
    struct remote_request remote = {
        .server = relay->server->config->id,
        .caller = child_at(relay->x->arena, relay->server, relay->x->who.id, relay->capabilities),
        .method = request->method,
        .params = request->params_text,
        .target = request->target,
        .capabilities = request->capabilities != NULL ? request->capabilities : relay->capabilities,
        .log_level = request->log_level,
        .client = relay->caller_session,
        .progress = request->progress,
        .repeatable = request->repeatable,
        .deadline_ms = request->deadline_ms,
    };

    if (request->params != NULL) {
        size_t len;
        const char *raw = json_raw(request->json, request->params, &len);

        remote.params = arena_memdup(relay->x->arena, raw, len);
    }
    return remote_begin(relay->x->gw->bus, &remote, &relay->line->remote, err);
}

/* A session of a legacy server is shared by nobody but the same principal, with
 * the same capabilities and headers; with a modern one there is nothing to share. */
static const char *link_key(const struct relay *relay)
{
    const struct definitions *definitions = relay->server->definitions;
    CLEANUP(strbuf_done) struct strbuf key = STRBUF_INIT;

    if (definitions != NULL && definitions->version >= MCP_2026_07_28)
        return "";
    if (relay->caller_session != NULL)
        return relay->caller_session;
    strbuf_printf(&key, "%s\n%s", relay->x->who.id,
                  relay->capabilities != NULL ? relay->capabilities : "");
    for (size_t i = 0; i < relay->request.n_headers; i++)
        strbuf_printf(&key, "\n%s:%s", relay->request.headers[i].name,
                      relay->request.headers[i].value);
    return arena_memdup(relay->x->arena, key.data, key.len);
}

/* Whether the server may say something outside of calls: it may ask, log, or tell how
 * tasks are. Changes are heard elsewhere. */
static bool is_heard(const struct relay *relay)
{
    const struct downstream_request *request = &relay->request;

    return (relay->capabilities != NULL && strcmp(relay->capabilities, "{}") != 0) ||
           strcmp(request->method, "logging/setLevel") == 0 ||
           strncmp(request->method, "tasks/", 6) == 0 ||
           (request->params != NULL && json_get(request->json, request->params, "task") != NULL);
}

static enum status find_link(struct relay *relay, struct error *err)
{
    struct link_wish wish = {.options = {.capabilities = relay->capabilities,
                                         .deadline_ms = relay->request.deadline_ms}};
    struct link *link;

    relay->request.n_headers = forward_headers(relay->x, relay->server, &relay->request.headers);
    wish.key = link_key(relay);
    wish.shared = relay->caller_session != NULL && wish.key == relay->caller_session;
    /* What a server asks on the stream of a session can be told to one call only. */
    wish.alone = *wish.key != '\0' && !wish.shared && relay->capabilities != NULL;
    if (*wish.key != '\0') {
        wish.options.headers = relay->request.headers;
        wish.options.n_headers = relay->request.n_headers;
    }
    TRY(upstream_link(relay->server, relay->x->gw->links, &wish, &link, err));
    relay->line->link = link;
    if (link->share != NULL && is_heard(relay))
        share_hear(link->share, link->session, relay->request.deadline_ms);
    return ST_OK;
}

static enum status begin_http(struct relay *relay, struct error *err)
{
    TRY(find_link(relay, err));
    return downstream_begin(relay->line->link->session, &relay->request, &relay->line->exchange,
                            err);
}

static enum status begin(struct relay *relay, struct error *err)
{
    if (relay->server->upstream == NULL)
        return begin_remote(relay, err);
    return begin_http(relay, err);
}

enum status relay_run(struct relay *relay, struct error *err)
{
    struct gate *gate = relay->server->gate;
    struct passage passage;
    enum status status;

    TRY(gate_enter(gate, &passage, err));
    relay->park = false;
    relay->request.lets_wait = true;
    relay->line = line_new(relay);
    status = begin(relay, err);
    if (status == ST_OK)
        status = relay_go_on(relay, err);
    else
        line_end(TAKE(relay->line));
    gate_leave(gate, &passage, status == ST_OK ? NULL : err, relay->hurried);
    return status;
}

enum status relay_notify(struct relay *relay, struct error *err)
{
    const struct downstream_request *request = &relay->request;
    enum status status;

    /* A runner is told so by a request of its own. */
    if (relay->server->upstream == NULL)
        return relay_run(relay, err);
    relay->line = line_new(relay);
    status = find_link(relay, err);
    if (status == ST_OK)
        status = downstream_notify(relay->line->link->session, request->method,
                                   request->params_text, err);
    line_end(TAKE(relay->line));
    return status;
}
