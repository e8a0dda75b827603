/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the eras apart and reading the modern envelope. */
#include "mcp/era.h"

#include "base/error.h"

#include <string.h>

static struct mcp_verdict refuse(enum mcp_code code, const char *message)
{
    return (struct mcp_verdict){.era = MCP_ERA_REFUSED, .code = code, .message = message};
}

static struct mcp_verdict is_era(enum mcp_era era)
{
    return (struct mcp_verdict){.era = era};
}

struct mcp_verdict mcp_classify(const struct mcp_message *msg, const char *version_header)
{
    bool claims = msg->meta != NULL && json_get(msg->json, msg->meta, MCP_META_VERSION) != NULL;
    bool modern_header = mcp_version_modern(version_header);

    switch (msg->kind) {
    case MCP_RESPONSE:
        if (modern_header)
            return refuse(MCP_INVALID_REQUEST,
                          "a client of this revision sends requests only, no responses");
        return is_era(MCP_ERA_LEGACY);
    case MCP_NOTIFICATION:
        return is_era(claims || modern_header ? MCP_ERA_MODERN : MCP_ERA_LEGACY);
    case MCP_REQUEST:
        break;
    }
    if (claims)
        return is_era(MCP_ERA_MODERN);
    if (strcmp(msg->method, "initialize") == 0) {
        if (modern_header)
            return refuse(MCP_HEADER_MISMATCH,
                          "initialize belongs to revisions up to 2025-11-25, the header "
                          "MCP-Protocol-Version names a later one");
        return is_era(MCP_ERA_LEGACY);
    }
    if (modern_header)
        return refuse(MCP_INVALID_PARAMS,
                      "params._meta must have " MCP_META_VERSION " and " MCP_META_CAPABILITIES);
    return is_era(MCP_ERA_LEGACY);
}

bool mcp_log_level_valid(const char *level)
{
    static const char *const levels[] = {"debug", "info",     "notice", "warning",
                                         "error", "critical", "alert",  "emergency"};

    for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
        if (level != NULL && strcmp(level, levels[i]) == 0)
            return true;
    return false;
}

bool mcp_form_elicitation(const struct json *json, const struct json_node *capabilities)
{
    const struct json_node *elicitation = json_get(json, capabilities, "elicitation");

    if (elicitation == NULL || elicitation->type != JSON_T_OBJECT)
        return false;
    return elicitation->count == 0 || json_get(json, elicitation, "form") != NULL;
}

static bool is_implementation(const struct json *json, const struct json_node *node)
{
    const struct json_node *name = json_get(json, node, "name");
    const struct json_node *version = json_get(json, node, "version");

    return name != NULL && name->type == JSON_T_STRING && version != NULL &&
           version->type == JSON_T_STRING;
}

enum status mcp_envelope_parse(struct arena *arena, const struct mcp_message *msg,
                               struct mcp_client *ret_client, struct error *err)
{
    const struct json *json = msg->json;
    const struct json_node *version = json_get(json, msg->meta, MCP_META_VERSION);
    const struct json_node *caps = json_get(json, msg->meta, MCP_META_CAPABILITIES);
    const struct json_node *client = json_get(json, msg->meta, MCP_META_CLIENT);
    const struct json_node *level = json_get(json, msg->meta, MCP_META_LOG_LEVEL);
    const struct json_node *token = json_get(json, msg->meta, "progressToken");

    if (version == NULL || version->type != JSON_T_STRING)
        return error_set(err, ST_INVALID_ARGUMENT, "_meta." MCP_META_VERSION " must be a string");
    if (caps == NULL || caps->type != JSON_T_OBJECT)
        return error_set(err, ST_INVALID_ARGUMENT,
                         "_meta." MCP_META_CAPABILITIES " must be an object");
    if (client != NULL && (client->type != JSON_T_OBJECT || !is_implementation(json, client)))
        return error_set(err, ST_INVALID_ARGUMENT,
                         "_meta." MCP_META_CLIENT " must be an object with name and version");
    if (level != NULL && !mcp_log_level_valid(json_text(arena, json, level)))
        return error_set(err, ST_INVALID_ARGUMENT,
                         "_meta." MCP_META_LOG_LEVEL " must be one of debug, info, notice, "
                         "warning, error, critical, alert, emergency");
    if (token != NULL && token->type != JSON_T_STRING && token->type != JSON_T_INT)
        return error_set(err, ST_INVALID_ARGUMENT,
                         "_meta.progressToken must be a string or an integer");
    ret_client->version_text = json_text(arena, json, version);
    ret_client->version = mcp_version_parse(ret_client->version_text);
    ret_client->form_elicitation = mcp_form_elicitation(json, caps);
    ret_client->name = client ? json_text(arena, json, json_get(json, client, "name")) : NULL;
    return ST_OK;
}
