/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of slow calls. */
#include "progress.h"

#include "respond.h"

#include "mal/gateway/v1/state.pb-c.h"

#include <stdlib.h>

struct progress {
    struct mcp *m;
    struct bus_sub *sub;
    const char *headers; /* made beforehand: the arena is the worker's */
    const char *token;   /* as written */
    size_t token_len;
    double last;
};

/* On the subscription's thread, while the worker waits for the service. */
static void told(struct bus_message *msg, void *arg)
{
    struct progress *p = arg;
    struct mcp *m = p->m;
    Gateway__Progress *event = gateway__progress__unpack(NULL, msg->len, msg->data);
    struct strbuf out = STRBUF_INIT;

    bus_message_release(msg);
    if (event != NULL && event->progress > p->last) {
        p->last = event->progress;
        strbuf_str(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                         "\"progressToken\":");
        strbuf_add(&out, p->token, p->token_len);
        strbuf_str(&out, ",\"progress\":");
        json_put_double(&out, event->progress);
        if (event->total > 0) {
            strbuf_str(&out, ",\"total\":");
            json_put_double(&out, event->total);
        }
        if (*event->message != '\0' && m->version != MCP_2024_11_05)
            mcp_put_member(&out, "message", event->message);
        strbuf_str(&out, "}}");
        if (!m->streaming)
            m->streaming = http_sse_begin(m->x->req, p->headers) == ST_OK;
        if (m->streaming)
            (void)!http_sse_event(m->x->req, NULL, out.data, out.len);
    }
    strbuf_done(&out);
    if (event != NULL)
        gateway__progress__free_unpacked(event, NULL);
}

struct progress *progress_begin(struct mcp *m, const struct tool *tool)
{
    const struct json_node *token =
        m->msg.meta != NULL ? json_get(m->msg.json, m->msg.meta, "progressToken") : NULL;
    struct progress *p;
    const char *subject;

    if (token == NULL || (token->type != JSON_T_STRING && token->type != JSON_T_INT) || m->batch ||
        !tool->rpc->open_world || !mcp_accepts(m->x, "text/event-stream"))
        return NULL;
    p = arena_alloc(m->x->arena, sizeof(*p));
    p->m = m;
    p->headers = respond_headers(m->x, m->headers);
    p->token = json_raw(m->msg.json, token, &p->token_len);
    subject = arena_printf(m->x->arena, "mal.progress.%s", m->x->request_id);
    if (bus_subscribe(m->x->gw->bus, subject, told, p, &p->sub) != ST_OK)
        return NULL;
    return p;
}

void progress_end(struct progress *progress)
{
    if (progress != NULL)
        bus_sub_free(progress->sub); /* joins: nothing is written any more */
}
