/* SPDX-License-Identifier: Apache-2.0 */
/* NATS: request and reply, serving, events, key-value buckets. Hides cnats: no
 * other folder includes nats.h. */
#pragma once

#include "wire/call.h"

#include <stddef.h>
#include <stdint.h>

struct bus;
struct strbuf;

struct bus_options {
    const char *url;             /* nats://…, secret when it has credentials */
    const char *user, *password; /* NULL: as in url */
    const char *name;            /* connection name, e.g. "mal-catalog" */
    int connect_ms;              /* how long bus_new tries; 0 = 10 s */
};

/* Connects once with a deadline, then reconnects forever. */
enum status bus_new(struct bus **ret_bus, const struct bus_options *options,
                    struct error *err) MUST_CHECK;
/* Lets what was published reach the server (bounded by timeout), then closes.
 * Servers, consumers, watches, tails and queues are stopped before. */
void bus_drain(struct bus *bus, int timeout_ms);
void bus_free(struct bus *bus);
bool bus_up(const struct bus *bus);
/* True when NATS refused us for good (the password was changed, say): only a new
 * process can connect again. */
bool bus_closed(const struct bus *bus);
/* Round trip to the server; ret_us may be NULL. */
enum status bus_check(struct bus *bus, int64_t *ret_us) MUST_CHECK;

/* Counted since bus_new. */
struct bus_stats {
    uint64_t in_messages, in_bytes, out_messages, out_bytes, reconnects;
    uint64_t slow; /* times a subscription lost messages because it was too slow */
    int in_flight; /* requests that wait for an answer now */
};
void bus_stats(const struct bus *bus, struct bus_stats *ret_stats);

/* ---- requests -------------------------------------------------------- */

/* One header; arrays end with a NULL name. */
struct bus_header {
    const char *name, *value;
};

struct bus_message {
    const char *subject;
    const char *reply; /* NULL when no answer is wanted */
    const void *data;  /* borrowed until the message is released */
    size_t len;
    void *impl; /* natsMsg */
};
const char *bus_message_header(const struct bus_message *msg, const char *name);
void bus_message_release(struct bus_message *msg);

/* Calls an rpc of another process: packs, sends with the call's headers and
 * remaining deadline, waits, unpacks into call->arena. A failed status and its
 * words are in call->error. No responder and a lost server are UNAVAILABLE; a
 * read is then tried once more if time allows, a write never.
 * timeout_ms 0 = the call's own deadline. Thread safe. */
enum status bus_call(struct bus *bus, struct call *call, const struct rpc *rpc,
                     const ProtobufCMessage *request, int timeout_ms,
                     ProtobufCMessage **ret_reply) MUST_CHECK;

/* Raw request, for what is no rpc ($SRV, answers between gateways). The reply
 * is released by the caller. */
enum status bus_request(struct bus *bus, const char *subject, const struct bus_header *headers,
                        const void *data, size_t len, int timeout_ms,
                        struct bus_message *ret_reply) MUST_CHECK;
/* Fire and forget on core NATS. */
enum status bus_publish(struct bus *bus, const char *subject, const struct bus_header *headers,
                        const void *data, size_t len) MUST_CHECK;

/* The same at once (with many requests under way: with what else gathers), answers
 * to reply (NULL = none wanted); when nobody takes it, bus_answers_next of that
 * subject gives ST_UNAVAILABLE. */
enum status bus_publish_now(struct bus *bus, const char *subject, const char *reply,
                            const void *data, size_t len) MUST_CHECK;

/* A stream of answers to what is published with its subject as reply; read by one
 * thread at a time. */
struct bus_answers;
enum { BUS_ANSWERS_SIZE = 48 };
/* ST_UNAVAILABLE while the bus is away. */
enum status bus_answers_begin(struct bus *bus, struct bus_answers **ret_answers) MUST_CHECK;
const char *bus_answers_subject(const struct bus_answers *answers);
/* ST_DEADLINE_EXCEEDED when nothing came in time. */
enum status bus_answers_next(struct bus_answers *answers, int timeout_ms,
                             struct bus_message *ret_msg) MUST_CHECK;
/* complete: everything was answered, so that nothing can come any more. */
void bus_answers_end(struct bus_answers *answers, bool complete);

/* A subject for answers that nobody else uses. */
enum { BUS_INBOX_SIZE = 48 };
void bus_inbox_name(char out[BUS_INBOX_SIZE]);

/* A plain subscription whose handler runs on its own thread, one at a time. */
struct bus_sub;
enum status bus_subscribe(struct bus *bus, const char *subject,
                          void (*fn)(struct bus_message *msg, void *arg), void *arg,
                          struct bus_sub **ret_sub) MUST_CHECK;
/* A plain subscription whose messages take long: each is handled by a thread of its
 * own, of up to so many, and the next one waits until one of them is done. */
struct bus_taking {
    const char *subject;
    void (*fn)(struct bus_message *msg, void *arg);
    void *arg;
    int threads;
};
struct bus_takers;
enum status bus_take(struct bus *bus, const struct bus_taking *taking,
                     struct bus_takers **ret_takers) MUST_CHECK;
/* Takes no more; what runs goes on. Accepts NULL, as does the next, which waits for it. */
void bus_takers_stop(struct bus_takers *takers);
void bus_takers_free(struct bus_takers *takers);
/* A subscription read by the thread that made it (bus_sub_next). */
enum status bus_subscribe_sync(struct bus *bus, const char *subject,
                               struct bus_sub **ret_sub) MUST_CHECK;
/* ST_DEADLINE_EXCEEDED when nothing came in time. */
enum status bus_sub_next(struct bus_sub *sub, int timeout_ms,
                         struct bus_message *ret_msg) MUST_CHECK;
void bus_sub_free(struct bus_sub *sub);

/* ---- serving (ADR-32) ------------------------------------------------- */

/* Runs one request: fills reply bytes in call->arena or fails. call has arena,
 * rpc, headers and deadline set. */
struct endpoint {
    const struct rpc *rpc;
    enum status (*run)(struct call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
};

struct bus_service {
    const char *name;    /* "catalog" */
    const char *version; /* semantic version of the build */
    const char *description;
    const struct endpoint *endpoints;
    size_t n_endpoints;
    int workers;
    bool rare; /* others in this process wait for more: workers leave the socket to them */
    /* Around every request on its worker's thread; worker state is made by
     * worker_new (connection to Postgres), may be NULL. */
    void *(*worker_new)(void *arg, int index);
    void (*worker_free)(void *state);
    void (*prepare)(struct call *call, void *worker_state, void *arg);
    /* When set, reading rpcs that are usually quick share a worker, each on a fiber:
     * called whenever all of them stopped, to do together what they wait for. */
    void (*round)(void *worker_state);
    void *arg;
    /* After each call, for metrics and the access line; also, without prepare, of
     * calls whose request was invalid or came too late. */
    void (*observe)(const struct call *call, enum status status, int64_t duration_us, void *arg);
    /* JSON object for $SRV.STATS data and the info rpc; may be NULL. */
    void (*stats)(struct strbuf *out, void *arg);
};

/* Subscribes every endpoint in queue group "q", answers $SRV.PING, INFO and
 * STATS, starts the workers. Requests whose deadline passed while waiting are
 * dropped. Without endpoints (and workers) it is only listed. */
struct bus_server;
enum status bus_serve(struct bus *bus, const struct bus_service *service,
                      struct bus_server **ret_server, struct error *err) MUST_CHECK;
/* Stops taking requests, waits for those that run (timeout), joins. */
void bus_server_stop(struct bus_server *server, int timeout_ms);
void bus_server_free(struct bus_server *server);
/* Requests that wait for a worker now. */
size_t bus_server_waiting(const struct bus_server *server);

/* ---- events (JetStream) ------------------------------------------------ */

/* Creates or updates the streams MAL_EVT (mal.evt.>) and MAL_DEAD (mal.dead.>)
 * and the buckets named, so that whoever starts first makes them. */
enum status bus_setup(struct bus *bus, struct error *err) MUST_CHECK;

/* Publishes and waits for the stream's acknowledgement. event_id becomes
 * Nats-Msg-Id, so a repeat within the window of the stream is dropped there. */
enum status bus_event_publish(struct bus *bus, const char *subject, const char *event_id,
                              const struct bus_header *headers, const void *data, size_t len,
                              int timeout_ms) MUST_CHECK;
/* Queues an event and returns at once; sent by a thread of the bus, kept while
 * the bus is away up to `capacity` events, dropped and counted beyond. */
struct bus_event_queue;
enum status bus_event_queue_new(struct bus *bus, size_t capacity,
                                struct bus_event_queue **ret_queue) MUST_CHECK;
/* Keeps what is not acknowledged in a file of that folder as well, so that it
 * outlives a killed process, and takes over what processes left there that are
 * no more. Before the first event is added. */
enum status bus_event_queue_keep(struct bus_event_queue *queue, const char *dir,
                                 struct error *err) MUST_CHECK;
/* From now on events of one subject share messages while many of them wait (more
 * than 600 a second), which spares the stream most of its work: consumers, tails
 * and bus_read get each as an event of its own, with the sequence of the message.
 * bare: all but the first of a message come without actor, request id and time,
 * for events whose payload tells them. */
void bus_event_queue_share(struct bus_event_queue *queue, bool bare);
void bus_event_queue_add(struct bus_event_queue *queue, const char *subject, const char *event_id,
                         const struct bus_header *headers, const void *data, size_t len);
void bus_event_queue_stats(const struct bus_event_queue *queue, uint64_t *ret_sent,
                           uint64_t *ret_dropped, uint64_t *ret_waiting);
/* Flushes what waits (timeout), frees. */
void bus_event_queue_free(struct bus_event_queue *queue, int timeout_ms);

/* One event as a consumer sees it. */
struct bus_event {
    const char *subject, *event_id;
    const char *actor, *request_id, *time; /* "" when not told (bus_event_queue_share) */
    /* The id of the first event of its message, one pointer for the events of a
     * delivery. An event is in one message for ever: whoever has applied that one
     * whole has applied its events. */
    const char *message_id;
    uint64_t sequence; /* of the message in the stream */
    int delivered;     /* 1 on first delivery */
    const void *data;
    size_t len;
};
/* Durable pull consumer on its own thread. Batches of up to max_batch events go
 * to fn, which applies them and returns ST_OK (all acknowledged) or a failure
 * (all negatively acknowledged with a growing delay). After 20 deliveries an
 * event is moved to mal.dead.<durable> and counted. max_ack_pending 1 keeps
 * strict order. */
struct bus_consumer_options {
    const char *durable;
    const char *filter; /* e.g. mal.evt.gateway.tool.called */
    int max_batch;
    int max_ack_pending;
    /* The events of a message are applied together or not at all, which may make
     * a batch longer than max_batch: for those who remember messages. */
    bool whole_messages;
    enum status (*fn)(const struct bus_event *events, size_t n, void *arg);
    void *arg;
};
struct bus_consumer;
enum status bus_consume(struct bus *bus, const struct bus_consumer_options *options,
                        struct bus_consumer **ret_consumer, struct error *err) MUST_CHECK;
void bus_consumer_stop(struct bus_consumer *consumer); /* joins and frees */
/* Events applied, failed deliveries, events put aside. */
void bus_consumer_stats(const struct bus_consumer *consumer, uint64_t *ret_applied,
                        uint64_t *ret_failed, uint64_t *ret_dead);

/* The id of the last event of a subject that the stream holds; ST_NOT_FOUND when
 * there is none. */
enum { BUS_EVENT_ID_SIZE = 64 };
enum status bus_event_last(struct bus *bus, const char *subject,
                           char out[BUS_EVENT_ID_SIZE]) MUST_CHECK;
/* Up to which sequence of the stream a durable consumer has acknowledged
 * everything: that will not be delivered again. 0 when there is no such one. */
enum status bus_consumer_floor(struct bus *bus, const char *durable,
                               uint64_t *ret_floor) MUST_CHECK;

/* What the event stream holds. */
struct bus_stream {
    uint64_t first, last; /* sequences; last < first when it is empty */
    int64_t since_ms;     /* of what was published from then on nothing is missing */
};
/* Reads the events of a filter from a sequence on, at least up to the last one
 * that is there at the start, in their order, and gives them to fn in batches; a
 * failure of fn ends it. ret_stream says what the stream held at the start. A
 * reader's name is that of a consumer on the server, for one caller at a time. */
struct bus_read_options {
    const char *reader; /* e.g. catalog_replay */
    const char *filter;
    uint64_t from; /* 0 = the first */
    enum status (*fn)(const struct bus_event *events, size_t n, void *arg);
    void *arg;
};
enum status bus_read(struct bus *bus, const struct bus_read_options *options,
                     struct bus_stream *ret_stream) MUST_CHECK;

/* New events from now on, for live views: ephemeral, in order, fn on its own
 * thread; survives reconnects (fn gets event NULL when events may have been
 * missed). */
struct bus_tail;
enum status bus_tail(struct bus *bus, const char *filter,
                     void (*fn)(const struct bus_event *event, void *arg), void *arg,
                     struct bus_tail **ret_tail) MUST_CHECK;
void bus_tail_stop(struct bus_tail *tail);

/* ---- key-value --------------------------------------------------------- */

struct bus_kv;
/* Opens the bucket, creating it (file storage, history 1) when absent;
 * ttl_s 0 = entries stay. */
enum status bus_kv_open(struct bus *bus, const char *bucket, int64_t ttl_s, struct bus_kv **ret_kv,
                        struct error *err) MUST_CHECK;
void bus_kv_free(struct bus_kv *kv);
enum status bus_kv_put(struct bus_kv *kv, const char *key, const void *data, size_t len) MUST_CHECK;
/* ST_ALREADY_EXISTS when the key is there. */
enum status bus_kv_create(struct bus_kv *kv, const char *key, const void *data,
                          size_t len) MUST_CHECK;
/* Value in the arena; ST_NOT_FOUND. */
enum status bus_kv_get(struct bus_kv *kv, const char *key, struct arena *arena,
                       const void **ret_data, size_t *ret_len, uint64_t *ret_revision) MUST_CHECK;
/* Only when the revision is still that one, else ST_FAILED_PRECONDITION. */
enum status bus_kv_update(struct bus_kv *kv, const char *key, const void *data, size_t len,
                          uint64_t revision) MUST_CHECK;
/* Leaves a mark, which watches see and which stays as long as an entry would. */
enum status bus_kv_delete(struct bus_kv *kv, const char *key) MUST_CHECK;
/* Leaves nothing, so that watches do not see it, and only when the revision is still
 * that one, else ST_FAILED_PRECONDITION. */
enum status bus_kv_remove(struct bus_kv *kv, const char *key, uint64_t revision) MUST_CHECK;
/* First every present entry, then fn(NULL key) once, then each change; data
 * NULL = deleted. On its own thread; restarts itself (and replays everything)
 * after a reconnect. */
struct bus_kv_watch;
enum status bus_kv_watch(struct bus_kv *kv,
                         void (*fn)(const char *key, const void *data, size_t len, void *arg),
                         void *arg, struct bus_kv_watch **ret_watch) MUST_CHECK;
void bus_kv_watch_stop(struct bus_kv_watch *watch);
