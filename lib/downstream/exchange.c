/* SPDX-License-Identifier: Apache-2.0 */
/* One request and what comes back: the part that does not depend on how the
 * bytes travel. */
#include "downstream/exchange.h"

#include "base/log.h"
#include "downstream/headers.h"
#include "downstream/pipe.h"
#include "downstream/probe.h"
#include "downstream/queue.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- ends ------------------------------------------------------------------------ */

/* After the last message or failure. Once. */
static void over(struct downstream_exchange *x, enum downstream_fault fault)
{
    const struct downstream *server = x->server;

    if (x->state == EXCHANGE_OVER)
        return;
    x->state = EXCHANGE_OVER;
    x->fault = fault;
    if (server->observe != NULL)
        server->observe(fault, clock_mono_us() - x->started_us, server->observe_arg);
}

enum status exchange_failed(struct downstream_exchange *x, const struct error *err,
                            enum status status)
{
    over(x, err != NULL ? downstream_fault_of(err) : DOWNSTREAM_FAULT_LOST);
    return status;
}

enum status exchange_fail(struct downstream_exchange *x, enum downstream_fault fault,
                          struct error *err, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    if (fault == DOWNSTREAM_FAULT_CANCELLED && atomic_load(&x->closed)) {
        fault = DOWNSTREAM_FAULT_CLOSED;
        fmt = "was taken away";
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    over(x, fault);
    return fault_set(err, x->server->id, fault, "%s", text);
}

bool exchange_given_up(const struct downstream_exchange *x)
{
    if (!x->sent || x->answered)
        return false;
    return x->state != EXCHANGE_OVER || x->fault == DOWNSTREAM_FAULT_CANCELLED ||
           x->fault == DOWNSTREAM_FAULT_CLOSED || x->fault == DOWNSTREAM_FAULT_TIMEOUT ||
           x->fault == DOWNSTREAM_FAULT_TOO_LARGE;
}

/* ---- beginnings -------------------------------------------------------------------- */

void exchange_number(struct downstream_exchange *x)
{
    x->id = atomic_fetch_add(&x->server->next_id, 1) + 1;
}

static const char before_id[] = "{\"jsonrpc\":\"2.0\",\"id\":";

void exchange_put_json(struct strbuf *out, const struct downstream_exchange *x)
{
    strbuf_str(out, before_id);
    strbuf_uint(out, x->id);
    strbuf_add(out, x->tail.data, x->tail.len);
}

size_t exchange_json_len(const struct downstream_exchange *x)
{
    size_t digits = 1;

    for (uint64_t rest = x->id / 10; rest > 0; rest /= 10)
        digits++;
    return sizeof(before_id) - 1 + digits + x->tail.len;
}

static enum status enter(struct downstream_exchange *x, struct error *err)
{
    struct downstream *server = x->server;
    enum downstream_fault fault = DOWNSTREAM_FAULT_NONE;

    (void)pthread_mutex_lock(&server->lock);
    if (server->stopped)
        fault = DOWNSTREAM_FAULT_CLOSED;
    else if (!x->handshake && server->n_running >= server->limits.max_calls)
        fault = DOWNSTREAM_FAULT_BUSY;
    x->next = server->running;
    if (x->next != NULL)
        x->next->previous = x;
    server->running = x;
    server->n_running++;
    (void)pthread_mutex_unlock(&server->lock);
    if (fault == DOWNSTREAM_FAULT_CLOSED)
        return exchange_fail(x, fault, err, "was taken away");
    if (fault == DOWNSTREAM_FAULT_BUSY)
        return exchange_fail(x, fault, err, "has %d calls running, as many as it may have",
                             server->limits.max_calls);
    return ST_OK;
}

static void leave(struct downstream_exchange *x)
{
    struct downstream *server = x->server;

    (void)pthread_mutex_lock(&server->lock);
    if (x->previous != NULL)
        x->previous->next = x->next;
    else
        server->running = x->next;
    if (x->next != NULL)
        x->next->previous = x->previous;
    server->n_running--;
    (void)pthread_mutex_unlock(&server->lock);
}

static struct downstream_exchange *exchange_new(struct downstream_session *session,
                                                const struct downstream_request *request,
                                                bool handshake, bool modern)
{
    struct downstream_exchange *x = calloc(1, sizeof(*x));

    if (x == NULL || (x->method = strdup(request->method)) == NULL)
        abort();
    if (request->client != NULL && (x->client = strdup(request->client)) == NULL)
        abort();
    x->server = session->server;
    x->session = session;
    waiter_init(&x->waiter);
    arena_init(&x->arena);
    x->deadline_ms = server_deadline(session->server, request->deadline_ms);
    x->time_ms = x->deadline_ms - clock_mono_ms();
    x->started_us = clock_mono_us();
    x->modern = modern;
    x->handshake = handshake;
    x->repeatable = request->repeatable;
    x->lets_wait = request->lets_wait;
    x->last = &x->first;
    /* A legacy server may put its questions on a stream of the session. */
    if (!session->server->stdio && !modern && strcmp(session->capabilities, "{}") != 0)
        waiter_wakeable(&x->waiter);
    exchange_number(x);
    x->token = x->id;
    return x;
}

static enum status put_headers(struct downstream_exchange *x,
                               const struct downstream_request *request, struct error *err)
{
    const struct strbuf *own = &x->session->headers;

    if (request->headers != NULL)
        return headers_more(&x->headers, request->headers, request->n_headers, err);
    if (own->len > 0)
        strbuf_add(&x->headers, own->data, own->len);
    return ST_OK;
}

enum status exchange_begin(struct downstream_session *session,
                           const struct downstream_request *request, bool handshake, bool modern,
                           struct downstream_exchange **ret_exchange, struct error *err)
{
    struct error scratch = {0};
    struct downstream_exchange *x = exchange_new(session, request, handshake, modern);
    enum status status;

    if (err == NULL)
        err = &scratch;
    status = enter(x, err);
    if (status == ST_OK)
        status = put_headers(x, request, err);
    if (status == ST_OK)
        status = render_request(x, request, err);
    if (status == ST_OK)
        status = x->server->stdio ? pipe_begin(x, err) : http_begin(x, err);
    if (status == ST_OK) {
        *ret_exchange = x;
        return ST_OK;
    }
    (void)exchange_failed(x, err, status);
    downstream_end(x);
    return status;
}

enum status downstream_begin(struct downstream_session *session,
                             const struct downstream_request *request,
                             struct downstream_exchange **ret_exchange, struct error *err)
{
    if (!session->modern)
        level_before(session, request);
    return exchange_begin(session, request, false, session->modern, ret_exchange, err);
}

/* ---- what comes ------------------------------------------------------------------------ */

static bool is_last(const struct downstream_message *msg)
{
    return msg->kind == DOWNSTREAM_RESULT || msg->kind == DOWNSTREAM_ERROR;
}

enum status downstream_next(struct downstream_exchange *x, int wait_ms,
                            struct downstream_message *ret_msg, struct error *err)
{
    int64_t until = atomic_load(&x->deadline_ms), now = clock_mono_ms();
    struct error scratch = {0};
    enum status status;

    if (err == NULL)
        err = &scratch;
    *ret_msg = (struct downstream_message){.kind = DOWNSTREAM_NOTHING};
    if (x->state == EXCHANGE_OVER)
        return fault_set(err, x->server->id, DOWNSTREAM_FAULT_CLOSED, "has answered already");
    if (wait_ms >= 0 && now + wait_ms < until)
        until = now + wait_ms;
    if (x->server->stdio)
        status = pipe_next(x, until, ret_msg, err);
    else
        status = http_next(x, until, ret_msg, err);
    if (status != ST_OK)
        return exchange_failed(x, err, status);
    ret_msg->version = x->modern ? MCP_2026_07_28 : x->view.version;
    ret_msg->http_status = x->http_status;
    if (is_last(ret_msg)) {
        x->answered = true;
        over(x, DOWNSTREAM_FAULT_NONE);
    }
    return ST_OK;
}

void downstream_cancel(struct downstream_exchange *x)
{
    waiter_cancel(&x->waiter);
}

void downstream_extend(struct downstream_exchange *x, int64_t deadline_ms)
{
    atomic_store(&x->deadline_ms, deadline_ms);
}

void downstream_end(struct downstream_exchange *x)
{
    if (x == NULL)
        return;
    leave(x);
    if (x->server->stdio)
        pipe_end(x);
    else
        http_end(x);
    over(x, DOWNSTREAM_FAULT_CANCELLED);
    queue_clear(x);
    waiter_done(&x->waiter);
    strbuf_done(&x->tail);
    strbuf_done(&x->mirrored);
    strbuf_done(&x->headers);
    strbuf_done(&x->body);
    if (x->has_sse)
        sse_done(&x->sse);
    arena_done(&x->arena);
    free(x->method);
    free(x->client);
    free(x);
}

void downstream_stop(struct downstream *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->stopped = true;
    for (struct downstream_exchange *x = server->running; x != NULL; x = x->next) {
        atomic_store(&x->closed, true);
        downstream_cancel(x);
    }
    (void)pthread_mutex_unlock(&server->lock);
}
