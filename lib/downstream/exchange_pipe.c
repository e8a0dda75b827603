/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange over stdio: its line is written, its messages are taken from its
 * queue. */
#include "downstream/pipe.h"
#include "downstream/queue.h"

static void link_in(struct pipe *pipe, struct downstream_exchange *x)
{
    (void)pthread_mutex_lock(&pipe->lock);
    x->pipe = pipe;
    x->settled = false;
    x->pipe_previous = NULL;
    x->pipe_next = pipe->waiting;
    if (x->pipe_next != NULL)
        x->pipe_next->pipe_previous = x;
    pipe->waiting = x;
    (void)pthread_mutex_unlock(&pipe->lock);
}

static void link_out(struct downstream_exchange *x)
{
    struct pipe *pipe = TAKE(x->pipe);

    if (pipe == NULL)
        return;
    (void)pthread_mutex_lock(&pipe->lock);
    if (x->pipe_previous != NULL)
        x->pipe_previous->pipe_next = x->pipe_next;
    else
        pipe->waiting = x->pipe_next;
    if (x->pipe_next != NULL)
        x->pipe_next->pipe_previous = x->pipe_previous;
    (void)pthread_mutex_unlock(&pipe->lock);
    pipe_unref(pipe);
}

/* The child is not there or does not listen. */
static enum status deaf(struct downstream_exchange *x, struct error *err)
{
    return exchange_fail(x, DOWNSTREAM_FAULT_LOST, err,
                         "has ended or does not read its input; the request was not carried out");
}

/* Writes the request to the child there is now; *ret_gone: to none. */
static enum status send_once(struct downstream_exchange *x, bool *ret_gone)
{
    CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;
    struct pipe *pipe = pipe_ref(x->session);

    *ret_gone = true;
    if (pipe == NULL)
        return ST_UNAVAILABLE;
    session_look(x->session, &x->view);
    exchange_put_json(&line, x);
    link_in(pipe, x);
    if (!pipe_broken(pipe) && pipe_write(pipe, line.data, line.len)) {
        *ret_gone = false;
        x->sent = true;
        x->state = EXCHANGE_QUEUE;
        return ST_OK;
    }
    *ret_gone = pipe_broken(pipe);
    link_out(x);
    return ST_UNAVAILABLE;
}

/* A child that has ended is started again: what was not written cannot have been
 * carried out. */
static enum status send_line(struct downstream_exchange *x, struct error *err)
{
    enum status status;
    bool gone, anew;

    if (send_once(x, &gone) == ST_OK)
        return ST_OK;
    if (!gone || x->handshake || x->renewed)
        return deaf(x, err);
    x->renewed = true;
    status =
        session_renew(x->session, x->view.generation, atomic_load(&x->deadline_ms), &anew, err);
    if (status != ST_OK)
        return exchange_failed(x, err, status);
    return send_once(x, &gone) == ST_OK ? ST_OK : deaf(x, err);
}

enum status pipe_begin(struct downstream_exchange *x, struct error *err)
{
    if (!x->handshake)
        session_look(x->session, &x->view);
    return send_line(x, err);
}

/* The child ended with the request in its hands. */
static enum status child_lost(struct downstream_exchange *x, enum downstream_fault fault,
                              const char *why, struct error *err)
{
    if (fault == DOWNSTREAM_FAULT_LOST && x->repeatable && !x->repeated && !x->handshake) {
        x->repeated = true;
        link_out(x);
        x->queue_fault = DOWNSTREAM_FAULT_NONE;
        exchange_number(x);
        return send_line(x, err);
    }
    return exchange_fail(x, fault, err, "%s", why);
}

/* Why nothing is there; ST_OK: nothing, until now. */
static enum status nothing(struct downstream_exchange *x, enum downstream_fault fault,
                           struct error *err)
{
    if (waiter_cancelled(&x->waiter))
        return exchange_fail(x, DOWNSTREAM_FAULT_CANCELLED, err, "was not asked any more");
    if (fault != DOWNSTREAM_FAULT_NONE)
        return child_lost(x, fault, x->queue_why, err);
    if (clock_mono_ms() >= atomic_load(&x->deadline_ms))
        return exchange_fail(x, DOWNSTREAM_FAULT_TIMEOUT, err, "did not answer in time");
    return ST_OK;
}

enum status pipe_next(struct downstream_exchange *x, int64_t until_ms,
                      struct downstream_message *ret_msg, struct error *err)
{
    enum downstream_fault fault;

    queued_free(TAKE(x->given));
    if (x->pipe != NULL && !x->handshake)
        pipe_read_alone(x->pipe, x, until_ms);
    for (;;) {
        (void)pthread_mutex_lock(&x->waiter.lock);
        while (x->first == NULL && x->queue_fault == DOWNSTREAM_FAULT_NONE &&
               !x->waiter.cancelled && waiter_cond_wait(&x->waiter.cond, &x->waiter.lock, until_ms))
            ;
        x->given = x->waiter.cancelled ? NULL : queue_take_locked(x);
        fault = x->queue_fault;
        (void)pthread_mutex_unlock(&x->waiter.lock);
        if (x->given != NULL) {
            *ret_msg = x->given->msg;
            return ST_OK;
        }
        TRY(nothing(x, fault, err));
        if (clock_mono_ms() >= until_ms)
            return ST_OK;
    }
}

void pipe_end(struct downstream_exchange *x)
{
    struct pipe *pipe = x->pipe;

    if (pipe != NULL && !x->handshake && exchange_given_up(x)) {
        CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;

        strbuf_printf(&line,
                      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                      "\"requestId\":%llu}}",
                      (unsigned long long)x->id);
        (void)pipe_write(pipe, line.data, line.len);
    }
    link_out(x);
}

enum status pipe_post(struct downstream_session *session, const struct strbuf *body,
                      struct error *err)
{
    struct pipe *pipe = pipe_ref(session);
    bool taken = pipe != NULL && pipe_write(pipe, body->data, body->len);

    if (pipe != NULL)
        pipe_unref(pipe);
    return taken ? ST_OK
                 : fault_set(err, session->server->id, DOWNSTREAM_FAULT_LOST,
                             "has ended or does not read its input");
}
