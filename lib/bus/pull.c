/* SPDX-License-Identifier: Apache-2.0 */
/* Pull requests to a JetStream consumer, with heartbeats so that a consumer
 * that is gone is noticed. */
#include "internal.h"

#include "base/clock.h"

enum {
    EXPIRES_MS = 30000,
    HEARTBEAT_MS = 5000,
    SILENCE_MS = 12000, /* two heartbeats and some */
};

void bus_pull_init(struct pull *pull, struct bus *bus, const char *stream, int batch)
{
    *pull = (struct pull){.bus = bus, .stream = stream, .batch = batch};
    pull->inbox = bus_inbox_new(bus);
}

void bus_pull_done(struct pull *pull)
{
    bus_inbox_free(pull->inbox);
    pull->inbox = NULL;
}

void bus_pull_stop(struct pull *pull)
{
    atomic_store(&pull->stop, true);
    bus_inbox_kill(pull->inbox);
}

enum status bus_pull_ensure(struct pull *pull, jsConsumerConfig *config, jsConsumerInfo **ret_info)
{
    jsErrCode code = 0;
    jsOptions options;

    jsOptions_Init(&options);
    options.Wait = BUS_API_MS;
    natsStatus s = js_AddConsumer(ret_info, pull->bus->js, pull->stream, config, &options, &code);
    if (s != NATS_OK && code != 0 && config->Durable)
        s = js_UpdateConsumer(ret_info, pull->bus->js, pull->stream, config, &options, &code);
    if (s != NATS_OK)
        return code != 0 ? ST_FAILED_PRECONDITION : bus_status(s);
    (void)snprintf(pull->consumer, sizeof(pull->consumer), "%s", (*ret_info)->Name);
    pull->outstanding = 0;
    return ST_OK;
}

static enum status ask(struct pull *pull)
{
    char subject[BUS_SUBJECT_SIZE], reply[64], body[128];
    natsMsg *msg;

    TRY(bus_inbox_open(pull->inbox));
    /* A stop that came before the inbox was opened has not killed it. */
    if (atomic_load(&pull->stop))
        return ST_CANCELLED;
    (void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s", pull->stream,
                   pull->consumer);
    (void)snprintf(body, sizeof(body), "{\"batch\":%d,\"expires\":%lld,\"idle_heartbeat\":%lld}",
                   pull->batch, EXPIRES_MS * 1000000LL, HEARTBEAT_MS * 1000000LL);
    pull->request = bus_inbox_reply(pull->inbox, reply);
    msg = bus_msg_new(subject, reply, NULL, body, strlen(body));
    enum status status = bus_msg_send(pull->bus, msg, false);
    bus_msg_free(msg);
    if (status == ST_OK) {
        pull->outstanding = pull->batch;
        pull->heard_ms = clock_mono_ms();
    }
    return status;
}

/* A message of the server about the request itself. */
static enum status control(struct pull *pull, natsMsg *msg, const char *code)
{
    const char *number = strrchr(natsMsg_GetSubject(msg), '.');
    bool current = number && strtoull(number + 1, NULL, 10) == pull->request;
    const char *text = bus_msg_header(msg, "Description");

    if (strcmp(code, "100") == 0)
        return ST_OK;
    if (strcmp(code, "409") == 0 && text && strstr(text, "Consumer Deleted"))
        return ST_NOT_FOUND;
    if (current) /* 404 and 408: the request is over */
        pull->outstanding = 0;
    return ST_OK;
}

static enum status quiet(struct pull *pull, int64_t deadline_ms)
{
    int64_t now = clock_mono_ms();

    if (now - pull->heard_ms >= SILENCE_MS) {
        bus_inbox_discard(pull->inbox);
        return ST_NOT_FOUND;
    }
    return now >= deadline_ms ? ST_DEADLINE_EXCEEDED : ST_OK;
}

static enum status next(struct pull *pull, int64_t deadline_ms, natsMsg **ret_msg)
{
    natsMsg *msg = NULL;
    const char *code;

    if (pull->outstanding <= 0 || !pull->inbox->sub || atomic_load(&pull->inbox->dead))
        TRY(ask(pull));
    int64_t left = deadline_ms - clock_mono_ms();
    int64_t silence = pull->heard_ms + SILENCE_MS - clock_mono_ms();
    if (left > silence)
        left = silence;
    natsStatus s = natsSubscription_NextMsg(&msg, pull->inbox->sub, left > 0 ? left : 0);
    if (s == NATS_TIMEOUT)
        return quiet(pull, deadline_ms);
    if (s == NATS_SLOW_CONSUMER)
        return ST_OK;
    if (s == NATS_NO_RESPONDERS) /* no such consumer, or JetStream not there yet */
        return ST_NOT_FOUND;
    if (s != NATS_OK)
        return bus_status(s);
    pull->heard_ms = clock_mono_ms();
    if (natsMsg_GetDataLength(msg) == 0 && (code = bus_msg_header(msg, "Status")) != NULL) {
        enum status status = control(pull, msg, code);
        bus_msg_free(msg);
        return status;
    }
    pull->outstanding--;
    *ret_msg = msg;
    return ST_OK;
}

enum status bus_pull_next(struct pull *pull, int timeout_ms, natsMsg **ret_msg,
                          struct jet_position *ret_position)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    for (;;) {
        natsMsg *msg = NULL;

        TRY(next(pull, deadline, &msg));
        if (!msg)
            continue;
        if (jet_position(natsMsg_GetReply(msg), ret_position)) {
            *ret_msg = msg;
            return ST_OK;
        }
        bus_msg_free(msg); /* not from a stream */
    }
}

void bus_pull_delete(struct pull *pull)
{
    jsErrCode code;
    jsOptions options;

    if (!pull->consumer[0] || !atomic_load(&pull->bus->up))
        return;
    jsOptions_Init(&options);
    options.Wait = 500;
    (void)js_DeleteConsumer(pull->bus->js, pull->stream, pull->consumer, &options, &code);
}
