/* SPDX-License-Identifier: Apache-2.0 */
/* Which downstream server a request may go to, for how long, and how often. */
#include "relay.h"

#include <stdlib.h>
#include <string.h>

/* ---- which server ------------------------------------------------------------------ */

const struct picture *exchange_picture(struct exchange *x)
{
    if (x->picture == NULL)
        x->picture = servers_look(x->gw->servers);
    return x->picture;
}

bool principal_may_use(const struct principal *who, const char *id)
{
    bool found = who->n_servers == 0;

    for (size_t i = 0; i < who->n_servers && !found; i++)
        found = strcmp(who->servers[i], id) == 0 || strcmp(who->servers[i], "*") == 0;
    return found;
}

const struct server *exchange_server(struct exchange *x, const char *id)
{
    return principal_may_use(&x->who, id) ? picture_server(exchange_picture(x), id) : NULL;
}

/* ---- whether it may go --------------------------------------------------------------- */

enum status relay_unknown(struct call *call, const char *id)
{
    (void)call_fail(call, ST_NOT_FOUND, "MCP server '%s' was not found.", id);
    call_hint(call, "mal_list_mcps to find the id.");
    return ST_NOT_FOUND;
}

static enum status blocked(struct call *call, const McpHealth__Server *row)
{
    if (row->status == MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_INACTIVE) {
        (void)call_fail_reason(call, ST_FAILED_PRECONDITION, "MCP_INACTIVE",
                               "MCP server '%s' is switched off.", row->id);
        call_hint(call, "another server; an operator can switch it on.");
    } else {
        (void)call_fail_reason(call, ST_FAILED_PRECONDITION, "MCP_ERROR",
                               "MCP server '%s' is in status error%s%.300s", row->id,
                               *row->reason != '\0' ? ": " : ".", row->reason);
        call_hint(call, "mal_health_check, which probes it again.");
    }
    return ST_FAILED_PRECONDITION;
}

enum status relay_permit(struct call *call, const struct server *server)
{
    const McpHealth__Server *row = server->config;

    if (row->status != MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE)
        return blocked(call, row);
    if (server->upstream != NULL && server->upstream->server == NULL) {
        call->error = server->upstream->error;
        return call->error.status;
    }
    return ST_OK;
}

bool relay_exposed(const struct server *server, const char *tool)
{
    bool found = server->config->n_tools_exposed == 0;

    for (size_t i = 0; i < server->config->n_tools_exposed && !found; i++)
        found = strcmp(server->config->tools_exposed[i], tool) == 0;
    return found;
}

static enum status not_exposed(struct call *call, const McpHealth__Server *row, const char *tool)
{
    CLEANUP(strbuf_done) struct strbuf list = STRBUF_INIT;

    for (size_t i = 0; i < row->n_tools_exposed && list.len < 300; i++)
        strbuf_printf(&list, "%s%s", i > 0 ? ", " : "", row->tools_exposed[i]);
    (void)call_fail(call, ST_PERMISSION_DENIED,
                    "The operator did not expose tool '%s' of MCP server '%s'.", tool, row->id);
    call_hint(call, "one of its exposed tools: %s.", strbuf_cstr(&list));
    return ST_PERMISSION_DENIED;
}

enum status relay_permit_tool(struct call *call, const struct server *server, const char *tool)
{
    TRY(relay_permit(call, server));
    if (!relay_exposed(server, tool))
        return not_exposed(call, server->config, tool);
    if (server->definitions == NULL ||
        definitions_find(server->definitions, DEFINITION_TOOL, tool) != NULL)
        return ST_OK;
    (void)call_fail(call, ST_NOT_FOUND, "MCP server '%s' has no tool '%s'.", server->config->id,
                    tool);
    call_hint(call, "one of the server's tools; GET /api/v1/mcps/%s/tools lists them.",
              server->config->id);
    return ST_NOT_FOUND;
}

int64_t relay_timeout_ms(const struct server *server, const char *tool)
{
    const McpHealth__Policy *policy = server->config->policy;

    if (policy == NULL)
        return config.proxy_timeout_ms;
    for (size_t i = 0; tool != NULL && i < policy->n_tool_timeouts; i++)
        if (strcmp(policy->tool_timeouts[i]->key, tool) == 0)
            return strtoll(policy->tool_timeouts[i]->value, NULL, 10);
    return policy->call_timeout_ms > 0 ? policy->call_timeout_ms : config.proxy_timeout_ms;
}

static bool is_true(const struct json *json, const struct json_node *object, const char *key)
{
    const struct json_node *node = json_get(json, object, key);

    return node != NULL && node->type == JSON_T_TRUE;
}

/* What a server says of its own tool can only make it do its own work twice. */
static bool says_idempotent(const struct server *server, const char *tool)
{
    const struct definition *item = NULL;
    const struct json_node *notes;

    if (server->definitions != NULL)
        item = definitions_find(server->definitions, DEFINITION_TOOL, tool);
    if (item == NULL)
        return false;
    notes = json_get(item->json, item->node, "annotations");
    return notes != NULL && (is_true(item->json, notes, "readOnlyHint") ||
                             is_true(item->json, notes, "idempotentHint"));
}

bool relay_repeatable(const struct server *server, const char *method, const char *tool)
{
    static const char *const reads[] = {
        "resources/read",   "prompts/get",         "completion/complete",  "ping",
        "logging/setLevel", "resources/subscribe", "resources/unsubscribe"};
    const McpHealth__Policy *policy = server->config->policy;

    for (size_t i = 0; tool == NULL && i < ARRAY_SIZE(reads); i++)
        if (strcmp(method, reads[i]) == 0)
            return true;
    if (tool == NULL)
        return false;
    for (size_t i = 0; policy != NULL && i < policy->n_idempotent_tools; i++)
        if (strcmp(policy->idempotent_tools[i], tool) == 0)
            return true;
    return says_idempotent(server, tool);
}
