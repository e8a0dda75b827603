/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as text: the params of the caller, and around them what belongs to
 * this hop. */
#include "downstream/exchange.h"

#include "mcp/era.h"
#include "mcp/message.h"

#include <string.h>

enum { ENVELOPE_ROOM = 384 };

static void put_comma(struct strbuf *out)
{
    if (out->len > 0 && out->data[out->len - 1] != '{')
        strbuf_char(out, ',');
}

static void put_member_raw(struct strbuf *out, const struct json *json, const struct json_node *key)
{
    put_comma(out);
    json_put_member(out, json, key);
}

/* The member that says what the request is about; NULL when there is none. */
static const char *name_of(const char *method)
{
    if (strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0)
        return "name";
    if (strcmp(method, "resources/read") == 0)
        return "uri";
    if (strncmp(method, "tasks/", 6) == 0)
        return "taskId";
    return NULL;
}

/* Keys of _meta that say something about one hop only. */
static bool is_hop_key(const struct json *json, const struct json_node *key)
{
    static const char prefix[] = "io.modelcontextprotocol/";
    CLEANUP(arena_done) struct arena arena = {0};
    const char *text = json->text + key->start;
    size_t len = key->len;

    if (json_is(json, key, "progressToken"))
        return true;
    if (json_is(json, key, "io.modelcontextprotocol/related-task"))
        return false;
    if (key->escaped) {
        text = json_text(&arena, json, key);
        len = strlen(text);
    }
    return len >= sizeof(prefix) - 1 && memcmp(text, prefix, sizeof(prefix) - 1) == 0;
}

/* The members that are left of the caller's _meta. */
static void put_vendor_meta(struct strbuf *out, const struct json *json,
                            const struct json_node *meta)
{
    const struct json_node *key;

    if (meta == NULL || meta->type != JSON_T_OBJECT)
        return;
    key = json_first(meta);
    for (uint32_t i = 0; i < meta->count; i++, key = json_next(json_next(key)))
        if (!is_hop_key(json, key))
            put_member_raw(out, json, key);
}

static void put_envelope(struct strbuf *out, const struct downstream_exchange *x,
                         const struct downstream_request *request)
{
    const char *capabilities = request->capabilities;

    if (capabilities == NULL)
        capabilities = x->session->capabilities;
    strbuf_str(out, "\"" MCP_META_VERSION "\":\"" MCP_MODERN_TEXT "\",\"" MCP_META_CLIENT "\":");
    strbuf_str(out, x->server->client_info);
    strbuf_str(out, ",\"" MCP_META_CAPABILITIES "\":");
    strbuf_str(out, capabilities);
    if (request->log_level != NULL)
        mcp_put_member(out, MCP_META_LOG_LEVEL, request->log_level);
}

static void put_meta(struct downstream_exchange *x, const struct downstream_request *request,
                     const struct json *json, const struct json_node *meta)
{
    struct strbuf *out = &x->tail;
    size_t before;

    put_comma(out);
    before = out->len;
    strbuf_str(out, "\"_meta\":{");
    if (x->modern)
        put_envelope(out, x, request);
    if (request->progress) {
        put_comma(out);
        strbuf_str(out, "\"progressToken\":");
        strbuf_uint(out, x->token);
    }
    put_vendor_meta(out, json, meta);
    if (out->data[out->len - 1] != '{') {
        strbuf_char(out, '}');
        return;
    }
    /* Nothing to say. */
    out->len = before > 0 && out->data[before - 1] == ',' ? before - 1 : before;
    out->data[out->len] = '\0';
}

static void put_params(struct downstream_exchange *x, const struct downstream_request *request,
                       const struct json *json, const struct json_node *params)
{
    const char *named = request->target != NULL ? name_of(x->method) : NULL;
    const struct json_node *key = params != NULL ? json_first(params) : NULL;
    const struct json_node *meta = NULL;
    struct strbuf *out = &x->tail;

    strbuf_char(out, '{');
    if (named != NULL)
        mcp_put_member(out, named, request->target);
    for (uint32_t i = 0; params != NULL && i < params->count;
         i++, key = json_next(json_next(key))) {
        if (json_is(json, key, "_meta"))
            meta = json_next(key);
        else if (named == NULL || !json_is(json, key, named))
            put_member_raw(out, json, key);
    }
    put_meta(x, request, json, meta);
    strbuf_char(out, '}');
}

static void put_mirrored(struct downstream_exchange *x, const struct json *json,
                         const struct json_node *params)
{
    const char *key = name_of(x->method), *name;

    strbuf_clear(&x->mirrored);
    strbuf_str(&x->mirrored, "Mcp-Method: ");
    strbuf_str(&x->mirrored, x->method);
    strbuf_str(&x->mirrored, "\r\n");
    name = key != NULL ? json_text(&x->arena, json, json_get(json, params, key)) : NULL;
    if (name == NULL)
        return;
    strbuf_str(&x->mirrored, "Mcp-Name: ");
    mirror_put_value(&x->mirrored, name, strlen(name));
    strbuf_str(&x->mirrored, "\r\n");
    if (strcmp(x->method, "tools/call") == 0)
        tools_put_headers(x->server, &x->mirrored, name, json, json_get(json, params, "arguments"));
}

void render_headers(struct downstream_exchange *x)
{
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct json_limits limits = inbound_limits(x->server);
    struct json json;

    strbuf_str(&text, "{\"id\":0");
    strbuf_add(&text, x->tail.data, x->tail.len);
    if (json_parse(&arena, text.data, text.len, &limits, &json, NULL) == ST_OK)
        put_mirrored(x, &json, json_get(&json, json.nodes, "params"));
}

enum status render_request(struct downstream_exchange *x, const struct downstream_request *request,
                           struct error *err)
{
    struct json_limits limits = inbound_limits(x->server);
    const struct json *json = request->json;
    const struct json_node *params = request->params;
    struct json parsed;

    if (params == NULL && request->params_text != NULL) {
        TRY(json_parse(&x->arena, request->params_text, strlen(request->params_text), &limits,
                       &parsed, err));
        json = &parsed;
        params = parsed.nodes;
    }
    if (params != NULL && params->type != JSON_T_OBJECT)
        return error_set(err, ST_INVALID_ARGUMENT, "params must be an object");
    strbuf_reserve(&x->tail, (params != NULL ? params->len : 0) + ENVELOPE_ROOM);
    strbuf_str(&x->tail, ",\"method\":");
    json_put_string(&x->tail, x->method);
    strbuf_str(&x->tail, ",\"params\":");
    put_params(x, request, json, params);
    strbuf_char(&x->tail, '}');
    if (!x->modern || x->server->stdio)
        return ST_OK;
    if (request->target != NULL)
        render_headers(x);
    else
        put_mirrored(x, json, params);
    return ST_OK;
}
