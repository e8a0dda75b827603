/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange over Streamable HTTP: one POST, its response read as far as the
 * next message each time. */
#include "downstream/exchange.h"

#include "base/fiber.h"
#include "base/log.h"
#include "downstream/list.h"
#include "downstream/queue.h"

#include <string.h>

enum {
    PING_MS = 5000,
    RESUME_MS = 1000,
    RESUME_MIN_MS = 10,
    RESUMES_MAX = 1000,
    RELIST_MS = 10000
};

enum step {
    STEP_AGAIN,   /* something has changed: look again */
    STEP_MESSAGE, /* *ret_msg is filled */
    STEP_WAIT,    /* nothing came in time */
    STEP_FAILED,  /* err is set */
};

static enum step failed(enum status status)
{
    return status == ST_OK ? STEP_AGAIN : STEP_FAILED;
}

/* The same request once more, under another id. */
static enum step send_again(struct downstream_exchange *x, struct error *err)
{
    http_let_go(x, false);
    exchange_number(x);
    x->reply_bytes = 0;
    if (!x->modern && !x->handshake)
        session_look(x->session, &x->view);
    return failed(http_send(x, true, err));
}

/* ---- failures ------------------------------------------------------------------------ */

static enum step refuse(struct downstream_exchange *x, enum downstream_fault fault,
                        struct error *err, const char *what)
{
    return failed(exchange_fail(x, fault, err, "%s", what));
}

/* The stream broke off, but can be taken up where it did. */
static bool can_resume(const struct downstream_exchange *x)
{
    return !x->modern && x->has_sse && x->sse.id[0] != '\0' && x->resumes < RESUMES_MAX;
}

static enum step resume_later(struct downstream_exchange *x)
{
    long wait_ms = x->sse.retry_ms >= 0 ? x->sse.retry_ms : RESUME_MS;

    http_let_go(x, x->conn != NULL && x->conn->http.state == HTTP1_DONE);
    x->resume_ms = clock_mono_ms() + (wait_ms > RESUME_MIN_MS ? wait_ms : RESUME_MIN_MS);
    x->resumes++;
    x->state = EXCHANGE_RESUME;
    return STEP_AGAIN;
}

/* The connection ended before the answer. */
static enum step lost(struct downstream_exchange *x, enum conn_io io, struct error *err)
{
    if (io == CONN_CANCELLED)
        return refuse(x, DOWNSTREAM_FAULT_CANCELLED, err, "was not asked any more");
    if (can_resume(x))
        return resume_later(x);
    if (x->repeatable && !x->repeated) {
        x->repeated = true;
        return send_again(x, err);
    }
    (void)server_fault_io(x->server, CONN_EOF, "answer", err);
    (void)exchange_failed(x, err, err->status);
    return STEP_FAILED;
}

static enum step too_late(struct downstream_exchange *x, struct error *err)
{
    if (clock_mono_ms() < atomic_load(&x->deadline_ms))
        return STEP_WAIT;
    return refuse(x, DOWNSTREAM_FAULT_TIMEOUT, err, "did not answer in time");
}

/* ---- receiving ------------------------------------------------------------------------- */

/* More of the response: x->piece, or another state of the parser. */
static enum step receive(struct downstream_exchange *x, int64_t until_ms, struct error *err)
{
    struct conn *conn = x->conn;
    enum conn_io io;
    size_t used;

    fiber_let_wait(x->lets_wait);
    io = conn_recv(conn, &x->waiter, until_ms);
    fiber_let_wait(false);

    if (io == CONN_TIMEOUT)
        return too_late(x, err);
    if (io == CONN_WOKEN)
        return STEP_AGAIN;
    if (io == CONN_EOF) {
        http1_eof(&conn->http);
        if (conn->http.state == HTTP1_DONE)
            return STEP_AGAIN;
    }
    if (io != CONN_OK)
        return lost(x, io, err);
    used = http1_feed(&conn->http, conn->in + conn->in_at, conn->in_len - conn->in_at, &x->piece,
                      &x->piece_len);
    conn->in_at += used;
    x->reply_bytes += used;
    if (conn->http.state == HTTP1_REFUSED)
        return failed(exchange_fail(x, DOWNSTREAM_FAULT_PROTOCOL, err, "sent %s", conn->http.why));
    if (x->reply_bytes > x->server->limits.reply_bytes)
        return failed(exchange_fail(x, DOWNSTREAM_FAULT_TOO_LARGE, err,
                                    "sent more than the %u bytes that one answer may have",
                                    x->server->limits.reply_bytes));
    return STEP_AGAIN;
}

static enum step too_large(struct downstream_exchange *x, struct error *err)
{
    return failed(exchange_fail(x, DOWNSTREAM_FAULT_TOO_LARGE, err,
                                "sent a message of more than %u bytes",
                                x->server->limits.message_bytes));
}

/* The server does not know the session any more, so it did not look at the
 * request either. */
static enum step session_gone(struct downstream_exchange *x, struct error *err)
{
    enum status status;
    bool anew;

    if (x->renewed)
        return refuse(x, DOWNSTREAM_FAULT_REFUSED, err, "forgets its sessions at once");
    http_let_go(x, false);
    status =
        session_renew(x->session, x->view.generation, atomic_load(&x->deadline_ms), &anew, err);
    /* The session that another process went on with may be gone as well. */
    x->renewed = anew || x->adopted;
    x->adopted = true;
    if (status == ST_OK)
        return send_again(x, err);
    return failed(exchange_failed(x, err, status));
}

static enum step begin_events(struct downstream_exchange *x)
{
    if (x->has_sse) {
        /* Taken up again: what was begun is sent anew. */
        struct sse before = x->sse;

        sse_init(&x->sse, x->server->limits.message_bytes);
        memcpy(x->sse.id, before.id, sizeof(before.id));
        x->sse.retry_ms = before.retry_ms;
        sse_done(&before);
    } else {
        sse_init(&x->sse, x->server->limits.message_bytes);
        x->has_sse = true;
    }
    x->state = EXCHANGE_EVENTS;
    return STEP_AGAIN;
}

static enum step success(struct downstream_exchange *x, struct error *err)
{
    const struct http1_head *head = &x->conn->http.head;

    if (strcmp(head->content_type, "text/event-stream") == 0)
        return begin_events(x);
    if (head->status == 202 || head->status == 204)
        return refuse(x, DOWNSTREAM_FAULT_PROTOCOL, err, "took a request without answering it");
    if (strcmp(head->content_type, "application/json") != 0 || x->resumes > 0)
        return failed(exchange_fail(x, DOWNSTREAM_FAULT_PROTOCOL, err,
                                    "answered with the type '%.60s' instead of JSON or events",
                                    head->content_type));
    if (x->conn->http.has_length && x->conn->http.left > x->server->limits.message_bytes)
        return too_large(x, err);
    x->state = EXCHANGE_JSON;
    return STEP_AGAIN;
}

static enum step head_complete(struct downstream_exchange *x, struct error *err)
{
    const struct http1_head *head = &x->conn->http.head;

    x->http_status = head->status;
    if (x->handshake && !x->modern) {
        memcpy(x->view.id, head->session_id, sizeof(x->view.id));
        if (head->session_id_bad)
            return refuse(x, DOWNSTREAM_FAULT_PROTOCOL, err, "gives a session id that is none");
    }
    if (head->encoded)
        return refuse(x, DOWNSTREAM_FAULT_PROTOCOL, err, "sent a compressed answer unasked");
    if (head->status < 300)
        return success(x, err);
    if (head->status < 400)
        return refuse(x, DOWNSTREAM_FAULT_PROTOCOL, err,
                      "redirects, which is not followed: register its new URL");
    if (head->status == 401 || head->status == 403)
        return failed(exchange_fail(x, DOWNSTREAM_FAULT_AUTH, err,
                                    "refuses the hub's credentials (HTTP %d)", head->status));
    if (head->status == 404 && !x->modern && x->view.id[0] != '\0')
        return session_gone(x, err);
    if (head->status == 429)
        return refuse(x, DOWNSTREAM_FAULT_THROTTLED, err, "asks for fewer calls (HTTP 429)");
    if (x->resumes > 0)
        return lost(x, CONN_EOF, err);
    x->state = EXCHANGE_JSON; /* an error of JSON-RPC, perhaps */
    return STEP_AGAIN;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* The mirrored headers did not match, so the call was refused before it was
 * carried out: once more with the tools as they are now. */
static enum step relearn(struct downstream_exchange *x, struct error *err)
{
    x->relearned = true;
    http_let_go(x, false);
    list_refresh_tools(x->session, clock_mono_ms() + RELIST_MS);
    render_headers(x);
    return send_again(x, err);
}

/* The answer is there; the connection can serve others. */
static enum step finish(struct downstream_exchange *x, const struct downstream_message *msg,
                        struct error *err)
{
    http_let_go(x, true);
    if (msg->kind == DOWNSTREAM_ERROR && x->modern && msg->code == MCP_HEADER_MISMATCH &&
        x->http_status == 400 && !x->relearned && strcmp(x->method, "tools/call") == 0)
        return relearn(x, err);
    /* Not every server says 404 of a session it lost. */
    if (x->http_status == 400 && !x->modern && x->view.id[0] != '\0' && !x->renewed &&
        strcmp(x->method, "ping") != 0 &&
        !session_alive(x->session, x->view.generation, atomic_load(&x->deadline_ms)))
        return session_gone(x, err);
    return STEP_MESSAGE;
}

static void answer_ping(struct downstream_exchange *x, const struct downstream_message *msg)
{
    size_t len;
    const char *raw = json_raw(&msg->json, msg->id, &len);

    if (downstream_answer(x->session, raw, len, "{}", NULL, NULL) != ST_OK)
        log_debug("server %s: a ping could not be answered", x->server->id);
}

static enum step message(struct downstream_exchange *x, const struct json *json,
                         const struct json_node *node, struct downstream_message *ret_msg,
                         struct error *err)
{
    switch (inbound_read(&x->arena, json, node, x->id, x->token, ret_msg)) {
    case INBOUND_PING:
        if (!x->modern)
            answer_ping(x, ret_msg);
        return STEP_AGAIN;
    case INBOUND_SKIP:
        return STEP_AGAIN;
    case INBOUND_BAD:
        return refuse(x, DOWNSTREAM_FAULT_PROTOCOL, err, "sent JSON that is no message of MCP");
    case INBOUND_PASS:
        break;
    }
    if (ret_msg->kind == DOWNSTREAM_REQUEST && x->modern) {
        log_debug("server %s: a request of a modern server is dropped", x->server->id);
        return STEP_AGAIN;
    }
    if (ret_msg->kind == DOWNSTREAM_RESULT || ret_msg->kind == DOWNSTREAM_ERROR)
        return finish(x, ret_msg, err);
    return STEP_MESSAGE;
}

/* One message, or several of a 2025-03-26 server. */
static enum step parsed(struct downstream_exchange *x, const char *text, size_t len,
                        struct downstream_message *ret_msg, struct error *err)
{
    struct json_limits limits = inbound_limits(x->server);
    struct error why = {0};

    arena_reset(&x->arena);
    if (json_parse(&x->arena, text, len, &limits, &x->json, &why) != ST_OK) {
        if (x->http_status >= 400)
            return failed(exchange_fail(x, DOWNSTREAM_FAULT_REFUSED, err, "answered HTTP %d",
                                        x->http_status));
        return failed(exchange_fail(x, DOWNSTREAM_FAULT_PROTOCOL, err, "sent a broken message (%s)",
                                    why.message));
    }
    if (x->json.nodes->type == JSON_T_ARRAY && !x->modern) {
        x->batch_next = json_first(x->json.nodes);
        x->batch_end = x->json.nodes + x->json.nodes->span;
        return STEP_AGAIN;
    }
    if (x->http_status >= 400 && json_get(&x->json, x->json.nodes, "error") == NULL)
        return failed(
            exchange_fail(x, DOWNSTREAM_FAULT_REFUSED, err, "answered HTTP %d", x->http_status));
    return message(x, &x->json, x->json.nodes, ret_msg, err);
}

static enum step next_of_batch(struct downstream_exchange *x, struct downstream_message *ret_msg,
                               struct error *err)
{
    const struct json_node *node = x->batch_next;

    x->batch_next = json_next(node);
    if (x->batch_next >= x->batch_end)
        x->batch_next = NULL;
    return message(x, &x->json, node, ret_msg, err);
}

/* ---- states -----------------------------------------------------------------------------------
 */

static enum step read_json(struct downstream_exchange *x, int64_t until_ms,
                           struct downstream_message *ret_msg, struct error *err)
{
    if (x->piece_len > 0) {
        if (x->body.len + x->piece_len > x->server->limits.message_bytes)
            return too_large(x, err);
        strbuf_add(&x->body, x->piece, x->piece_len);
        x->piece_len = 0;
    }
    if (x->conn->http.state != HTTP1_DONE)
        return receive(x, until_ms, err);
    if (x->body_read)
        return refuse(x, DOWNSTREAM_FAULT_PROTOCOL, err, "answered something else");
    x->body_read = true;
    return parsed(x, strbuf_cstr(&x->body), x->body.len, ret_msg, err);
}

static enum step read_events(struct downstream_exchange *x, int64_t until_ms,
                             struct downstream_message *ret_msg, struct error *err)
{
    enum sse_state state;
    size_t used;

    if (x->piece_len > 0) {
        state = sse_feed(&x->sse, x->piece, x->piece_len, &used);
        x->piece += used;
        x->piece_len -= used;
        if (state == SSE_TOO_LARGE)
            return too_large(x, err);
        if (state == SSE_EVENT)
            return parsed(x, x->sse.data.data, x->sse.data.len, ret_msg, err);
        return STEP_AGAIN;
    }
    if (x->conn->http.state == HTTP1_DONE)
        return lost(x, CONN_EOF, err);
    return receive(x, until_ms, err);
}

static enum step resume(struct downstream_exchange *x, int64_t until_ms, struct error *err)
{
    bool due = x->resume_ms <= until_ms;

    if (!waiter_sleep(&x->waiter, due ? x->resume_ms : until_ms))
        return lost(x, CONN_CANCELLED, err);
    if (!due)
        return too_late(x, err);
    return failed(http_send_resume(x, err));
}

static enum step step(struct downstream_exchange *x, int64_t until_ms,
                      struct downstream_message *ret_msg, struct error *err)
{
    if (x->waiter.wake_fd >= 0 && (x->given = queue_take(x)) != NULL) {
        *ret_msg = x->given->msg;
        return STEP_MESSAGE;
    }
    if (x->batch_next != NULL)
        return next_of_batch(x, ret_msg, err);
    switch (x->state) {
    case EXCHANGE_HEAD:
        if (x->conn->http.state == HTTP1_HEAD)
            return receive(x, until_ms, err);
        return head_complete(x, err);
    case EXCHANGE_JSON:
        return read_json(x, until_ms, ret_msg, err);
    case EXCHANGE_EVENTS:
        return read_events(x, until_ms, ret_msg, err);
    case EXCHANGE_RESUME:
        return resume(x, until_ms, err);
    default:
        return STEP_FAILED;
    }
}

enum status http_next(struct downstream_exchange *x, int64_t until_ms,
                      struct downstream_message *ret_msg, struct error *err)
{
    queued_free(TAKE(x->given));
    for (;;) {
        switch (step(x, until_ms, ret_msg, err)) {
        case STEP_AGAIN:
            break;
        case STEP_MESSAGE:
            return ST_OK;
        case STEP_WAIT:
            *ret_msg = (struct downstream_message){.kind = DOWNSTREAM_NOTHING};
            return ST_OK;
        case STEP_FAILED:
            return err->status != ST_OK ? err->status : ST_INTERNAL;
        }
    }
}

void http_end(struct downstream_exchange *x)
{
    http_let_go(x, false);
    if (!x->modern && !x->handshake && exchange_given_up(x))
        post_cancelled(x->session, x->id);
}
