/* SPDX-License-Identifier: Apache-2.0 */
/* What comes on a stream of a session. */
#include "downstream/watch.h"

#include "base/log.h"
#include "downstream/loop.h"
#include "downstream/queue.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_AT_ONCE = 1 << 20 };

static void answer(struct watch *w, const struct downstream_message *msg, const char *tail)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    size_t len;
    const char *raw = json_raw(&msg->json, msg->id, &len);

    strbuf_str(&body, "{\"jsonrpc\":\"2.0\",\"id\":");
    strbuf_add(&body, raw, len);
    strbuf_str(&body, tail);
    outbox_add(w->session, &body);
}

/* Tools ask, and soon after they were called. */
static bool is_likelier(const struct downstream_exchange *x, const struct downstream_exchange *than)
{
    return strcmp(x->method, "tools/call") == 0 && strcmp(than->method, "tools/call") != 0;
}

/* Logs on the stream of a session that nobody else hears are of its only exchange. */
static bool is_log_of_one(const struct downstream_session *session,
                          const struct downstream_message *msg)
{
    return session->on_message == NULL && session->shared.load == NULL &&
           strcmp(msg->method, "notifications/message") == 0;
}

/* The exchange of the session that the message belongs to: the one with that token
 * for progress; for a question the only one there is. All exchanges of a shared
 * session are one client's, which may be asked on any of them: on the newest call.
 * Under the server's lock. */
static struct downstream_exchange *concerned(struct downstream_session *session,
                                             const struct downstream_message *msg)
{
    bool progress = strcmp(msg->method, "notifications/progress") == 0;
    struct downstream_exchange *found = NULL;
    uint64_t token = 0;

    if (!progress && msg->kind != DOWNSTREAM_REQUEST && !is_log_of_one(session, msg))
        return NULL;
    if (progress &&
        !inbound_number(&msg->json, json_get(&msg->json, msg->params, "progressToken"), &token))
        return NULL;
    for (struct downstream_exchange *x = session->server->running; x != NULL; x = x->next) {
        if (x->session != session || x->handshake || x->waiter.wake_fd < 0 ||
            (progress ? x->token != token : x->shunned))
            continue;
        if (found != NULL && (progress || session->shared.load == NULL))
            return NULL;
        if (found == NULL || is_likelier(x, found)) /* the newest is the first */
            found = x;
    }
    return found;
}

/* Gives the item to the exchange it belongs to; false when there is none. */
static bool give(struct downstream_session *session, struct queued *item)
{
    struct downstream_exchange *x;

    (void)pthread_mutex_lock(&session->server->lock);
    x = concerned(session, &item->msg);
    if (x != NULL) {
        item->msg.own_progress = strcmp(item->msg.method, "notifications/progress") == 0;
        item->msg.unrelated = item->msg.kind == DOWNSTREAM_REQUEST;
        queue_put(x, item);
    }
    (void)pthread_mutex_unlock(&session->server->lock);
    return x != NULL;
}

/* Whose question the server withdraws only those know that asked it. */
static void give_all(struct downstream_session *session, const struct downstream_message *msg)
{
    (void)pthread_mutex_lock(&session->server->lock);
    for (struct downstream_exchange *x = session->server->running; x != NULL; x = x->next)
        if (x->session == session && !x->handshake && x->waiter.wake_fd >= 0)
            queue_put_copy(x, msg);
    (void)pthread_mutex_unlock(&session->server->lock);
}

static void tell(struct watch *w, struct downstream_message *msg)
{
    struct downstream_session *session = w->session;
    struct session_view view;

    /* Where nobody was declared who can be asked there is no need to ask around: this
     * thread reads for all servers, and an answer of somebody else's may block it. */
    if (msg->kind == DOWNSTREAM_REQUEST &&
        (session->on_message == NULL || strcmp(session->capabilities, "{}") == 0)) {
        answer(w, msg, ",\"error\":{\"code\":-32601,\"message\":\"nobody here can answer that\"}}");
        return;
    }
    if (session->on_message == NULL)
        return;
    session_look(session, &view);
    msg->version = view.version;
    session->on_message(session, msg, session->arg);
}

/* False when the stream is over. Takes the item. */
static bool sort(struct watch *w, struct queued *item, const struct json *json)
{
    struct downstream_message *msg = &item->msg;
    enum inbound kind = inbound_read(&item->arena, json, json->nodes, w->listen_id, 0, msg);
    bool last =
        kind == INBOUND_PASS && (msg->kind == DOWNSTREAM_RESULT || msg->kind == DOWNSTREAM_ERROR);

    if (kind == INBOUND_PING && !w->session->modern)
        answer(w, msg, ",\"result\":{}}");
    if (kind != INBOUND_PASS || last || (w->session->modern && msg->kind == DOWNSTREAM_REQUEST) ||
        strcmp(msg->method, "notifications/subscriptions/acknowledged") == 0) {
        queued_free(item);
        return !last || !w->session->modern; /* an older one answers nothing here */
    }
    if (!w->session->modern && inbound_withdraws(msg))
        give_all(w->session, msg);
    else if (!w->session->modern && give(w->session, item))
        return true;
    tell(w, msg);
    queued_free(item);
    return true;
}

/* One message, or several of a 2025-03-26 server, each with an arena of its own. */
static bool event(struct watch *w)
{
    struct downstream *server = w->session->server;
    struct json json, one;
    struct queued *item = queued_read(server, w->sse.data.data, w->sse.data.len, &json, NULL);
    const struct json_node *node;
    bool goes_on = true;

    if (item == NULL) {
        log_debug("server %s: an event that is no message", server->id);
        return true;
    }
    if (json.nodes->type != JSON_T_ARRAY || w->session->modern)
        return sort(w, item, &json);
    node = json_first(json.nodes);
    for (uint32_t i = 0; i < json.nodes->count && goes_on; i++, node = json_next(node)) {
        size_t len;
        const char *text = json_raw(&json, node, &len);
        struct queued *part = queued_read(server, text, len, &one, NULL);

        goes_on = part == NULL || sort(w, part, &one);
    }
    queued_free(item);
    return goes_on;
}

static bool events(struct watch *w, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t used;
        enum sse_state state = sse_feed(&w->sse, bytes, len, &used);

        bytes += used;
        len -= used;
        if (state == SSE_TOO_LARGE || (state == SSE_EVENT && !event(w)))
            return false;
    }
    return true;
}

bool watch_read(struct watch *w)
{
    struct conn *conn = w->conn;
    size_t total = 0;

    while (total < BYTES_AT_ONCE || conn->ssl != NULL) {
        const char *body;
        size_t len, used;
        short wanted;
        enum conn_io io = conn_read_now(conn, &wanted);

        if (io != CONN_OK)
            return io == CONN_AGAIN;
        used = http1_feed(&conn->http, conn->in + conn->in_at, conn->in_len - conn->in_at, &body,
                          &len);
        conn->in_at += used;
        total += used;
        if (len > 0 && !events(w, body, len))
            return false;
        if (conn->http.state == HTTP1_DONE || conn->http.state == HTTP1_REFUSED)
            return false;
    }
    return true;
}

bool downstream_can_take(struct downstream_session *session)
{
    const struct downstream_message question = {.kind = DOWNSTREAM_REQUEST, .method = ""};
    bool found;

    (void)pthread_mutex_lock(&session->server->lock);
    found = concerned(session, &question) != NULL;
    (void)pthread_mutex_unlock(&session->server->lock);
    return found;
}

void downstream_hold(struct downstream_session *session, int ms)
{
    int64_t now_ms = clock_mono_ms();

    (void)pthread_mutex_lock(&session->server->lock);
    for (struct downstream_exchange *x = session->server->running; x != NULL; x = x->next)
        if (x->session == session && !x->handshake &&
            atomic_load(&x->deadline_ms) < now_ms + ms + x->time_ms)
            atomic_store(&x->deadline_ms, now_ms + ms + x->time_ms);
    (void)pthread_mutex_unlock(&session->server->lock);
}

void downstream_shun(struct downstream_exchange *x)
{
    (void)pthread_mutex_lock(&x->server->lock);
    x->shunned = true;
    (void)pthread_mutex_unlock(&x->server->lock);
}

bool downstream_inject(struct downstream_session *session, const char *text, size_t len)
{
    struct json json;
    struct queued *item = queued_read(session->server, text, len, &json, NULL);
    bool good = item != NULL &&
                inbound_read(&item->arena, &json, json.nodes, 0, 0, &item->msg) == INBOUND_PASS &&
                item->msg.method != NULL;

    if (good && inbound_withdraws(&item->msg))
        give_all(session, &item->msg);
    else if (good && give(session, item))
        return true;
    queued_free(item);
    return false;
}

void watch_tell_stale(struct downstream_session *session)
{
    struct downstream_message msg = {.kind = DOWNSTREAM_STALE};
    struct session_view view;

    if (session->on_message == NULL)
        return;
    session_look(session, &view);
    msg.version = view.version;
    session->on_message(session, &msg, session->arg);
}
