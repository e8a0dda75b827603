/* SPDX-License-Identifier: Apache-2.0 */
/* subscriptions/listen: the stream of change notifications of modern clients. */
#include "mcp_reply.h"
#include "mount.h"
#include "respond.h"
#include "servers.h"
#include "skill_uri.h"
#include "stream_text.h"
#include "streams.h"
#include "watching.h"

#include <string.h>

enum { URIS_MAX = 1000 };

static const struct {
    const char *key;
    unsigned kind;
} wishes[] = {
    {"toolsListChanged", STREAM_TOOLS},
    {"promptsListChanged", STREAM_PROMPTS},
    {"resourcesListChanged", STREAM_RESOURCES},
};

/* What a program of an older server is told of this caller, as with its calls. */
static const char *capabilities(struct mcp *m)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    bridge_put_askable(&out, m->msg.json,
                       json_get(m->msg.json, m->msg.meta, MCP_META_CAPABILITIES));
    return arena_memdup(m->x->arena, out.data, out.len);
}

/* What is no resource of ours is not honoured, nor what a server does not tell. */
static bool is_told(struct exchange *x, const char *uri)
{
    if (x->mount != NULL)
        return (mount_tells(x) & STREAM_UPDATES) != 0;
    return x->endpoint == NULL && skill_uri_id(x->arena, uri) != NULL &&
           (x->who.scopes & SCOPE_READ) != 0;
}

static bool read_uris(struct mcp *m, const struct json_node *node, struct stream_wish *wish)
{
    const char **uris;

    if (node == NULL)
        return true;
    if (node->type != JSON_T_ARRAY || node->count > URIS_MAX) {
        reply_error(m, MCP_INVALID_PARAMS, "resourceSubscriptions must be at most %d URIs",
                    URIS_MAX);
        return false;
    }
    uris = arena_alloc(m->x->arena, (node->count + 1) * sizeof(*uris));
    for (const struct json_node *item = json_first(node); item < node + node->span;
         item = json_next(item)) {
        const char *uri = json_text(m->x->arena, m->msg.json, item);

        if (uri == NULL || strlen(uri) > SESSION_URI_MAX) {
            reply_error(m, MCP_INVALID_PARAMS,
                        "resourceSubscriptions must be texts of at most %d bytes", SESSION_URI_MAX);
            return false;
        }
        if (is_told(m->x, uri))
            uris[wish->n_uris++] = uri;
    }
    wish->uris = uris;
    return true;
}

static bool read_wish(struct mcp *m, struct stream_wish *wish)
{
    const struct json *json = m->msg.json;
    const struct json_node *filter = json_get(json, m->msg.params, "notifications");

    if (filter == NULL || filter->type != JSON_T_OBJECT) {
        reply_error(m, MCP_INVALID_PARAMS, "params.notifications must be an object");
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
        const struct json_node *node = json_get(json, filter, wishes[i].key);

        if (node != NULL && node->type != JSON_T_TRUE && node->type != JSON_T_FALSE) {
            reply_error(m, MCP_INVALID_PARAMS, "%s must be a boolean", wishes[i].key);
            return false;
        }
        if (node != NULL && node->type == JSON_T_TRUE)
            wish->kinds |= wishes[i].kind;
    }
    /* A virtual server has tools only. */
    if (m->x->virtual != NULL)
        wish->kinds &= STREAM_TOOLS;
    return read_uris(m, json_get(json, filter, "resourceSubscriptions"), wish);
}

/* The acknowledgement with the subset that is honoured. */
static void put_ack(const struct stream_wish *wish, struct strbuf *out)
{
    const char *comma = "";

    strbuf_str(out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
                    "\"params\":{\"notifications\":{");
    for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
        if (wish->kinds & wishes[i].kind) {
            strbuf_printf(out, "%s\"%s\":true", comma, wishes[i].key);
            comma = ",";
        }
    if (wish->n_uris > 0) {
        strbuf_printf(out, "%s\"resourceSubscriptions\":[", comma);
        for (size_t i = 0; i < wish->n_uris; i++) {
            if (i > 0)
                strbuf_char(out, ',');
            json_put_string(out, wish->uris[i]);
        }
        strbuf_char(out, ']');
    }
    strbuf_printf(out, "},\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":%s}}}", wish->subscription);
}

/* A client that asked for nothing we have is told so and done with. */
static void finish_at_once(struct mcp *m, const struct strbuf *ack, const char *subscription)
{
    CLEANUP(strbuf_done) struct strbuf result = STRBUF_INIT;

    m->answered = true;
    stream_put_result(&result, subscription);
    if (mcp_stream(m) && http_sse_event(m->x->req, NULL, ack->data, ack->len) == ST_OK &&
        http_sse_event(m->x->req, NULL, result.data, result.len) == ST_OK)
        http_sse_end(m->x->req);
}

static void hand_over(struct mcp *m, const struct stream_wish *wish, const struct strbuf *ack)
{
    CLEANUP(strbuf_done) struct strbuf first = STRBUF_INIT;

    stream_put_event(&first, ack->data, ack->len);
    if (streams_open(m->x->gw->streams, m->x, wish, NULL, first.data) == ST_OK) {
        m->answered = true;
        return;
    }
    m->http_status = 503;
    m->headers = "Retry-After: 5\r\n";
    reply_error(m, MCP_INTERNAL_ERROR, "no further stream can be opened at the moment");
}

void mcp_listen(struct mcp *m)
{
    CLEANUP(strbuf_done) struct strbuf ack = STRBUF_INIT;
    struct stream_wish wish = {.endpoint = m->x->endpoint, .principal = m->x->who.id};
    const char *raw;
    size_t len;

    if (!read_wish(m, &wish))
        return;
    if (m->x->mount != NULL) {
        wish.kinds &= mount_tells(m->x);
        wish.capabilities = capabilities(m);
    }
    raw = json_raw(m->msg.json, m->msg.id, &len);
    wish.subscription = arena_memdup(m->x->arena, raw, len);
    put_ack(&wish, &ack);
    if (m->x->mount != NULL && (wish.kinds != 0 || wish.n_uris > 0))
        watching_expect(m->x->gw->watching, &wish);
    if (wish.kinds == 0 && wish.n_uris == 0)
        finish_at_once(m, &ack, wish.subscription);
    else
        hand_over(m, &wish, &ack);
}
