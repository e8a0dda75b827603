/* SPDX-License-Identifier: Apache-2.0 */
/* Results and errors of MCP methods. */
#include "mcp_reply.h"

#include "servers.h"
#include "session.h"

#include <stdarg.h>
#include <string.h>

void reply_begin(struct mcp *m, int64_t ttl_ms)
{
    strbuf_clear(&m->out);
    mcp_put_result_head(&m->out, &m->msg);
    strbuf_char(&m->out, '{');
    if (!m->modern)
        return;
    strbuf_str(&m->out, "\"resultType\":\"complete\"");
    if (ttl_ms >= 0)
        strbuf_printf(&m->out, ",\"ttlMs\":%lld,\"cacheScope\":\"private\"", (long long)ttl_ms);
}

void reply_key(struct mcp *m, const char *key)
{
    char last = m->out.data[m->out.len - 1];

    if (last != '{' && last != '[')
        strbuf_char(&m->out, ',');
    strbuf_char(&m->out, '"');
    strbuf_str(&m->out, key);
    strbuf_str(&m->out, "\":");
}

void reply_end(struct mcp *m, const char *meta)
{
    if (m->modern || meta != NULL) {
        reply_key(m, "_meta");
        strbuf_char(&m->out, '{');
        if (m->modern)
            strbuf_str(&m->out, SERVER_META);
        if (m->modern && meta != NULL)
            strbuf_char(&m->out, ',');
        if (meta != NULL)
            strbuf_str(&m->out, meta);
        strbuf_char(&m->out, '}');
    }
    strbuf_str(&m->out, "}}");
}

void reply_instructions(struct mcp *m)
{
    const char *text = m->x->virtual != NULL ? m->x->virtual->config->description
                                             : SERVER_INSTRUCTIONS;

    if (m->x->search)
        text = arena_printf(m->x->arena, SEARCH_INSTRUCTIONS " %s", text);
    if (*text != '\0')
        mcp_put_member(&m->out, "instructions", text);
}

void reply_empty(struct mcp *m)
{
    reply_begin(m, TTL_NONE);
    reply_end(m, NULL);
}

void reply_subscribed(struct mcp *m, enum status status)
{
    if (status == ST_OK)
        reply_empty(m);
    else if (status == ST_RESOURCE_EXHAUSTED)
        reply_error(m, MCP_INVALID_PARAMS, "a session subscribes to at most %d resources",
                    SESSION_URIS_MAX);
    else
        reply_error(m, MCP_INTERNAL_ERROR, "sessions cannot be reached at the moment");
}

void reply_error_data(struct mcp *m, enum mcp_code code, const char *data, const char *message)
{
    strbuf_clear(&m->out);
    mcp_put_error(&m->out, &m->msg, code, message, data);
}

void reply_error(struct mcp *m, enum mcp_code code, const char *fmt, ...)
{
    va_list ap;
    const char *message;

    va_start(ap, fmt);
    message = arena_vprintf(m->x->arena, fmt, ap);
    va_end(ap);
    reply_error_data(m, code, NULL, message);
}

enum param mcp_param(struct mcp *m, const char *key, const char **ret_text)
{
    const struct json_node *node =
        m->msg.params != NULL ? json_get(m->msg.json, m->msg.params, key) : NULL;

    *ret_text = NULL;
    if (node == NULL)
        return PARAM_ABSENT;
    if (node->type != JSON_T_STRING)
        return PARAM_WRONG;
    *ret_text = json_text(m->x->arena, m->msg.json, node);
    return PARAM_TEXT;
}

bool mcp_need(struct mcp *m, const char *key, const char **ret_text)
{
    if (mcp_param(m, key, ret_text) == PARAM_TEXT)
        return true;
    reply_error(m, MCP_INVALID_PARAMS, "params.%s must be a string", key);
    return false;
}

bool mcp_cursor(struct mcp *m, const char **ret_cursor)
{
    if (mcp_param(m, "cursor", ret_cursor) != PARAM_WRONG)
        return true;
    reply_error(m, MCP_INVALID_PARAMS, "params.cursor must be a string");
    return false;
}
