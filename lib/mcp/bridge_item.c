/* SPDX-License-Identifier: Apache-2.0 */
/* Items of lists, and the schemas of tools. */
#include "mcp/bridge.h"

#include "mcp/bridge_put.h"

#include <string.h>

/* What is done to a schema on its way. */
struct schema_rules {
    bool strip_headers; /* x-mcp-header goes */
    bool no_booleans;   /* a property true or false becomes {} or {"not":{}} */
    bool deeper;        /* it now lies below #/properties/result */
};

static void put_schema(struct strbuf *out, const struct json *json, const struct json_node *node,
                       const struct schema_rules *rules);

static bool has_pointer(const struct json *json, const struct json_node *node)
{
    const char *text = json->text + node->start;

    return node->type == JSON_T_STRING && node->len > 0 && text[0] == '#' &&
           (node->len == 1 || text[1] == '/');
}

/* "#/$defs/x" of a schema that was moved. */
static void put_pointer(struct strbuf *out, const struct json *json, const struct json_node *node)
{
    strbuf_str(out, "\"#/properties/result");
    strbuf_add(out, json->text + node->start + 1, node->len - 1);
    strbuf_char(out, '"');
}

/* Properties by name: each value is a schema. */
static void put_properties(struct strbuf *out, const struct json *json,
                           const struct json_node *object, const struct schema_rules *rules)
{
    strbuf_char(out, '{');
    FOR_MEMBERS(key, object)
    {
        const struct json_node *value = json_next(key);

        put_comma(out);
        json_put_node(out, json, key);
        strbuf_char(out, ':');
        if (rules->no_booleans && value->type == JSON_T_TRUE)
            strbuf_str(out, "{}");
        else if (rules->no_booleans && value->type == JSON_T_FALSE)
            strbuf_str(out, "{\"not\":{}}");
        else
            put_schema(out, json, value, rules);
    }
    strbuf_char(out, '}');
}

/* Keywords whose values are data, not schemas. */
static bool is_data(const struct json *json, const struct json_node *key)
{
    return key_in(json, key, WORDS("enum", "const", "default", "examples"));
}

static void put_keyword(struct strbuf *out, const struct json *json, const struct json_node *key,
                        const struct schema_rules *rules)
{
    const struct json_node *value = json_next(key);

    if (rules->strip_headers && json_is(json, key, "x-mcp-header"))
        return;
    put_comma(out);
    json_put_node(out, json, key);
    strbuf_char(out, ':');
    if (is_data(json, key))
        json_put_node(out, json, value);
    else if (rules->deeper && key_in(json, key, WORDS("$ref", "$dynamicRef")) &&
             has_pointer(json, value))
        put_pointer(out, json, value);
    else if (json_is(json, key, "properties") && is_object(value))
        put_properties(out, json, value, rules);
    else
        put_schema(out, json, value, rules);
}

/* Any value within a schema. Recursion is bounded by the depth that the parser
 * takes. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void put_schema(struct strbuf *out, const struct json *json, const struct json_node *node,
                       const struct schema_rules *rules)
{
    if (is_object(node)) {
        strbuf_char(out, '{');
        FOR_MEMBERS(key, node)
        put_keyword(out, json, key, rules);
        strbuf_char(out, '}');
    } else if (is_array(node)) {
        strbuf_char(out, '[');
        FOR_ITEMS(item, node)
        {
            put_comma(out);
            put_schema(out, json, item, rules);
        }
        strbuf_char(out, ']');
    } else {
        json_put_node(out, json, node);
    }
}

/* ---- tools ------------------------------------------------------------------------------ */

static bool is_object_schema(const struct json *json, const struct json_node *schema)
{
    return is_object(schema) && json_is(json, json_get(json, schema, "type"), "object");
}

/* The arguments' schema must be an object's; one that does not say so is helped. */
static bool can_repair(const struct json *json, const struct json_node *schema)
{
    return is_object_schema(json, schema) ||
           (is_object(schema) && json_get(json, schema, "type") == NULL);
}

static void put_input_schema(struct strbuf *out, const struct bridge *bridge,
                             const struct json *json, const struct json_node *schema)
{
    const struct schema_rules rules = {.strip_headers = bridge->strip_headers,
                                       .no_booleans = !bridge_modern_caller(bridge)};

    put_key(out, "inputSchema");
    if (is_object_schema(json, schema)) {
        put_schema(out, json, schema, &rules);
        return;
    }
    strbuf_str(out, "{\"type\":\"object\"");
    FOR_MEMBERS(key, schema)
    put_keyword(out, json, key, &rules);
    strbuf_char(out, '}');
}

static bool wraps(const struct bridge *bridge, const struct json *json,
                  const struct json_node *schema)
{
    return schema != NULL && !bridge_modern_caller(bridge) && bridge->caller >= MCP_2025_06_18 &&
           !is_object_schema(json, schema);
}

static void put_output_schema(struct strbuf *out, const struct bridge *bridge,
                              const struct json *json, const struct json_node *schema)
{
    struct schema_rules rules = {.no_booleans = !bridge_modern_caller(bridge)};

    if (bridge->caller < MCP_2025_06_18)
        return;
    put_key(out, "outputSchema");
    if (!wraps(bridge, json, schema)) {
        put_schema(out, json, schema, &rules);
        return;
    }
    /* Within an $id of its own a pointer still finds its way. */
    rules.deeper = json_get(json, schema, "$id") == NULL;
    strbuf_str(out, "{\"type\":\"object\",\"properties\":{\"result\":");
    put_schema(out, json, schema, &rules);
    strbuf_str(out, "},\"required\":[\"result\"]}");
}

/* Members that a revision does not have. */
static bool is_unknown(const struct bridge *bridge, const struct json *json,
                       const struct json_node *key)
{
    enum mcp_version caller = bridge->caller;

    return (caller < MCP_2025_03_26 && json_is(json, key, "annotations")) ||
           (caller < MCP_2025_06_18 && key_in(json, key, WORDS("title", "_meta"))) ||
           (caller < MCP_2025_11_25 && json_is(json, key, "icons")) ||
           (caller != MCP_2025_11_25 && json_is(json, key, "execution"));
}

bool bridge_put_tool(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *tool, bool *ret_wrapped)
{
    const struct json_node *input = json_get(json, tool, "inputSchema");
    const struct json_node *support = json_path(json, tool, "execution", "taskSupport", NULL);
    bool as_task_only = json_is(json, support, "required");

    if (!can_repair(json, input) ||
        (as_task_only && !bridge->tasks && bridge->caller != MCP_2025_11_25))
        return false;
    strbuf_char(out, '{');
    FOR_MEMBERS(key, tool)
    {
        if (is_unknown(bridge, json, key))
            continue;
        if (json_is(json, key, "inputSchema"))
            put_input_schema(out, bridge, json, json_next(key));
        else if (json_is(json, key, "outputSchema"))
            put_output_schema(out, bridge, json, json_next(key));
        else
            put_member(out, json, key);
    }
    strbuf_char(out, '}');
    if (ret_wrapped != NULL)
        *ret_wrapped = wraps(bridge, json, json_get(json, tool, "outputSchema"));
    return true;
}

void bridge_put_item(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *item)
{
    strbuf_char(out, '{');
    FOR_MEMBERS(key, item)
    if (json_is(json, key, "annotations") || !is_unknown(bridge, json, key))
        put_member(out, json, key);
    strbuf_char(out, '}');
}

void bridge_put_implementation(struct strbuf *out, const struct bridge *bridge,
                               const struct json *json, const struct json_node *node)
{
    if (bridge->caller < MCP_2025_06_18)
        put_without(out, json, node, WORDS("title", "description", "icons", "websiteUrl"));
    else if (bridge->caller < MCP_2025_11_25)
        put_without(out, json, node, WORDS("description", "icons", "websiteUrl"));
    else
        json_put_node(out, json, node);
}
