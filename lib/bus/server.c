/* SPDX-License-Identifier: Apache-2.0 */
/* Serving: requests of a queue group wait in a bounded queue for the workers,
 * each of which runs one call at a time in its own arena. */
#include "server.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"

/* Of service names, after ADR-32. */
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* Of a worker that reads the socket: for the first of what comes it needs no
 * other one to be woken. */
static __thread const struct bus_server *reads_for;

static int by_subject(const void *a, const void *b)
{
    const struct served *left = a, *right = b;

    return strcmp(left->endpoint->rpc->subject, right->endpoint->rpc->subject);
}

/* "mal.catalog.v1.get_skill" -> "mal.catalog.v1.*"; all endpoints share it. */
static enum status wildcard(const struct bus_service *service, char out[BUS_SUBJECT_SIZE],
                            struct error *err)
{
    size_t prefix = 0;

    if (service->n_endpoints > 0 && service->workers < 1)
        return error_set(err, ST_INVALID_ARGUMENT, "endpoints need workers");
    if (!*service->name || service->name[strspn(service->name, NAME_CHARS)])
        return error_set(err, ST_INVALID_ARGUMENT, "'%s' is no name for a service", service->name);
    for (size_t i = 0; i < service->n_endpoints; i++) {
        const char *subject = service->endpoints[i].rpc->subject;
        const char *dot = strrchr(subject, '.');
        if (!dot || (size_t)(dot - subject) > BUS_SUBJECT_SIZE - 3 ||
            (prefix && ((size_t)(dot - subject) != prefix || strncmp(subject, out, prefix) != 0)))
            return error_set(err, ST_INVALID_ARGUMENT, "subject '%s' is not of this service",
                             subject);
        prefix = (size_t)(dot - subject);
        memcpy(out, subject, prefix);
    }
    (void)snprintf(out + prefix, BUS_SUBJECT_SIZE - prefix, ".*");
    return ST_OK;
}

static int find_subject(const void *key, const void *item)
{
    return strcmp(key, ((const struct served *)item)->endpoint->rpc->subject);
}

static struct waiting *waiting_new(struct bus_server *server, natsMsg *msg)
{
    struct waiting *item = calloc(1, sizeof(*item));

    if (!item)
        abort();
    item->msg = msg;
    item->served = bsearch(natsMsg_GetSubject(msg), server->served, server->service.n_endpoints,
                           sizeof(*server->served), find_subject);
    item->received_ms = clock_mono_ms();
    item->bytes = (size_t)natsMsg_GetDataLength(msg);
    return item;
}

static void waiting_free(struct waiting *item)
{
    bus_msg_free(item->msg);
    free(item);
}

/* Queues the list; what finds no room is refused. */
static void admit(struct bus_server *server, struct waiting *list)
{
    struct waiting *item = list, *next;

    pthread_mutex_lock(&server->lock);
    for (; item; item = next) {
        next = item->next;
        if (!bus_requests_add(server, item))
            break;
    }
    /* Who wakes up wakes the next one if anything is left, and so does who reads. */
    bool wake = server->n_idle > 0 && reads_for != server && bus_requests_ready(server);
    pthread_mutex_unlock(&server->lock);
    if (wake)
        pthread_cond_signal(&server->arrived);
    for (; item; item = next) {
        next = item->next;
        bus_server_refuse(server, item->msg, ST_RESOURCE_EXHAUSTED, "The service is overloaded.");
        waiting_free(item);
    }
}

/* On the I/O thread: takes over what has just come. */
static void drain_requests(void *arg)
{
    struct bus_server *server = arg;
    struct waiting *first = NULL, **last = &first;
    natsMsg *msg = NULL;

    while (natsSubscription_NextMsg(&msg, server->requests, 0) == NATS_OK) {
        *last = waiting_new(server, msg);
        last = &(*last)->next;
    }
    if (first)
        admit(server, first);
}

/* With nothing to do a worker reads the socket itself: the next request is its
 * own without another thread to wake it. Called and left under the lock; false
 * when somebody else reads. */
static bool read_itself(struct bus_server *server)
{
    struct loop *loop = server->bus->loop;
    int wait_ms = bus_requests_patience_ms(server);

    if (server->service.rare || !bus_loop_borrow(loop))
        return false;
    server->n_idle--;
    reads_for = server;
    do {
        pthread_mutex_unlock(&server->lock);
        bool read = bus_loop_read(loop, wait_ms);
        pthread_mutex_lock(&server->lock);
        if (!read)
            break;
        wait_ms = bus_requests_patience_ms(server);
    } while (!bus_requests_ready(server) && !server->stopping);
    reads_for = NULL;
    server->n_idle++;
    bus_loop_give_back(loop);
    return true;
}

static void wait_idle(struct bus_server *server)
{
    int wait_ms = bus_requests_patience_ms(server);

    if (wait_ms < 0)
        pthread_cond_wait(&server->arrived, &server->lock);
    else
        (void)bus_cond_wait_until(&server->arrived, &server->lock, clock_mono_ms() + wait_ms);
}

/* What the worker does next; 0 when the server stops and nothing waits any more. */
static size_t take(struct worker *worker, struct waiting *items[BATCH_MAX])
{
    struct bus_server *server = worker->server;
    size_t n = 0;

    pthread_mutex_lock(&server->lock);
    if (worker->batch)
        server->n_batches--;
    worker->batch = false;
    server->n_idle++;
    while (!bus_requests_ready(server) && !server->stopping)
        if (!read_itself(server))
            wait_idle(server);
    server->n_idle--;
    if (server->n_waiting > 0)
        n = bus_requests_take(server, items, &worker->batch);
    if (worker->batch)
        server->n_batches++;
    bool wake = server->n_idle > 0 && bus_requests_ready(server);
    pthread_mutex_unlock(&server->lock);
    if (wake)
        pthread_cond_signal(&server->arrived);
    return n;
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct bus_server *server = worker->server;
    struct waiting *items[BATCH_MAX];
    size_t n;

    arena_init(&worker->arena);
    if (server->service.worker_new)
        worker->state = server->service.worker_new(server->service.arg, worker->index);
    while ((n = take(worker, items)) > 0) {
        bus_server_run_all(worker, items, n);
        for (size_t i = 0; i < n; i++)
            waiting_free(items[i]);
    }
    if (server->service.worker_free)
        server->service.worker_free(worker->state);
    bus_server_free_lanes(worker);
    arena_done(&worker->arena);
    pthread_mutex_lock(&server->lock);
    server->n_running--;
    pthread_cond_broadcast(&server->stopped);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static struct bus_server *server_new(struct bus *bus, const struct bus_service *service)
{
    struct bus_server *server = calloc(1, sizeof(*server));

    if (!server)
        abort();
    server->bus = bus;
    server->service = *service;
    bus_requests_init(server);
    server->started_ms = clock_wall_ms();
    token_hex(server->id);
    pthread_mutex_init(&server->lock, NULL);
    bus_cond_init_mono(&server->arrived);
    bus_cond_init_mono(&server->stopped);
    server->served = calloc(service->n_endpoints, sizeof(*server->served));
    server->workers = calloc((size_t)service->workers, sizeof(*server->workers));
    if (!server->served || !server->workers)
        abort();
    for (size_t i = 0; i < service->n_endpoints; i++) {
        server->served[i].endpoint = &service->endpoints[i];
        server->served[i].name = strrchr(service->endpoints[i].rpc->subject, '.') + 1;
    }
    qsort(server->served, service->n_endpoints, sizeof(*server->served), by_subject);
    return server;
}

static enum status start_workers(struct bus_server *server, struct error *err)
{
    for (int i = 0; i < server->service.workers; i++) {
        struct worker *worker = &server->workers[i];
        worker->server = server;
        worker->index = i;
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0)
            return error_set(err, ST_RESOURCE_EXHAUSTED, "cannot start a worker thread");
        pthread_mutex_lock(&server->lock);
        server->n_running++;
        server->n_workers++;
        pthread_mutex_unlock(&server->lock);
    }
    return ST_OK;
}

/* A process without endpoints is listed all the same. */
static natsStatus open_door(struct bus_server *server, const char *subject)
{
    natsStatus s;

    if (server->service.n_endpoints == 0)
        return NATS_OK;
    s = natsConnection_QueueSubscribeSync(&server->requests, server->bus->nc, subject,
                                          BUS_QUEUE_GROUP);
    if (s == NATS_OK)
        bus_loop_add(server->bus->loop, drain_requests, server);
    return s;
}

enum status bus_serve(struct bus *bus, const struct bus_service *service,
                      struct bus_server **ret_server, struct error *err)
{
    char subject[BUS_SUBJECT_SIZE];

    TRY(wildcard(service, subject, err));
    struct bus_server *server = server_new(bus, service);
    enum status status = start_workers(server, err);
    if (status == ST_OK) {
        natsStatus s = open_door(server, subject);
        if (s == NATS_OK)
            s = bus_srv_subscribe(server);
        /* Known to the server before anyone is told that we are ready. */
        if (s == NATS_OK)
            s = natsConnection_FlushTimeout(bus->nc, BUS_API_MS);
        if (s != NATS_OK)
            status = error_set(err, bus_status(s), "cannot subscribe to %s: %s", subject,
                               natsStatus_GetText(s));
    }
    if (status != ST_OK) {
        bus_server_free(server);
        return status;
    }
    *ret_server = server;
    return ST_OK;
}

/* No new requests, but those that are on the way still count. */
static void close_door(struct bus_server *server, int64_t deadline_ms)
{
    natsMsg *msg = NULL;
    natsStatus s = NATS_TIMEOUT;
    int64_t left = deadline_ms - clock_mono_ms();

    if (!server->requests)
        return;
    if (left > 0 && atomic_load(&server->bus->up) &&
        natsSubscription_DrainTimeout(server->requests, left) == NATS_OK) {
        while ((s == NATS_OK || s == NATS_TIMEOUT) && clock_mono_ms() < deadline_ms &&
               atomic_load(&server->bus->up)) {
            s = natsSubscription_NextMsg(&msg, server->requests, 20);
            if (s == NATS_OK)
                admit(server, waiting_new(server, msg));
        }
    }
    bus_loop_remove(server->bus->loop, server);
    (void)natsSubscription_Unsubscribe(server->requests);
}

void bus_server_stop(struct bus_server *server, int timeout_ms)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;

    if (!server || server->joined)
        return;
    close_door(server, deadline);
    bus_srv_unsubscribe(server);
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->arrived);
    bus_loop_recall(server->bus->loop);
    while (server->n_running > 0 && bus_cond_wait_until(&server->stopped, &server->lock, deadline))
        ;
    int stuck = server->n_running;
    pthread_mutex_unlock(&server->lock);
    if (stuck > 0) {
        log_error("%d calls did not end in time; leaving them behind", stuck);
        return;
    }
    for (int i = 0; i < server->n_workers; i++)
        pthread_join(server->workers[i].thread, NULL);
    server->joined = true;
    /* The last answers are on their way when this returns. */
    if (atomic_load(&server->bus->up))
        (void)natsConnection_FlushTimeout(server->bus->nc, 1000);
}

void bus_server_free(struct bus_server *server)
{
    if (!server)
        return;
    bus_server_stop(server, 1000);
    /* Threads that hang still use it; the process is about to end. */
    if (!server->joined)
        return;
    bus_forget(server->bus, server->requests);
    bus_srv_free(server);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->arrived);
    pthread_cond_destroy(&server->stopped);
    free(server->served);
    free(server->workers);
    free(server);
}

size_t bus_server_waiting(const struct bus_server *server)
{
    return atomic_load(&server->n_waiting);
}
