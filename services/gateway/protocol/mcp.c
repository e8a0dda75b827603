/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint /mcp: reads a message, tells its era and hands it on. */
#include "base/log.h"
#include "mcp/header.h"
#include "mcp_reply.h"
#include "respond.h"

#include <string.h>
#include <strings.h>

enum { MODERN = 1, LEGACY = 2, BOTH = 3, CURATED = 4 };

/* CURATED: virtual servers have it too. */
static const struct {
    const char *name;
    unsigned where;
    mcp_method *fn;
} methods[] = {
    {"tools/call", BOTH | CURATED, mcp_tools_call},
    {"tools/list", BOTH | CURATED, mcp_tools_list},
    {"resources/read", BOTH, mcp_resources_read},
    {"resources/list", BOTH, mcp_resources_list},
    {"resources/templates/list", BOTH, mcp_templates_list},
    {"prompts/list", BOTH, mcp_prompts_list},
    {"prompts/get", BOTH, mcp_prompts_get},
    {"completion/complete", BOTH, mcp_complete},
    {"server/discover", MODERN | CURATED, mcp_discover},
    {"subscriptions/listen", MODERN | CURATED, mcp_listen},
    {"ping", LEGACY | CURATED, mcp_ping},
    {"logging/setLevel", LEGACY | CURATED, mcp_set_level},
    {"resources/subscribe", LEGACY, mcp_subscribe},
    {"resources/unsubscribe", LEGACY, mcp_unsubscribe},
};

mcp_method *mcp_method_find(const struct mcp *m)
{
    unsigned needs = (m->modern ? MODERN : LEGACY) | (m->x->virtual != NULL ? CURATED : 0);

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(methods[i].name, m->msg.method) == 0 && (needs & ~methods[i].where) == 0)
            return methods[i].fn;
    return NULL;
}

void mcp_refuse(struct exchange *x, int http_status, const struct mcp_message *msg,
                enum mcp_code code, const char *message, const char *data)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    mcp_put_error(&body, msg, code, message, data);
    respond(x, http_status, "application/json", body.data, body.len,
            http_status == 503 ? "Retry-After: 5\r\n" : NULL);
}

/* The media type stands in Accept, by itself or through a wildcard. */
bool mcp_accepts(struct exchange *x, const char *type)
{
    const char *accept = http_header(x->req, "Accept"), *part;
    size_t len, slash = strcspn(type, "/");

    if (accept == NULL)
        return true;
    while ((part = config_list_next(&accept, &len)) != NULL) {
        const char *end = memchr(part, ';', len);

        if (end != NULL)
            len = (size_t)(end - part);
        while (len > 0 && part[len - 1] == ' ')
            len--;
        if ((len == strlen(type) && strncasecmp(part, type, len) == 0) ||
            (len == 3 && memcmp(part, "*/*", 3) == 0) ||
            (len == slash + 2 && strncasecmp(part, type, slash) == 0 &&
             memcmp(part + slash, "/*", 2) == 0))
            return true;
    }
    return false;
}

bool mcp_stream(struct mcp *m)
{
    if (m->streaming)
        return true;
    if (http_sse_begin(m->x->req, respond_headers(m->x, m->headers)) != ST_OK)
        return false;
    m->streaming = true;
    return true;
}

void mcp_send(struct mcp *m)
{
    struct exchange *x = m->x;

    if (m->answered)
        return;
    m->answered = true;
    if (!m->streaming && m->http_status == 200 && !mcp_accepts(x, "application/json") &&
        mcp_accepts(x, "text/event-stream") && !mcp_stream(m))
        return;
    if (!m->streaming) {
        respond(x, m->http_status, "application/json", m->out.data, m->out.len, m->headers);
        return;
    }
    if (m->out.len > 0 && http_sse_event(x->req, NULL, m->out.data, m->out.len) != ST_OK)
        log_debug("a client left before its answer");
    http_sse_end(x->req);
}

/* Kinds of request bodies we can read. */
static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;

    return type != NULL && strncasecmp(type, json, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static void dispatch(struct exchange *x, const struct json *json, const char *version_header)
{
    struct mcp m = {.x = x, .http_status = 200};
    struct error err = {0};
    struct mcp_verdict verdict;

    if (mcp_message_parse(x->arena, json, json->nodes, &m.msg, &err) != ST_OK) {
        mcp_refuse(x, 400, &m.msg, MCP_INVALID_REQUEST, err.message, NULL);
        return;
    }
    verdict = mcp_classify(&m.msg, version_header);
    if (verdict.era == MCP_ERA_REFUSED) {
        mcp_refuse(x, 400, &m.msg, verdict.code, verdict.message, NULL);
    } else if (verdict.era == MCP_ERA_MODERN) {
        m.modern = true;
        m.out = *x->req->out;
        *x->req->out = (struct strbuf)STRBUF_INIT;
        mcp_modern(&m);
        *x->req->out = m.out;
    } else {
        mcp_legacy_post(x, json, version_header);
    }
}

/* A batch holds an envelope: modern clients send one message at a time. */
static bool has_envelope(struct exchange *x, const struct json *json)
{
    const struct json_node *root = json->nodes;

    for (const struct json_node *item = json_first(root); item < root + root->span;
         item = json_next(item)) {
        struct mcp_message msg;

        if (mcp_message_parse(x->arena, json, item, &msg, NULL) == ST_OK && msg.meta != NULL &&
            json_get(json, msg.meta, MCP_META_VERSION) != NULL)
            return true;
    }
    return false;
}

static void post(struct exchange *x, const char *version_header)
{
    const char *body;
    size_t len;
    int http_status = 400;
    struct json json;
    /* Who gets the argument says what is wrong with it. */
    const struct json_limits limits = {.loose = true};
    struct error err = {0};

    if (!is_json_type(http_header(x->req, "Content-Type"))) {
        respond_text(x, 415, "Send Content-Type: application/json.\n", NULL);
        return;
    }
    if (http_body(x->req, (size_t)config.body_limit, &body, &len, &http_status) != ST_OK) {
        mcp_refuse(x, http_status, NULL, MCP_INVALID_REQUEST,
                   http_status == 413 ? "The body is too large." : "The body could not be read.",
                   NULL);
        return;
    }
    if (http_header_count(x->req, "MCP-Protocol-Version") > 1) {
        mcp_refuse(x, 400, NULL, MCP_HEADER_MISMATCH, "MCP-Protocol-Version was sent twice", NULL);
        return;
    }
    if (json_parse(x->arena, body, len, &limits, &json, &err) != ST_OK) {
        mcp_refuse(x, 400, NULL, MCP_PARSE_ERROR, err.message, NULL);
        return;
    }
    if (json.nodes->type != JSON_T_ARRAY)
        dispatch(x, &json, version_header);
    else if (mcp_version_modern(version_header) || has_envelope(x, &json))
        mcp_refuse(x, 400, NULL, MCP_INVALID_REQUEST,
                   "batches belong to 2025-03-26; send one message at a time", NULL);
    else
        mcp_legacy_post(x, &json, version_header);
}

void mcp_handle(struct exchange *x)
{
    const char *version = http_header(x->req, "MCP-Protocol-Version");
    const char *method = x->req->method;

    if (version != NULL)
        version = mcp_header_trim(x->arena, version);
    if (strcmp(method, "POST") == 0)
        post(x, version);
    else if (mcp_version_modern(version))
        respond_text(x, 405, "This revision of MCP uses POST only.\n", "Allow: POST\r\n");
    else if (strcmp(method, "GET") == 0)
        mcp_legacy_get(x);
    else if (strcmp(method, "DELETE") == 0)
        mcp_legacy_delete(x);
    else
        respond_text(x, 405, "MCP uses POST, GET and DELETE.\n",
                     "Allow: POST, GET, DELETE, OPTIONS\r\n");
}
