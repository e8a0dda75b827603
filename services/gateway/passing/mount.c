/* SPDX-License-Identifier: Apache-2.0 */
/* What the hub answers itself at the endpoint of a downstream server: who it is,
 * and its lists. */
#include "mount.h"

#include "base/log.h"
#include "mcp/seal.h"
#include "mcp_reply.h"
#include "pass.h"
#include "streams.h"
#include "watching.h"

#include <string.h>

enum { CAPABILITIES_MAX = 8192 };

static const struct {
    const char *method, *member;
    char cursor;
    unsigned scope;
} lists[DEFINITION_KINDS] = {
    {"tools/list", "tools", 'T', SCOPE_EXECUTE},
    {"resources/list", "resources", 'R', SCOPE_READ},
    {"resources/templates/list", "resourceTemplates", 'U', SCOPE_READ},
    {"prompts/list", "prompts", 'P', SCOPE_READ},
};

/* ---- who it is ---------------------------------------------------------------------- */

static const McpHealth__Definitions none = MCP_HEALTH__DEFINITIONS__INIT;

/* From the server's revision, MCP_UNKNOWN = as last known, to the caller's. */
static struct bridge bridge_of(const struct mcp *m, enum mcp_version server)
{
    const struct definitions *definitions = m->x->mount->definitions;

    if (server == MCP_UNKNOWN && definitions != NULL)
        server = definitions->version;
    return (struct bridge){
        .server = server != MCP_UNKNOWN ? server : m->version,
        .caller = m->version,
        .server_info = SERVER_INFO,
    };
}

/* A child of many would show each of them the tasks of the others. */
static bool mount_has_tasks(const struct exchange *x)
{
    const struct server *server = x->mount;

    return server->upstream != NULL ||
           (server->config->policy != NULL && server->config->policy->per_caller) ||
           (server->definitions != NULL && server->definitions->version >= MCP_2026_07_28);
}

/* What the server can do, in the caller's words. */
static void put_capabilities(struct mcp *m)
{
    const struct definitions *definitions = m->x->mount->definitions;
    struct bridge bridge = bridge_of(m, MCP_UNKNOWN);
    const struct json *json = definitions != NULL ? &definitions->capabilities : NULL;

    if (!mount_has_tasks(m->x) && bridge.server > MCP_2025_06_18)
        bridge.server = MCP_2025_06_18; /* which knows no tasks */
    reply_key(m, "capabilities");
    if (json == NULL || json->n_nodes == 0)
        strbuf_str(&m->out, "{}");
    else if (bridge.server == bridge.caller)
        strbuf_str(&m->out, definitions->record->capabilities);
    else
        bridge_put_server_capabilities(&m->out, &bridge, json, json->nodes);
}

static const McpHealth__Definitions *known(const struct mcp *m)
{
    const struct server *server = m->x->mount;

    return server->definitions != NULL ? server->definitions->record : &none;
}

static void put_server_info(struct mcp *m)
{
    const char *text = known(m)->server_info;
    struct bridge bridge = bridge_of(m, MCP_UNKNOWN);
    struct json json;

    reply_key(m, "serverInfo");
    if (json_parse(m->x->arena, text, strlen(text), &(struct json_limits){.loose = true}, &json,
                   NULL) == ST_OK)
        bridge_put_implementation(&m->out, &bridge, &json, json.nodes);
    else
        strbuf_printf(&m->out, "{\"name\":\"%s\",\"version\":\"unknown\"}",
                      m->x->mount->config->id);
}

const char *mount_capabilities(struct mcp *m, const struct json_node *capabilities)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const char *raw;
    size_t len;

    raw = json_raw(m->msg.json, capabilities, &len);
    json_put_compact(&out, raw, len);
    if (out.len > CAPABILITIES_MAX)
        return NULL;
    return arena_memdup(m->x->arena, out.data, out.len);
}

void mount_initialized(struct mcp *m)
{
    const McpHealth__Definitions *record = known(m);

    reply_begin(m, TTL_NONE);
    mcp_put_member(&m->out, "protocolVersion", mcp_version_text(m->version));
    put_capabilities(m);
    put_server_info(m);
    if (*record->instructions != '\0')
        mcp_put_member(&m->out, "instructions", record->instructions);
    reply_end(m, NULL);
}

static void discover(struct mcp *m)
{
    const McpHealth__Definitions *record = known(m);

    reply_begin(m, TTL_STABLE_MS);
    reply_key(m, "supportedVersions");
    strbuf_str(&m->out, "[\"" MCP_MODERN_TEXT "\"]");
    put_capabilities(m);
    if (*record->instructions != '\0')
        mcp_put_member(&m->out, "instructions", record->instructions);
    reply_end(m, NULL);
}

/* ---- lists ------------------------------------------------------------------------------ */

static bool shown(const struct mcp *m, size_t kind, const struct definition *item)
{
    return kind != DEFINITION_TOOL || relay_exposed(m->x->mount, item->key);
}

/* Index from which the page starts; false when the cursor is none. */
static bool start(struct mcp *m, const struct definition_list *list, char kind, const char *cursor,
                  size_t *ret_index)
{
    const char *after;

    *ret_index = 0;
    if (cursor == NULL)
        return true;
    after = mcp_cursor_get(m->x->arena, kind, cursor);
    for (size_t i = 0; after != NULL && i < list->n; i++)
        if (strcmp(list->items[i].key, after) == 0) {
            *ret_index = i + 1;
            return true;
        }
    return after != NULL && *after == '\0';
}

/* False: it has no form that this caller understands. */
static bool put_item(struct mcp *m, const struct bridge *bridge, size_t kind,
                     const struct definition *item)
{
    if (bridge->server == bridge->caller)
        strbuf_add(&m->out, item->text, item->len);
    else if (kind == DEFINITION_TOOL)
        return bridge_put_tool(&m->out, bridge, item->json, item->node, NULL);
    else
        bridge_put_item(&m->out, bridge, item->json, item->node);
    return true;
}

static void put_page(struct mcp *m, size_t kind, const struct definition_list *list, size_t at)
{
    const struct bridge bridge = bridge_of(m, MCP_UNKNOWN);
    const struct definition *last = NULL;
    int64_t count = 0;
    size_t begin, before;

    reply_begin(m, TTL_STABLE_MS);
    reply_key(m, lists[kind].member);
    strbuf_char(&m->out, '[');
    begin = m->out.len;
    for (; at < list->n; at++) {
        const struct definition *item = &list->items[at];

        if (!shown(m, kind, item))
            continue;
        if (count++ == config.list_page)
            break;
        before = m->out.len;
        if (before > begin)
            strbuf_char(&m->out, ',');
        if (!put_item(m, &bridge, kind, item)) {
            m->out.len = before;
            m->out.data[before] = '\0';
        }
        last = item;
    }
    strbuf_char(&m->out, ']');
    if (at < list->n && last != NULL) {
        reply_key(m, "nextCursor");
        strbuf_char(&m->out, '"');
        mcp_cursor_put(&m->out, lists[kind].cursor, last->key);
        strbuf_char(&m->out, '"');
    }
    reply_end(m, NULL);
}

/* tools/list and its like, from the last known definitions; false: no such list. */
static bool answer_list(struct mcp *m)
{
    static const struct definition_list empty = {.n = 0};
    const struct definition_list *list = &empty;
    const char *cursor;
    size_t kind = 0, at;

    while (kind < DEFINITION_KINDS && strcmp(m->msg.method, lists[kind].method) != 0)
        kind++;
    if (kind == DEFINITION_KINDS)
        return false;
    if (!mcp_cursor(m, &cursor))
        return true;
    if (m->x->mount->definitions != NULL && (m->x->who.scopes & lists[kind].scope) != 0)
        list = &m->x->mount->definitions->lists[kind];
    if (start(m, list, lists[kind].cursor, cursor, &at))
        put_page(m, kind, list, at);
    else
        reply_error(m, MCP_INVALID_PARAMS, "params.cursor is no cursor of this list");
    return true;
}

static bool can_subscribe(const struct exchange *x)
{
    const struct definitions *definitions = x->mount->definitions;
    const struct json_node *node = NULL;

    if (definitions != NULL && definitions->capabilities.n_nodes > 0)
        node = json_path(&definitions->capabilities, definitions->capabilities.nodes, "resources",
                         "subscribe", NULL);
    return node != NULL && node->type == JSON_T_TRUE && (x->who.scopes & SCOPE_READ) != 0;
}

unsigned mount_tells(const struct exchange *x)
{
    static const char *const members[] = {"tools", "resources", "prompts"};
    static const unsigned kinds[] = {STREAM_TOOLS, STREAM_RESOURCES, STREAM_PROMPTS};
    const struct definitions *definitions = x->mount->definitions;
    unsigned told = 0;

    if (definitions == NULL)
        return STREAM_TOOLS | STREAM_RESOURCES | STREAM_PROMPTS; /* not known */
    for (size_t i = 0; definitions->capabilities.n_nodes > 0 && i < ARRAY_SIZE(members); i++) {
        const struct json_node *node =
            json_path(&definitions->capabilities, definitions->capabilities.nodes, members[i],
                      "listChanged", NULL);

        if (node != NULL && node->type == JSON_T_TRUE)
            told |= kinds[i];
    }
    return can_subscribe(x) ? told | STREAM_UPDATES : told;
}

/* The session's wish is kept, and every copy listens for those whose streams it
 * carries. An older server is asked as well, as it may refuse. */
static void subscribe(struct mcp *m, bool on)
{
    const struct definitions *definitions = m->x->mount->definitions;
    bool older = definitions != NULL && definitions->version < MCP_2026_07_28;
    bool shared = m->x->mount->upstream == NULL; /* with callers who may still want it */
    const char *uri = NULL;
    struct stream_wish wish = {.endpoint = m->x->endpoint,
                               .principal = m->x->who.id,
                               .capabilities = m->session->capabilities,
                               .uris = &uri,
                               .n_uris = 1};
    char owner[33];
    enum status status;

    if (!can_subscribe(m->x)) {
        reply_error(m, MCP_METHOD_NOT_FOUND, "this server tells no changes of resources");
        return;
    }
    if (!mcp_need(m, "uri", &uri))
        return;
    if (strlen(uri) > SESSION_URI_MAX) {
        reply_error(m, MCP_INVALID_PARAMS, "params.uri has more than %d bytes", SESSION_URI_MAX);
        return;
    }
    if (older && (on || !shared) && !pass_request(m, m->x->mount, NULL))
        return;
    status = sessions_subscribe(m->x->gw->sessions, m->x, m->session->hash, uri, on);
    if (status == ST_OK && on && sessions_owner(m->x->gw->sessions, m->session->hash, owner) &&
        strcmp(owner, m->x->gw->instance) == 0)
        watching_expect(m->x->gw->watching, &wish);
    reply_subscribed(m, status);
}

/* What the session hears of is cut to its level here as well, as others may share
 * its conversation with the server. */
static void pass(struct mcp *m)
{
    bool level_set = !m->modern && strcmp(m->msg.method, "logging/setLevel") == 0;
    const char *level;

    if (level_set) {
        if (mcp_param(m, "level", &level) != PARAM_TEXT || !mcp_log_level_valid(level)) {
            mcp_set_level(m); /* says what is wrong */
            return;
        }
        if (sessions_log_level(m->x->gw->sessions, m->x, m->session->hash, level) != ST_OK)
            log_debug("the level of a session could not be kept");
    }
    (void)pass_request(m, m->x->mount, NULL);
}

static void unknown(struct mcp *m)
{
    if (m->modern)
        m->http_status = 404;
    reply_error(m, MCP_METHOD_NOT_FOUND, "this method does not exist");
}

void mount_request(struct mcp *m)
{
    const struct bridge bridge = bridge_of(m, MCP_UNKNOWN);
    const char *method = m->msg.method;

    if (answer_list(m))
        return;
    if (!m->modern && strcmp(method, "resources/subscribe") == 0) {
        subscribe(m, true);
        return;
    }
    if (!m->modern && strcmp(method, "resources/unsubscribe") == 0) {
        subscribe(m, false);
        return;
    }
    if (strncmp(method, "tasks/", 6) == 0 && !mount_has_tasks(m->x)) {
        unknown(m);
        return;
    }
    switch (bridge_route(&bridge, method)) {
    case BRIDGE_UNKNOWN:
        unknown(m);
        break;
    case BRIDGE_OWN:
        if (m->modern)
            discover(m);
        else
            reply_empty(m);
        break;
    case BRIDGE_LEVEL:
        mcp_set_level(m);
        break;
    case BRIDGE_WATCH:
        mcp_listen(m);
        break;
    case BRIDGE_PASS:
        pass(m);
        break;
    }
}
