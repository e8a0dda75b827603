/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that go through to the downstream server, and everything that it says
 * until its answer, in its order. */
#include "answer.h"
#include "audit.h"
#include "base/clock.h"
#include "invoke.h"
#include "mcp/header.h"
#include "mcp/mirror.h"
#include "mcp_reply.h"
#include "mount.h"
#include "progress.h"
#include "relay.h"
#include "svc/metrics.h"

#include <stdlib.h>
#include <string.h>

struct pass {
    struct mcp *m;
    struct flight flight;
    const char *token; /* the caller's progressToken as written */
    size_t token_len;
    bool is_error, streams;
};

/* ---- what the server says ------------------------------------------------------------ */

static void send_event(struct pass *pass, const struct strbuf *out)
{
    if (pass->streams && mcp_stream(pass->m))
        (void)!http_sse_event(pass->m->x->req, NULL, out->data, out->len);
}

/* A modern caller gets what belongs to its request, and logs it asked for. */
static bool wanted(const struct pass *pass, const struct downstream_message *msg)
{
    if (msg->own_progress)
        return pass->token != NULL;
    if (!pass->m->modern)
        return msg->version < MCP_2026_07_28 || strcmp(msg->method, "notifications/message") == 0;
    return strcmp(msg->method, "notifications/message") == 0 && pass->m->msg.meta != NULL &&
           json_get(pass->m->msg.json, pass->m->msg.meta, MCP_META_LOG_LEVEL) != NULL;
}

static void notify(struct pass *pass, const struct downstream_message *msg)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    if (!wanted(pass, msg))
        return;
    downstream_put_notification(&out, msg, pass->token, pass->token_len);
    send_event(pass, &out);
}

/* What the client declared so that it can be asked this. */
static bool declared(struct mcp *m, const char *method)
{
    static const char *const needs[][2] = {{"elicitation/create", "elicitation"},
                                           {"sampling/createMessage", "sampling"},
                                           {"roots/list", "roots"}};
    const char *text = m->session->capabilities;
    struct json json;

    if (*text == '\0' || json_parse(m->x->arena, text, strlen(text), NULL, &json, NULL) != ST_OK)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
        if (strcmp(needs[i][0], method) == 0)
            return json_get(&json, json.nodes, needs[i][1]) != NULL;
    return false;
}

/* Only a legacy caller on a stream of its own can be asked here. */
static const char *ask(struct pass *pass, const struct downstream_message *msg, bool *ret_error)
{
    struct mcp *m = pass->m;
    const char *params = NULL;
    size_t len = 0;

    if (m->modern || !pass->streams || m->x->gw->waiting >= config.max_questions ||
        !declared(m, msg->method))
        return NULL;
    if (msg->params != NULL)
        params = json_raw(&msg->json, msg->params, &len);
    return answer_request(m, &pass->flight, msg->method, params, len, ret_error);
}

static void heard(struct relay *relay, const struct downstream_message *msg)
{
    struct pass *pass = relay->arg;
    const char *answer;
    bool error = true;

    if (msg->kind == DOWNSTREAM_NOTIFICATION) {
        notify(pass, msg);
        return;
    }
    relay_extend(relay, clock_mono_ms() + config.confirm_timeout_ms);
    answer = ask(pass, msg, &error);
    if (answer == NULL)
        answer = "{\"code\":-32601,\"message\":\"the client cannot be asked\"}";
    relay_answer(relay, msg, error ? NULL : answer, error ? answer : NULL);
    relay_extend(relay, relay->request.deadline_ms + config.confirm_timeout_ms);
}

static void quiet(struct relay *relay)
{
    struct pass *pass = relay->arg;

    if (pass->streams && mcp_stream(pass->m))
        (void)!http_sse_comment(pass->m->x->req);
}

/* ---- its answer ---------------------------------------------------------------------------- */

/* An error of a server of another revision. */
static void put_foreign_error(struct mcp *m, const struct bridge *bridge,
                              const struct downstream_message *msg)
{
    struct bridge_error error =
        bridge_error(m->x->arena, bridge, m->msg.method, &msg->json, msg->error, false);

    if (error.kind == BRIDGE_ERROR) {
        if (m->modern && error.http_status != 0)
            m->http_status = error.http_status;
        reply_error_data(m, (enum mcp_code)error.code, error.data, error.message);
        return;
    }
    reply_begin(m, TTL_NONE);
    reply_key(m, "content");
    strbuf_str(&m->out, "[{\"type\":\"text\",\"text\":");
    json_put_string(&m->out, error.message != NULL ? error.message : "the tool failed");
    strbuf_str(&m->out, "}]");
    reply_key(m, "isError");
    strbuf_str(&m->out, "true");
    reply_end(m, NULL);
}

/* Whether the tool's output schema was wrapped for this caller. */
static bool is_wrapped(struct mcp *m, const struct bridge *bridge)
{
    CLEANUP(strbuf_done) struct strbuf scratch = STRBUF_INIT;
    const struct definition *item;
    const char *tool;
    bool wrapped = false;

    if (strcmp(m->msg.method, "tools/call") != 0 || m->x->mount->definitions == NULL ||
        mcp_param(m, "name", &tool) != PARAM_TEXT)
        return false;
    item = definitions_find(m->x->mount->definitions, DEFINITION_TOOL, tool);
    if (item != NULL)
        (void)bridge_put_tool(&scratch, bridge, item->json, item->node, &wrapped);
    return wrapped;
}

static void put_foreign_result(struct mcp *m, const struct bridge *bridge,
                               const struct downstream_message *msg)
{
    const struct bridge_extra extra = {.wrapped = is_wrapped(m, bridge)};

    if (bridge_outcome(bridge, m->msg.method, &msg->json, msg->result) != BRIDGE_COMPLETE) {
        reply_error(m, MCP_INTERNAL_ERROR, "MCP server '%s' wants what this client cannot be asked",
                    m->x->mount->config->id);
        return;
    }
    strbuf_clear(&m->out);
    mcp_put_result_head(&m->out, &m->msg);
    bridge_put_result(&m->out, bridge, m->msg.method, &msg->json, msg->result, &extra);
    strbuf_char(&m->out, '}');
}

static void put_error(struct mcp *m, const struct downstream_message *msg)
{
    const char *raw, *id;
    size_t len, id_len;

    id = json_raw(m->msg.json, m->msg.id, &id_len);
    /* What it says of our own headers and version is nothing to the caller. */
    if (msg->code == MCP_HEADER_MISMATCH || msg->code == MCP_UNSUPPORTED_VERSION) {
        reply_error(m, MCP_INTERNAL_ERROR,
                    "MCP server '%s' and the hub do not understand each other",
                    m->x->mount->config->id);
        return;
    }
    raw = json_raw(&msg->json, msg->error, &len);
    strbuf_clear(&m->out);
    strbuf_str(&m->out, "{\"jsonrpc\":\"2.0\",\"id\":");
    strbuf_reserve(&m->out, len + 128);
    strbuf_add(&m->out, id, id_len);
    strbuf_str(&m->out, ",\"error\":");
    json_put_compact(&m->out, raw, len);
    strbuf_char(&m->out, '}');
    if (m->modern && msg->http_status >= 400)
        m->http_status = msg->http_status;
}

static void put_result(struct mcp *m, const struct downstream_message *msg)
{
    const char *raw;
    size_t len;

    raw = json_raw(&msg->json, msg->result, &len);
    strbuf_clear(&m->out);
    strbuf_reserve(&m->out, len + 256);
    mcp_put_result_head(&m->out, &m->msg);
    json_put_compact(&m->out, raw, len);
    strbuf_char(&m->out, '}');
}

static void answered(struct relay *relay, const struct downstream_message *msg)
{
    struct pass *pass = relay->arg;
    const struct bridge bridge = mount_bridge(pass->m, msg->version);
    bool foreign = bridge.server != bridge.caller;
    const struct json_node *node;

    if (msg->kind == DOWNSTREAM_ERROR) {
        pass->is_error = true;
        if (foreign)
            put_foreign_error(pass->m, &bridge, msg);
        else
            put_error(pass->m, msg);
        return;
    }
    node = json_get(&msg->json, msg->result, "isError");
    pass->is_error = node != NULL && node->type == JSON_T_TRUE;
    if (foreign)
        put_foreign_result(pass->m, &bridge, msg);
    else
        put_result(pass->m, msg);
}

/* ---- the way there --------------------------------------------------------------------------- */

static void fail(struct mcp *m, const struct error *err, const char *tool)
{
    CLEANUP(strbuf_done) struct strbuf data = STRBUF_INIT;

    if (tool != NULL) {
        reply_failure(m, err, tool);
        return;
    }
    strbuf_str(&data, "{");
    mcp_put_member(&data, "status", status_name(err->status));
    if (err->reason != NULL && *err->reason != '\0')
        mcp_put_member(&data, "reason", err->reason);
    mcp_put_member(&data, "request_id", m->x->request_id);
    strbuf_char(&data, '}');
    reply_error_data(m, MCP_INTERNAL_ERROR, strbuf_cstr(&data), err->message);
}

static void set_flight(struct mcp *m, struct flight *flight)
{
    flight->request_id = m->x->request_id;
    if (m->modern) {
        flight->req = m->x->req;
        return;
    }
    flight->session = m->session->hash;
    flight->id = json_raw(m->msg.json, m->msg.id, &flight->id_len);
}

/* What this caller can be asked, for a server of the same era. */
static const char *capabilities(struct mcp *m)
{
    const struct definitions *definitions = m->x->mount->definitions;
    bool modern = definitions != NULL && definitions->version >= MCP_2026_07_28;
    const struct json_node *node;
    const char *raw;
    size_t len;

    if (modern != m->modern)
        return NULL;
    if (!m->modern)
        return *m->session->capabilities != '\0' ? m->session->capabilities : NULL;
    node = json_get(m->msg.json, m->msg.meta, MCP_META_CAPABILITIES);
    if (node == NULL)
        return NULL;
    raw = json_raw(m->msg.json, node, &len);
    return arena_memdup(m->x->arena, raw, len);
}

static enum status run(struct pass *pass, const char *tool, struct call *call)
{
    struct mcp *m = pass->m;
    const struct json_node *token =
        m->msg.meta != NULL ? json_get(m->msg.json, m->msg.meta, "progressToken") : NULL;
    struct relay relay = {
        .x = m->x,
        .server = m->x->mount,
        .flight = &pass->flight,
        .quiet_ms = (int)progress_keepalive_ms(),
        .heard = heard,
        .quiet = quiet,
        .answered = answered,
        .arg = pass,
        .request = {.method = m->msg.method,
                    .json = m->msg.json,
                    .params = m->msg.params,
                    .repeatable = relay_repeatable(m->x->mount, m->msg.method, tool)},
    };
    const char *caps = capabilities(m);

    pass->streams = !m->batch && mcp_accepts(m->x, "text/event-stream");
    if (token != NULL && pass->streams) {
        pass->token = json_raw(m->msg.json, token, &pass->token_len);
        relay.request.progress = true;
    }
    if (!m->modern) {
        relay.capabilities = caps;
        relay.caller_session = m->session->hash;
    } else {
        relay.request.capabilities = caps;
        relay.request.log_level = json_text(m->x->arena, m->msg.json,
                                            json_get(m->msg.json, m->msg.meta, MCP_META_LOG_LEVEL));
    }
    relay.request.deadline_ms = clock_mono_ms() + relay_timeout_ms(m->x->mount, tool);
    return relay_run(&relay, &call->error);
}

static enum status permit(struct mcp *m, struct call *call, const char *tool)
{
    TRY(exchange_admit(m->x, call));
    if (tool != NULL)
        return relay_permit_tool(call, m->x->mount, tool);
    return relay_permit(call, m->x->mount);
}

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

static bool param_headers(struct mcp *m, const char *tool)
{
    const struct definition *item;
    struct mirrors mirrors = {0};
    const char *wrong = NULL;

    if (!m->modern || tool == NULL || m->x->mount->definitions == NULL)
        return true;
    item = definitions_find(m->x->mount->definitions, DEFINITION_TOOL, tool);
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
static bool read_tool(struct mcp *m, const char **ret_tool)
{
    bool call = strcmp(m->msg.method, "tools/call") == 0;

    *ret_tool = NULL;
    if (call && !mcp_need(m, "name", ret_tool))
        return false;
    if ((m->x->who.scopes & (call ? SCOPE_EXECUTE : SCOPE_READ)) != 0)
        return true;
    if (call) {
        audit_downstream(m->x, m->x->mount->config->id, *ret_tool, ST_PERMISSION_DENIED, true);
        reply_error(m, MCP_INVALID_PARAMS, "Unknown tool: %.128s", *ret_tool);
    } else {
        reply_error(m, MCP_INVALID_REQUEST, "this key may not read");
    }
    return false;
}

void mount_pass(struct mcp *m)
{
    struct pass pass = {.m = m};
    struct call call;
    const char *tool;
    enum status status;

    if (!read_tool(m, &tool) || !param_headers(m, tool))
        return;
    exchange_call(m->x, &call, NULL);
    set_flight(m, &pass.flight);
    m->x->gw->running++;
    status = permit(m, &call, tool);
    if (status == ST_OK)
        status = run(&pass, tool, &call);
    m->x->gw->running--;
    if (tool != NULL)
        audit_downstream(m->x, m->x->mount->config->id, tool, status, pass.is_error);
    if (pass.flight.cancelled) {
        /* Whoever cancelled gets no answer; an empty stream ends the exchange. */
        strbuf_clear(&m->out);
        m->answered = !m->batch && !mcp_stream(m);
    } else if (status != ST_OK) {
        fail(m, &call.error, tool);
    }
}
