/* SPDX-License-Identifier: Apache-2.0 */
/* Pins: a tool is served as it was approved until somebody approves what the
 * server made of it since (MAL_PIN_TOOLS). */
#include "tool.h"

#include "listing.sql.h"
#include "names.sql.h"
#include "server.sql.h"
#include "tool.sql.h"

enum { DEFINITION_DEPTH = 128 };

/* One row; NULLs as in the table. */
struct pinned {
    const char *name, *approved, *offered;
};

static enum status parse(struct call *call, const char *text, struct json *json)
{
    struct error err = {0};

    return json_parse(call->arena, text, strlen(text),
                      &(struct json_limits){.depth = DEFINITION_DEPTH, .loose = true}, json, &err);
}

static const char *member_text(struct call *call, const struct json *json, const char *name)
{
    return json_text(call->arena, json, json_get(json, json->nodes, name));
}

/* ---- readings ------------------------------------------------------------- */

/* A reading on its way into the table. */
struct storing {
    struct call *call;
    const char *id;
    enum pin_rule rule;
    bool first;            /* nothing was read of this server before */
    struct pinned *before; /* what the table held */
    size_t n_before;
    struct names seen, added, changed, removed;
};

static const struct pinned *find(const struct storing *storing, const char *name)
{
    for (size_t i = 0; i < storing->n_before; i++)
        if (strcmp(storing->before[i].name, name) == 0)
            return &storing->before[i];
    return NULL;
}

static enum status read_pinned(struct call *call, const char *id, struct pinned **ret_all,
                               size_t *ret_n)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_tool_all, "s", id));
    *ret_n = (size_t)rows.n;
    *ret_all = arena_alloc(call->arena, ((size_t)rows.n + 1) * sizeof(**ret_all));
    for (int i = 0; i < rows.n; i++)
        (*ret_all)[i] = (struct pinned){.name = pg_cell(&rows, i, "name"),
                                        .approved = pg_cell(&rows, i, "approved"),
                                        .offered = pg_cell(&rows, i, "offered")};
    return ST_OK;
}

/* What is approved of a tool that is offered as text. */
static const char *approval(struct storing *storing, const char *name, const char *text)
{
    const struct pinned *before = find(storing, name);

    if (storing->first || (before && before->approved && strcmp(before->approved, text) == 0))
        return text;
    if (!before || !before->offered || strcmp(before->offered, text) != 0)
        names_add(storing->call, before ? &storing->changed : &storing->added, name);
    if (storing->rule != PIN_HOLD)
        return text;
    return before ? before->approved : NULL;
}

/* The text of the tool's name, NULL for what is no tool. */
static const char *tool_parts(struct call *call, const char *text, const char **ret_title,
                              const char **ret_description)
{
    struct json json;

    if (parse(call, text, &json) != ST_OK || json.nodes->type != JSON_T_OBJECT)
        return NULL;
    *ret_title = member_text(call, &json, "title");
    *ret_description = member_text(call, &json, "description");
    return member_text(call, &json, "name");
}

static enum status store_offered(struct storing *storing, const struct reading *reading)
{
    struct call *call = storing->call;

    for (size_t i = 0; i < reading->n_tools; i++) {
        const char *text = reading->tools[i], *title = NULL, *description = NULL;
        const char *name = tool_parts(call, text, &title, &description);

        if (!name || names_have(&storing->seen, name))
            continue;
        names_add(call, &storing->seen, name);
        TRY(pg_exec(call, sql_tool_put, NULL, "ssissss", storing->id, name, (int)i,
                    approval(storing, name, text), text, title, description));
    }
    return ST_OK;
}

/* A tool that is gone is not served; what was approved of it stays, so that it
 * does not come back changed. */
static enum status store_gone(struct storing *storing)
{
    struct call *call = storing->call;

    for (size_t i = 0; i < storing->n_before; i++) {
        const struct pinned *tool = &storing->before[i];

        if (names_have(&storing->seen, tool->name) || !tool->offered)
            continue;
        names_add(call, &storing->removed, tool->name);
        if (storing->rule == PIN_HOLD && tool->approved)
            TRY(pg_exec(call, sql_tool_put, NULL, "ssisnss", storing->id, tool->name, 0,
                        tool->approved, NULL, NULL));
        else
            TRY(pg_exec(call, sql_tool_drop, NULL, "ss", storing->id, tool->name));
    }
    return ST_OK;
}

static enum status tell_drift(struct tx *tx, const struct storing *storing)
{
    McpHealth__McpDrifted event = MCP_HEALTH__MCP_DRIFTED__INIT;

    if (storing->rule == PIN_OFF || storing->added.n + storing->changed.n + storing->removed.n == 0)
        return ST_OK;
    event.mcp_id = storing->id;
    event.n_added = storing->added.n;
    event.added = storing->added.items;
    event.n_changed = storing->changed.n;
    event.changed = storing->changed.items;
    event.n_removed = storing->removed.n;
    event.removed = storing->removed.items;
    event.held = storing->rule == PIN_HOLD;
    return event_add(tx, "mal.evt.mcp_health.mcp.drifted", &event.base);
}

enum status reading_store(struct tx *tx, const char *id, const struct reading *reading)
{
    struct call *call = tx->call;
    struct storing storing = {.call = call, .id = id};
    McpHealth__Policy policy = MCP_HEALTH__POLICY__INIT;
    const char *found;
    enum status status;

    TRY(pg_exec(call, sql_server_lock, NULL, "s", id));
    TRY(policy_read(call, id, &policy));
    storing.rule = pin_rule(&policy);
    status = pg_text(call, sql_listing_seen, &found, "s", id);
    if (status != ST_OK && status != ST_NOT_FOUND)
        return status;
    storing.first = status == ST_NOT_FOUND;
    TRY(read_pinned(call, id, &storing.before, &storing.n_before));
    TRY(store_offered(&storing, reading));
    TRY(store_gone(&storing));
    TRY(pg_exec(call, sql_listing_put, NULL, "ssssssss", id, reading->protocol_version,
                reading->server_info, reading->capabilities, reading->instructions,
                reading->resources, reading->resource_templates, reading->prompts));
    TRY(tell_drift(tx, &storing));
    return server_touch(call, id);
}

/* ---- what is served ---------------------------------------------------------- */

enum status tools_served(struct call *call, const char *id, enum pin_rule rule,
                         const char **ret_array)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct pinned *all;
    size_t n;

    TRY(read_pinned(call, id, &all, &n));
    strbuf_char(&out, '[');
    for (size_t i = 0; i < n; i++) {
        const char *text = rule == PIN_HOLD ? all[i].approved : all[i].offered;

        if (!text || !all[i].offered)
            continue;
        if (out.len > 1)
            strbuf_char(&out, ',');
        strbuf_str(&out, text);
    }
    strbuf_char(&out, ']');
    *ret_array = take_text(call, &out);
    return ST_OK;
}

static const char *member_json(struct call *call, const struct json *json, const char *name)
{
    const struct json_node *node = json_get(json, json->nodes, name);
    const char *text;
    size_t len;

    if (!node || node->type != JSON_T_OBJECT)
        return "";
    text = json_raw(json, node, &len);
    return arena_memdup(call->arena, text, len);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* What changed since the approval. */
static McpHealth__ToolBefore *before(struct call *call, const char *approved)
{
    McpHealth__ToolBefore *previous = new_message(call, &mcp_health__tool_before__descriptor);
    struct json json;

    if (parse(call, approved, &json) != ST_OK)
        return previous;
    previous->description = or_empty(member_text(call, &json, "description"));
    previous->input_schema = member_json(call, &json, "inputSchema");
    return previous;
}

static enum status describe(struct call *call, const struct pinned *pinned, bool exposed,
                            McpHealth__McpTool *tool)
{
    const char *text = or_empty(pinned->offered ? pinned->offered : pinned->approved);
    struct json json;

    TRY(parse(call, text, &json));
    tool->name = pinned->name;
    tool->title = or_empty(member_text(call, &json, "title"));
    tool->description = or_empty(member_text(call, &json, "description"));
    tool->input_schema = member_json(call, &json, "inputSchema");
    if (!*tool->input_schema)
        tool->input_schema = "{}";
    tool->output_schema = member_json(call, &json, "outputSchema");
    tool->annotations = member_json(call, &json, "annotations");
    tool->exposed = exposed;
    tool->schema_bytes = (int32_t)strlen(text);
    tool->pin = MCP_HEALTH__PIN_STATE__PIN_STATE_APPROVED;
    if (!pinned->approved)
        tool->pin = MCP_HEALTH__PIN_STATE__PIN_STATE_NEW;
    else if (pinned->offered && strcmp(pinned->approved, pinned->offered) != 0)
        tool->pin = MCP_HEALTH__PIN_STATE__PIN_STATE_CHANGED;
    if (tool->pin == MCP_HEALTH__PIN_STATE__PIN_STATE_CHANGED)
        tool->previous = before(call, pinned->approved);
    return ST_OK;
}

/* ---- handlers ------------------------------------------------------------------ */

struct facts {
    const char *listed_at;
    bool stale;
    McpHealth__Server *server; /* tools_exposed only */
};

static enum status read_facts(struct call *call, const char *id, struct facts *facts)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_tool_facts, "s", id));
    if (rows.n == 0)
        return fail_missing(call, ST_NOT_FOUND, "MCP server", id);
    facts->listed_at = pg_cell(&rows, 0, "listed_at");
    facts->stale = strcmp(pg_cell(&rows, 0, "stale"), "t") == 0;
    facts->server = new_message(call, &mcp_health__server__descriptor);
    return pg_one(call, &facts->server->base, sql_tool_exposed, "s", id);
}

static bool is_exposed(const McpHealth__Server *server, const char *name)
{
    for (size_t i = 0; i < server->n_tools_exposed; i++)
        if (strcmp(server->tools_exposed[i], name) == 0)
            return true;
    return server->n_tools_exposed == 0;
}

/* Which names the tools have in /mcp. */
static enum status add_names(struct call *call, const char *id, McpHealth__GetMcpToolsResponse *rsp)
{
    McpHealth__Names names = MCP_HEALTH__NAMES__INIT;

    TRY(pg_all(call, &names.base, "tools", sql_names_of, "s", id));
    for (size_t i = 0; i < names.n_tools; i++)
        for (size_t j = 0; j < rsp->n_items; j++)
            if (strcmp(rsp->items[j]->name, names.tools[i]->tool) == 0) {
                rsp->items[j]->shown_as = names.tools[i]->name;
                rsp->items[j]->n_aliases = names.tools[i]->n_aliases;
                rsp->items[j]->aliases = names.tools[i]->aliases;
            }
    return ST_OK;
}

enum status mcp_health_get_mcp_tools(struct call *call, const McpHealth__GetMcpToolsRequest *req,
                                     McpHealth__GetMcpToolsResponse *rsp)
{
    struct facts facts = {0};
    struct pinned *all = NULL;
    size_t n = 0;

    TRY(read_facts(call, req->id, &facts));
    TRY(read_pinned(call, req->id, &all, &n));
    rsp->items = arena_alloc(call->arena, (n + 1) * sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        if (!all[i].offered)
            continue;
        rsp->items[rsp->n_items] = new_message(call, &mcp_health__mcp_tool__descriptor);
        TRY(describe(call, &all[i], is_exposed(facts.server, all[i].name),
                     rsp->items[rsp->n_items]));
        rsp->n_items++;
    }
    rsp->listed_at = or_empty(facts.listed_at);
    rsp->stale = facts.stale;
    return add_names(call, req->id, rsp);
}

/* The row of a tool that is offered, locked. */
static enum status find_offered(struct call *call, const char *id, const char *name,
                                struct pinned *ret)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_tool_one, "ss", id, name));
    if (rows.n > 0)
        *ret = (struct pinned){.name = name,
                               .approved = pg_cell(&rows, 0, "approved"),
                               .offered = pg_cell(&rows, 0, "offered")};
    if (rows.n > 0 && ret->offered)
        return ST_OK;
    call_hint(call, "GET /api/v1/mcps/%s/tools lists them.", id);
    return call_fail(call, ST_NOT_FOUND, "Server '%s' offers no tool '%s'.", id, name);
}

enum status mcp_health_approve_mcp_tool(struct call *call,
                                        const McpHealth__ApproveMcpToolRequest *req,
                                        McpHealth__ApproveMcpToolResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    McpHealth__McpApproved event = MCP_HEALTH__MCP_APPROVED__INIT;
    struct facts facts = {0};
    struct pinned pinned = {0};

    TRY(health_trusted(call));
    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_server_lock, NULL, "s", req->id));
    TRY(read_facts(call, req->id, &facts));
    TRY(find_offered(call, req->id, req->name, &pinned));
    rsp->changed = !pinned.approved || strcmp(pinned.approved, pinned.offered) != 0;
    pinned.approved = pinned.offered;
    rsp->tool = new_message(call, &mcp_health__mcp_tool__descriptor);
    TRY(describe(call, &pinned, is_exposed(facts.server, req->name), rsp->tool));
    if (rsp->changed) {
        event.mcp_id = req->id;
        event.tool = req->name;
        TRY(pg_exec(call, sql_tool_approve, NULL, "ss", req->id, req->name));
        TRY(server_touch(call, req->id));
        TRY(event_add(&tx, "mal.evt.mcp_health.mcp.approved", &event.base));
    }
    return tx_commit(&tx);
}
