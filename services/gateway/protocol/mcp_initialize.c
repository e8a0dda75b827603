/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake of the legacy revisions and what a session can be told. */
#include "mcp_reply.h"
#include "mount.h"
#include "respond.h"
#include "servers.h"

#include <string.h>

static bool read_client(struct mcp *m)
{
    const struct json *json = m->msg.json;
    const struct json_node *capabilities, *info;
    const char *version;

    if (!mcp_need(m, "protocolVersion", &version))
        return false;
    capabilities = json_get(json, m->msg.params, "capabilities");
    info = json_get(json, m->msg.params, "clientInfo");
    if (capabilities == NULL || capabilities->type != JSON_T_OBJECT) {
        reply_error(m, MCP_INVALID_PARAMS, "params.capabilities must be an object");
        return false;
    }
    if (info == NULL || info->type != JSON_T_OBJECT ||
        json_text(m->x->arena, json, json_get(json, info, "name")) == NULL) {
        reply_error(m, MCP_INVALID_PARAMS, "params.clientInfo must be an object with a name");
        return false;
    }
    m->version = mcp_version_parse(version);
    if (m->version >= MCP_2026_07_28)
        m->version = MCP_2025_11_25; /* our newest that has a handshake */
    m->client.version = m->version;
    m->client.name = json_text(m->x->arena, json, json_get(json, info, "name"));
    m->client.capabilities = mount_capabilities(m, capabilities);
    m->client.form_elicitation =
        m->version >= MCP_2025_06_18 && mcp_form_elicitation(json, capabilities);
    return true;
}

static void put_server_info(struct mcp *m)
{
    const struct virtual_server *virtual = m->x->virtual;

    reply_key(m, "serverInfo");
    strbuf_char(&m->out, '{');
    mcp_put_member(&m->out, "name", virtual != NULL ? virtual->config->id : SERVER_NAME);
    if (m->version >= MCP_2025_06_18)
        mcp_put_member(&m->out, "title", virtual != NULL ? virtual->config->name : SERVER_NAME);
    mcp_put_member(&m->out, "version", MAL_VERSION);
    strbuf_char(&m->out, '}');
}

void mcp_initialize(struct mcp *m)
{
    char id[SESSION_ID_SIZE];
    enum status status;

    if (!read_client(m))
        return;
    status = sessions_create(m->x->gw->sessions, m->x, &m->client, id);
    if (status != ST_OK) {
        m->http_status = 503;
        m->headers = "Retry-After: 5\r\n";
        reply_error(m, MCP_INTERNAL_ERROR,
                    status == ST_RESOURCE_EXHAUSTED ? "the hub has as many sessions as it may have"
                                                    : "sessions cannot be reached at the moment");
        return;
    }
    m->headers = arena_printf(m->x->arena, "Mcp-Session-Id: %s\r\n", id);
    if (m->x->mount != NULL) {
        mount_initialized(m);
        return;
    }
    reply_begin(m, TTL_NONE);
    mcp_put_member(&m->out, "protocolVersion", mcp_version_text(m->version));
    reply_key(m, "capabilities");
    strbuf_str(&m->out, "{\"tools\":{\"listChanged\":true},\"logging\":{}");
    if (m->x->virtual == NULL)
        strbuf_str(&m->out, ",\"resources\":{\"subscribe\":true,\"listChanged\":true},"
                            "\"prompts\":{\"listChanged\":true}");
    if (m->x->virtual == NULL && m->version >= MCP_2025_03_26)
        strbuf_str(&m->out, ",\"completions\":{}");
    strbuf_char(&m->out, '}');
    put_server_info(m);
    reply_instructions(m);
    reply_end(m, NULL);
}

void mcp_ping(struct mcp *m)
{
    reply_empty(m);
}

void mcp_set_level(struct mcp *m)
{
    const char *level;

    if (!mcp_need(m, "level", &level))
        return;
    if (!mcp_log_level_valid(level)) {
        reply_error(m, MCP_INVALID_PARAMS,
                    "params.level must be one of debug, info, notice, warning, error, critical, "
                    "alert, emergency");
        return;
    }
    if (sessions_log_level(m->x->gw->sessions, m->x, m->session->hash, level) != ST_OK) {
        reply_error(m, MCP_INTERNAL_ERROR, "sessions cannot be reached at the moment");
        return;
    }
    reply_empty(m);
}
