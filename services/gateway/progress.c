/* SPDX-License-Identifier: Apache-2.0 */
/* What a slow call sends before its answer: progress, and comments that keep
 * proxies from closing the connection. */
#include "progress.h"

#include "respond.h"

#include "mal/gateway/v1/state.pb-c.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEEPALIVE_MS = 15000 };

struct progress {
    struct mcp *m;
    struct bus_sub *sub;
    const char *headers; /* made beforehand: the arena is the worker's */
    const char *token;   /* as written */
    size_t token_len;
    double last;
    pthread_t thread;
    bool ticking;
    pthread_mutex_t lock; /* of the stream and what follows */
    pthread_cond_t cond;
    bool stop;
};

/* With the lock held. */
static bool stream(struct progress *p)
{
    if (!p->m->streaming)
        p->m->streaming = http_sse_begin(p->m->x->req, p->headers) == ST_OK;
    return p->m->streaming;
}

static void put_event(struct progress *p, const Gateway__Progress *event, struct strbuf *out)
{
    strbuf_str(out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                    "\"progressToken\":");
    strbuf_add(out, p->token, p->token_len);
    strbuf_str(out, ",\"progress\":");
    json_put_double(out, event->progress);
    if (event->total > 0) {
        strbuf_str(out, ",\"total\":");
        json_put_double(out, event->total);
    }
    if (*event->message != '\0' && p->m->version != MCP_2024_11_05)
        mcp_put_member(out, "message", event->message);
    strbuf_str(out, "}}");
}

/* On the subscription's thread, while the worker waits for the service. */
static void told(struct bus_message *msg, void *arg)
{
    struct progress *p = arg;
    Gateway__Progress *event = gateway__progress__unpack(NULL, msg->len, msg->data);
    struct strbuf out = STRBUF_INIT;

    bus_message_release(msg);
    if (event == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    if (event->progress > p->last) {
        p->last = event->progress;
        put_event(p, event, &out);
        if (stream(p))
            (void)!http_sse_event(p->m->x->req, NULL, out.data, out.len);
    }
    (void)pthread_mutex_unlock(&p->lock);
    strbuf_done(&out);
    gateway__progress__free_unpacked(event, NULL);
}

int64_t progress_keepalive_ms(void)
{
    for (const struct setting *s = http_settings; s->env != NULL; s++)
        if (strcmp(s->env, "MAL_SSE_KEEPALIVE_MS") == 0)
            return *(const int64_t *)s->target;
    return KEEPALIVE_MS;
}

static void *tick(void *arg)
{
    struct progress *p = arg;
    int64_t every_ms = progress_keepalive_ms();
    struct timespec until;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += every_ms / 1000;
        until.tv_nsec += (every_ms % 1000) * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        if (pthread_cond_timedwait(&p->cond, &p->lock, &until) == ETIMEDOUT && !p->stop &&
            (!stream(p) || http_sse_comment(p->m->x->req) != ST_OK))
            break; /* nobody reads any more */
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void subscribe(struct progress *p)
{
    struct mcp *m = p->m;
    const struct json_node *token =
        m->msg.meta != NULL ? json_get(m->msg.json, m->msg.meta, "progressToken") : NULL;

    if (token == NULL || (token->type != JSON_T_STRING && token->type != JSON_T_INT))
        return;
    p->token = json_raw(m->msg.json, token, &p->token_len);
    if (bus_subscribe(m->x->gw->bus, arena_printf(m->x->arena, "mal.progress.%s", m->x->request_id),
                      told, p, &p->sub) != ST_OK)
        p->sub = NULL;
}

struct progress *progress_begin(struct mcp *m, const struct tool *tool)
{
    struct progress *p;

    if (m->batch || !tool->rpc->open_world || !mcp_accepts(m->x, "text/event-stream"))
        return NULL;
    p = arena_alloc(m->x->arena, sizeof(*p));
    p->m = m;
    p->headers = respond_headers(m->x, m->headers);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->cond, NULL);
    subscribe(p);
    p->ticking = pthread_create(&p->thread, NULL, tick, p) == 0;
    return p;
}

void progress_end(struct progress *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    (void)pthread_cond_signal(&p->cond);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->ticking)
        (void)pthread_join(p->thread, NULL);
    if (p->sub != NULL)
        bus_sub_free(p->sub); /* joins: nothing is written any more */
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->cond);
}
