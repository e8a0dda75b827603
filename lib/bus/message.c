/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as they are: made, sent, subscribed to, without JetStream. */
#include "internal.h"

#include "base/clock.h"
#include "base/ids.h"

#include <limits.h>

natsMsg *bus_msg_new(const char *subject, const char *reply, const struct bus_header *headers,
                     const void *data, size_t len)
{
    natsMsg *msg = NULL;

    if (len > INT_MAX ||
        natsMsg_Create(&msg, subject, reply, len ? data : NULL, (int)len) != NATS_OK)
        return NULL;
    for (; headers && headers->name; headers++) {
        if (headers->value && natsMsgHeader_Set(msg, headers->name, headers->value) != NATS_OK) {
            bus_msg_free(msg);
            return NULL;
        }
    }
    return msg;
}

enum status bus_msg_send(struct bus *bus, natsMsg *msg, bool now)
{
    if (!msg)
        return ST_INVALID_ARGUMENT;
    if (!atomic_load(&bus->up))
        return ST_UNAVAILABLE;
    return bus_status(bus_loop_publish(bus->loop, msg, now));
}

const char *bus_msg_header(natsMsg *msg, const char *name)
{
    const char *value = NULL;

    return natsMsgHeader_Get(msg, name, &value) == NATS_OK ? value : NULL;
}

void bus_msg_wrap(natsMsg *msg, struct bus_message *out)
{
    const char *reply = natsMsg_GetReply(msg);

    *out = (struct bus_message){
        .subject = natsMsg_GetSubject(msg),
        .reply = reply && *reply ? reply : NULL,
        .data = natsMsg_GetData(msg),
        .len = (size_t)natsMsg_GetDataLength(msg),
        .impl = msg,
    };
}

const char *bus_message_header(const struct bus_message *msg, const char *name)
{
    return bus_msg_header(msg->impl, name);
}

void bus_message_release(struct bus_message *msg)
{
    bus_msg_free(msg->impl);
    *msg = (struct bus_message){0};
}

enum status bus_publish(struct bus *bus, const char *subject, const struct bus_header *headers,
                        const void *data, size_t len)
{
    natsMsg *msg = bus_msg_new(subject, NULL, headers, data, len);
    enum status status = bus_msg_send(bus, msg, false);

    bus_msg_free(msg);
    return status;
}

enum status bus_publish_now(struct bus *bus, const char *subject, const char *reply,
                            const void *data, size_t len)
{
    natsMsg *msg = bus_msg_new(subject, reply, NULL, data, len);
    enum status status = bus_msg_send(bus, msg, atomic_load(&bus->in_flight) <= BUS_SEND_NOW);

    bus_msg_free(msg);
    return status;
}

void bus_inbox_name(char out[BUS_INBOX_SIZE])
{
    char token[TOKEN_SIZE];

    token_hex(token);
    (void)snprintf(out, BUS_INBOX_SIZE, "_INBOX.%s", token);
}

struct bus_sub {
    struct bus *bus;
    natsSubscription *sub;
    void (*fn)(struct bus_message *msg, void *arg);
    void *arg;
    pthread_t thread;
    bool threaded;
    atomic_bool stop;
};

enum status bus_subscribe_sync(struct bus *bus, const char *subject, struct bus_sub **ret_sub)
{
    natsSubscription *nats = NULL;

    TRY(bus_status(natsConnection_SubscribeSync(&nats, bus->nc, subject)));
    struct bus_sub *sub = calloc(1, sizeof(*sub));
    if (!sub)
        abort();
    sub->bus = bus;
    sub->sub = nats;
    *ret_sub = sub;
    return ST_OK;
}

enum status bus_sub_next(struct bus_sub *sub, int timeout_ms, struct bus_message *ret_msg)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    natsMsg *msg = NULL;
    natsStatus s;

    /* Slow consumer: the error handler counted it; what is left still comes. */
    do {
        int64_t left = deadline - clock_mono_ms();
        s = natsSubscription_NextMsg(&msg, sub->sub, left > 0 ? left : 0);
    } while (s == NATS_SLOW_CONSUMER);
    TRY(bus_status(s));
    bus_msg_wrap(msg, ret_msg);
    return ST_OK;
}

static void *run_sub(void *arg)
{
    struct bus_sub *sub = arg;

    while (!atomic_load(&sub->stop)) {
        struct bus_message msg;
        enum status status = bus_sub_next(sub, 60000, &msg);
        if (status == ST_OK) {
            sub->fn(&msg, sub->arg);
            bus_message_release(&msg);
        } else if (status != ST_DEADLINE_EXCEEDED) {
            break; /* closed */
        }
    }
    return NULL;
}

enum status bus_subscribe(struct bus *bus, const char *subject,
                          void (*fn)(struct bus_message *msg, void *arg), void *arg,
                          struct bus_sub **ret_sub)
{
    struct bus_sub *sub = NULL;

    TRY(bus_subscribe_sync(bus, subject, &sub));
    sub->fn = fn;
    sub->arg = arg;
    if (pthread_create(&sub->thread, NULL, run_sub, sub) != 0) {
        bus_sub_free(sub);
        return ST_RESOURCE_EXHAUSTED;
    }
    sub->threaded = true;
    *ret_sub = sub;
    return ST_OK;
}

void bus_sub_free(struct bus_sub *sub)
{
    if (!sub)
        return;
    atomic_store(&sub->stop, true);
    (void)natsSubscription_Unsubscribe(sub->sub); /* wakes the thread */
    if (sub->threaded)
        pthread_join(sub->thread, NULL);
    bus_forget(sub->bus, sub->sub);
    free(sub);
}

/* cnats 3.4 looks up the subscription of a message and then uses it without
 * holding it: it must not end while somebody hands out what was read. */
void bus_forget(struct bus *bus, natsSubscription *sub)
{
    if (!sub)
        return;
    (void)natsSubscription_Unsubscribe(sub);
    pthread_mutex_lock(&bus->parsing);
    natsSubscription_Destroy(sub);
    pthread_mutex_unlock(&bus->parsing);
}

void bus_sub_drain(struct bus *bus, natsSubscription *sub, int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();

    if (!sub)
        return;
    if (left > 0 && atomic_load(&bus->up) && natsSubscription_DrainTimeout(sub, left) == NATS_OK)
        (void)natsSubscription_WaitForDrainCompletion(sub, left);
    else
        (void)natsSubscription_Unsubscribe(sub);
}
