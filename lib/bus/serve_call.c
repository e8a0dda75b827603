/* SPDX-License-Identifier: Apache-2.0 */
/* One request on the side of the service: from bytes to the answer. */
#include "server.h"

#include "base/clock.h"
#include "base/log.h"
#include "mal/v1/status.pb-c.h"
#include "wire/codec.h"

#include <limits.h>

enum { REPLY_MAX_BYTES = 6 << 20 };

/* Sent at once when nobody waits for a worker; else with the next ones. */
static enum status send_reply(struct bus_server *server, natsMsg *request,
                              const struct bus_header *headers, const void *data, size_t len)
{
    const char *reply = natsMsg_GetReply(request);

    if (!reply || !*reply)
        return ST_OK;
    bool now = atomic_load(&server->n_waiting) == 0;
    if (!headers && !atomic_load(&server->bus->up))
        return ST_UNAVAILABLE;
    if (!headers && len <= INT_MAX)
        return bus_status(
            bus_loop_publish_bytes(server->bus->loop, reply, len ? data : NULL, (int)len, now));
    natsMsg *msg = bus_msg_new(reply, NULL, headers, data, len);
    enum status status = bus_msg_send(server->bus, msg, now);
    bus_msg_free(msg);
    return status;
}

static void send_failure(struct bus_server *server, natsMsg *request, struct arena *arena,
                         const struct error *err, enum status status)
{
    Mal__Status body = MAL__STATUS__INIT;
    char code[16];
    const char *message = err->message[0] ? err->message : "The call failed.";
    const struct bus_header headers[] = {
        {"Nats-Service-Error", message}, {"Nats-Service-Error-Code", code}, {NULL, NULL}};
    size_t len;

    (void)snprintf(code, sizeof(code), "%d", status_http(status));
    body.code = (uint32_t)status;
    body.message = message;
    body.hint = err->hint;
    body.reason = err->reason ? err->reason : "";
    body.fields = arena_alloc(arena, (err->n_fields + 1) * sizeof(void *));
    for (unsigned i = 0; i < err->n_fields; i++) {
        Mal__FieldError *field = arena_alloc(arena, sizeof(*field));
        mal__field_error__init(field);
        field->field = err->fields[i].field;
        field->message = err->fields[i].message;
        body.fields[i] = field;
    }
    body.n_fields = err->n_fields;
    const void *data = wire_pack(arena, &body.base, &len);
    /* Nobody needs that many words. */
    if (send_reply(server, request, headers, data, len) == ST_RESOURCE_EXHAUSTED)
        (void)send_reply(server, request, headers, NULL, 0);
}

void bus_server_refuse(struct bus_server *server, natsMsg *msg, enum status status,
                       const char *message)
{
    CLEANUP(arena_done) struct arena arena;
    struct error err = {0};

    arena_init(&arena);
    (void)error_set(&err, status, "%s", message);
    send_failure(server, msg, &arena, &err, status);
}

/* Unpacks, checks, runs; *ret_reply is set when that went well. */
static enum status run(struct worker *worker, const struct served *served, struct call *call,
                       natsMsg *msg, ProtobufCMessage **ret_reply)
{
    const struct rpc *rpc = served->endpoint->rpc;
    const struct bus_service *service = &worker->server->service;
    ProtobufCMessage *request = NULL;

    TRY(wire_unpack(call->arena, rpc->request->descriptor, natsMsg_GetData(msg),
                    (size_t)natsMsg_GetDataLength(msg), &request, &call->error));
    TRY(wire_check(call->arena, rpc->request, request, &call->error));
    ProtobufCMessage *reply = arena_alloc(call->arena, rpc->response->descriptor->sizeof_message);
    protobuf_c_message_init(rpc->response->descriptor, reply);
    if (service->prepare)
        service->prepare(call, worker->state, service->arg);
    TRY(served->endpoint->run(call, request, reply));
    *ret_reply = reply;
    return ST_OK;
}

static void count_failure(struct bus_server *server, struct served *served, const struct call *call,
                          enum status status)
{
    atomic_fetch_add(&served->n_errors, 1);
    pthread_mutex_lock(&server->lock);
    (void)snprintf(served->last_error, sizeof(served->last_error), "%d:%.240s", status_http(status),
                   call->error.message);
    pthread_mutex_unlock(&server->lock);
}

/* What goes to clients ends at 6 MiB; what the processes tell each other at the
 * bus' own max_payload. */
static enum status send_answer(struct bus_server *server, struct call *call, natsMsg *msg,
                               const ProtobufCMessage *reply)
{
    bool for_clients = call->rpc->tool_name || call->rpc->method;
    size_t len;
    const void *data = wire_pack(call->arena, reply, &len);

    if ((for_clients && len > REPLY_MAX_BYTES) ||
        send_reply(server, msg, NULL, data, len) == ST_RESOURCE_EXHAUSTED) {
        call_hint(call, "a smaller limit, or one entry at a time.");
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "REPLY_TOO_LARGE",
                                "The answer has %zu bytes, too many to send.", len);
    }
    return ST_OK;
}

static enum status answer(struct worker *worker, struct call *call, natsMsg *msg,
                          enum status status, const ProtobufCMessage *reply)
{
    struct bus_server *server = worker->server;

    if (status == ST_OK)
        status = send_answer(server, call, msg, reply);
    if (status != ST_OK)
        send_failure(server, msg, call->arena, &call->error, status);
    return status;
}

int64_t bus_server_run(struct worker *worker, struct arena *arena, const struct waiting *item)
{
    struct bus_server *server = worker->server;
    struct call call = {.arena = arena, .bus = server->bus};
    ProtobufCMessage *reply = NULL;
    struct served *served = item->served;

    if (!served) {
        bus_server_refuse(server, item->msg, ST_NOT_FOUND, "There is no such operation.");
        return 0;
    }
    call.rpc = served->endpoint->rpc;
    bus_call_from_headers(&call, item->msg, item->received_ms);
    int64_t start_us = clock_mono_us();
    bool late = start_us / 1000 >= call.deadline_ms; /* nobody waits for it any more */
    enum status status = late ? call_fail(&call, ST_DEADLINE_EXCEEDED, "It waited too long.")
                              : run(worker, served, &call, item->msg, &reply);
    int64_t duration_us = clock_mono_us() - start_us;
    /* Counted before it is answered: who has the answer may look. */
    atomic_fetch_add(&served->n_requests, 1);
    atomic_fetch_add(&served->processing_ns, (unsigned long long)duration_us * 1000);
    if (status != ST_OK)
        count_failure(server, served, &call, status);
    enum status answered = late ? status : answer(worker, &call, item->msg, status, reply);
    if (status == ST_OK && answered != ST_OK)
        count_failure(server, served, &call, answered);
    if (server->service.observe)
        server->service.observe(&call, answered, duration_us, server->service.arg);
    return duration_us;
}
