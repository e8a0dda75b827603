/* SPDX-License-Identifier: Apache-2.0 */
/* Inboxes: where answers arrive, one per thread that asks, or per fiber that may wait
 * apart from its thread. */
#include "internal.h"

#include "base/clock.h"
#include "base/fiber.h"
#include "base/ids.h"

#include <limits.h>

enum { TURNS = 2 }; /* an answer that comes twice does not pass for the next one */

/* The inboxes of this thread, one per bus. A pointer only: the stacks of the
 * HTTP workers are small and thread-local storage is carved out of them. */
static __thread struct inbox *thread_inboxes;
static pthread_key_t thread_key;

static void free_thread_inboxes(void *first)
{
    for (struct inbox *inbox = first, *next; inbox; inbox = next) {
        next = inbox->thread_next;
        bus_inbox_free(inbox);
    }
}

static void make_key(void)
{
    if (pthread_key_create(&thread_key, free_thread_inboxes) != 0)
        abort();
}

struct inbox *bus_inbox_new(struct bus *bus)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));

    if (!inbox)
        abort();
    inbox->bus = bus;
    atomic_fetch_add(&bus->refs, 1);
    pthread_mutex_lock(&bus->lock);
    inbox->next = bus->inboxes;
    inbox->prev = &bus->inboxes;
    if (inbox->next)
        inbox->next->prev = &inbox->next;
    bus->inboxes = inbox;
    pthread_mutex_unlock(&bus->lock);
    return inbox;
}

void bus_inbox_free(struct inbox *inbox)
{
    if (!inbox)
        return;
    struct bus *bus = inbox->bus;

    bus_inbox_discard(inbox);
    pthread_mutex_lock(&bus->lock);
    *inbox->prev = inbox->next;
    if (inbox->next)
        inbox->next->prev = inbox->prev;
    pthread_mutex_unlock(&bus->lock);
    free(inbox);
    bus_unref(bus);
}

struct inbox *bus_inbox_of_thread(struct bus *bus)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void **fibers = fiber_own(free_thread_inboxes);
    struct inbox *first = fibers ? *fibers : thread_inboxes;

    for (struct inbox *inbox = first; inbox; inbox = inbox->thread_next) {
        if (inbox->bus == bus)
            return inbox;
    }
    pthread_once(&once, make_key);
    struct inbox *inbox = bus_inbox_new(bus);
    inbox->turns = true;
    inbox->thread_next = first;
    if (fibers) {
        *fibers = inbox;
    } else {
        thread_inboxes = inbox;
        pthread_setspecific(thread_key, inbox);
    }
    return inbox;
}

void bus_inbox_discard(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->bus->lock);
    natsSubscription *sub = inbox->sub;
    inbox->sub = NULL;
    pthread_mutex_unlock(&inbox->bus->lock);
    bus_forget(inbox->bus, sub);
}

enum status bus_inbox_open(struct inbox *inbox)
{
    struct bus *bus = inbox->bus;
    char token[TOKEN_SIZE], subject[64];
    enum status status = ST_OK;

    if (inbox->sub && !atomic_load(&inbox->dead))
        return atomic_load(&bus->up) ? ST_OK : ST_UNAVAILABLE;
    bus_inbox_discard(inbox);
    token_hex(token);
    (void)snprintf(inbox->prefix, sizeof(inbox->prefix), "_INBOX.%s.", token);
    (void)snprintf(subject, sizeof(subject), "%s*", inbox->prefix);
    /* Under the lock, so that a connection lost from here on finds it. */
    pthread_mutex_lock(&bus->lock);
    atomic_store(&inbox->dead, false);
    if (!atomic_load(&bus->up))
        status = ST_UNAVAILABLE;
    else
        status = bus_status(natsConnection_SubscribeSync(&inbox->sub, bus->nc, subject));
    pthread_mutex_unlock(&bus->lock);
    return status;
}

static uint64_t number_at(const struct inbox *inbox, uint64_t sequence)
{
    return inbox->turns ? sequence % TURNS : sequence;
}

uint64_t bus_inbox_reply(struct inbox *inbox, char out[64])
{
    uint64_t sequence = ++inbox->sequence;

    if (inbox->turns) { /* for every request: not by printf */
        char *end = stpcpy(out, inbox->prefix);

        end[0] = (char)('0' + number_at(inbox, sequence));
        end[1] = '\0';
    } else {
        (void)snprintf(out, 64, "%s%llu", inbox->prefix, (unsigned long long)sequence);
    }
    return sequence;
}

/* Whether the number at its end is of what was asked from first on. */
static bool is_awaited(const struct inbox *inbox, natsMsg *msg, uint64_t first)
{
    const char *subject = natsMsg_GetSubject(msg);
    size_t len = strlen(inbox->prefix);

    if (strncmp(subject, inbox->prefix, len) != 0)
        return false;
    uint64_t number = strtoull(subject + len, NULL, 10);
    if (!inbox->turns)
        return number >= first;
    for (uint64_t sequence = first; sequence <= inbox->sequence; sequence++)
        if (number == number_at(inbox, sequence))
            return true;
    return false;
}

natsStatus bus_next_msg(struct bus *bus, natsSubscription *sub, int64_t deadline_ms,
                        natsMsg **ret_msg)
{
    int64_t left = deadline_ms - clock_mono_ms();

    if (left <= 0)
        return natsSubscription_NextMsg(ret_msg, sub, 0);
    if (fiber_that_waits())
        return bus_waiters_next_msg(&bus->waiters, sub, deadline_ms, ret_msg);
    fiber_blocks();
    if (atomic_load(&bus->in_flight) > BUS_SEND_NOW || !bus_loop_borrow(bus->loop))
        return bus_waiters_next_msg(&bus->waiters, sub, deadline_ms, ret_msg);
    while (!bus_sub_has_news(sub) && left > 0 && atomic_load(&bus->up)) {
        (void)bus_loop_read(bus->loop, (int)(left < INT_MAX ? left : INT_MAX));
        left = deadline_ms - clock_mono_ms();
    }
    natsStatus s = natsSubscription_NextMsg(ret_msg, sub, 0);
    bus_loop_give_back(bus->loop);
    /* A lost connection is told by those who noticed it. */
    return s == NATS_TIMEOUT && left > 0
               ? bus_waiters_next_msg(&bus->waiters, sub, deadline_ms, ret_msg)
               : s;
}

void bus_recall(struct bus *bus)
{
    bus_loop_recall(bus->loop);
    bus_waiters_wake(&bus->waiters);
}

enum status bus_inbox_next(struct inbox *inbox, uint64_t first, int64_t deadline_ms,
                           natsMsg **ret_msg, bool *ret_no_responders)
{
    *ret_no_responders = false;
    for (;;) {
        natsMsg *msg = NULL;
        natsStatus s = bus_next_msg(inbox->bus, inbox->sub, deadline_ms, &msg);

        if (s == NATS_OK) {
            if (is_awaited(inbox, msg, first)) {
                *ret_msg = msg;
                return ST_OK;
            }
            bus_msg_free(msg); /* a second answer to an earlier request */
        } else if (s == NATS_NO_RESPONDERS) {
            *ret_no_responders = true;
            return ST_UNAVAILABLE;
        } else if (s != NATS_SLOW_CONSUMER) {
            return bus_status(s);
        }
    }
}

static void kill_locked(struct inbox *inbox)
{
    atomic_store(&inbox->dead, true);
    if (inbox->sub)
        (void)natsSubscription_Unsubscribe(inbox->sub); /* wakes NextMsg */
}

void bus_inbox_kill(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->bus->lock);
    kill_locked(inbox);
    pthread_mutex_unlock(&inbox->bus->lock);
    bus_recall(inbox->bus);
}

void bus_inbox_kill_all(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    for (struct inbox *inbox = bus->inboxes; inbox; inbox = inbox->next)
        kill_locked(inbox);
    pthread_mutex_unlock(&bus->lock);
    bus_recall(bus);
}
