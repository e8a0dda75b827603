/* SPDX-License-Identifier: Apache-2.0 */
/* Calling one tool of a downstream server as a tool of the hub. */
#include "proxy_call.h"

#include "base/clock.h"
#include "relay.h"

#include "mal/mcp_health/v1/mcp_health.pb-c.h"

#include <string.h>

/* The server's answer, in the arena. */
struct answer_of {
    struct arena *arena;
    bool result, is_error;
    const char *content, *structured; /* JSON; structured NULL when none */
    int64_t code;                     /* of an error */
    const char *message;
};

static const char *raw(struct arena *arena, const struct json *json, const struct json_node *node)
{
    size_t len;
    const char *text;

    if (node == NULL)
        return NULL;
    text = json_raw(json, node, &len);
    return arena_memdup(arena, text, len);
}

static void answered(struct relay *relay, const struct downstream_message *msg)
{
    struct answer_of *answer = relay->arg;
    const struct json *json = &msg->json;
    const struct json_node *node;

    if (msg->kind == DOWNSTREAM_ERROR) {
        answer->code = msg->code;
        answer->message = json_text(answer->arena, json, json_get(json, msg->error, "message"));
        return;
    }
    answer->result = true;
    node = json_get(json, msg->result, "content");
    answer->content =
        node != NULL && node->type == JSON_T_ARRAY ? raw(answer->arena, json, node) : "[]";
    answer->structured = raw(answer->arena, json, json_get(json, msg->result, "structuredContent"));
    node = json_get(json, msg->result, "isError");
    answer->is_error = node != NULL && node->type == JSON_T_TRUE;
}

/* No capability was declared, so a request is out of place. */
static void heard(struct relay *relay, const struct downstream_message *msg)
{
    if (msg->kind == DOWNSTREAM_REQUEST)
        relay_answer(relay, msg, NULL,
                     "{\"code\":-32601,\"message\":\"no such capability was declared\"}");
}

static enum status run(struct invocation *inv, const struct server *server,
                       struct answer_of *answer)
{
    const McpHealth__ProxyMcpCallRequest *req = (const void *)inv->request;
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    int64_t usual_ms = relay_timeout_ms(server, req->tool_name);
    int64_t timeout_ms = req->timeout_ms > 0 ? req->timeout_ms : usual_ms;
    struct relay relay = {
        .x = inv->x,
        .server = server,
        .flight = &inv->flight,
        .hurried = timeout_ms < usual_ms,
        .quiet_ms = -1,
        .heard = heard,
        .answered = answered,
        .arg = answer,
        .request = {.method = "tools/call",
                    .repeatable = relay_repeatable(server, "tools/call", req->tool_name),
                    .deadline_ms = clock_mono_ms() + timeout_ms},
    };

    strbuf_str(&params, "{\"name\":");
    json_put_string(&params, req->tool_name);
    strbuf_str(&params, ",\"arguments\":");
    strbuf_str(&params, *req->arguments != '\0' ? req->arguments : "{}");
    strbuf_char(&params, '}');
    relay.request.params_text = strbuf_cstr(&params);
    return relay_run(&relay, &inv->call.error);
}

/* The server answered with an error of the protocol instead of a result. */
static enum status refused(struct invocation *inv, const struct server *server,
                           const struct answer_of *answer)
{
    bool arguments = answer->code == -32602;

    return call_fail_reason(&inv->call, arguments ? ST_INVALID_ARGUMENT : ST_UNAVAILABLE,
                            "MCP_REFUSED", "MCP server '%s' answered with error %lld: %.400s",
                            server->config->id, (long long)answer->code,
                            answer->message != NULL ? answer->message : "no message");
}

enum status proxy_call(struct invocation *inv)
{
    const McpHealth__ProxyMcpCallRequest *req = (const void *)inv->request;
    const struct server *server = exchange_server(inv->x, req->mcp_id);
    struct answer_of answer = {.arena = inv->x->arena};
    McpHealth__ProxyMcpCallResponse *reply = arena_alloc(inv->x->arena, sizeof(*reply));
    int64_t started_us = clock_mono_us();

    if (server == NULL)
        return relay_unknown(&inv->call, req->mcp_id);
    TRY(relay_permit_tool(&inv->call, server, req->tool_name));
    TRY(run(inv, server, &answer));
    if (!answer.result)
        return refused(inv, server, &answer);
    mcp_health__proxy_mcp_call_response__init(reply);
    reply->mcp_id = server->config->id;
    reply->mcp_name = server->config->name;
    reply->tool_name = req->tool_name;
    reply->transport = server->config->transport;
    reply->is_error = answer.is_error;
    reply->content = answer.content;
    if (answer.structured != NULL)
        reply->structured_content = answer.structured;
    reply->duration_ms = (int32_t)((clock_mono_us() - started_us + 500) / 1000);
    inv->reply = &reply->base;
    return ST_OK;
}
