/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of servers, for one stream of one caller. */
#include "mcp/bridge.h"

#include "mcp/bridge_put.h"
#include "mcp/era.h"

#include <string.h>

/* What a notification needs, to be passed on. */
enum kind {
    PROGRESS, /* a token of the caller's for the exchange it is about */
    LOG,      /* a level that is wanted */
    CHANGE,   /* modern: an open subscription */
    OLD_ONLY, /* two of 2025-11-25 */
    NEW_ONLY, /* two of the modern era, and a subscription */
    NEVER,    /* the hop's own */
    SAME_ERA, /* anything else: an extension of the server */
};

static const struct {
    const char *method;
    enum kind kind;
} kinds[] = {
    {"notifications/progress", PROGRESS},
    {"notifications/message", LOG},
    {"notifications/tools/list_changed", CHANGE},
    {"notifications/prompts/list_changed", CHANGE},
    {"notifications/resources/list_changed", CHANGE},
    {"notifications/resources/updated", CHANGE},
    {"notifications/elicitation/complete", OLD_ONLY},
    {"notifications/tasks/status", OLD_ONLY},
    {"notifications/tasks", NEW_ONLY},
    {"notifications/cancelled", NEVER},
    {"notifications/subscriptions/acknowledged", NEVER},
};

static enum kind kind_of(const char *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].method, method) == 0)
            return kinds[i].kind;
    return SAME_ERA;
}

/* From low to high; -1 when it is none. */
static int level_rank(const struct json *json, const struct json_node *node, const char *text)
{
    static const char *const levels[] = {"debug", "info",     "notice", "warning",
                                         "error", "critical", "alert",  "emergency"};

    for (int i = 0; i < (int)ARRAY_SIZE(levels); i++)
        if (text != NULL ? strcmp(text, levels[i]) == 0 : json_is(json, node, levels[i]))
            return i;
    return -1;
}

static bool wants_log(const struct bridge *bridge, const struct json *json,
                      const struct json_node *params, const char *wanted)
{
    if (wanted == NULL)
        return !bridge_modern_caller(bridge);
    return level_rank(json, json_get(json, params, "level"), NULL) >=
           level_rank(NULL, NULL, wanted);
}

static bool is_wanted(const struct bridge *bridge, const char *method, const struct json *json,
                      const struct json_node *params, const struct bridge_listener *listener)
{
    bool both_new = bridge_modern_caller(bridge) && bridge_modern_server(bridge);

    switch (kind_of(method)) {
    case PROGRESS:
        return listener->own_progress && listener->token != NULL;
    case LOG:
        return wants_log(bridge, json, params, listener->log_level);
    case CHANGE:
        return !bridge_modern_caller(bridge) || listener->subscription != NULL;
    case OLD_ONLY:
        return bridge->caller == MCP_2025_11_25 && bridge->server == MCP_2025_11_25;
    case NEW_ONLY:
        return both_new && listener->subscription != NULL;
    case SAME_ERA:
        return bridge_modern_caller(bridge) == bridge_modern_server(bridge);
    case NEVER:
        break;
    }
    return false;
}

/* _meta with the caller's subscription in place of the server's. */
static void put_meta(struct strbuf *out, const struct json *json, const struct json_node *params,
                     const char *subscription)
{
    CLEANUP(strbuf_done) struct strbuf meta = STRBUF_INIT;

    put_without(&meta, json, json_get(json, params, "_meta"), WORDS(MCP_META_SUBSCRIPTION));
    if (meta.len == 2 && subscription == NULL)
        return;
    put_key(out, "_meta");
    strbuf_add(out, meta.data, meta.len - 1);
    if (subscription != NULL) {
        put_key(out, MCP_META_SUBSCRIPTION);
        strbuf_str(out, subscription);
    }
    strbuf_char(out, '}');
}

bool bridge_put_notification(struct strbuf *out, const struct bridge *bridge, const char *method,
                             const struct json *json, const struct json_node *params,
                             const struct bridge_listener *listener)
{
    enum kind kind = kind_of(method);
    bool subscribed = (kind == CHANGE || kind == NEW_ONLY) && bridge_modern_caller(bridge);

    if (!is_wanted(bridge, method, json, params, listener))
        return false;
    strbuf_str(out, "{\"jsonrpc\":\"2.0\",\"method\":");
    json_put_string(out, method);
    if (params != NULL || subscribed) {
        strbuf_str(out, ",\"params\":{");
        FOR_MEMBERS(key, params)
        {
            if (json_is(json, key, "_meta") ||
                (kind == PROGRESS && bridge->caller < MCP_2025_03_26 &&
                 json_is(json, key, "message")))
                continue;
            if (kind == PROGRESS && json_is(json, key, "progressToken")) {
                put_key(out, "progressToken");
                strbuf_add(out, listener->token, listener->token_len);
            } else {
                put_member(out, json, key);
            }
        }
        put_meta(out, json, params, subscribed ? listener->subscription : NULL);
        strbuf_char(out, '}');
    }
    strbuf_char(out, '}');
    return true;
}
