/* SPDX-License-Identifier: Apache-2.0 */
/* The event queue: adding never waits; a thread sends in bursts, keeps what was
 * not acknowledged and sends it again under the same id, which the stream drops
 * when it has it already. What is not acknowledged may also be kept in a file,
 * for the case that the process is killed. */
#include "queue.h"
#include "internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"

enum {
    WINDOW = 1024,   /* sent and not acknowledged */
    LINGER_MS = 100, /* a burst gathers that long: a lone event costs the server twice as much */
    ACK_POLL_MS = 5,
    ACK_TIMEOUT_MS = 5000,
    RETRY_MS = 200,
    REFUSALS_MAX = 10, /* by the stream, of one event */
    QUEUE_BYTES = 64 << 20,
    SHARE_FROM = 64,          /* waiting events, before they share messages */
    SHARE_BYTES = 256 * 1024, /* of one message */
};

struct item_list {
    struct item *head, **tail;
};

struct bus_event_queue {
    struct bus *bus;
    struct inbox *inbox;
    struct spool *spool; /* NULL: none */
    size_t capacity;
    bool share, bare;
    pthread_t thread;
    atomic_ullong sent, dropped, n_held; /* held = waiting or not acknowledged */
    atomic_ullong bytes;
    /* Of the thread: */
    struct item_list taken; /* a burst, of which not all has found room in the window */
    bool sharing;           /* those may share messages */
    struct item_list flight;
    size_t n_flight;
    struct strbuf payload; /* of the message at hand */
    int64_t progress_ms;   /* when something was sent or acknowledged */
    struct pause pause;    /* its lock guards what follows */
    struct item_list waiting;
    size_t n_waiting;
    int64_t due_ms; /* when the first of them is to be sent */
    bool idle;
    int64_t give_up_ms; /* set with stop */
};

static void push(struct item_list *list, struct item *item)
{
    item->next = NULL;
    *list->tail = item;
    list->tail = &item->next;
}

static struct item *pop(struct item_list *list)
{
    struct item *item = list->head;

    if (item && (list->head = item->next) == NULL)
        list->tail = &list->head;
    return item;
}

static void add(struct bus_event_queue *queue, struct item *item)
{
    atomic_fetch_add(&queue->n_held, 1 + item->n_riders);
    atomic_fetch_add(&queue->bytes, item->bytes + item->riders_bytes);
    pthread_mutex_lock(&queue->pause.lock);
    if (!queue->waiting.head)
        queue->due_ms = clock_mono_ms() + LINGER_MS;
    push(&queue->waiting, item);
    queue->n_waiting++;
    if (queue->idle && (queue->n_waiting == 1 || queue->n_waiting == WINDOW))
        pthread_cond_signal(&queue->pause.cond);
    pthread_mutex_unlock(&queue->pause.lock);
}

void bus_event_queue_add(struct bus_event_queue *queue, const char *subject, const char *event_id,
                         const struct bus_header *headers, const void *data, size_t len)
{
    struct item *item = item_new(subject, event_id, headers, data, len);

    if (!item || atomic_load(&queue->n_held) >= queue->capacity ||
        atomic_load(&queue->bytes) + item->bytes > QUEUE_BYTES) {
        atomic_fetch_add(&queue->dropped, 1);
        free(item);
        return;
    }
    if (queue->spool)
        item_keep(item, queue->spool);
    add(queue, item);
}

static void add_again(struct item *item, void *arg)
{
    add(arg, item);
}

void bus_event_queue_share(struct bus_event_queue *queue, bool bare)
{
    queue->share = true;
    queue->bare = bare;
}

enum status bus_event_queue_keep(struct bus_event_queue *queue, const char *dir, struct error *err)
{
    TRY(spool_open(&queue->spool, dir, err));
    size_t n = items_adopt(queue->spool, dir, add_again, queue);
    if (n > 0)
        log_warn("%zu events are sent that another process left behind", n);
    return ST_OK;
}

/* With all that share its message; it comes first: without it their records are none. */
static void item_done(struct bus_event_queue *queue, struct item *item, bool sent)
{
    uint64_t places[1 + BUS_RIDERS_MAX];
    struct spool *spool = item->spool;
    size_t n = 0, bytes = item->bytes + item->riders_bytes;

    for (struct item *one = item, *next; one; one = next) {
        next = n == 0 ? item->riders : one->next;
        places[n++] = one->place;
        free(one);
    }
    if (spool)
        spool_drop(spool, places, n);
    atomic_fetch_add(sent ? &queue->sent : &queue->dropped, n);
    atomic_fetch_sub(&queue->bytes, bytes);
    atomic_fetch_sub(&queue->n_held, n);
}

/* Under the lock: a burst has gathered. */
static bool is_due(const struct bus_event_queue *queue)
{
    return queue->waiting.head &&
           (queue->n_waiting >= WINDOW || queue->pause.stop || clock_mono_ms() >= queue->due_ms);
}

/* What was in no spool would be missing in the company that the next process
 * makes of what is there. */
static bool may_share(const struct bus_event_queue *queue, const struct item *item)
{
    return !item->settled && item->spool == queue->spool;
}

/* Once and for all: whenever the item is sent, it is with these. Those of other
 * subjects in between stay where they are. */
static void take_riders(struct bus_event_queue *queue, struct item *item)
{
    struct item **p = &queue->taken.head, *next;

    while (may_share(queue, item) && item->n_riders < BUS_RIDERS_MAX && (next = *p)) {
        if (!may_share(queue, next) || strcmp(next->subject, item->subject) != 0) {
            p = &next->next;
            continue;
        }
        if (item->riders_bytes + next->bytes > SHARE_BYTES)
            break;
        *p = next->next;
        if (!*p)
            queue->taken.tail = p;
        item_take_rider(item, next);
    }
}

static void fill_window(struct bus_event_queue *queue)
{
    struct item *item;

    while (queue->n_flight < WINDOW && (item = pop(&queue->taken)) != NULL) {
        if (queue->sharing)
            take_riders(queue, item);
        push(&queue->flight, item);
        queue->n_flight++;
    }
}

/* Under the lock, and at once: whoever adds waits for it. */
static void take_burst(struct bus_event_queue *queue)
{
    queue->taken = queue->waiting;
    queue->waiting = (struct item_list){.tail = &queue->waiting.head};
    queue->sharing = queue->share && queue->n_waiting >= SHARE_FROM;
    queue->n_waiting = 0;
}

/* Fills the window. False when there is nothing left to do. */
static bool refill(struct bus_event_queue *queue)
{
    struct pause *pause = &queue->pause;
    bool more = true;

    pthread_mutex_lock(&pause->lock);
    queue->idle = true;
    while (!is_due(queue) && !queue->taken.head && queue->n_flight == 0 && !pause->stop) {
        if (queue->waiting.head)
            (void)bus_cond_wait_until(&pause->cond, &pause->lock, queue->due_ms);
        else
            pthread_cond_wait(&pause->cond, &pause->lock);
    }
    queue->idle = false;
    if (is_due(queue) && !queue->taken.head)
        take_burst(queue);
    if (pause->stop &&
        ((queue->n_flight == 0 && !queue->taken.head) || clock_mono_ms() >= queue->give_up_ms))
        more = false;
    pthread_mutex_unlock(&pause->lock);
    fill_window(queue);
    return more;
}

/* Whatever was on its way is sent again, on a new inbox. */
static void start_over(struct bus_event_queue *queue)
{
    bus_inbox_discard(queue->inbox);
    for (struct item *item = queue->flight.head; item; item = item->next)
        item->number = 0;
}

static const char *header_of(const struct bus_header *headers, const char *name)
{
    for (const struct bus_header *h = headers; h->name; h++)
        if (strcmp(h->name, name) == 0)
            return h->value;
    return "";
}

static void put_rider(struct bus_event_queue *queue, const struct item *rider)
{
    struct bus_header headers[ITEM_HEADERS + 1];

    if (queue->bare)
        headers[0] = (struct bus_header){NULL, NULL};
    else
        item_headers(rider, headers);
    bus_rider_put(&queue->payload,
                  &(struct bus_event){.event_id = rider->event_id,
                                      .actor = header_of(headers, "Mal-Actor"),
                                      .request_id = header_of(headers, "Mal-Request-Id"),
                                      .time = header_of(headers, "Mal-Time"),
                                      .data = rider->data,
                                      .len = rider->len});
}

static natsMsg *message_of(struct bus_event_queue *queue, const struct item *item,
                           const char *reply)
{
    struct bus_header headers[ITEM_HEADERS + 2];
    struct strbuf *payload = &queue->payload;
    char text[BUS_RIDER_TEXT];
    size_t n = 0;

    item_headers(item, headers);
    if (!item->riders)
        return bus_msg_new(item->subject, reply, headers, item->data, item->len);
    while (headers[n].name)
        n++;
    headers[n++] = bus_rider_header(text, item->n_riders, item->len);
    headers[n] = (struct bus_header){NULL, NULL};
    strbuf_clear(payload);
    strbuf_add(payload, item->data, item->len);
    for (const struct item *rider = item->riders; rider; rider = rider->next)
        put_rider(queue, rider);
    return bus_msg_new(item->subject, reply, headers, payload->data, payload->len);
}

static enum status send_one(struct bus_event_queue *queue, struct item *item)
{
    char reply[64];
    uint64_t number = bus_inbox_reply(queue->inbox, reply);
    natsMsg *msg = message_of(queue, item, reply);
    enum status status = bus_msg_send(queue->bus, msg, false);

    bus_msg_free(msg);
    if (status == ST_RESOURCE_EXHAUSTED || status == ST_INVALID_ARGUMENT)
        item->refusals = REFUSALS_MAX; /* it will never fit */
    else
        TRY(status);
    item->number = number;
    return ST_OK;
}

static enum status send_unsent(struct bus_event_queue *queue)
{
    enum status status = bus_inbox_open(queue->inbox);

    bus_loop_hold(queue->bus->loop);
    for (struct item *item = queue->flight.head; item && status == ST_OK; item = item->next) {
        if (item->number)
            continue;
        status = send_one(queue, item);
        queue->progress_ms = clock_mono_ms();
    }
    bus_loop_release(queue->bus->loop);
    return status;
}

/* Takes the items out of the window that are done with. */
static void settle(struct bus_event_queue *queue, uint64_t number, bool stored)
{
    struct item_list left = {.tail = &left.head};
    struct item *item = queue->flight.head;

    /* Acknowledgements come in order as a rule. */
    if (stored && item && item->number == number) {
        item_done(queue, pop(&queue->flight), true);
        queue->n_flight--;
        return;
    }
    while ((item = pop(&queue->flight)) != NULL) {
        bool mine = item->number == number;
        if (mine && stored) {
            item_done(queue, item, true);
            queue->n_flight--;
        } else if (item->refusals >= REFUSALS_MAX || (mine && ++item->refusals >= REFUSALS_MAX)) {
            log_error("event dropped: the stream refuses %s", item->subject);
            item_done(queue, item, false);
            queue->n_flight--;
        } else {
            if (mine)
                item->number = 0;
            push(&left, item);
        }
    }
    queue->flight.head = left.head;
    queue->flight.tail = left.head ? left.tail : &queue->flight.head;
}

/* One acknowledgement; DEADLINE_EXCEEDED when none came in time. */
static enum status read_ack(struct bus_event_queue *queue, int wait_ms)
{
    natsMsg *msg = NULL;
    bool no_responders;

    TRY(bus_inbox_next(queue->inbox, 1, clock_mono_ms() + wait_ms, &msg, &no_responders));
    const char *number = strrchr(natsMsg_GetSubject(msg), '.');
    enum status status = jet_answer(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
    queue->progress_ms = clock_mono_ms();
    if (status == ST_UNAVAILABLE) { /* not ready, or no room on its disk */
        bus_msg_free(msg);
        return status;
    }
    settle(queue, number ? strtoull(number + 1, NULL, 10) : 0, status == ST_OK);
    bus_msg_free(msg);
    return status == ST_OK ? ST_OK : ST_FAILED_PRECONDITION;
}

static enum status exchange(struct bus_event_queue *queue)
{
    TRY(send_unsent(queue));
    if (queue->n_flight == 0)
        return ST_OK;
    enum status status = read_ack(queue, ACK_POLL_MS);
    while (status == ST_OK && queue->n_flight > 0)
        status = read_ack(queue, 0);
    if (status == ST_DEADLINE_EXCEEDED && clock_mono_ms() - queue->progress_ms < ACK_TIMEOUT_MS)
        return ST_OK;
    return status;
}

static void *run_queue(void *arg)
{
    struct bus_event_queue *queue = arg;

    while (refill(queue)) {
        enum status status = exchange(queue);
        if (status == ST_OK)
            continue;
        if (status != ST_FAILED_PRECONDITION)
            start_over(queue);
        /* When stopping, only the time given counts. */
        if (bus_pause_ms(&queue->pause, RETRY_MS))
            nats_Sleep(20);
    }
    return NULL;
}

enum status bus_event_queue_new(struct bus *bus, size_t capacity,
                                struct bus_event_queue **ret_queue)
{
    struct bus_event_queue *queue = calloc(1, sizeof(*queue));

    if (!queue)
        abort();
    queue->bus = bus;
    queue->capacity = capacity;
    queue->inbox = bus_inbox_new(bus);
    queue->taken.tail = &queue->taken.head;
    queue->flight.tail = &queue->flight.head;
    queue->waiting.tail = &queue->waiting.head;
    bus_pause_init(&queue->pause);
    if (pthread_create(&queue->thread, NULL, run_queue, queue) != 0) {
        bus_inbox_free(queue->inbox);
        bus_pause_done(&queue->pause);
        free(queue);
        return ST_RESOURCE_EXHAUSTED;
    }
    *ret_queue = queue;
    return ST_OK;
}

void bus_event_queue_stats(const struct bus_event_queue *queue, uint64_t *ret_sent,
                           uint64_t *ret_dropped, uint64_t *ret_waiting)
{
    *ret_sent = atomic_load(&queue->sent);
    *ret_dropped = atomic_load(&queue->dropped);
    *ret_waiting = atomic_load(&queue->n_held);
}

void bus_event_queue_free(struct bus_event_queue *queue, int timeout_ms)
{
    struct item *item;
    unsigned lost = 0;

    if (!queue)
        return;
    pthread_mutex_lock(&queue->pause.lock);
    queue->give_up_ms = clock_mono_ms() + timeout_ms;
    pthread_mutex_unlock(&queue->pause.lock);
    bus_pause_stop(&queue->pause);
    pthread_join(queue->thread, NULL);
    while ((item = pop(&queue->flight)) != NULL || (item = pop(&queue->taken)) != NULL ||
           (item = pop(&queue->waiting)) != NULL) {
        lost += 1 + (unsigned)item->n_riders;
        for (struct item *rider = item->riders, *next; rider; rider = next) {
            next = rider->next;
            free(rider);
        }
        free(item);
    }
    if (lost > 0 && queue->spool)
        log_warn("%u events wait for the next process to send them", lost);
    else if (lost > 0)
        log_error("%u events were not sent before the end", lost);
    spool_close(queue->spool);
    bus_inbox_free(queue->inbox);
    bus_pause_done(&queue->pause);
    strbuf_done(&queue->payload);
    free(queue);
}
