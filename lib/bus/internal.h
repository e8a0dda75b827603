/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/bus share; nobody else includes it. */
#pragma once

#include "bus/bus.h"

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    BUS_CONNECT_MS = 10000,    /* how long bus_new tries */
    BUS_REQUEST_MS = 10000,    /* deadline of a request that names none */
    BUS_API_MS = 5000,         /* JetStream management and acknowledgements */
    BUS_QUEUE_MESSAGES = 4096, /* requests that wait for a worker */
    BUS_QUEUE_BYTES = 64 << 20,
    BUS_MAX_DELIVERIES = 20, /* of an event before it is put aside */
    BUS_SEND_NOW = 2,        /* up to so many requests in flight each is sent at once */
    BUS_SUBJECT_SIZE = 256,
    BUS_DEADLINE_MAX_MS = 3600000,
};

/* Threads that wait for a message without reading the socket; see waiters.c. */
struct bus_waiters {
    pthread_mutex_t lock;
    struct waiter *first;
};

struct bus {
    natsConnection *nc;
    struct loop *loop;    /* its I/O thread */
    jsCtx *js;            /* stream and consumer management only */
    atomic_bool up;       /* between the (re)connect and the disconnect callback */
    atomic_bool closed;   /* for ever */
    atomic_bool closing;  /* by us */
    atomic_int in_flight; /* requests that wait for an answer */
    struct bus_waiters waiters;
    atomic_ullong slow;      /* messages or bursts cnats dropped */
    atomic_int refs;         /* bus_new's and one per inbox */
    pthread_mutex_t parsing; /* held while cnats hands out what was read */
    pthread_mutex_t lock;    /* everything below */
    pthread_cond_t changed;  /* up or closed changed; CLOCK_MONOTONIC */
    struct inbox *inboxes;
    struct bus_answers *spare; /* subscribed, nobody waits on them */
    int n_spare;
};

/* ---- connect.c ---- */

enum status bus_status(natsStatus s);
void bus_unref(struct bus *bus);
/* Waits until the bus is up; false after timeout_ms or once closed. */
bool bus_wait_up(struct bus *bus, int timeout_ms);
/* pthread_cond_t on the monotonic clock, and a wait until clock_mono_ms() says
 * deadline_ms; false when the time is over. */
void bus_cond_init_mono(pthread_cond_t *cond);
bool bus_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms);

/* ---- loop.c ---- */

struct loop;
/* parsing is held while cnats hands out what was read, awaited counts the requests
 * that wait for an answer; both outlive the loop. */
enum status bus_loop_new(struct loop **ret_loop, pthread_mutex_t *parsing,
                         const atomic_int *awaited) MUST_CHECK;
natsStatus bus_loop_attach(struct loop *loop, natsOptions *opts);
void bus_loop_free(struct loop *loop);
/* now: sent by this thread; else by the I/O thread, with what else gathers. */
natsStatus bus_loop_publish(struct loop *loop, natsMsg *msg, bool now);
/* The same without headers and without a message to make. */
natsStatus bus_loop_publish_bytes(struct loop *loop, const char *subject, const void *data, int len,
                                  bool now);
/* Between the two everything this thread publishes gathers, to be sent by it at
 * the end in one system call. Nothing may wait in between; on one loop at a time. */
void bus_loop_hold(struct loop *loop);
void bus_loop_release(struct loop *loop);
/* Reading in the I/O thread's place, for who waits for a message and nothing else:
 * borrow (false: somebody reads already), read until what is awaited has come,
 * give back. One read takes what is there; false after the time (-1 = none), when
 * recalled, or while there is no connection. */
bool bus_loop_borrow(struct loop *loop);
bool bus_loop_read(struct loop *loop, int timeout_ms);
void bus_loop_give_back(struct loop *loop);
/* Makes who reads look whether it still has to. */
void bus_loop_recall(struct loop *loop);
/* fn runs on the I/O thread after each read of the socket, until removed. */
void bus_loop_add(struct loop *loop, void (*fn)(void *arg), void *arg);
void bus_loop_remove(struct loop *loop, void *arg);

/* ---- waiters.c ---- */

void bus_waiters_init(struct bus_waiters *waiters);
void bus_waiters_done(struct bus_waiters *waiters);
/* As natsSubscription_NextMsg. */
natsStatus bus_waiters_next_msg(struct bus_waiters *waiters, natsSubscription *sub,
                                int64_t deadline_ms, natsMsg **ret_msg);
/* A message waits on it, or it is closed. NextMsg says so too, but makes an error of it. */
bool bus_sub_has_news(natsSubscription *sub);
/* After each read of the socket (arg: the waiters): wakes whom something came for. */
void bus_waiters_look(void *arg);
/* Makes all look whether they still have to wait. */
void bus_waiters_wake(struct bus_waiters *waiters);

/* ---- release.c ---- */

/* Instead of natsMsg_Destroy(), which wakes a thread; NULL is fine. */
void bus_msg_free(natsMsg *msg);
/* The same with one of bus_msg_new. Each header is four blocks of memory: they are freed
 * by the thread that allocated them, which finds them at hand for its next message. */
void bus_msg_free_sent(natsMsg *msg, const struct bus_header *headers);
/* What is still held back. */
void bus_msg_free_all(void);

/* ---- message.c ---- */

/* The message owns copies of everything. */
natsMsg *bus_msg_new(const char *subject, const char *reply, const struct bus_header *headers,
                     const void *data, size_t len);
/* now: as in bus_loop_publish. */
enum status bus_msg_send(struct bus *bus, natsMsg *msg, bool now);
/* Value of a header, NULL when absent. */
const char *bus_msg_header(natsMsg *msg, const char *name);
void bus_msg_wrap(natsMsg *msg, struct bus_message *out);

/* Unsubscribes and destroys, in place of natsSubscription_Destroy(). Accepts NULL. */
void bus_forget(struct bus *bus, natsSubscription *sub);
/* Tells the server that no more messages shall come, and waits for those that
 * are on the way. */
void bus_sub_drain(struct bus *bus, natsSubscription *sub, int64_t deadline_ms);

/* ---- inbox.c ----
 * A private wildcard subscription for answers. Every request has its own
 * number in the reply subject; an inbox on which an answer is missing is
 * replaced, so that a late one has nowhere to go. A thread asks one thing at a
 * time: its inbox takes turns with few numbers, for nats-server remembers what it
 * worked out about a subject it has seen. */

struct inbox {
    struct bus *bus;
    natsSubscription *sub; /* NULL when it has to be made anew */
    atomic_bool dead;      /* the connection was lost since */
    uint64_t sequence;
    bool turns;                 /* numbers come again */
    char prefix[48];            /* "_INBOX.<token>." */
    struct inbox *next, **prev; /* of the bus */
    struct inbox *thread_next;
};

struct inbox *bus_inbox_new(struct bus *bus);
void bus_inbox_free(struct inbox *inbox);
/* The calling thread's inbox on that bus; lives until the thread ends. */
struct inbox *bus_inbox_of_thread(struct bus *bus);
/* Makes sure it is subscribed; ST_UNAVAILABLE while the bus is down. */
enum status bus_inbox_open(struct inbox *inbox) MUST_CHECK;
/* Drops the subscription with all that may still arrive on it. */
void bus_inbox_discard(struct inbox *inbox);
/* "<prefix><number>" for the next request, whose sequence is returned. */
uint64_t bus_inbox_reply(struct inbox *inbox, char out[64]);
/* Next message that answers what was asked from first on; ST_DEADLINE_EXCEEDED, or
 * ST_UNAVAILABLE: *ret_no_responders tells the server's 503 from a lost
 * connection. */
enum status bus_inbox_next(struct inbox *inbox, uint64_t first, int64_t deadline_ms,
                           natsMsg **ret_msg, bool *ret_no_responders) MUST_CHECK;
/* Next message of a subscription that only this thread reads, which reads the socket
 * itself when few others wait. */
natsStatus bus_next_msg(struct bus *bus, natsSubscription *sub, int64_t deadline_ms,
                        natsMsg **ret_msg);
/* Makes who waits in it look whether it still has to. */
void bus_recall(struct bus *bus);
/* Wakes who waits on it; it has to be opened again. */
void bus_inbox_kill(struct inbox *inbox);
/* Called when the connection is lost: everyone who waits is told at once. */
void bus_inbox_kill_all(struct bus *bus);

/* ---- answers.c ---- */

void bus_answers_free_spare(struct bus *bus);

/* ---- jet.c ---- */

/* Publishes into a stream and waits for its acknowledgement; timeout_ms 0 = the
 * usual one. ST_FAILED_PRECONDITION: another last sequence than the one the
 * headers expect; ST_UNAVAILABLE: not now; ST_INVALID_ARGUMENT: never. */
enum status jet_publish(struct bus *bus, const char *subject, const struct bus_header *headers,
                        const void *data, size_t len, int timeout_ms) MUST_CHECK;
/* Reads such an acknowledgement. */
enum status jet_answer(const void *data, size_t len) MUST_CHECK;
/* Creates the stream or updates it to this configuration. */
enum status jet_stream(struct bus *bus, jsStreamConfig *config, struct error *err) MUST_CHECK;

/* Where a message stands, read from its $JS.ACK reply subject. */
struct jet_position {
    uint64_t delivered, stream_seq, consumer_seq, pending;
};
bool jet_position(const char *reply, struct jet_position *ret);

/* ---- headers.c ---- */

/* The headers of a call, ended with a NULL name; room for CALL_HEADERS. */
enum { CALL_HEADERS = 8 };
void bus_call_headers(struct call *call, int64_t remaining_ms, struct bus_header out[CALL_HEADERS]);
/* The reverse, with everything copied into call->arena. received_ms is when the
 * request came in (clock_mono_ms). */
void bus_call_from_headers(struct call *call, natsMsg *msg, int64_t received_ms);

/* Headers that a stored event carries, read back. Borrowed from msg. */
void bus_event_read(natsMsg *msg, const struct jet_position *position, struct bus_event *out);

/* ---- riders.c ---- */

#define BUS_RIDERS "Mal-Riders"
enum { BUS_RIDERS_MAX = 255, BUS_RIDER_TEXT = 48 };

/* Adds an event behind the payload of the one whose message it shares. */
void bus_rider_put(struct strbuf *payload, const struct bus_event *event);
/* The header that says so; out is what it points to. */
struct bus_header bus_rider_header(char out[BUS_RIDER_TEXT], size_t n, size_t first_len);
/* All events of a message, borrowed from it; out has room for 1 + BUS_RIDERS_MAX. */
size_t bus_events_read(natsMsg *msg, const struct jet_position *position, struct bus_event *out);
/* The same from the first, whose data are the whole payload. */
size_t bus_events_split(struct bus_event *events, const char *header);

/* ---- pause.c ----
 * Waiting that a stop cuts short. */

struct pause {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stop;
};

void bus_pause_init(struct pause *pause);
void bus_pause_done(struct pause *pause);
void bus_pause_stop(struct pause *pause);
bool bus_pause_stopped(struct pause *pause);
/* True when it was stopped. */
bool bus_pause_ms(struct pause *pause, int ms);
/* Waits until the bus is up; true when it was stopped. */
bool bus_pause_until_up(struct pause *pause, struct bus *bus);

/* ---- pull.c ----
 * Reads a JetStream consumer by pull requests: one mechanism for durable
 * consumers, live tails and key-value watches, with one way to fail, after
 * which the consumer is made sure of again. */

struct pull {
    struct bus *bus;
    struct inbox *inbox;
    const char *stream; /* borrowed */
    char consumer[80];
    int batch;
    int outstanding;  /* messages the last request may still bring */
    uint64_t request; /* its number */
    int64_t heard_ms; /* when anything last came */
    atomic_bool stop;
};

void bus_pull_init(struct pull *pull, struct bus *bus, const char *stream, int batch);
void bus_pull_done(struct pull *pull);
/* Makes bus_pull_next return at once, from any thread. */
void bus_pull_stop(struct pull *pull);
/* Creates the consumer or updates it; *ret_info is freed by the caller. */
enum status bus_pull_ensure(struct pull *pull, jsConsumerConfig *config,
                            jsConsumerInfo **ret_info) MUST_CHECK;
/* The consumer's next message. ST_DEADLINE_EXCEEDED: none in time; any other
 * failure: make sure of the consumer again. */
enum status bus_pull_next(struct pull *pull, int timeout_ms, natsMsg **ret_msg,
                          struct jet_position *ret_position) MUST_CHECK;
/* Removes an ephemeral consumer from the server. */
void bus_pull_delete(struct pull *pull);
