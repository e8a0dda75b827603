/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a stream of changes: by GET with a legacy server, by
 * subscriptions/listen with a modern one. */
#include "downstream/watch.h"

#include "mcp/era.h"
#include "mcp/message.h"

#include <string.h>

enum { HEAD_MS = 10000, SUBSCRIBE_MS = 5000 };

/* ---- resources of legacy servers ----------------------------------------------------- */

static bool has_uri(const struct strbuf *list, const char *uri)
{
    for (size_t at = 0; at < list->len; at += strlen(list->data + at) + 1)
        if (strcmp(list->data + at, uri) == 0)
            return true;
    return false;
}

static bool wishes(const struct downstream_wish *wish, const char *uri)
{
    for (size_t i = 0; i < wish->n_uris; i++)
        if (strcmp(wish->uris[i], uri) == 0)
            return true;
    return false;
}

static bool tell(struct watch *w, const char *method, const char *uri)
{
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena = {0};
    struct downstream_request request = {
        .method = method, .repeatable = true, .deadline_ms = clock_mono_ms() + SUBSCRIBE_MS};
    struct downstream_message msg;

    strbuf_char(&params, '{');
    mcp_put_member(&params, "uri", uri);
    strbuf_char(&params, '}');
    request.params_text = params.data;
    return downstream_call(w->session, &request, NULL, &arena, &msg, NULL) == ST_OK;
}

/* Makes what is subscribed what is wished. */
static void subscribe(struct watch *w, const struct downstream_wish *wish)
{
    CLEANUP(strbuf_done) struct strbuf before = STRBUF_INIT;
    struct session_view view;

    session_look(w->session, &view);
    if (w->generation != view.generation)
        strbuf_clear(&w->subscribed);
    w->generation = view.generation;
    strbuf_add(&before, w->subscribed.data ? w->subscribed.data : "", w->subscribed.len);
    strbuf_clear(&w->subscribed);
    for (size_t at = 0; at < before.len; at += strlen(before.data + at) + 1)
        if (!wishes(wish, before.data + at))
            (void)tell(w, "resources/unsubscribe", before.data + at);
    for (size_t i = 0; i < wish->n_uris; i++)
        if (has_uri(&before, wish->uris[i]) || tell(w, "resources/subscribe", wish->uris[i]))
            strbuf_add(&w->subscribed, wish->uris[i], strlen(wish->uris[i]) + 1);
}

/* ---- requests --------------------------------------------------------------------------- */

static void put_get(struct strbuf *out, struct watch *w)
{
    const struct downstream *server = w->session->server;
    struct session_view view;

    session_look(w->session, &view);
    strbuf_printf(out, "GET %s%s HTTP/1.1\r\n%s%s", *server->url.target == '?' ? "/" : "",
                  server->url.target, server->headers, strbuf_cstr(&w->session->headers));
    strbuf_str(out, "Accept: text/event-stream\r\n");
    post_put_session(out, &view);
    strbuf_str(out, "\r\n");
}

void watch_put_listen(struct strbuf *out, const struct downstream_session *session, uint64_t id,
                      const struct downstream_wish *wish)
{
    strbuf_printf(out,
                  "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"subscriptions/listen\","
                  "\"params\":{\"notifications\":{\"toolsListChanged\":%s,"
                  "\"promptsListChanged\":%s,\"resourcesListChanged\":%s",
                  (unsigned long long)id, wish->tools ? "true" : "false",
                  wish->prompts ? "true" : "false", wish->resources ? "true" : "false");
    for (size_t i = 0; i < wish->n_uris; i++) {
        strbuf_str(out, i == 0 ? ",\"resourceSubscriptions\":[" : ",");
        json_put_string(out, wish->uris[i]);
    }
    strbuf_printf(out,
                  "%s},\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_MODERN_TEXT
                  "\",\"" MCP_META_CLIENT "\":%s,\"" MCP_META_CAPABILITIES "\":{}}}}",
                  wish->n_uris > 0 ? "]" : "", session->server->client_info);
}

static void put_listen(struct strbuf *out, struct watch *w, const struct downstream_wish *wish)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    struct downstream *server = w->session->server;

    w->listen_id = atomic_fetch_add(&server->next_id, 1) + 1;
    watch_put_listen(&body, w->session, w->listen_id, wish);
    strbuf_printf(out, "POST %s%s HTTP/1.1\r\n%s%s", *server->url.target == '?' ? "/" : "",
                  server->url.target, server->headers, strbuf_cstr(&w->session->headers));
    strbuf_printf(out,
                  "Content-Type: application/json\r\n"
                  "Accept: application/json, text/event-stream\r\n"
                  "MCP-Protocol-Version: " MCP_MODERN_TEXT "\r\n"
                  "Mcp-Method: subscriptions/listen\r\nContent-Length: %zu\r\n\r\n",
                  body.len);
    strbuf_add(out, body.data, body.len);
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool read_head(struct watch *w, int64_t deadline_ms)
{
    struct conn *conn = w->conn;
    const char *body;
    size_t len, sent;

    http1_reset(&conn->http);
    if (!waiter_enter(&w->waiter, conn->fd))
        return false;
    if (conn_send(conn, &w->waiter, deadline_ms, &sent) == CONN_OK)
        while (conn->http.state == HTTP1_HEAD &&
               conn_recv(conn, &w->waiter, deadline_ms) == CONN_OK)
            conn->in_at += http1_feed(&conn->http, conn->in + conn->in_at,
                                      conn->in_len - conn->in_at, &body, &len);
    waiter_leave(&w->waiter);
    return conn->http.state == HTTP1_BODY || conn->http.state == HTTP1_DONE;
}

static enum watch_opened judge(struct watch *w, int64_t deadline_ms)
{
    const struct http1_head *head = &w->conn->http.head;
    struct session_view view;
    struct error err = {0};
    bool anew;

    if (head->status == 200 && strcmp(head->content_type, "text/event-stream") == 0 &&
        !head->encoded) {
        sse_init(&w->sse, w->session->server->limits.message_bytes);
        w->has_sse = true;
        return WATCH_OPENED;
    }
    session_look(w->session, &view);
    if (head->status == 404 && !w->session->modern && view.id[0] != '\0') {
        (void)!session_renew(w->session, view.generation, deadline_ms, &anew, &err);
        return WATCH_LATER;
    }
    /* It offers none: whoever wants to know of changes has to ask. */
    if (head->status == 405 || head->status == 404 || head->status == 501 ||
        (head->status == 200 && strcmp(head->content_type, "application/json") == 0))
        return WATCH_NEVER;
    return WATCH_LATER;
}

enum watch_opened watch_open(struct watch *w)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct downstream *server = w->session->server;
    int64_t deadline_ms = clock_mono_ms() + server->limits.connect_ms + HEAD_MS;
    struct downstream_wish wish;
    enum watch_opened opened;

    watch_wish(w, &arena, &wish);
    if (w->session->modern && !wish.tools && !wish.prompts && !wish.resources && wish.n_uris == 0)
        return WATCH_NEVER;
    if (!w->session->modern)
        subscribe(w, &wish);
    w->conn = server_connect(server, &w->waiter, deadline_ms, true, NULL);
    if (w->conn == NULL)
        return WATCH_LATER;
    if (w->session->modern)
        put_listen(&w->conn->out, w, &wish);
    else
        put_get(&w->conn->out, w);
    if (!read_head(w, deadline_ms))
        return WATCH_LATER;
    opened = judge(w, deadline_ms);
    if (opened != WATCH_OPENED)
        return opened;
    if (w->had_stream)
        watch_tell_stale(w->session);
    w->had_stream = true;
    return watch_read(w) ? WATCH_OPENED : WATCH_LATER;
}
