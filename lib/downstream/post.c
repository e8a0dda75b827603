/* SPDX-License-Identifier: Apache-2.0 */
/* Messages over HTTP that get no answer: notifications, responses, the end of a
 * session. */
#include "downstream/exchange.h"
#include "downstream/pipe.h"

#include "mcp/message.h"

#include <string.h>

enum { SMALL_MAX = 64 * 1024, CANCEL_MS = 2000 };

void post_put_session(struct strbuf *out, const struct session_view *view)
{
    if (view->version >= MCP_2025_03_26) {
        strbuf_str(out, "MCP-Protocol-Version: ");
        strbuf_str(out, mcp_version_text(view->version));
        strbuf_str(out, "\r\n");
    }
    if (view->id[0] != '\0') {
        strbuf_str(out, "Mcp-Session-Id: ");
        strbuf_str(out, view->id);
        strbuf_str(out, "\r\n");
    }
}

/* Sends conn->out and reads the response whose body says nothing to us. */
static enum conn_io transfer(struct conn *conn, struct waiter *waiter, int64_t deadline_ms)
{
    size_t sent, total = 0, len;
    const char *body;
    enum conn_io io;

    http1_reset(&conn->http);
    io = conn_send(conn, waiter, deadline_ms, &sent);
    while (io == CONN_OK && conn->http.state != HTTP1_DONE) {
        io = conn_recv(conn, waiter, deadline_ms);
        if (io == CONN_EOF) {
            http1_eof(&conn->http);
            return conn->http.state == HTTP1_DONE ? CONN_OK : CONN_EOF;
        }
        if (io != CONN_OK)
            return io;
        conn->in_at += http1_feed(&conn->http, conn->in + conn->in_at, conn->in_len - conn->in_at,
                                  &body, &len);
        total += len;
        if (conn->http.state == HTTP1_REFUSED || total > SMALL_MAX)
            return CONN_BROKEN;
    }
    return io;
}

static enum status exchange_small(struct downstream *server, const struct strbuf *request,
                                  int64_t deadline_ms, int *ret_status, struct error *err)
{
    struct waiter waiter;
    struct conn *conn;
    enum status status = ST_OK;
    enum conn_io io;

    waiter_init(&waiter);
    conn = server_connect(server, &waiter, deadline_ms, false, err);
    if (conn == NULL) {
        waiter_done(&waiter);
        return ST_UNAVAILABLE;
    }
    strbuf_clear(&conn->out);
    strbuf_add(&conn->out, request->data, request->len);
    io = transfer(conn, &waiter, deadline_ms);
    waiter_done(&waiter);
    *ret_status = conn->http.head.status;
    if (io == CONN_OK) {
        server_give(server, conn);
    } else {
        conn_close(conn);
        status = server_fault_io(server, io, "answer", err);
    }
    return status;
}

enum status post_message(struct downstream_session *session, const struct strbuf *body,
                         int64_t deadline_ms, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;
    struct downstream *server = session->server;
    struct session_view view;
    int http_status = 0;

    if (server->stdio)
        return pipe_post(session, body, err);
    session_look(session, &view);
    strbuf_str(&request, server->post);
    strbuf_str(&request, strbuf_cstr(&session->headers));
    post_put_session(&request, &view);
    strbuf_printf(&request, "Content-Length: %zu\r\n\r\n", body->len);
    strbuf_add(&request, body->data, body->len);
    TRY(exchange_small(server, &request, deadline_ms, &http_status, err));
    if (http_status >= 200 && http_status < 300)
        return ST_OK;
    return fault_set(err, server->id, DOWNSTREAM_FAULT_REFUSED,
                     "answered a notification with HTTP %d", http_status);
}

void post_delete(struct downstream_session *session, const struct session_view *view,
                 int64_t deadline_ms)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;
    struct downstream *server = session->server;
    int http_status;

    if (view->id[0] == '\0')
        return;
    strbuf_printf(&request, "DELETE %s%s HTTP/1.1\r\n%s%s", *server->url.target == '?' ? "/" : "",
                  server->url.target, server->headers, strbuf_cstr(&session->headers));
    post_put_session(&request, view);
    strbuf_str(&request, "\r\n");
    /* 405 and the like are as good as any. */
    (void)!exchange_small(server, &request, deadline_ms, &http_status, NULL);
}

enum status downstream_get(struct downstream *server, int64_t deadline_ms, int *ret_http_status,
                           struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;

    strbuf_printf(&request, "GET %s%s HTTP/1.1\r\n%sAccept: */*\r\n\r\n",
                  *server->url.target == '?' ? "/" : "", server->url.target, server->headers);
    return exchange_small(server, &request, deadline_ms, ret_http_status, err);
}

enum status downstream_notify(struct downstream_session *session, const char *method,
                              const char *params, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    if (session->modern)
        return ST_OK; /* has none that a client could send */
    strbuf_str(&body, "{\"jsonrpc\":\"2.0\",\"method\":");
    json_put_string(&body, method);
    if (params != NULL)
        strbuf_printf(&body, ",\"params\":%s", params);
    strbuf_char(&body, '}');
    return post_message(session, &body, server_probe_deadline(session->server, 0), err);
}

enum status downstream_answer(struct downstream_session *session, const char *id, size_t id_len,
                              const char *result, const char *error, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    strbuf_str(&body, "{\"jsonrpc\":\"2.0\",\"id\":");
    strbuf_add(&body, id, id_len);
    strbuf_printf(&body, ",\"%s\":%s}", error != NULL ? "error" : "result",
                  error != NULL ? error : result);
    return post_message(session, &body, server_probe_deadline(session->server, 0), err);
}

void post_cancelled(struct downstream_session *session, uint64_t id)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    strbuf_printf(&body,
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                  "\"requestId\":%llu}}",
                  (unsigned long long)id);
    (void)!post_message(session, &body, clock_mono_ms() + CANCEL_MS, NULL);
}
