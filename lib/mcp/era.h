/* SPDX-License-Identifier: Apache-2.0 */
/* Which protocol era a message belongs to, and what a modern request says about
 * itself. Decided from the body; headers only cross-check it. */
#pragma once

#include "mcp/message.h"

enum mcp_era { MCP_ERA_MODERN, MCP_ERA_LEGACY, MCP_ERA_REFUSED };

struct mcp_verdict {
    enum mcp_era era;
    /* Of a refusal: the JSON-RPC error; HTTP answers 400. */
    enum mcp_code code;
    const char *message; /* static */
};

#define MCP_META_VERSION "io.modelcontextprotocol/protocolVersion"
#define MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define MCP_META_CLIENT "io.modelcontextprotocol/clientInfo"
#define MCP_META_LOG_LEVEL "io.modelcontextprotocol/logLevel"
#define MCP_META_SERVER "io.modelcontextprotocol/serverInfo"
#define MCP_META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"

/* version_header: MCP-Protocol-Version, NULL when absent. */
struct mcp_verdict mcp_classify(const struct mcp_message *msg, const char *version_header);

/* What a request says of its sender, in either era. */
struct mcp_client {
    const char *version_text; /* as claimed */
    enum mcp_version version;
    bool form_elicitation;
    const char *name;         /* unverified label, NULL when not given */
    const char *capabilities; /* as JSON, NULL when not read */
};

/* Reads the envelope of a modern request. Fails with INVALID_ARGUMENT naming
 * the key that is missing or ill-typed. A version that is not served is no
 * failure here (client->version MCP_UNKNOWN or a legacy one). */
enum status mcp_envelope_parse(struct arena *arena, const struct mcp_message *msg,
                               struct mcp_client *ret_client, struct error *err) MUST_CHECK;
/* capabilities.elicitation allows a form: {} or {"form":…}. */
bool mcp_form_elicitation(const struct json *json, const struct json_node *capabilities);
/* One of the eight levels of notifications/message. */
bool mcp_log_level_valid(const char *level);
