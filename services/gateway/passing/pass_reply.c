/* SPDX-License-Identifier: Apache-2.0 */
/* What a downstream server answered, for the caller. */
#include "mcp_reply.h"
#include "pass.h"

#include <string.h>

enum { LABEL_ROOM = 256 };

/* ---- failures -------------------------------------------------------------------------- */

void pass_fail(struct pass *pass, const struct error *err)
{
    struct mcp *m = pass->m;
    CLEANUP(strbuf_done) struct strbuf data = STRBUF_INIT;

    if (pass->tool != NULL) {
        reply_failure(m, err, pass->tool);
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

void pass_broken(struct pass *pass, enum downstream_fault fault, const char *words)
{
    struct error err = {0};

    (void)error_set(&err, ST_UNAVAILABLE, "MCP server '%s' %s.", pass->server->config->id, words);
    err.reason = downstream_fault_text(fault);
    pass->is_error = true;
    pass_fail(pass, &err);
}

void pass_words(struct pass *pass, const char *words)
{
    struct mcp *m = pass->m;

    pass->is_error = true;
    if (pass->tool == NULL) {
        reply_error(m, MCP_INTERNAL_ERROR, "%s", words);
        return;
    }
    reply_begin(m, TTL_NONE);
    reply_key(m, "content");
    strbuf_str(&m->out, "[{\"type\":\"text\",\"text\":");
    json_put_string(&m->out, words);
    strbuf_str(&m->out, "}]");
    reply_key(m, "isError");
    strbuf_str(&m->out, "true");
    reply_end(m, NULL);
}

/* ---- errors ------------------------------------------------------------------------------ */

static bool takes_urls(const struct pass *pass)
{
    const struct json_node *elicitation =
        pass->caps != NULL ? json_get(&pass->caps_json, pass->caps, "elicitation") : NULL;

    return elicitation != NULL && elicitation->type == JSON_T_OBJECT &&
           json_get(&pass->caps_json, elicitation, "url") != NULL && pass_askable(pass->m);
}

/* The call is made anew when the caller has opened them. */
static void ask_urls(struct pass *pass, const struct downstream_message *msg)
{
    CLEANUP(strbuf_done) struct strbuf entries = STRBUF_INIT;
    Gateway__BridgeState state = GATEWAY__BRIDGE_STATE__INIT;

    state.kind = GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_URLS;
    strbuf_char(&entries, '{');
    if (bridge_put_url_requests(&entries, &msg->json, msg->error) == 0) {
        pass_broken(pass, DOWNSTREAM_FAULT_PROTOCOL, "asks to open a URL and does not say which");
        return;
    }
    strbuf_char(&entries, '}');
    pass_input_required(pass, strbuf_cstr(&entries), &state);
}

static void put_error(struct pass *pass, const struct downstream_message *msg)
{
    struct mcp *m = pass->m;
    const struct bridge bridge = pass_bridge(pass, msg->version);
    struct bridge_error error =
        bridge_error(m->x->arena, &bridge, m->msg.method, &msg->json, msg->error, takes_urls(pass));

    switch (error.kind) {
    case BRIDGE_EXECUTION:
        pass_words(pass, error.message != NULL ? error.message : "the tool failed");
        return;
    case BRIDGE_ASK_URL:
        ask_urls(pass, msg);
        return;
    case BRIDGE_EMPTY_LIST: /* one that the hub does not keep */
        error.code = MCP_METHOD_NOT_FOUND;
        error.http_status = 404;
        break;
    case BRIDGE_ERROR:
        break;
    }
    if (m->modern && bridge_modern_server(&bridge) && error.code == msg->code &&
        msg->http_status >= 400)
        m->http_status = msg->http_status;
    else if (m->modern && error.http_status != 0)
        m->http_status = error.http_status;
    reply_error_data(m, (enum mcp_code)error.code, error.data, error.message);
}

/* ---- results ------------------------------------------------------------------------------- */

void pass_input_required(struct pass *pass, const char *entries, Gateway__BridgeState *state)
{
    struct mcp *m = pass->m;

    pass->paused = true;
    strbuf_clear(&m->out);
    mcp_put_result_head(&m->out, &m->msg);
    strbuf_printf(&m->out, "{\"resultType\":\"input_required\",\"inputRequests\":%s", entries);
    mcp_put_member(&m->out, "requestState", pass_seal(pass, state));
    reply_end(m, NULL);
}

/* Whether the tool's output schema was wrapped for this caller. */
static bool is_wrapped(struct pass *pass, const struct bridge *bridge)
{
    CLEANUP(strbuf_done) struct strbuf scratch = STRBUF_INIT;
    const struct definitions *definitions = pass->server->definitions;
    const struct definition *item;
    bool wrapped = false;

    if (pass->tool == NULL || definitions == NULL || !bridge_modern_server(bridge) ||
        bridge_modern_caller(bridge))
        return false;
    item = definitions_find(definitions, DEFINITION_TOOL, pass->tool);
    if (item != NULL)
        (void)bridge_put_tool(&scratch, bridge, item->json, item->node, &wrapped);
    return wrapped;
}

static void put_bridged(struct pass *pass, const struct bridge *bridge,
                        const struct downstream_message *msg, const char *state)
{
    struct mcp *m = pass->m;
    const struct bridge_extra extra = {.wrapped = is_wrapped(pass, bridge), .state = state};

    strbuf_clear(&m->out);
    strbuf_reserve(&m->out, msg->result->len + LABEL_ROOM);
    mcp_put_result_head(&m->out, &m->msg);
    bridge_put_result(&m->out, bridge, m->msg.method, &msg->json, msg->result, &extra);
    strbuf_char(&m->out, '}');
}

static void put_as_is(struct mcp *m, const struct downstream_message *msg)
{
    const char *raw;
    size_t len;

    raw = json_raw(&msg->json, msg->result, &len);
    strbuf_clear(&m->out);
    strbuf_reserve(&m->out, len + LABEL_ROOM);
    mcp_put_result_head(&m->out, &m->msg);
    json_put_compact(&m->out, raw, len);
    strbuf_char(&m->out, '}');
}

static bool may_all(const struct pass *pass, const struct downstream_message *msg)
{
    const struct json_node *entries = json_get(&msg->json, msg->result, "inputRequests");
    CLEANUP(arena_done) struct arena arena = {0};

    if (entries == NULL || entries->type != JSON_T_OBJECT)
        return true;
    for (const struct json_node *key = json_first(entries); key < entries + entries->span;
         key = json_next(json_next(key))) {
        const struct json_node *entry = json_next(key);
        const char *method = json_text(&arena, &msg->json, json_get(&msg->json, entry, "method"));

        if (method == NULL || pass->caps == NULL ||
            !bridge_may_ask(&pass->caps_json, pass->caps, method, &msg->json,
                            json_get(&msg->json, entry, "params")))
            return false;
    }
    return true;
}

/* A modern server wants to know something first. */
static void put_questions(struct pass *pass, const struct bridge *bridge,
                          const struct downstream_message *msg)
{
    const struct json_node *own = json_get(&msg->json, msg->result, "requestState");
    Gateway__BridgeState state = GATEWAY__BRIDGE_STATE__INIT;

    if (!may_all(pass, msg)) {
        if (bridge_modern_caller(bridge))
            pass_broken(pass, DOWNSTREAM_FAULT_PROTOCOL,
                        "asks what this client did not declare that it can be asked");
        else
            pass_words(pass, "This needs to ask the user or the client something that the client "
                             "did not declare to support.");
        return;
    }
    if (!bridge_modern_caller(bridge)) {
        pass_ask_all(pass, msg);
        return;
    }
    state.kind = GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_SERVER;
    if (own != NULL) {
        state.has_state = true;
        state.state = json_text(pass->m->x->arena, &msg->json, own);
    }
    if (own != NULL && (state.state == NULL || strlen(state.state) > PASS_STATE_MAX)) {
        pass_broken(pass, DOWNSTREAM_FAULT_PROTOCOL,
                    "gave a requestState that is no text or too long");
        return;
    }
    pass->paused = true;
    put_bridged(pass, bridge, msg, pass_seal(pass, &state));
}

static void put_result(struct pass *pass, const struct downstream_message *msg)
{
    const struct bridge bridge = pass_bridge(pass, msg->version);
    const struct json_node *failed = json_get(&msg->json, msg->result, "isError");

    pass->is_error = failed != NULL && failed->type == JSON_T_TRUE;
    switch (bridge_outcome(&bridge, pass->m->msg.method, &msg->json, msg->result)) {
    case BRIDGE_COMPLETE:
        if (bridge.server == bridge.caller && !bridge_modern_server(&bridge))
            put_as_is(pass->m, msg);
        else
            put_bridged(pass, &bridge, msg, NULL);
        return;
    case BRIDGE_INPUT_REQUIRED:
        put_questions(pass, &bridge, msg);
        return;
    case BRIDGE_TASK:
        if (bridge_modern_caller(&bridge)) {
            put_bridged(pass, &bridge, msg, NULL);
            return;
        }
        pass_task(pass, msg);
        return;
    case BRIDGE_INVALID:
        break;
    }
    pass_broken(pass, DOWNSTREAM_FAULT_PROTOCOL,
                "gave a result that its revision of the protocol does not know");
}

void pass_answer(struct pass *pass, const struct downstream_message *msg)
{
    if (msg->kind == DOWNSTREAM_ERROR) {
        pass->is_error = true;
        put_error(pass, msg);
    } else {
        put_result(pass, msg);
    }
}

void pass_answered(struct relay *relay, const struct downstream_message *msg)
{
    struct pass *pass = relay->arg;

    if (pass->task_until_ms != 0 && msg->kind == DOWNSTREAM_RESULT)
        pass_task(pass, msg);
    else
        pass_answer(pass, msg);
}
