/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: raw ones, and calls of the rpcs of other processes. */
#include "internal.h"

#include "base/clock.h"
#include "base/fiber.h"
#include "mal/v1/status.pb-c.h"
#include "wire/codec.h"

#include <limits.h>

enum { NO_RESPONDERS_PAUSE_MS = 50 };

/* A request on its way; attempts of one call share the packed bytes. */
struct request {
    struct bus *bus;
    struct inbox *inbox;
    const char *subject;
    const struct bus_header *headers;
    const void *data;
    size_t len;
    int64_t deadline_ms;
    uint64_t first; /* sequence of the first attempt, 0 before it */
    bool twice;     /* two answers may come */
};

static enum status send_attempt(struct request *req)
{
    char reply[64];

    TRY(bus_inbox_open(req->inbox));
    uint64_t number = bus_inbox_reply(req->inbox, reply);
    if (!req->first)
        req->first = number;
    natsMsg *msg = bus_msg_new(req->subject, reply, req->headers, req->data, req->len);
    bool now = atomic_load(&req->bus->in_flight) <= BUS_SEND_NOW;
    enum status status = bus_msg_send(req->bus, msg, now);
    bus_msg_free_sent(msg, req->headers);
    return status;
}

/* Waits for the answer of any attempt made so far. */
static enum status await(struct request *req, int64_t until_ms, natsMsg **ret_msg,
                         bool *ret_no_responders)
{
    return bus_inbox_next(req->inbox, req->first, until_ms, ret_msg, ret_no_responders);
}

/* One attempt that has all the time there is. */
static enum status request_once(struct request *req, natsMsg **ret_msg)
{
    bool no_responders;

    TRY(send_attempt(req));
    return await(req, req->deadline_ms, ret_msg, &no_responders);
}

/* Nobody took the request, or the connection was lost: once more if there is
 * time, for a service or a server that is being restarted. */
static enum status read_again(struct request *req, bool no_responders, natsMsg **ret_msg)
{
    if (req->deadline_ms - clock_mono_ms() < 2L * NO_RESPONDERS_PAUSE_MS)
        return ST_UNAVAILABLE;
    bus_inbox_discard(req->inbox);
    req->first = 0;
    if (no_responders)
        nats_Sleep(NO_RESPONDERS_PAUSE_MS);
    else if (!bus_wait_up(req->bus, NO_RESPONDERS_PAUSE_MS))
        return ST_UNAVAILABLE;
    return request_once(req, ret_msg);
}

/* A read may be sent twice. In half of the time, when whoever took it has not
 * answered, it may have died with it: another one is asked as well, and the
 * first answer wins. */
static enum status request_read(struct request *req, natsMsg **ret_msg)
{
    int64_t start = clock_mono_ms();
    int64_t half = start + (req->deadline_ms - start) / 2;
    bool no_responders = false;
    enum status status = send_attempt(req);

    if (status == ST_OK)
        status = await(req, half, ret_msg, &no_responders);
    if (status == ST_UNAVAILABLE)
        return read_again(req, no_responders, ret_msg);
    if (status != ST_DEADLINE_EXCEEDED)
        return status;
    req->twice = true;
    TRY(send_attempt(req));
    do /* nobody else is there, but the first one may still be at work */
        status = await(req, req->deadline_ms, ret_msg, &no_responders);
    while (status == ST_UNAVAILABLE && no_responders);
    return status;
}

/* Runs it; an inbox on which an answer is missing, or comes too late to be the
 * first, is not used again. */
static enum status run_request(struct request *req, bool read, natsMsg **ret_msg)
{
    fiber_alone();
    atomic_fetch_add(&req->bus->in_flight, 1);
    enum status status = read ? request_read(req, ret_msg) : request_once(req, ret_msg);
    atomic_fetch_sub(&req->bus->in_flight, 1);
    if (status != ST_OK || req->twice)
        bus_inbox_discard(req->inbox);
    return status;
}

/* NOLINTNEXTLINE(readability-function-size): the parts of a message */
enum status bus_request(struct bus *bus, const char *subject, const struct bus_header *headers,
                        const void *data, size_t len, int timeout_ms, struct bus_message *ret_reply)
{
    struct request req = {
        .bus = bus,
        .inbox = bus_inbox_of_thread(bus),
        .subject = subject,
        .headers = headers,
        .data = data,
        .len = len,
        .deadline_ms = clock_mono_ms() + (timeout_ms > 0 ? timeout_ms : BUS_REQUEST_MS),
    };
    natsMsg *msg = NULL;

    TRY(run_request(&req, false, &msg));
    bus_msg_wrap(msg, ret_reply);
    return ST_OK;
}

/* Takes over the words of a failure from the body of the answer. */
static enum status read_failure(struct call *call, const struct bus_message *reply)
{
    ProtobufCMessage *message = NULL;
    struct error *err = &call->error;

    if (wire_unpack(call->arena, &mal__status__descriptor, reply->data, reply->len, &message,
                    NULL) != ST_OK)
        return call_fail(call, ST_INTERNAL, "The %s service sent an answer that cannot be read.",
                         call->rpc ? call->rpc->package : "other");
    const Mal__Status *failure = (const Mal__Status *)message;
    enum status status = status_from_number(failure->code);
    if (status == ST_OK)
        status = ST_INTERNAL;
    error_clear(err);
    (void)error_set(err, status, "%s", failure->message);
    if (*failure->hint)
        error_hint(err, "%s", failure->hint);
    if (*failure->reason)
        err->reason = failure->reason;
    for (size_t i = 0; i < failure->n_fields; i++)
        error_field(err, call->arena, failure->fields[i]->field, "%s", failure->fields[i]->message);
    err->status = status; /* error_field makes it INVALID_ARGUMENT */
    return status;
}

static enum status read_reply(struct call *call, const struct rpc *rpc,
                              const struct bus_message *reply, ProtobufCMessage **ret_reply)
{
    if (bus_message_header(reply, "Nats-Service-Error-Code"))
        return read_failure(call, reply);
    if (wire_unpack(call->arena, rpc->response->descriptor, reply->data, reply->len, ret_reply,
                    NULL) != ST_OK)
        return call_fail(call, ST_INTERNAL, "The %s service sent an answer that cannot be read.",
                         rpc->package);
    return ST_OK;
}

static int64_t deadline_for(const struct call *call, int timeout_ms)
{
    int64_t deadline = clock_mono_ms() + (timeout_ms > 0 ? timeout_ms : BUS_REQUEST_MS);

    if (call->deadline_ms && (timeout_ms <= 0 || call->deadline_ms < deadline))
        deadline = call->deadline_ms;
    return deadline;
}

static enum status fail(struct call *call, const struct rpc *rpc, enum status status)
{
    switch (status) {
    case ST_UNAVAILABLE:
        if (!atomic_load(&call->bus->up))
            return call_fail(call, status, "The message bus is not reachable.");
        return call_fail(call, status, "The %s service is not running.", rpc->package);
    case ST_DEADLINE_EXCEEDED:
        return call_fail(call, status, "The %s service did not answer in time.", rpc->package);
    case ST_RESOURCE_EXHAUSTED:
        return call_fail(call, status, "The request is too large for the message bus.");
    default:
        return call_fail(call, ST_INTERNAL, "The request could not be sent.");
    }
}

enum status bus_call(struct bus *bus, struct call *call, const struct rpc *rpc,
                     const ProtobufCMessage *request, int timeout_ms, ProtobufCMessage **ret_reply)
{
    struct bus_header headers[CALL_HEADERS];
    struct bus_message reply;
    natsMsg *msg = NULL;
    int64_t deadline = deadline_for(call, timeout_ms), now = clock_mono_ms();
    struct request req = {
        .bus = bus,
        .inbox = bus_inbox_of_thread(bus),
        .subject = rpc->subject,
        .headers = headers,
        .deadline_ms = deadline,
    };

    if (deadline <= now)
        return call_fail(call, ST_DEADLINE_EXCEEDED, "The time for this call is over.");
    bus_call_headers(call, deadline - now, headers);
    req.data = wire_pack(call->arena, request, &req.len);
    enum status status = run_request(&req, rpc->read_only, &msg);
    if (status != ST_OK) {
        struct bus *own = call->bus;
        call->bus = bus;
        status = fail(call, rpc, status);
        call->bus = own;
        return status;
    }
    bus_msg_wrap(msg, &reply);
    status = read_reply(call, rpc, &reply, ret_reply);
    bus_message_release(&reply);
    return status;
}
