/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of exchanges: bounded, each with its own lock. */
#include "downstream/queue.h"

#include <stdlib.h>
#include <sys/eventfd.h>

struct queued *queued_read(const struct downstream *server, const char *text, size_t len,
                           struct json *ret_json, struct error *err)
{
    struct json_limits limits = inbound_limits(server);
    struct queued *item = calloc(1, sizeof(*item));

    if (item == NULL)
        abort();
    item->bytes = len;
    text = arena_memdup(&item->arena, text, len);
    if (json_parse(&item->arena, text, len, &limits, ret_json, err) == ST_OK)
        return item;
    queued_free(item);
    return NULL;
}

void queued_free(struct queued *item)
{
    if (item == NULL)
        return;
    arena_done(&item->arena);
    free(item);
}

static void wake(struct downstream_exchange *x)
{
    (void)pthread_cond_broadcast(&x->waiter.cond);
    if (x->waiter.wake_fd >= 0)
        (void)eventfd_write(x->waiter.wake_fd, 1);
}

static void queue_fail_locked(struct downstream_exchange *x, enum downstream_fault fault,
                              const char *why)
{
    if (x->queue_fault == DOWNSTREAM_FAULT_NONE) {
        x->queue_fault = fault;
        x->queue_why = why;
    }
    wake(x);
}

void queue_fail(struct downstream_exchange *x, enum downstream_fault fault, const char *why)
{
    (void)pthread_mutex_lock(&x->waiter.lock);
    queue_fail_locked(x, fault, why);
    (void)pthread_mutex_unlock(&x->waiter.lock);
}

void queue_put(struct downstream_exchange *x, struct queued *item)
{
    const struct downstream_limits *limits = &x->server->limits;
    bool taken = false;

    (void)pthread_mutex_lock(&x->waiter.lock);
    if (x->n_queued >= limits->queued || x->bytes_queued + item->bytes > limits->reply_bytes) {
        queue_fail_locked(x, DOWNSTREAM_FAULT_TOO_LARGE, "sends more than is read of it");
    } else if (x->queue_fault == DOWNSTREAM_FAULT_NONE) {
        *x->last = item;
        x->last = &item->next;
        x->n_queued++;
        x->bytes_queued += item->bytes;
        taken = true;
        wake(x);
    }
    (void)pthread_mutex_unlock(&x->waiter.lock);
    if (!taken)
        queued_free(item);
}

void queue_put_copy(struct downstream_exchange *x, const struct downstream_message *msg)
{
    size_t len;
    const char *text = json_raw(&msg->json, msg->json.nodes, &len);
    struct json json;
    struct queued *item = queued_read(x->server, text, len, &json, NULL);

    if (item != NULL &&
        inbound_read(&item->arena, &json, json.nodes, 0, 0, &item->msg) == INBOUND_PASS)
        queue_put(x, TAKE(item));
    queued_free(item);
}

struct queued *queue_take_locked(struct downstream_exchange *x)
{
    struct queued *item = x->first;

    if (item == NULL)
        return NULL;
    x->first = item->next;
    if (x->first == NULL)
        x->last = &x->first;
    x->n_queued--;
    x->bytes_queued -= item->bytes;
    return item;
}

struct queued *queue_take(struct downstream_exchange *x)
{
    struct queued *item;

    (void)pthread_mutex_lock(&x->waiter.lock);
    item = queue_take_locked(x);
    (void)pthread_mutex_unlock(&x->waiter.lock);
    return item;
}

void queue_clear(struct downstream_exchange *x)
{
    struct queued *item;

    queued_free(TAKE(x->given));
    while ((item = queue_take(x)) != NULL)
        queued_free(item);
}
