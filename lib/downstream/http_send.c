/* SPDX-License-Identifier: Apache-2.0 */
/* Sending the request of an exchange over HTTP, on a connection from the pool. */
#include "downstream/exchange.h"

enum { HEAD_ROOM = 1024 };

static void put_post(struct strbuf *out, struct downstream_exchange *x)
{
    strbuf_clear(out);
    strbuf_reserve(out, x->tail.len + HEAD_ROOM);
    strbuf_str(out, x->server->post);
    strbuf_add(out, x->headers.data, x->headers.len);
    if (x->modern) {
        strbuf_str(out, "MCP-Protocol-Version: " MCP_MODERN_TEXT "\r\n");
        strbuf_add(out, x->mirrored.data, x->mirrored.len);
    } else if (!x->handshake) {
        post_put_session(out, &x->view);
    }
    strbuf_str(out, "Content-Length: ");
    strbuf_uint(out, exchange_json_len(x));
    strbuf_str(out, "\r\n\r\n");
    exchange_put_json(out, x);
}

static void put_resume(struct strbuf *out, struct downstream_exchange *x)
{
    const struct downstream *server = x->server;

    strbuf_clear(out);
    strbuf_printf(out, "GET %s%s HTTP/1.1\r\n%s", *server->url.target == '?' ? "/" : "",
                  server->url.target, server->headers);
    strbuf_add(out, x->headers.data, x->headers.len);
    strbuf_str(out, "Accept: text/event-stream\r\n");
    post_put_session(out, &x->view);
    strbuf_printf(out, "Last-Event-ID: %s\r\n\r\n", x->sse.id);
}

/* The connection is not used any more, by this exchange or at all. */
void http_let_go(struct downstream_exchange *x, bool keep)
{
    struct conn *conn = TAKE(x->conn);

    x->piece = NULL;
    x->piece_len = 0;
    if (conn == NULL)
        return;
    waiter_leave(&x->waiter);
    if (keep)
        server_give(x->server, conn);
    else
        conn_close(conn);
}

/* On one connection; *ret_unsent: it cannot have been carried out. */
static enum status send_on(struct downstream_exchange *x, bool fresh,
                           void (*put)(struct strbuf *out, struct downstream_exchange *x),
                           bool *ret_unsent, struct error *err)
{
    int64_t deadline_ms = atomic_load(&x->deadline_ms);
    size_t sent;
    enum conn_io io = CONN_CANCELLED;

    *ret_unsent = true;
    x->conn = server_connect(x->server, &x->waiter, deadline_ms, fresh, err);
    if (x->conn == NULL) {
        *ret_unsent = false;
        return ST_UNAVAILABLE;
    }
    put(&x->conn->out, x);
    http1_reset(&x->conn->http);
    if (waiter_enter(&x->waiter, x->conn->fd))
        io = conn_send(x->conn, &x->waiter, deadline_ms, &sent);
    if (io == CONN_OK)
        return ST_OK;
    *ret_unsent = x->conn->used && (io == CONN_EOF || io == CONN_BROKEN);
    http_let_go(x, false);
    return server_fault_io(x->server, io, "take the request", err);
}

/* A connection that was kept may turn out to be closed: then on a new one. */
static enum status send_request(struct downstream_exchange *x, bool fresh,
                                void (*put)(struct strbuf *out, struct downstream_exchange *x),
                                struct error *err)
{
    bool unsent = false;
    enum status status = send_on(x, fresh, put, &unsent, err);

    if (status != ST_OK && unsent) {
        error_clear(err);
        status = send_on(x, true, put, &unsent, err);
    }
    if (status != ST_OK)
        return exchange_failed(x, err, err->status);
    x->state = EXCHANGE_HEAD;
    x->sent = true;
    x->body_read = false;
    strbuf_clear(&x->body);
    return ST_OK;
}

enum status http_send(struct downstream_exchange *x, bool fresh, struct error *err)
{
    return send_request(x, fresh, put_post, err);
}

enum status http_send_resume(struct downstream_exchange *x, struct error *err)
{
    return send_request(x, false, put_resume, err);
}

enum status http_begin(struct downstream_exchange *x, struct error *err)
{
    if (!x->modern && !x->handshake)
        session_look(x->session, &x->view);
    return http_send(x, false, err);
}
