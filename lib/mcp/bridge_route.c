/* SPDX-License-Identifier: Apache-2.0 */
/* Which way methods take, and what goes with requests: params, capabilities,
 * labels. */
#include "mcp/bridge.h"

#include "mcp/bridge_put.h"

#include <string.h>

#define TASKS_EXTENSION "io.modelcontextprotocol/tasks"

/* Routes by caller and server: legacy-legacy, legacy-modern, modern-legacy,
 * modern-modern (the caller first). */
static const struct {
    const char *method;
    enum bridge_route routes[4];
} methods[] = {
    {"initialize", {BRIDGE_OWN, BRIDGE_OWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"ping", {BRIDGE_OWN, BRIDGE_OWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"server/discover", {BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_OWN, BRIDGE_OWN}},
    {"tools/list", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"tools/call", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"resources/list", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"resources/templates/list", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"resources/read", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"prompts/list", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"prompts/get", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"completion/complete", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"logging/setLevel", {BRIDGE_PASS, BRIDGE_LEVEL, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"resources/subscribe", {BRIDGE_PASS, BRIDGE_WATCH, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"resources/unsubscribe", {BRIDGE_PASS, BRIDGE_WATCH, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"subscriptions/listen", {BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_WATCH, BRIDGE_WATCH}},
    /* Tasks of 2025-11-25 and of the extension share names, but not their form. */
    {"tasks/get", {BRIDGE_PASS, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_PASS}},
    {"tasks/cancel", {BRIDGE_PASS, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_PASS}},
    {"tasks/update", {BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_PASS}},
    {"tasks/result", {BRIDGE_PASS, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"tasks/list", {BRIDGE_PASS, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
};

enum bridge_route bridge_route(const struct bridge *bridge, const char *method)
{
    unsigned pair =
        (bridge_modern_caller(bridge) ? 2U : 0U) + (bridge_modern_server(bridge) ? 1U : 0U);

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(methods[i].method, method) == 0)
            return methods[i].routes[pair];
    /* What we do not know may be an extension of the server. */
    return pair == 0 || pair == 3 ? BRIDGE_PASS : BRIDGE_UNKNOWN;
}

/* Tasks of 2025-11-25, between two who know them. */
static bool old_tasks(const struct bridge *bridge)
{
    return bridge->server == MCP_2025_11_25 && bridge->caller == MCP_2025_11_25;
}

void bridge_put_params(struct strbuf *out, const struct bridge *bridge, const char *method,
                       const struct json *json, const struct json_node *params)
{
    bool no_context = strcmp(method, "completion/complete") == 0 && bridge->server < MCP_2025_06_18;

    strbuf_char(out, '{');
    FOR_MEMBERS(key, params)
    {
        if (no_context && json_is(json, key, "context"))
            continue;
        if (!old_tasks(bridge) && json_is(json, key, "task"))
            continue;
        if (!bridge_modern_server(bridge) &&
            key_in(json, key, WORDS("inputResponses", "requestState")))
            continue;
        put_member(out, json, key);
    }
    strbuf_char(out, '}');
}

/* ---- capabilities ------------------------------------------------------------------- */

/* Extensions but for tasks, whose two forms do not meet. */
static void put_extensions(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                           const struct json_node *key)
{
    if (bridge_modern_caller(bridge) && bridge_modern_server(bridge)) {
        put_member(out, json, key);
        return;
    }
    put_key(out, "extensions");
    put_without(out, json, json_next(key), WORDS(TASKS_EXTENSION));
}

void bridge_put_client_capabilities(struct strbuf *out, const struct bridge *bridge,
                                    const struct json *json, const struct json_node *node)
{
    bool same_era = bridge_modern_caller(bridge) == bridge_modern_server(bridge);

    strbuf_char(out, '{');
    FOR_MEMBERS(key, node)
    {
        if (json_is(json, key, "tasks")) {
            if (old_tasks(bridge))
                put_member(out, json, key);
        } else if (json_is(json, key, "extensions")) {
            put_extensions(out, bridge, json, key);
        } else if (json_is(json, key, "roots") && !same_era) {
            /* Nobody would tell the server that they changed. */
            put_key(out, "roots");
            put_without(out, json, json_next(key), WORDS("listChanged"));
        } else {
            put_member(out, json, key);
        }
    }
    strbuf_char(out, '}');
}

void bridge_put_askable(struct strbuf *out, const struct json *json, const struct json_node *node)
{
    static const struct {
        const char *name, *parts[2];
    } known[] = {
        {"elicitation", {"form", "url"}}, {"roots", {NULL}}, {"sampling", {"context", "tools"}}};
    const char *comma = "";

    strbuf_char(out, '{');
    for (size_t i = 0; node != NULL && i < ARRAY_SIZE(known); i++) {
        const struct json_node *value = json_get(json, node, known[i].name);
        const char *const *parts = known[i].parts, *inner = "";

        if (value == NULL)
            continue;
        strbuf_printf(out, "%s\"%s\":{", comma, known[i].name);
        comma = ",";
        for (size_t j = 0; j < ARRAY_SIZE(known[i].parts) && value->type == JSON_T_OBJECT; j++)
            if (parts[j] != NULL && json_get(json, value, parts[j]) != NULL) {
                strbuf_printf(out, "%s\"%s\":{}", inner, parts[j]);
                inner = ",";
            }
        strbuf_char(out, '}');
    }
    strbuf_char(out, '}');
}

void bridge_put_server_capabilities(struct strbuf *out, const struct bridge *bridge,
                                    const struct json *json, const struct json_node *node)
{
    strbuf_char(out, '{');
    FOR_MEMBERS(key, node)
    {
        if (json_is(json, key, "tasks") && !old_tasks(bridge))
            continue;
        if (json_is(json, key, "completions") && bridge->caller < MCP_2025_03_26)
            continue;
        if (json_is(json, key, "extensions"))
            put_extensions(out, bridge, json, key);
        else
            put_member(out, json, key);
    }
    strbuf_char(out, '}');
}
