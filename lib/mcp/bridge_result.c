/* SPDX-License-Identifier: Apache-2.0 */
/* Results for callers of another revision. */
#include "mcp/bridge.h"

#include "mcp/bridge_put.h"
#include "mcp/era.h"
#include "mcp/message.h"

#include <string.h>

/* Methods whose results say how long they hold; list is the member with items. */
static const struct {
    const char *method, *list;
    bool tools;
} cached[] = {
    {"tools/list", "tools", true},
    {"resources/list", "resources", false},
    {"resources/templates/list", "resourceTemplates", false},
    {"prompts/list", "prompts", false},
    {"resources/read", NULL, false},
    {"server/discover", NULL, false},
};

static int cached_index(const char *method)
{
    for (unsigned i = 0; i < ARRAY_SIZE(cached); i++)
        if (strcmp(cached[i].method, method) == 0)
            return (int)i;
    return -1;
}

enum bridge_outcome bridge_outcome(const struct bridge *bridge, const char *method,
                                   const struct json *json, const struct json_node *result)
{
    const struct json_node *type = json_get(json, result, "resultType");
    bool call = strcmp(method, "tools/call") == 0;
    const struct json_node *state;

    if (!bridge_modern_server(bridge) || type == NULL || json_is(json, type, "complete"))
        return BRIDGE_COMPLETE;
    if (json_is(json, type, "task"))
        return call ? BRIDGE_TASK : BRIDGE_INVALID;
    if (!json_is(json, type, "input_required") ||
        (!call && strcmp(method, "prompts/get") != 0 && strcmp(method, "resources/read") != 0))
        return BRIDGE_INVALID;
    state = json_get(json, result, "requestState");
    if (is_object(json_get(json, result, "inputRequests")) ||
        (state != NULL && state->type == JSON_T_STRING))
        return BRIDGE_INPUT_REQUIRED;
    return BRIDGE_INVALID;
}

/* ---- content ---------------------------------------------------------------------------- */

static void put_note(struct strbuf *out, const struct json *json, const struct json_node *block,
                     const struct json_node *type)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const char *uri = json_text(&arena, json, json_get(json, block, "uri"));
    const char *name = json_text(&arena, json, json_get(json, block, "name"));
    const char *mime = json_text(&arena, json, json_get(json, block, "mimeType"));

    if (uri != NULL)
        put_text_block(out,
                       arena_printf(&arena, "%s%s%s", name ? name : "", name ? ": " : "", uri));
    else
        put_text_block(out, arena_printf(&arena, "[%s%s%s, which this client cannot take]",
                                         json_text(&arena, json, type), mime ? " " : "",
                                         mime ? mime : ""));
}

/* Whether callers of that revision take content of the type. */
static bool takes_block(enum mcp_version caller, const struct json *json,
                        const struct json_node *type)
{
    if (json_is(json, type, "text") || json_is(json, type, "image") ||
        json_is(json, type, "resource"))
        return true;
    if (json_is(json, type, "audio"))
        return caller >= MCP_2025_03_26;
    return json_is(json, type, "resource_link") && caller >= MCP_2025_06_18;
}

static void put_block(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                      const struct json_node *block)
{
    const struct json_node *type;

    if (!bridge_modern_caller(bridge)) {
        type = json_get(json, block, "type");
        if (type != NULL && type->type == JSON_T_STRING &&
            !takes_block(bridge->caller, json, type)) {
            put_note(out, json, block, type);
            return;
        }
    }
    json_put_node(out, json, block);
}

/* extra_text: a further block at the end, NULL none. */
static void put_content(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                        const struct json_node *content, const char *extra_text)
{
    put_key(out, "content");
    strbuf_char(out, '[');
    FOR_ITEMS(block, content)
    {
        put_comma(out);
        put_block(out, bridge, json, block);
    }
    if (extra_text != NULL) {
        put_comma(out);
        put_text_block(out, extra_text);
    }
    strbuf_char(out, ']');
}

static bool has_text(const struct json *json, const struct json_node *content)
{
    FOR_ITEMS(block, content)
    if (json_is(json, json_get(json, block, "type"), "text"))
        return true;
    return false;
}

static void put_message(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                        const struct json_node *message)
{
    strbuf_char(out, '{');
    FOR_MEMBERS(key, message)
    {
        if (!json_is(json, key, "content") || !is_object(json_next(key))) {
            put_member(out, json, key);
        } else {
            put_key(out, "content");
            put_block(out, bridge, json, json_next(key));
        }
    }
    strbuf_char(out, '}');
}

static void put_messages(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                         const struct json_node *messages)
{
    put_key(out, "messages");
    strbuf_char(out, '[');
    FOR_ITEMS(message, messages)
    {
        put_comma(out);
        put_message(out, bridge, json, message);
    }
    strbuf_char(out, ']');
}

/* ---- structured content ------------------------------------------------------------------- */

/* What older callers cannot be given as it is goes into a text as well. */
static void put_call_content(struct strbuf *out, const struct bridge *bridge,
                             const struct json *json, const struct json_node *result)
{
    const struct json_node *content = json_get(json, result, "content");
    const struct json_node *structured = json_get(json, result, "structuredContent");
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    bool lost = structured != NULL && !bridge_modern_caller(bridge) &&
                (bridge->caller < MCP_2025_06_18 || !is_object(structured)) &&
                !has_text(json, content);

    if (lost)
        json_put_node(&text, json, structured);
    put_content(out, bridge, json, content, lost ? strbuf_cstr(&text) : NULL);
}

static void put_structured(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                           const struct json_node *key, bool wrapped)
{
    if (bridge->caller < MCP_2025_06_18)
        return;
    if (bridge_modern_caller(bridge) || (is_object(json_next(key)) && !wrapped)) {
        put_member(out, json, key);
        return;
    }
    put_key(out, "structuredContent");
    strbuf_str(out, "{\"result\":");
    json_put_node(out, json, json_next(key));
    strbuf_char(out, '}');
}

/* ---- lists -------------------------------------------------------------------------------- */

static void put_list(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *key, bool tools)
{
    CLEANUP(strbuf_done) struct strbuf item_text = STRBUF_INIT;

    put_comma(out);
    json_put_node(out, json, key);
    strbuf_str(out, ":[");
    FOR_ITEMS(item, json_next(key))
    {
        strbuf_clear(&item_text);
        if (!tools)
            bridge_put_item(&item_text, bridge, json, item);
        else if (!bridge_put_tool(&item_text, bridge, json, item, NULL))
            continue;
        put_comma(out);
        strbuf_add(out, item_text.data, item_text.len);
    }
    strbuf_char(out, ']');
}

/* ---- results ------------------------------------------------------------------------------ */

/* _meta without the server's label, with ours for modern callers. */
static void put_meta(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *result)
{
    bool label = bridge_modern_caller(bridge) && bridge->server_info != NULL;
    const struct json_node *meta = json_get(json, result, "_meta");
    size_t before = out->len;

    put_key(out, "_meta");
    put_without(out, json, meta, WORDS(MCP_META_SERVER));
    if (out->data[out->len - 2] == '{' && !label) { /* nothing to say */
        out->len = before;
        out->data[before] = '\0';
        return;
    }
    out->data[--out->len] = '\0';
    if (label) {
        put_key(out, MCP_META_SERVER);
        strbuf_str(out, bridge->server_info);
    }
    strbuf_char(out, '}');
}

static void put_hints(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                      const struct json_node *result)
{
    const struct json_node *scope = json_get(json, result, "cacheScope");
    int64_t ttl_ms;

    if (!bridge_modern_server(bridge) ||
        !json_int(json, json_get(json, result, "ttlMs"), &ttl_ms) || ttl_ms < 0 ||
        (!json_is(json, scope, "public") && !json_is(json, scope, "private"))) {
        strbuf_printf(out, ",\"ttlMs\":%lld,\"cacheScope\":\"%s\"", (long long)bridge->ttl_ms,
                      bridge->is_public ? "public" : "private");
        return;
    }
    strbuf_printf(out, ",\"ttlMs\":%lld,\"cacheScope\":", (long long)ttl_ms);
    json_put_node(out, json, scope);
}

/* Members that every hop writes itself. */
static bool is_hops_own(const struct bridge *bridge, const struct json *json,
                        const struct json_node *key)
{
    if (json_is(json, key, "_meta"))
        return true;
    if (!bridge_modern_server(bridge) && !bridge_modern_caller(bridge))
        return false;
    return key_in(json, key, WORDS("resultType", "ttlMs", "cacheScope"));
}

static void put_modern(struct strbuf *out, const struct bridge *bridge, bool cacheable,
                       const struct json *json, const struct json_node *result)
{
    const struct json_node *type = json_get(json, result, "resultType");
    bool complete =
        !bridge_modern_server(bridge) || type == NULL || json_is(json, type, "complete");

    put_key(out, "resultType");
    if (complete)
        strbuf_str(out, "\"complete\"");
    else
        json_put_node(out, json, type);
    if (complete && cacheable)
        put_hints(out, bridge, json, result);
}

/* What a method's results have that is not passed on as it is. */
struct form {
    const char *list; /* the member with items of a list, NULL none */
    bool call, prompt, cacheable, tools;
};

static struct form form_of(const char *method)
{
    struct form form = {.call = strcmp(method, "tools/call") == 0};
    int index = form.call ? -1 : cached_index(method);

    form.prompt = !form.call && strcmp(method, "prompts/get") == 0;
    if (index >= 0) {
        form.cacheable = true;
        form.list = cached[index].list;
        form.tools = cached[index].tools;
    }
    return form;
}

static bool put_special(struct strbuf *out, const struct bridge *bridge, const struct form *form,
                        const struct json *json, const struct json_node *result,
                        const struct json_node *key)
{
    if (form->list != NULL && json_is(json, key, form->list)) {
        put_list(out, bridge, json, key, form->tools);
        return true;
    }
    if (form->call && json_is(json, key, "content")) {
        if (bridge_modern_caller(bridge) && is_array(json_next(key)))
            put_member(out, json, key);
        else
            put_call_content(out, bridge, json, result);
        return true;
    }
    if (form->prompt && json_is(json, key, "messages")) {
        put_messages(out, bridge, json, json_next(key));
        return true;
    }
    return false;
}

void bridge_put_result(struct strbuf *out, const struct bridge *bridge, const char *method,
                       const struct json *json, const struct json_node *result,
                       const struct bridge_extra *extra)
{
    const struct form form = form_of(method);
    bool asks = bridge_outcome(bridge, method, json, result) == BRIDGE_INPUT_REQUIRED;

    strbuf_char(out, '{');
    FOR_MEMBERS(key, result)
    {
        if (is_hops_own(bridge, json, key) || (asks && json_is(json, key, "requestState")))
            continue;
        if (form.call && json_is(json, key, "structuredContent"))
            put_structured(out, bridge, json, key, extra != NULL && extra->wrapped);
        else if (!put_special(out, bridge, &form, json, result, key))
            put_member(out, json, key);
    }
    if (asks && extra != NULL && extra->state != NULL)
        mcp_put_member(out, "requestState", extra->state);
    if (bridge_modern_caller(bridge))
        put_modern(out, bridge, form.cacheable, json, result);
    put_meta(out, bridge, json, result);
    strbuf_char(out, '}');
}
