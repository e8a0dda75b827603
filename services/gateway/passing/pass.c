/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to downstream servers: who may, what goes with them, and what comes
 * before the answer. */
#include "pass.h"

#include "asking.h"
#include "audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "invoke.h"
#include "mcp/header.h"
#include "mcp/mirror.h"
#include "mcp_reply.h"
#include "park.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 50, NOTIFY_MS = 5000 };

struct bridge pass_bridge(const struct pass *pass, enum mcp_version server)
{
    const struct definitions *definitions = pass->server->definitions;

    if (server == MCP_UNKNOWN && definitions != NULL)
        server = definitions->version;
    return (struct bridge){
        .server = server != MCP_UNKNOWN ? server : pass->m->version,
        .caller = pass->m->version,
        .server_info = SERVER_INFO,
    };
}

bool pass_askable(const struct mcp *m)
{
    return strcmp(m->msg.method, "tools/call") == 0 || strcmp(m->msg.method, "prompts/get") == 0 ||
           strcmp(m->msg.method, "resources/read") == 0;
}

/* ---- before the answer ----------------------------------------------------------------- */

void pass_say(struct pass *pass, const char *text, size_t len)
{
    if (!pass->streams)
        return;
    if (pass->say != NULL)
        pass->say(pass, text, len);
    else if (mcp_stream(pass->m))
        (void)!http_sse_event(pass->m->x->req, NULL, text, len);
}

static void notify(struct pass *pass, const struct downstream_message *msg)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct bridge bridge = pass_bridge(pass, msg->version);
    const struct bridge_listener listener = {
        .token = pass->token,
        .token_len = pass->token_len,
        .own_progress = msg->own_progress,
        .log_level = pass->log_level,
    };

    if (strcmp(msg->method, "notifications/cancelled") == 0)
        pass_withdrawn(pass, msg);
    else if (bridge_put_notification(&out, &bridge, msg->method, &msg->json, msg->params,
                                     &listener))
        pass_say(pass, out.data, out.len);
}

static void heard(struct relay *relay, const struct downstream_message *msg)
{
    struct pass *pass = relay->arg;

    if (msg->kind == DOWNSTREAM_NOTIFICATION)
        notify(pass, msg);
    else
        pass_asked(pass, msg);
}

static void quiet(struct relay *relay)
{
    struct pass *pass = relay->arg;
    int64_t now;

    if (pass->pause != NULL)
        pass->pause(pass);
    if (!pass_look(pass, LOOK_MS) && pass->pause == NULL)
        relay->quiet_ms = (int)progress_keepalive_ms();
    now = clock_mono_ms();
    if (now < pass->comment_ms || !pass->streams || pass->say != NULL)
        return;
    pass->comment_ms = now + progress_keepalive_ms();
    if (mcp_stream(pass->m))
        (void)!http_sse_comment(pass->m->x->req);
}

/* ---- what goes with the request ----------------------------------------------------------- */

static void read_capabilities(struct pass *pass)
{
    struct mcp *m = pass->m;
    const char *text;

    if (m->modern) {
        pass->caps_json = *m->msg.json;
        pass->caps = json_get(m->msg.json, m->msg.meta, MCP_META_CAPABILITIES);
        return;
    }
    /* Who takes no stream cannot be asked on it. */
    text = pass->streams ? m->session->capabilities : "";
    if (*text != '\0' &&
        json_parse(m->x->arena, text, strlen(text), &(struct json_limits){.loose = true},
                   &pass->caps_json, NULL) == ST_OK)
        pass->caps = pass->caps_json.nodes;
}

static const char *raw_of(struct pass *pass, const struct json *json, const struct json_node *node)
{
    size_t len;
    const char *raw = json_raw(json, node, &len);

    return arena_memdup(pass->m->x->arena, raw, len);
}

/* An older caller's capabilities in a modern server's words. */
static const char *modern_capabilities(struct pass *pass)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct bridge bridge = {.server = MCP_2026_07_28, .caller = pass->m->version};

    bridge_put_client_capabilities(&out, &bridge, &pass->caps_json, pass->caps);
    return arena_memdup(pass->m->x->arena, out.data, out.len);
}

/* A modern caller's in an older server's. */
static const char *older_capabilities(struct pass *pass)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    bridge_put_askable(&out, &pass->caps_json, pass->caps);
    return arena_memdup(pass->m->x->arena, out.data, out.len);
}

/* What the server is told that this caller can be asked: a modern one with the
 * request, an older one by the session, which such callers share. */
static void declare(struct pass *pass)
{
    struct mcp *m = pass->m;
    const struct definitions *definitions = pass->server->definitions;
    enum mcp_version server = definitions != NULL ? definitions->version : MCP_UNKNOWN;
    const char *caps = NULL;

    if (server >= MCP_2026_07_28) { /* or not known yet */
        if (pass->caps == NULL)
            pass->relay.request.capabilities = "{}";
        else
            pass->relay.request.capabilities =
                m->modern ? raw_of(pass, &pass->caps_json, pass->caps) : modern_capabilities(pass);
    }
    if (server == MCP_2026_07_28 || pass->caps == NULL)
        return;
    caps = m->modern ? older_capabilities(pass) : raw_of(pass, &pass->caps_json, pass->caps);
    if (strcmp(caps, "{}") == 0)
        return;
    pass->relay.capabilities = caps;
}

static void read_level(struct pass *pass)
{
    const struct definitions *definitions = pass->server->definitions;
    struct mcp *m = pass->m;

    if (m->modern)
        pass->log_level = json_text(m->x->arena, m->msg.json,
                                    json_get(m->msg.json, m->msg.meta, MCP_META_LOG_LEVEL));
    else if (*m->session->log_level != '\0')
        pass->log_level = m->session->log_level;
    /* An older server has one for the whole session, which is this caller's alone only at
     * the server's own endpoint. */
    if (pass->relay.caller_session != NULL || definitions == NULL ||
        definitions->version >= MCP_2026_07_28)
        pass->relay.request.log_level = pass->log_level;
}

void pass_begin(struct pass *pass, struct mcp *m, const struct server *server)
{
    const struct json_node *token =
        m->msg.meta != NULL ? json_get(m->msg.json, m->msg.meta, "progressToken") : NULL;

    pass->m = m;
    pass->server = server;
    pass->comment_ms = clock_mono_ms() + progress_keepalive_ms();
    pass->relay = (struct relay){
        .x = m->x,
        .server = server,
        .flight = &pass->flight,
        .quiet_ms = (int)progress_keepalive_ms(),
        .heard = heard,
        .quiet = quiet,
        .answered = pass_answered,
        .over = pass_ask_over,
        .arg = pass,
        .request = {.method = m->msg.method,
                    .target = pass->target,
                    .repeatable = relay_repeatable(server, m->msg.method, pass->tool)},
    };
    /* Only at the server's own endpoint is the session about it alone. */
    if (!m->modern && m->x->endpoint != NULL && strcmp(m->x->endpoint, server->config->id) == 0)
        pass->relay.caller_session = m->session->hash;
    read_capabilities(pass);
    declare(pass);
    read_level(pass);
    if (token != NULL && pass->streams) {
        pass->token = json_raw(m->msg.json, token, &pass->token_len);
        pass->relay.request.progress = true;
    }
    pass->timeout_ms = relay_timeout_ms(server, pass->tool);
}

enum status pass_run(struct pass *pass, bool go_on)
{
    enum status status;

    do {
        pass->again = false;
        pass->relay.request.deadline_ms = clock_mono_ms() + pass->timeout_ms;
        status = go_on ? relay_go_on(&pass->relay, &pass->call.error)
                       : relay_run(&pass->relay, &pass->call.error);
        go_on = false;
    } while (status == ST_OK && pass->again && !pass->flight.cancelled);
    pass_ask_end(pass);
    park_done(pass);
    if (pass->task != NULL)
        pass_task_cancel(pass);
    return status;
}

/* ---- whether it may go --------------------------------------------------------------------- */

/* Mcp-Param-* must repeat the arguments that the tool's schema mirrors. */
static const char *wrong_header(struct mcp *m, const struct mirror *mirror)
{
    struct arena *arena = m->x->arena;
    const char *name = arena_printf(arena, "Mcp-Param-%s", mirror->header), *sent, *raw;
    const struct json_node *node = json_get(m->msg.json, m->msg.params, "arguments");
    size_t len;

    for (size_t i = 0; node != NULL && mirror->path[i] != NULL; i++)
        node = json_get(m->msg.json, node, mirror->path[i]);
    if (node == NULL || node->type == JSON_T_NULL)
        return NULL;
    sent = http_header(m->x->req, name);
    if (sent == NULL || http_header_count(m->x->req, name) > 1)
        return arena_printf(arena, "%s must be sent once, as the schema of the tool says", name);
    sent = mcp_header_decode(arena, sent);
    if (sent == NULL)
        return arena_printf(arena, "%s is not valid Base64 of UTF-8 text", name);
    if (node->type == JSON_T_INT || node->type == JSON_T_NUMBER) {
        double value = 0;

        if (json_double(m->msg.json, node, &value) && strtod(sent, NULL) == value && *sent != '\0')
            return NULL;
    }
    raw = json_text(arena, m->msg.json, node);
    if (raw == NULL) {
        raw = json_raw(m->msg.json, node, &len);
        raw = arena_memdup(arena, raw, len);
    }
    return strcmp(raw, sent) == 0 ? NULL : arena_printf(arena, "%s and the argument differ", name);
}

static bool param_headers(struct pass *pass)
{
    struct mcp *m = pass->m;
    const struct definition *item;
    struct mirrors mirrors = {0};
    const char *wrong = NULL;

    if (!m->modern || m->unmirrored || pass->tool == NULL || pass->server->definitions == NULL)
        return true;
    item = definitions_find(pass->server->definitions, DEFINITION_TOOL, pass->tool);
    if (item == NULL || !item->mirrored ||
        !mirror_read(m->x->arena, item->json, json_get(item->json, item->node, "inputSchema"),
                     &mirrors, &wrong))
        return true;
    wrong = NULL;
    for (size_t i = 0; i < mirrors.n && wrong == NULL; i++)
        wrong = wrong_header(m, &mirrors.items[i]);
    if (wrong == NULL)
        return true;
    m->http_status = 400;
    reply_error(m, MCP_HEADER_MISMATCH, "%s", wrong);
    return false;
}

/* The tool that is called; false: refused. */
static bool read_tool(struct pass *pass)
{
    struct mcp *m = pass->m;
    bool call = strcmp(m->msg.method, "tools/call") == 0;
    const char *name = NULL;

    if (call && !mcp_need(m, "name", &name))
        return false;
    if (call)
        pass->tool = pass->target != NULL ? pass->target : name;
    if ((m->x->who.scopes & (call ? SCOPE_EXECUTE : SCOPE_READ)) != 0)
        return true;
    if (call) {
        audit_downstream(m->x, pass->server->config->id, pass->tool, ST_PERMISSION_DENIED, true);
        reply_error(m, MCP_INVALID_PARAMS, "Unknown tool: %.128s", name);
    } else {
        reply_error(m, MCP_INVALID_REQUEST, "this key may not read");
    }
    return false;
}

static enum status permit(struct pass *pass)
{
    TRY(exchange_admit(pass->m->x, &pass->call));
    if (pass->tool != NULL)
        return relay_permit_tool(&pass->call, pass->server, pass->tool);
    return relay_permit(&pass->call, pass->server);
}

static void set_flight(struct mcp *m, struct flight *flight)
{
    flight->request_id = m->x->request_id;
    if (m->modern) {
        flight->req = m->x->req;
        return;
    }
    flight->session = m->session->hash;
    if (m->msg.id == NULL)
        return;
    flight->id = json_raw(m->msg.json, m->msg.id, &flight->id_len);
}

static enum status run(struct pass *pass, const Gateway__BridgeState *state)
{
    TRY(permit(pass));
    if (state != NULL && state->kind == GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_PARKED)
        return park_resume(pass, state);
    pass_put_params(pass, state);
    return pass_run(pass, false);
}

bool pass_request(struct mcp *m, const struct server *server, const char *target)
{
    struct pass pass = {.m = m, .server = server, .target = target};
    const Gateway__BridgeState *state = NULL;
    enum status status;

    if (!read_tool(&pass) || !param_headers(&pass))
        return false;
    pass.streams = !m->batch && mcp_accepts(m->x, "text/event-stream");
    pass_begin(&pass, m, server);
    if (!pass_unseal(&pass, &state))
        return false;
    exchange_call(m->x, &pass.call, NULL);
    set_flight(m, &pass.flight);
    m->x->gw->running++;
    status = run(&pass, state);
    m->x->gw->running--;
    if (pass.tool != NULL && !pass.paused)
        audit_downstream(m->x, server->config->id, pass.tool, status, pass.is_error);
    if (pass.flight.cancelled) {
        /* Whoever cancelled gets no answer; an empty stream ends the exchange. */
        strbuf_clear(&m->out);
        m->answered = !m->batch && !mcp_stream(m);
    } else if (status != ST_OK) {
        pass_fail(&pass, &pass.call.error);
    }
    return status == ST_OK && !pass.is_error;
}

static bool has_own_child(const struct server *server)
{
    return server->upstream != NULL ||
           (server->config->policy != NULL && server->config->policy->per_caller);
}

void pass_notification(struct mcp *m, const struct server *server)
{
    struct pass pass = {.m = m, .server = server, .streams = true};
    size_t len;
    const char *raw;

    /* A modern server asks anew each time; a child of many has many clients. */
    pass_begin(&pass, m, server);
    exchange_call(m->x, &pass.call, NULL);
    if (pass_bridge(&pass, MCP_UNKNOWN).server >= MCP_2026_07_28 || !has_own_child(server) ||
        relay_permit(&pass.call, server) != ST_OK)
        return;
    set_flight(m, &pass.flight);
    pass.relay.request.deadline_ms = clock_mono_ms() + NOTIFY_MS;
    if (m->msg.params != NULL) {
        raw = json_raw(m->msg.json, m->msg.params, &len);
        pass.relay.request.params_text = arena_memdup(m->x->arena, raw, len);
    }
    if (relay_notify(&pass.relay, &pass.call.error) != ST_OK)
        log_debug("a notification could not be passed on: %s", pass.call.error.message);
}
