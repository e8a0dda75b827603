/* SPDX-License-Identifier: Apache-2.0 */
/* find-tool and call-tool. */
#include "search.h"

#include "audit.h"
#include "base/utf8.h"
#include "invoke.h"
#include "keylist.h"
#include "mcp_offers.h"
#include "mcp_reply.h"
#include "relay.h"

#include "mal/mcp_health/v1/mcp_health.api.h"

#include <string.h>

#define FIND "find-tool"
#define CALL "call-tool"
#define HINTS(read_only_, destructive_, idempotent_, open_world_)                                  \
    "{\"readOnlyHint\":" #read_only_ ",\"destructiveHint\":" #destructive_                         \
    ",\"idempotentHint\":" #idempotent_ ",\"openWorldHint\":" #open_world_ "}"

enum {
    LIMIT_DEFAULT = 5,
    LIMIT_MAX = 20,
    QUERY_MAX = 200,
    SERVERS_MAX = 500,
    PAGE = 100,
    PAGES_MAX = 5,
    RESULT_MAX = 512 * 1024,
};

/* ---- the two tools -------------------------------------------------------------- */

static const struct {
    const char *name, *title, *description, *input, *output, *annotations;
} searchers[] = {
    {FIND, "Find a tool",
     "Finds tools by what they do. Answers their names, descriptions and the schemas of their "
     "arguments, best match first; call one of them with " CALL ".",
     "{\"type\":\"object\",\"properties\":{"
     "\"query\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200,\"description\":\"Words "
     "of what the tool is to do; \\\"a phrase\\\", -without, prefix*, a OR b.\"},"
     "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20,\"default\":5,"
     "\"description\":\"How many tools to return.\"}},"
     "\"required\":[\"query\"],\"additionalProperties\":false}",
     "{\"type\":\"object\",\"properties\":{\"tools\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
     "\"description\":{\"type\":\"string\"},\"inputSchema\":{\"type\":\"object\"}},"
     "\"required\":[\"name\",\"inputSchema\"]}}},\"required\":[\"tools\"]}",
     HINTS(true, false, true, false)},
    {CALL, "Call a tool", "Calls a tool that " FIND " found, and returns its result.",
     "{\"type\":\"object\",\"properties\":{"
     "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,\"description\":\"Name of "
     "the tool.\"},"
     "\"arguments\":{\"type\":\"object\",\"description\":\"Its arguments, by its input "
     "schema.\"}},"
     "\"required\":[\"name\"],\"additionalProperties\":false}",
     NULL, HINTS(false, true, false, true)},
};

static void put_member(struct strbuf *out, const char *key, const char *json)
{
    strbuf_printf(out, ",\"%s\":", key);
    strbuf_str(out, json);
}

void search_list(struct mcp *m)
{
    const char *cursor;

    if (!mcp_cursor(m, &cursor))
        return;
    if (cursor != NULL && *cursor != '\0') {
        reply_error(m, MCP_INVALID_PARAMS, "params.cursor is no cursor of this list");
        return;
    }
    reply_begin(m, TTL_STABLE_MS);
    reply_key(m, "tools");
    for (size_t i = 0; i < ARRAY_SIZE(searchers); i++) {
        strbuf_str(&m->out, i > 0 ? ",{" : "[{");
        mcp_put_member(&m->out, "name", searchers[i].name);
        if (m->version >= MCP_2025_06_18)
            mcp_put_member(&m->out, "title", searchers[i].title);
        mcp_put_member(&m->out, "description", searchers[i].description);
        put_member(&m->out, "inputSchema", searchers[i].input);
        if (m->version >= MCP_2025_06_18 && searchers[i].output != NULL)
            put_member(&m->out, "outputSchema", searchers[i].output);
        if (m->version >= MCP_2025_03_26)
            put_member(&m->out, "annotations", searchers[i].annotations);
        strbuf_char(&m->out, '}');
    }
    strbuf_char(&m->out, ']');
    reply_end(m, NULL);
}

/* ---- find-tool ------------------------------------------------------------------------ */

/* One search by one caller. */
struct search {
    struct mcp *m;
    struct call call;
    McpHealth__FindToolsRequest request;
    int64_t limit;
    const struct offer *found[LIMIT_MAX];
    int64_t n;
};

static bool is_known(const struct search *search, const struct offer *offer)
{
    for (int64_t i = 0; i < search->n; i++)
        if (search->found[i] == offer)
            return true;
    return false;
}

/* Whatever is found: the caller sees what it may call only. */
static void take_hits(struct search *search, const McpHealth__FindToolsResponse *reply)
{
    for (size_t i = 0; i < reply->n_hits && search->n < search->limit; i++) {
        const struct offer *offer = offer_find(search->m, reply->hits[i]->shown);

        if (offer != NULL && !is_known(search, offer))
            search->found[search->n++] = offer;
    }
}

/* Page by page until enough of the hits are the caller's to call. */
static enum status look(struct search *search, bool any)
{
    McpHealth__FindToolsResponse *reply = NULL;

    search->request.any = any;
    search->request.offset = 0;
    for (int page = 0; page < PAGES_MAX && search->n < search->limit; page++) {
        TRY(mcp_health_find_tools_call(search->m->x->gw->bus, &search->call, &search->request, 0,
                                       &reply));
        take_hits(search, reply);
        if (reply->n_hits < PAGE)
            break;
        search->request.offset += PAGE;
    }
    return ST_OK;
}

/* Servers that a limited key may use; without any only the hub's own tools are left. */
static void limit_servers(struct search *search)
{
    struct exchange *x = search->m->x;
    const struct picture *picture = exchange_picture(x);
    const char **ids;

    if (x->who.n_servers == 0 || principal_may_use(&x->who, "*"))
        return;
    ids = arena_alloc(x->arena, (picture->n + 1) * sizeof(*ids));
    for (size_t i = 0; i < picture->n && search->request.n_servers + 1 < SERVERS_MAX; i++)
        if (principal_may_use(&x->who, picture->servers[i].config->id))
            ids[search->request.n_servers++] = picture->servers[i].config->id;
    if (search->request.n_servers == 0)
        ids[search->request.n_servers++] = "-";
    search->request.servers = ids;
}

static enum status run(struct search *search, const char *query)
{
    struct exchange *x = search->m->x;

    exchange_call(x, &search->call, &mcp_health_find_tools_rpc);
    TRY(exchange_admit(x, &search->call));
    mcp_health__find_tools_request__init(&search->request);
    search->request.query = query;
    search->request.limit = PAGE;
    if (x->virtual != NULL) {
        search->request.virtual_id = x->virtual->config->id;
    } else {
        search->request.hub = true;
        limit_servers(search);
    }
    TRY(look(search, false));
    /* Models write sentences: then one of the words has to do. */
    return search->n > 0 ? ST_OK : look(search, true);
}

/* A found tool as the caller's revision is shown it, without what a call needs not. */
static void put_found(struct mcp *m, struct strbuf *out, const struct offer *offer)
{
    CLEANUP(strbuf_done) struct strbuf whole = STRBUF_INIT;
    static const char *const keys[] = {"title", "description", "inputSchema", "annotations"};
    const struct json_limits limits = {.depth = 128, .loose = true};
    struct json json;

    if (!toolset_put(&whole, offer, m->version) ||
        json_parse(m->x->arena, whole.data, whole.len, &limits, &json, NULL) != ST_OK)
        return;
    strbuf_str(out, out->data[out->len - 1] == '[' ? "{" : ",{");
    mcp_put_member(out, "name", offer->name);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct json_node *node = json_get(&json, json.nodes, keys[i]);

        if (node == NULL)
            continue;
        strbuf_printf(out, ",\"%s\":", keys[i]);
        json_put_node(out, &json, node);
    }
    strbuf_char(out, '}');
}

static void put_result(struct search *search)
{
    CLEANUP(strbuf_done) struct strbuf json = STRBUF_INIT;
    struct mcp *m = search->m;

    strbuf_str(&json, "{\"tools\":[");
    for (int64_t i = 0; i < search->n && json.len < RESULT_MAX; i++)
        put_found(m, &json, search->found[i]);
    strbuf_str(&json, "]}");
    reply_begin(m, TTL_NONE);
    reply_key(m, "content");
    strbuf_str(&m->out, "[{\"type\":\"text\",\"text\":");
    json_put_string_n(&m->out, json.data, json.len);
    strbuf_str(&m->out, "}]");
    if (m->version >= MCP_2025_06_18) {
        reply_key(m, "structuredContent");
        strbuf_add(&m->out, json.data, json.len);
    }
    reply_key(m, "isError");
    strbuf_str(&m->out, "false");
    reply_end(m, NULL);
}

/* Members of arguments other than these are refused, as the schemas say. */
static void check_members(struct mcp *m, struct call *call, const struct json_node *arguments,
                          const char *first, const char *second)
{
    const struct json_node *end = arguments + arguments->span;

    for (const struct json_node *key = json_first(arguments); key < end;
         key = json_next(json_next(key)))
        if (!json_is(m->msg.json, key, first) && !json_is(m->msg.json, key, second))
            call_field(call, json_text(m->x->arena, m->msg.json, key), "is not known here");
}

static enum status read_find(struct search *search, const struct json_node *arguments,
                             const char **ret_query)
{
    struct mcp *m = search->m;
    const struct json_node *limit = json_get(m->msg.json, arguments, "limit");

    *ret_query = json_text(m->x->arena, m->msg.json, json_get(m->msg.json, arguments, "query"));
    if (*ret_query == NULL || **ret_query == '\0' ||
        utf8_length(*ret_query, strlen(*ret_query)) > QUERY_MAX)
        call_field(&search->call, "query", "must be a text of 1 to %d characters", QUERY_MAX);
    search->limit = LIMIT_DEFAULT;
    if (limit != NULL && limit->type != JSON_T_NULL &&
        (!json_int(m->msg.json, limit, &search->limit) || search->limit < 1 ||
         search->limit > LIMIT_MAX))
        call_field(&search->call, "limit", "must be a whole number from 1 to %d", LIMIT_MAX);
    check_members(m, &search->call, arguments, "query", "limit");
    return call_invalid(&search->call);
}

static void find(struct mcp *m, const struct json_node *arguments)
{
    struct search search = {.m = m};
    const char *query;
    enum status status;

    exchange_call(m->x, &search.call, &mcp_health_find_tools_rpc);
    status = read_find(&search, arguments, &query);
    if (status == ST_OK)
        status = run(&search, query);
    audit_named(m->x, FIND, status);
    if (status == ST_OK)
        put_result(&search);
    else
        reply_failure(m, &search.call.error, FIND);
}

/* ---- call-tool --------------------------------------------------------------------------- */

/* The message as if the tool itself had been called; what else is in params stays. */
static bool unwrap(struct mcp *m, const char *name, const struct json_node *arguments)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json_node *params = m->msg.params, *end = params + params->span;
    struct json *json = arena_alloc(m->x->arena, sizeof(*json));
    struct mcp_message msg;

    strbuf_reserve(&out, 1024);
    strbuf_str(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    json_put_node(&out, m->msg.json, m->msg.id);
    strbuf_str(&out, ",\"method\":\"tools/call\",\"params\":{");
    mcp_put_member(&out, "name", name);
    strbuf_str(&out, ",\"arguments\":");
    if (arguments != NULL)
        json_put_node(&out, m->msg.json, arguments);
    else
        strbuf_str(&out, "{}");
    for (const struct json_node *key = json_first(params); key < end;
         key = json_next(json_next(key))) {
        if (json_is(m->msg.json, key, "name") || json_is(m->msg.json, key, "arguments"))
            continue;
        strbuf_char(&out, ',');
        json_put_node(&out, m->msg.json, key);
        strbuf_char(&out, ':');
        json_put_node(&out, m->msg.json, json_next(key));
    }
    strbuf_str(&out, "}}");
    if (json_parse(m->x->arena, arena_memdup(m->x->arena, out.data, out.len), out.len,
                   &(struct json_limits){.loose = true}, json, NULL) != ST_OK ||
        mcp_message_parse(m->x->arena, json, json->nodes, &msg, NULL) != ST_OK)
        return false;
    m->msg = msg;
    return true;
}

static void call(struct mcp *m, const struct json_node *arguments)
{
    const struct json_node *inner = json_get(m->msg.json, arguments, "arguments");
    const char *name =
        json_text(m->x->arena, m->msg.json, json_get(m->msg.json, arguments, "name"));
    struct call check;

    exchange_call(m->x, &check, NULL);
    if (name == NULL || *name == '\0')
        call_field(&check, "name", "must be the name of a tool");
    if (inner != NULL && inner->type != JSON_T_OBJECT)
        call_field(&check, "arguments", "must be an object");
    check_members(m, &check, arguments, "name", "arguments");
    if (call_invalid(&check) != ST_OK) {
        reply_failure(m, &check.error, CALL);
        return;
    }
    if (!unwrap(m, name, inner)) {
        reply_error(m, MCP_INTERNAL_ERROR, "the call could not be read again");
        return;
    }
    /* The caller's headers are those of call-tool. */
    m->unmirrored = true;
    mcp_tools_call_named(m, name);
}

bool search_call(struct mcp *m, const char *name)
{
    const struct json_node *arguments = json_get(m->msg.json, m->msg.params, "arguments");
    static const struct json_node none = {.type = JSON_T_OBJECT, .span = 1};
    bool is_find = strcmp(name, FIND) == 0;

    if (!is_find && strcmp(name, CALL) != 0)
        return false;
    if (arguments == NULL)
        arguments = &none;
    if (is_find)
        find(m, arguments);
    else
        call(m, arguments);
    return true;
}
