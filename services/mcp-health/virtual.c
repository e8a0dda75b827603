/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual servers: chosen tools of chosen servers under one name. */
#include "health.h"

#include "packages.h"
#include "server.sql.h"
#include "virtual.h"
#include "virtual.sql.h"

#include <stdlib.h>

enum { TOKEN_BYTES = 4, DEFINITION_DEPTH = 128, SERVERS_MAX = 200 };

/* ---- what a list of the tools takes ----------------------------------------- */

/* A tool of the hub itself as clients of the newest revision are shown it. */
static const char *own_definition(struct call *call, const struct rpc *rpc)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_str(&out, "{\"name\":");
    json_put_string(&out, rpc->tool_name);
    strbuf_str(&out, ",\"title\":");
    json_put_string(&out, rpc->title);
    strbuf_str(&out, ",\"description\":");
    json_put_string(&out, rpc->description);
    strbuf_printf(&out,
                  ",\"inputSchema\":%s,\"outputSchema\":%s,\"annotations\":{\"readOnlyHint\":%s,"
                  "\"destructiveHint\":%s,\"idempotentHint\":%s,\"openWorldHint\":%s}}",
                  rpc->input_schema, rpc->output_schema, rpc->read_only ? "true" : "false",
                  rpc->destructive ? "true" : "false", rpc->idempotent ? "true" : "false",
                  rpc->open_world ? "true" : "false");
    return take_text(call, &out);
}

/* Bytes more when the member is shown with another value. */
static int64_t more_with(const struct json *json, const char *key, const char *value, bool is_json)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    const struct json_node *old = json_get(json, json->nodes, key);
    size_t len = 0;

    if (*value == '\0')
        return 0;
    if (is_json)
        strbuf_str(&text, value);
    else
        json_put_string(&text, value);
    if (!old)
        return (int64_t)(text.len + strlen(key) + strlen(",\"\":"));
    (void)json_raw(json, old, &len);
    return (int64_t)text.len - (int64_t)len;
}

/* What the tool takes in a list, with what is shown instead of its own. */
static int64_t tool_bytes(struct call *call, const char *definition,
                          const McpHealth__VirtualTool *tool)
{
    const struct json_limits limits = {.depth = DEFINITION_DEPTH, .loose = true};
    int64_t bytes = (int64_t)strlen(definition) + 1;
    struct json json;

    if (json_parse(call->arena, definition, strlen(definition), &limits, &json, NULL) != ST_OK)
        return bytes;
    return bytes + more_with(&json, "name", tool->name, false) +
           more_with(&json, "title", tool->title, false) +
           more_with(&json, "description", tool->description, false) +
           more_with(&json, "annotations", tool->annotations, true);
}

/* NOT_FOUND when the tool is not there now. */
static enum status definition_of(struct call *call, const McpHealth__VirtualTool *tool,
                                 const char **ret)
{
    const struct rpc *rpc;

    if (*tool->server)
        return pg_text(call, sql_virtual_tool, ret, "ss", tool->server, tool->tool);
    rpc = packages_tool(tool->tool);
    if (!rpc)
        return ST_NOT_FOUND;
    *ret = own_definition(call, rpc);
    return ST_OK;
}

enum status virtual_budget(struct call *call, McpHealth__Virtual *server, struct names *warnings)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < server->n_tools; i++) {
        const McpHealth__VirtualTool *tool = server->tools[i];
        const char *definition = NULL;
        enum status status = definition_of(call, tool, &definition);

        if (status == ST_NOT_FOUND && warnings)
            names_add(call, warnings,
                      arena_printf(call->arena, "Server '%s' has no tool '%s' now; it is left out.",
                                   tool->server, tool->tool));
        if (status == ST_NOT_FOUND)
            continue;
        TRY(status);
        bytes += tool_bytes(call, definition, tool);
    }
    server->token_budget = (int32_t)((bytes + TOKEN_BYTES - 1) / TOKEN_BYTES);
    return ST_OK;
}

/* ---- handlers ------------------------------------------------------------------ */

enum status mcp_health_list_virtual_servers(struct call *call,
                                            const McpHealth__ListVirtualServersRequest *req,
                                            McpHealth__ListVirtualServersResponse *rsp)
{
    TRY(pg_one(call, &rsp->base, sql_virtual_count, ""));
    TRY(pg_all(call, &rsp->base, "items", sql_virtual_list, "ii", req->limit, req->offset));
    for (size_t i = 0; i < rsp->n_items; i++)
        TRY(virtual_budget(call, rsp->items[i], NULL));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

static enum status find(struct call *call, const char *id, McpHealth__Virtual **ret)
{
    *ret = new_message(call, &mcp_health__virtual__descriptor);
    return fail_missing(call, pg_one(call, &(*ret)->base, sql_virtual_get, "s", id),
                        "Virtual server", id);
}

enum status mcp_health_get_virtual_server(struct call *call,
                                          const McpHealth__GetVirtualServerRequest *req,
                                          McpHealth__GetVirtualServerResponse *rsp)
{
    TRY(find(call, req->id, &rsp->server));
    return virtual_budget(call, rsp->server, NULL);
}

static const char *shown_name(const McpHealth__VirtualTool *tool)
{
    return *tool->name ? tool->name : tool->tool;
}

static bool name_fits(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    return len > 0 && len <= 64 && name[len] == '\0';
}

static enum status check(struct call *call, const McpHealth__PutVirtualServerRequest *req)
{
    const char *found;
    enum status status = pg_text(call, sql_server_exists, &found, "s", req->id);

    if (status == ST_OK)
        return call_fail(call, ST_ALREADY_EXISTS, "A registered MCP server has the id '%s'.",
                         req->id);
    if (status != ST_NOT_FOUND)
        return status;
    for (size_t i = 0; i < req->n_tools; i++) {
        const char *name = shown_name(req->tools[i]);

        if (!name_fits(name))
            call_field(call, arena_printf(call->arena, "tools[%zu].name", i),
                       "must be 1 to 64 letters, digits, _, . or -; '%s' is not: give another name",
                       name);
        if (*req->tools[i]->server == '\0' && !packages_tool(req->tools[i]->tool))
            call_field(call, arena_printf(call->arena, "tools[%zu].tool", i),
                       "the hub has no tool '%s'; a downstream one needs its server",
                       req->tools[i]->tool);
        for (size_t j = 0; j < i; j++)
            if (strcmp(shown_name(req->tools[j]), name) == 0)
                call_field(call, arena_printf(call->arena, "tools[%zu].name", i),
                           "'%s' is the name of tools[%zu] too", name, j);
    }
    return call_invalid(call);
}

static const char *tools_json(struct call *call, const McpHealth__PutVirtualServerRequest *req)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_char(&out, '[');
    for (size_t i = 0; i < req->n_tools; i++) {
        if (i)
            strbuf_char(&out, ',');
        wire_to_json(&out, wire_rule(req->tools[i]->base.descriptor), &req->tools[i]->base);
    }
    strbuf_char(&out, ']');
    return take_text(call, &out);
}

/* Gateways hold all of them. */
static enum status check_room(struct call *call, const char *id)
{
    const char *others;

    TRY(pg_text(call, sql_virtual_others, &others, "s", id));
    if (strtol(others, NULL, 10) < SERVERS_MAX)
        return ST_OK;
    call_hint(call, "DELETE /api/v1/virtual-servers/{id} of one that is not needed.");
    return call_fail(call, ST_RESOURCE_EXHAUSTED,
                     "There are %d virtual servers, as many as may be.", SERVERS_MAX);
}

enum status mcp_health_put_virtual_server(struct call *call,
                                          const McpHealth__PutVirtualServerRequest *req,
                                          McpHealth__PutVirtualServerResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names warnings = {0};
    const char *created;

    TRY(health_trusted(call));
    TRY(check(call, req));
    TRY(tx_begin(&tx, call));
    TRY(check_room(call, req->id));
    TRY(pg_text(call, sql_virtual_put, &created, "ssss", req->id, req->name, req->description,
                tools_json(call, req)));
    rsp->created = strcmp(created, "t") == 0;
    TRY(find(call, req->id, &rsp->server));
    TRY(virtual_budget(call, rsp->server, &warnings));
    TRY(pg_exec(call, sql_server_notify, NULL, ""));
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}

enum status mcp_health_delete_virtual_server(struct call *call,
                                             const McpHealth__DeleteVirtualServerRequest *req,
                                             McpHealth__DeleteVirtualServerResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    int rows = 0;

    TRY(health_trusted(call));
    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_virtual_delete, &rows, "s", req->id));
    if (rows == 0)
        return fail_missing(call, ST_NOT_FOUND, "Virtual server", req->id);
    TRY(pg_exec(call, sql_server_notify, NULL, ""));
    rsp->id = req->id;
    rsp->deleted = true;
    return tx_commit(&tx);
}
