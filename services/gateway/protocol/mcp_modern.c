/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of 2026-07-28: the checks in the order in which the answers to
 * several mistakes at once tell the client most. */
#include "mcp/header.h"
#include "mcp_reply.h"
#include "mount.h"
#include "respond.h"

#include <string.h>

static bool refuse(struct mcp *m, int http_status, enum mcp_code code, const char *message,
                   const char *data)
{
    mcp_refuse(m->x, http_status, &m->msg, code, message, data);
    return false;
}

static bool mismatch(struct mcp *m, const char *message)
{
    return refuse(m, 400, MCP_HEADER_MISMATCH, message, NULL);
}

/* A header that must say the same as the body. *ret_value NULL = not sent. */
static bool header(struct mcp *m, const char *name, const char **ret_value)
{
    *ret_value = http_header(m->x->req, name);
    if (http_header_count(m->x->req, name) > 1)
        return mismatch(m, arena_printf(m->x->arena, "%s was sent twice", name));
    if (*ret_value != NULL)
        *ret_value = mcp_header_trim(m->x->arena, *ret_value);
    return true;
}

static bool present_headers(struct mcp *m, const char **ret_version, const char **ret_method)
{
    if (!header(m, "MCP-Protocol-Version", ret_version) || !header(m, "Mcp-Method", ret_method))
        return false;
    if (*ret_version != NULL && strcmp(*ret_version, m->client.version_text) != 0)
        return mismatch(m, "MCP-Protocol-Version and the version in params._meta differ");
    if (*ret_method != NULL && strcmp(*ret_method, m->msg.method) != 0)
        return mismatch(m, "Mcp-Method and the method in the body differ");
    return true;
}

static bool served_version(struct mcp *m)
{
    CLEANUP(strbuf_done) struct strbuf data = STRBUF_INIT;

    m->version = m->client.version;
    if (m->version == MCP_2026_07_28)
        return true;
    strbuf_str(&data, "{\"supported\":[\"" MCP_MODERN_TEXT "\"],\"requested\":");
    json_put_string(&data, m->client.version_text);
    strbuf_char(&data, '}');
    return refuse(m, 400, MCP_UNSUPPORTED_VERSION, "this protocol version is not served",
                  strbuf_cstr(&data));
}

/* The member of params that Mcp-Name repeats; NULL for other methods. */
static const char *named_by(const char *method)
{
    if (strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0)
        return "name";
    if (strcmp(method, "resources/read") == 0)
        return "uri";
    if (strcmp(method, "tasks/get") == 0 || strcmp(method, "tasks/update") == 0 ||
        strcmp(method, "tasks/cancel") == 0)
        return "taskId";
    return NULL;
}

static bool name_header(struct mcp *m)
{
    const char *key = named_by(m->msg.method), *sent, *value, *body;

    if (key == NULL || mcp_param(m, key, &body) != PARAM_TEXT)
        return true;
    if (!header(m, "Mcp-Name", &sent))
        return false;
    if (sent == NULL)
        return mismatch(m, arena_printf(m->x->arena, "Mcp-Name must repeat params.%s", key));
    value = mcp_header_decode(m->x->arena, sent);
    if (value == NULL)
        return mismatch(m, "Mcp-Name is not valid Base64 of UTF-8 text");
    if (strcmp(value, body) != 0)
        return mismatch(m, arena_printf(m->x->arena, "Mcp-Name and params.%s differ", key));
    return true;
}

static bool check(struct mcp *m)
{
    struct error err = {0};
    const char *version, *method;

    if (mcp_envelope_parse(m->x->arena, &m->msg, &m->client, &err) != ST_OK)
        return refuse(m, 400, MCP_INVALID_PARAMS, err.message, NULL);
    if (!present_headers(m, &version, &method) || !served_version(m))
        return false;
    if (version == NULL)
        return mismatch(m, "the header MCP-Protocol-Version is missing");
    if (method == NULL)
        return mismatch(m, "the header Mcp-Method is missing");
    return name_header(m);
}

void mcp_modern(struct mcp *m)
{
    mcp_method *method;

    if (m->msg.kind == MCP_NOTIFICATION) {
        /* None has a meaning over HTTP in this revision: a call is cancelled by
         * closing its connection. */
        respond_empty(m->x, 202, NULL);
        return;
    }
    if (!check(m))
        return;
    if (m->x->mount != NULL) {
        mount_request(m);
        mcp_send(m);
        return;
    }
    method = mcp_method_find(m);
    if (method == NULL) {
        (void)refuse(m, 404, MCP_METHOD_NOT_FOUND, "this method does not exist", NULL);
        return;
    }
    method(m);
    mcp_send(m);
}

void mcp_discover(struct mcp *m)
{
    reply_begin(m, TTL_STABLE_MS);
    reply_key(m, "supportedVersions");
    strbuf_str(&m->out, "[\"" MCP_MODERN_TEXT "\"]");
    reply_key(m, "capabilities");
    strbuf_str(&m->out, "{\"tools\":{\"listChanged\":true}");
    if (m->x->virtual == NULL)
        strbuf_str(&m->out, ",\"resources\":{\"listChanged\":true,\"subscribe\":true},"
                            "\"prompts\":{\"listChanged\":true},\"completions\":{}");
    strbuf_char(&m->out, '}');
    reply_instructions(m);
    reply_end(m, NULL);
}
