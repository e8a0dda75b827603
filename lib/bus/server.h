/* SPDX-License-Identifier: Apache-2.0 */
/* State of a server, shared by server.c, serve_call.c and srv_info.c. */
#pragma once

#include "internal.h"

#include "base/ids.h"
#include "base/log.h"

#define BUS_QUEUE_GROUP "q"

enum {
    SRV_SUBS = 9,
    BATCH_MAX = 32, /* requests that share a worker */
};

struct served;

/* A request that waits for a worker. */
struct waiting {
    struct waiting *next;
    natsMsg *msg;          /* owned */
    struct served *served; /* NULL: no such operation */
    int64_t received_ms;
    size_t bytes;
};

struct served {
    const struct endpoint *endpoint;
    const char *name;  /* "get_skill" */
    atomic_bool quick; /* the last time by itself it took little */
    atomic_bool loner; /* it once wanted to be alone */
    atomic_ullong n_requests, n_errors, processing_ns;
    char last_error[256]; /* under the server's lock */
};

/* One request of a batch. */
struct lane {
    struct worker *worker;
    struct waiting *item;
    struct arena arena;
    struct fiber *fiber;
    bool ended;
};

struct worker {
    struct bus_server *server;
    int index;
    bool batch;  /* what it does may be shared; under the server's lock */
    void *state; /* of service.worker_new */
    struct arena arena;
    struct lane *lanes; /* BATCH_MAX, made with the first batch */
    struct log_lines log;
    pthread_t thread;
};

struct request_list {
    struct waiting *head, **tail;
};

struct bus_server {
    struct bus *bus;
    struct bus_service service;
    struct served *served; /* sorted by subject */
    struct worker *workers;
    int n_workers;
    bool joined;
    char id[TOKEN_SIZE];
    int64_t started_ms;
    natsSubscription *requests;
    natsSubscription *srv[SRV_SUBS];

    pthread_mutex_t lock; /* everything below */
    pthread_cond_t arrived, stopped;
    struct request_list alone, sharing;
    atomic_size_t n_waiting; /* read without the lock too */
    size_t bytes_waiting;
    int n_idle, n_running, n_batches, most_batches;
    bool stopping;
};

/* ---- serve_call.c ---- */

/* Runs one request and answers it; returns the microseconds it took. */
int64_t bus_server_run(struct worker *worker, struct arena *arena, const struct waiting *item);
/* Answers a request with a failure without running it. */
void bus_server_refuse(struct bus_server *server, natsMsg *msg, enum status status,
                       const char *message);

/* ---- serve_batch.c ---- */

/* Whether a request may share its worker. */
bool bus_server_shares(const struct bus_server *server, const struct waiting *item);
/* Runs n requests and answers them, together when there are several. */
void bus_server_run_all(struct worker *worker, struct waiting *const *items, size_t n);
void bus_server_free_lanes(struct worker *worker);

/* ---- serve_queue.c, all under the server's lock ---- */

void bus_requests_init(struct bus_server *server);
/* false: there is no room. */
bool bus_requests_add(struct bus_server *server, struct waiting *item) MUST_CHECK;
/* Whether a worker has something to take. */
bool bus_requests_ready(const struct bus_server *server);
/* When something waits that will be ready without further notice, so long; else -1. */
int bus_requests_patience_ms(const struct bus_server *server);
/* At least one request must wait. *ret_batch: whether they may share a worker. */
size_t bus_requests_take(struct bus_server *server, struct waiting *items[BATCH_MAX],
                         bool *ret_batch);

/* ---- srv_info.c ---- */

natsStatus bus_srv_subscribe(struct bus_server *server);
void bus_srv_unsubscribe(struct bus_server *server);
void bus_srv_free(struct bus_server *server);
