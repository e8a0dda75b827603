/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of answers. Subscribing costs the server as much as a request, so a
 * subscription is kept for the next stream, and streams take turns with two
 * subjects on it, as requests do (inbox.c). */
#include "internal.h"

#include "base/clock.h"
#include "base/ids.h"

enum { SPARE_MAX = 64 };

struct bus_answers {
    struct bus *bus;
    natsSubscription *sub; /* cnats renews it after a lost connection */
    size_t prefix_len;     /* of subject */
    char subject[BUS_ANSWERS_SIZE];
    struct bus_answers *next; /* spare */
};

static void answers_free(struct bus_answers *answers)
{
    bus_forget(answers->bus, answers->sub);
    free(answers);
}

static enum status answers_new(struct bus *bus, struct bus_answers **ret_answers)
{
    struct bus_answers *answers = calloc(1, sizeof(*answers));
    char token[TOKEN_SIZE];

    if (!answers)
        abort();
    answers->bus = bus;
    token_hex(token);
    answers->prefix_len =
        (size_t)snprintf(answers->subject, sizeof(answers->subject), "_INBOX.%s.*", token) - 1;
    enum status status =
        bus_status(natsConnection_SubscribeSync(&answers->sub, bus->nc, answers->subject));
    if (status != ST_OK) {
        free(answers);
        return status;
    }
    *ret_answers = answers;
    return ST_OK;
}

enum status bus_answers_begin(struct bus *bus, struct bus_answers **ret_answers)
{
    struct bus_answers *answers;

    if (!atomic_load(&bus->up))
        return ST_UNAVAILABLE;
    pthread_mutex_lock(&bus->lock);
    answers = bus->spare;
    if (answers) {
        bus->spare = answers->next;
        bus->n_spare--;
    }
    pthread_mutex_unlock(&bus->lock);
    if (!answers)
        TRY(answers_new(bus, &answers));
    answers->subject[answers->prefix_len] =
        answers->subject[answers->prefix_len] == '1' ? '2' : '1';
    atomic_fetch_add(&bus->in_flight, 1);
    *ret_answers = answers;
    return ST_OK;
}

const char *bus_answers_subject(const struct bus_answers *answers)
{
    return answers->subject;
}

enum status bus_answers_next(struct bus_answers *answers, int timeout_ms,
                             struct bus_message *ret_msg)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    for (;;) {
        natsMsg *msg = NULL;
        natsStatus s = bus_next_msg(answers->bus, answers->sub, deadline, &msg);

        if (s == NATS_SLOW_CONSUMER)
            continue; /* counted by the error handler; what is left still comes */
        TRY(bus_status(s));
        if (strcmp(natsMsg_GetSubject(msg) + answers->prefix_len,
                   answers->subject + answers->prefix_len) == 0) {
            bus_msg_wrap(msg, ret_msg);
            return ST_OK;
        }
        bus_msg_free(msg); /* of an earlier stream */
    }
}

void bus_answers_end(struct bus_answers *answers, bool complete)
{
    struct bus *bus = answers->bus;
    bool kept = false;

    atomic_fetch_sub(&bus->in_flight, 1);
    pthread_mutex_lock(&bus->lock);
    if (complete && bus->n_spare < SPARE_MAX && !atomic_load(&bus->closing)) {
        answers->next = bus->spare;
        bus->spare = answers;
        bus->n_spare++;
        kept = true;
    }
    pthread_mutex_unlock(&bus->lock);
    if (!kept)
        answers_free(answers);
}

void bus_answers_free_spare(struct bus *bus)
{
    while (bus->spare) {
        struct bus_answers *answers = bus->spare;

        bus->spare = answers->next;
        answers_free(answers);
    }
}
