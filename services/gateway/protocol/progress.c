/* SPDX-License-Identifier: Apache-2.0 */
/* What a slow call sends before its answer: progress, and comments that keep
 * proxies from closing the connection. */
#include "progress.h"

#include "base/clock.h"
#include "respond.h"

#include "mal/gateway/v1/state.pb-c.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { KEEPALIVE_MS = 15000 };

struct progress {
    struct mcp *m;
    struct bus_sub *sub;
    const char *headers; /* made beforehand: the arena is the worker's */
    const char *token;   /* as written */
    size_t token_len;
    double last;
    pthread_mutex_t lock; /* of the stream */
    /* Under ticker.lock. */
    struct progress *next, **prev;
    int64_t due_ms; /* when a comment is to be sent */
    bool ticking;
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

/* ---- comments ---------------------------------------------------------------------
 * One thread sends those of all calls. Each waits equally long for its first, so the
 * list is in the order in which they are due, and who is added is due later than the
 * thread next looks: it need not be woken. */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* one is not ticking any more */
    bool running;
    struct progress *first, **last;
} ticker = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER, .last = &ticker.first};

/* With ticker.lock held, as the next. */
static void append(struct progress *p, int64_t due_ms)
{
    p->due_ms = due_ms;
    p->next = NULL;
    p->prev = ticker.last;
    *ticker.last = p;
    ticker.last = &p->next;
}

static void take_out(struct progress *p)
{
    *p->prev = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    else
        ticker.last = p->prev;
}

/* Whoever writes at the moment keeps the connection open as well. */
static void comment(struct progress *p)
{
    if (pthread_mutex_trylock(&p->lock) != 0)
        return;
    if (stream(p))
        (void)!http_sse_comment(p->m->x->req);
    (void)pthread_mutex_unlock(&p->lock);
}

static void *tick(void *arg)
{
    int64_t every_ms = progress_keepalive_ms(), now, wait_ms;

    (void)arg;
    (void)pthread_mutex_lock(&ticker.lock);
    for (;;) {
        struct progress *p = ticker.first;

        now = clock_mono_ms();
        if (p != NULL && p->due_ms <= now) {
            take_out(p);
            append(p, now + every_ms);
            p->ticking = true;
            (void)pthread_mutex_unlock(&ticker.lock);
            comment(p);
            (void)pthread_mutex_lock(&ticker.lock);
            p->ticking = false;
            (void)pthread_cond_broadcast(&ticker.idle);
            continue;
        }
        wait_ms = p != NULL ? p->due_ms - now : every_ms;
        (void)pthread_mutex_unlock(&ticker.lock);
        (void)usleep((useconds_t)(wait_ms * 1000));
        (void)pthread_mutex_lock(&ticker.lock);
    }
    return NULL;
}

static void tick_begin(struct progress *p)
{
    pthread_t thread;

    (void)pthread_mutex_lock(&ticker.lock);
    append(p, clock_mono_ms() + progress_keepalive_ms());
    if (!ticker.running && pthread_create(&thread, NULL, tick, NULL) == 0) {
        (void)pthread_detach(thread);
        ticker.running = true;
    }
    (void)pthread_mutex_unlock(&ticker.lock);
}

static void tick_end(struct progress *p)
{
    (void)pthread_mutex_lock(&ticker.lock);
    take_out(p);
    while (p->ticking)
        (void)pthread_cond_wait(&ticker.idle, &ticker.lock);
    (void)pthread_mutex_unlock(&ticker.lock);
}

/* ---- a call ----------------------------------------------------------------------- */

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
    subscribe(p);
    tick_begin(p);
    return p;
}

void progress_end(struct progress *p)
{
    if (p == NULL)
        return;
    tick_end(p);
    if (p->sub != NULL)
        bus_sub_free(p->sub); /* joins: nothing is written any more */
    (void)pthread_mutex_destroy(&p->lock);
}
