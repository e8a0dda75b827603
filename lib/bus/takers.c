/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that take long to handle: each by a thread of its own, which waits for
 * it itself, so that nobody has to be woken when there is little to do. One thread
 * at a time waits for the next message; while that one is at work and another
 * message comes, whoever reads the socket sends the next thread. */
#include "internal.h"

#include "base/clock.h"

enum { WAIT_MS = 60000, IDLE_MS = 10000, CLOSED_PAUSE_MS = 200, STACK_BYTES = 1 << 20 };

struct bus_takers {
    struct bus *bus;
    natsSubscription *sub;
    void (*fn)(struct bus_message *msg, void *arg);
    void *arg;
    int max;
    atomic_bool stop;
    atomic_bool led; /* a thread waits for the next message */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    int n_threads, n_idle;
    bool coming; /* a thread was sent for the next message and does not wait for it yet */
};

static void *run(void *arg);

/* With the lock held: somebody shall come for a message. */
static void send_one(struct bus_takers *takers)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (takers->coming)
        return;
    if (takers->n_idle > 0) {
        takers->coming = true;
        pthread_cond_signal(&takers->changed);
        return;
    }
    if (takers->n_threads >= takers->max)
        return; /* whoever is done looks */
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    takers->coming = pthread_create(&thread, &attr, run, takers) == 0;
    takers->n_threads += takers->coming;
    pthread_attr_destroy(&attr);
}

static bool has_messages(struct bus_takers *takers)
{
    uint64_t n = 0;

    return natsSubscription_QueuedMsgs(takers->sub, &n) == NATS_OK && n > 0;
}

/* After each read of the socket, and after a message was taken. */
static void look(void *arg)
{
    struct bus_takers *takers = arg;

    if (atomic_load(&takers->led) || !has_messages(takers))
        return;
    pthread_mutex_lock(&takers->lock);
    if (!atomic_load(&takers->led) && !atomic_load(&takers->stop))
        send_one(takers);
    pthread_mutex_unlock(&takers->lock);
}

/* Becomes the one that waits; false when it is not needed any more. */
static bool lead(struct bus_takers *takers)
{
    int64_t until = clock_mono_ms() + IDLE_MS;
    bool leads = false;

    pthread_mutex_lock(&takers->lock);
    takers->n_idle++;
    while (!atomic_load(&takers->stop) && !(leads = !atomic_exchange(&takers->led, true)) &&
           bus_cond_wait_until(&takers->changed, &takers->lock, until))
        ;
    /* Sent for a message at the moment in which the time was over. */
    if (!leads && !atomic_load(&takers->stop))
        leads = !atomic_exchange(&takers->led, true);
    takers->n_idle--;
    takers->coming = takers->coming && !leads;
    if (!leads) {
        takers->n_threads--;
        pthread_cond_broadcast(&takers->changed);
    }
    pthread_mutex_unlock(&takers->lock);
    return leads;
}

static void *run(void *arg)
{
    struct bus_takers *takers = arg;

    (void)pthread_setname_np(pthread_self(), "take");
    while (lead(takers)) {
        natsMsg *msg = NULL;
        natsStatus s = bus_next_msg(takers->bus, takers->sub, clock_mono_ms() + WAIT_MS, &msg);

        atomic_store(&takers->led, false);
        look(takers);
        if (s == NATS_OK) {
            struct bus_message message;

            bus_msg_wrap(msg, &message);
            takers->fn(&message, takers->arg);
            bus_message_release(&message);
        } else if (s != NATS_TIMEOUT && s != NATS_SLOW_CONSUMER && !atomic_load(&takers->stop)) {
            nats_Sleep(CLOSED_PAUSE_MS); /* closed; whoever owns this will stop it */
        }
    }
    return NULL;
}

enum status bus_take(struct bus *bus, const struct bus_taking *taking,
                     struct bus_takers **ret_takers)
{
    struct bus_takers *takers = calloc(1, sizeof(*takers));

    if (!takers)
        abort();
    takers->bus = bus;
    takers->fn = taking->fn;
    takers->arg = taking->arg;
    takers->max = taking->threads;
    pthread_mutex_init(&takers->lock, NULL);
    bus_cond_init_mono(&takers->changed);
    enum status status =
        bus_status(natsConnection_SubscribeSync(&takers->sub, bus->nc, taking->subject));
    if (status == ST_OK) {
        pthread_mutex_lock(&takers->lock);
        send_one(takers);
        status = takers->n_threads > 0 ? ST_OK : ST_RESOURCE_EXHAUSTED;
        pthread_mutex_unlock(&takers->lock);
    }
    if (status != ST_OK) {
        bus_takers_free(takers);
        return status;
    }
    bus_loop_add(bus->loop, look, takers);
    *ret_takers = takers;
    return ST_OK;
}

void bus_takers_stop(struct bus_takers *takers)
{
    if (!takers || atomic_exchange(&takers->stop, true))
        return;
    if (takers->sub)
        (void)natsSubscription_Unsubscribe(takers->sub); /* wakes who waits */
    bus_recall(takers->bus);
    pthread_mutex_lock(&takers->lock);
    pthread_cond_broadcast(&takers->changed);
    pthread_mutex_unlock(&takers->lock);
}

void bus_takers_free(struct bus_takers *takers)
{
    if (!takers)
        return;
    bus_takers_stop(takers);
    bus_loop_remove(takers->bus->loop, takers);
    pthread_mutex_lock(&takers->lock);
    while (takers->n_threads > 0)
        pthread_cond_wait(&takers->changed, &takers->lock);
    pthread_mutex_unlock(&takers->lock);
    bus_forget(takers->bus, takers->sub);
    pthread_cond_destroy(&takers->changed);
    pthread_mutex_destroy(&takers->lock);
    free(takers);
}
