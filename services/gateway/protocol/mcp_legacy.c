/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of 2025-11-25 and earlier: handshake, sessions, batches, answers to
 * questions of ours. */
#include "answer.h"
#include "base/ids.h"
#include "inflight.h"
#include "links.h"
#include "mcp/header.h"
#include "mcp_reply.h"
#include "mount.h"
#include "pass.h"
#include "respond.h"
#include "servers.h"
#include "streams.h"

#include <string.h>

enum { BATCH_MAX = 100 };

static void no_session(struct exchange *x, const struct mcp_message *msg)
{
    mcp_refuse(x, 404, msg, MCP_INVALID_REQUEST, "there is no such session; send initialize again",
               NULL);
}

/* The session of the request, or false: refused. */
static bool find_session(struct exchange *x, const struct mcp_message *msg,
                         const char *version_header, struct session *session)
{
    const char *id = http_header(x->req, "Mcp-Session-Id");
    enum status status;

    if (version_header != NULL && mcp_version_parse(version_header) == MCP_UNKNOWN) {
        mcp_refuse(x, 400, msg, MCP_INVALID_REQUEST,
                   "MCP-Protocol-Version names a revision that is not served", NULL);
        return false;
    }
    if (id == NULL) {
        mcp_refuse(x, 400, msg, MCP_INVALID_REQUEST,
                   "the header Mcp-Session-Id is missing; send initialize first", NULL);
        return false;
    }
    status = sessions_find(x->gw->sessions, x, mcp_header_trim(x->arena, id), session);
    if (status == ST_OK)
        return true;
    if (status == ST_NOT_FOUND)
        no_session(x, msg);
    else
        mcp_refuse(x, 503, msg, MCP_INTERNAL_ERROR, "sessions cannot be reached at the moment",
                   NULL);
    return false;
}

/* Its roots changed, or a task that it made of a question, or it is an extension's. */
static void pass_on(struct exchange *x, const struct mcp_message *msg,
                    const struct session *session)
{
    struct mcp m = {.x = x, .msg = *msg, .session = session, .version = session->version};

    if (x->mount == NULL || strcmp(msg->method, "notifications/initialized") == 0)
        return;
    pass_notification(&m, x->mount);
    strbuf_done(&m.out);
}

static void notification(struct exchange *x, const struct mcp_message *msg,
                         const struct session *session)
{
    const struct json_node *id;
    const char *raw;
    size_t len;

    if (strcmp(msg->method, "notifications/progress") == 0 && msg->params != NULL) {
        raw = json_text(x->arena, msg->json, json_get(msg->json, msg->params, "progressToken"));
        if (raw != NULL)
            answer_deliver(x->gw, x->arena, session->hash, raw, msg);
        return;
    }
    if (strcmp(msg->method, "notifications/cancelled") != 0) {
        pass_on(x, msg, session);
        return;
    }
    if (msg->params == NULL)
        return;
    id = json_get(msg->json, msg->params, "requestId");
    if (id == NULL || (id->type != JSON_T_STRING && id->type != JSON_T_INT))
        return;
    raw = json_raw(msg->json, id, &len);
    inflight_cancel(x->gw->inflight, session->hash, raw, len);
}

/* A response answers a question that some gateway copy put on a stream. */
static void response(struct exchange *x, const struct mcp_message *msg,
                     const struct session *session)
{
    const char *id = msg->id != NULL ? json_text(x->arena, msg->json, msg->id) : NULL;

    if (id != NULL)
        answer_deliver(x->gw, x->arena, session->hash, id, msg);
}

static void request(struct mcp *m)
{
    mcp_method *method = mcp_method_find(m);

    if (m->x->mount != NULL && strcmp(m->msg.method, "initialize") != 0)
        mount_request(m);
    else if (method != NULL)
        method(m);
    else if (strcmp(m->msg.method, "initialize") == 0)
        reply_error(m, MCP_INVALID_REQUEST, "initialize must stand alone");
    else
        reply_error(m, MCP_METHOD_NOT_FOUND, "this method does not exist");
}

static void one(struct exchange *x, const struct mcp_message *msg, const char *version_header)
{
    struct session session;
    struct mcp m = {.x = x, .msg = *msg, .http_status = 200, .session = &session};

    if (msg->kind == MCP_REQUEST && strcmp(msg->method, "initialize") == 0) {
        m.session = NULL;
        mcp_initialize(&m);
        mcp_send(&m);
        strbuf_done(&m.out);
        return;
    }
    if (!find_session(x, msg, version_header, &session))
        return;
    m.version = session.version;
    m.client.form_elicitation = session.elicitation;
    if (msg->kind == MCP_REQUEST) {
        request(&m);
        mcp_send(&m);
        strbuf_done(&m.out);
        return;
    }
    if (msg->kind == MCP_NOTIFICATION)
        notification(x, msg, &session);
    else
        response(x, msg, &session);
    respond_empty(x, 202, NULL);
}

/* One element of a batch; its answer, if it has one, is appended. */
static void element(struct exchange *x, const struct json *json, const struct json_node *node,
                    const struct session *session, struct strbuf *out)
{
    struct mcp m = {.x = x, .http_status = 200, .session = session, .batch = true};
    char request_id[UUID_SIZE];
    struct error err = {0};

    m.version = session->version;
    /* The request id is also the key by which a write is done once only. */
    uuid_v7(request_id);
    x->request_id = arena_strdup(x->arena, request_id);
    if (mcp_message_parse(x->arena, json, node, &m.msg, &err) != ST_OK)
        reply_error(&m, MCP_INVALID_REQUEST, "%s", err.message);
    else if (m.msg.kind == MCP_REQUEST)
        request(&m);
    else if (m.msg.kind == MCP_NOTIFICATION)
        notification(x, &m.msg, session);
    else
        response(x, &m.msg, session);
    if (m.out.len > 0) {
        strbuf_char(out, out->len == 0 ? '[' : ',');
        strbuf_add(out, m.out.data, m.out.len);
    }
    strbuf_done(&m.out);
}

static void batch(struct exchange *x, const struct json *json, const char *version_header)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json_node *root = json->nodes;
    struct session session;

    if (root->count == 0 || root->count > BATCH_MAX) {
        mcp_refuse(x, 400, NULL, MCP_INVALID_REQUEST, "a batch has 1 to 100 messages", NULL);
        return;
    }
    if (version_header != NULL && mcp_version_parse(version_header) != MCP_2025_03_26) {
        mcp_refuse(x, 400, NULL, MCP_INVALID_REQUEST, "batches belong to 2025-03-26", NULL);
        return;
    }
    if (!find_session(x, NULL, version_header, &session))
        return;
    if (session.version != MCP_2025_03_26) {
        mcp_refuse(x, 400, NULL, MCP_INVALID_REQUEST, "batches belong to 2025-03-26", NULL);
        return;
    }
    for (const struct json_node *item = json_first(root); item < root + root->span;
         item = json_next(item))
        element(x, json, item, &session, &out);
    if (out.len == 0) {
        respond_empty(x, 202, NULL);
        return;
    }
    strbuf_char(&out, ']');
    respond(x, 200, "application/json", out.data, out.len, NULL);
}

void mcp_legacy_post(struct exchange *x, const struct json *json, const char *version_header)
{
    struct mcp_message msg;
    struct error err = {0};

    if (!mcp_accepts(x, "application/json") && !mcp_accepts(x, "text/event-stream"))
        respond_text(x, 406, "Accept application/json and text/event-stream.\n", NULL);
    else if (json->nodes->type == JSON_T_ARRAY)
        batch(x, json, version_header);
    else if (mcp_message_parse(x->arena, json, json->nodes, &msg, &err) != ST_OK)
        mcp_refuse(x, 400, &msg, MCP_INVALID_REQUEST, err.message, NULL);
    else
        one(x, &msg, version_header);
}

void mcp_legacy_get(struct exchange *x)
{
    const char *version = http_header(x->req, "MCP-Protocol-Version");
    struct session session;
    enum status status;
    struct stream_wish wish = {
        .session = session.hash,
        .endpoint = x->endpoint,
        .kinds = STREAM_TOOLS | STREAM_RESOURCES | STREAM_PROMPTS,
    };

    if (!mcp_accepts(x, "text/event-stream")) {
        respond_text(x, 406, "Accept text/event-stream.\n", NULL);
        return;
    }
    if (!find_session(x, NULL, version, &session))
        return;
    if (x->mount != NULL) {
        links_resume(x->gw->links, session.hash);
        wish.kinds &= mount_tells(x);
    }
    sessions_claim(x->gw->sessions, session.hash, x->gw->instance);
    status = streams_open(x->gw->streams, x, &wish, NULL, ": open\n\n");
    if (status == ST_NOT_FOUND)
        no_session(x, NULL);
    else if (status != ST_OK)
        respond_text(x, 503, "No further stream can be opened at the moment.\n",
                     "Retry-After: 5\r\n");
}

void mcp_legacy_delete(struct exchange *x)
{
    struct session session;

    if (!find_session(x, NULL, http_header(x->req, "MCP-Protocol-Version"), &session))
        return;
    sessions_end(x->gw->sessions, session.hash);
    respond_empty(x, 204, NULL);
}
