/* SPDX-License-Identifier: Apache-2.0 */
/* The prober's threads, the servers they hold, and what is due. */
#include "probe.h"

#include "base/clock.h"
#include "base/log.h"
#include "probe_target.h"
#include "state.sql.h"
#include "tool.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 8, STORE_MS = 10000, CLAIM_MS = 90000 };

/* A server to be probed. Owned by the queue; its rows live in its arena. */
struct work {
    struct arena arena;
    const McpHealth__Server *row;
    const char *health_check_url;
    struct target *target;
};

struct prober {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t threads[THREADS];
    int n_threads;
    bool stop;
    struct work *queue[THREADS];
    size_t n_queued, n_busy;
    struct target *targets;
    pthread_mutex_t store; /* of conn */
    struct pg_conn *conn;  /* owned */
    struct bus *bus;
};

/* ---- one probe -------------------------------------------------------------- */

/* Definitions of an earlier registration are not those of this one. */
static enum status store_tx(struct call *call, const char *id, const struct evidence *evidence,
                            const struct reading *reading, bool *ret_taken)
{
    CLEANUP(tx_done) struct tx tx = {0};

    TRY(tx_begin(&tx, call));
    TRY(evidence_store(&tx, id, evidence, ret_taken));
    if (reading && *ret_taken)
        TRY(reading_store(&tx, id, reading));
    return tx_commit(&tx);
}

/* What cannot be stored now is found again by the next probe. */
static void store(struct prober *prober, struct work *work, const struct evidence *evidence,
                  const struct reading *reading)
{
    struct call call = {.arena = &work->arena,
                        .actor = "mcp-health",
                        .request_id = "",
                        .deadline_ms = clock_mono_ms() + STORE_MS,
                        .now_ms = clock_wall_ms()};
    enum status status;
    bool taken = false;

    pthread_mutex_lock(&prober->store);
    call.pg = prober->conn;
    status = store_tx(&call, work->target->id, evidence, reading, &taken);
    pg_conn_settle(prober->conn);
    pthread_mutex_unlock(&prober->store);
    if (status != ST_OK && status != ST_NOT_FOUND)
        log_warn("cannot store the probe of %s: %s %s", work->target->id, status_lower_name(status),
                 call.error.message);
    if (reading && (status != ST_OK || !taken))
        work->target->list_at_ms = 0;
}

static void run(struct prober *prober, struct work *work)
{
    struct probe probe = {.target = work->target,
                          .row = work->row,
                          .health_check_url = work->health_check_url,
                          .arena = &work->arena,
                          .bus = prober->bus};

    target_probe(&probe);
    store(prober, work, &probe.evidence, probe.read ? &probe.reading : NULL);
}

static void work_free(struct work *work)
{
    arena_done(&work->arena);
    free(work);
}

static void *thread_run(void *arg)
{
    struct prober *prober = arg;

    pthread_mutex_lock(&prober->lock);
    while (!prober->stop) {
        struct work *work;

        if (prober->n_queued == 0) {
            pthread_cond_wait(&prober->wake, &prober->lock);
            continue;
        }
        work = prober->queue[--prober->n_queued];
        prober->n_busy++;
        pthread_mutex_unlock(&prober->lock);
        run(prober, work);
        pthread_mutex_lock(&prober->lock);
        work->target->busy = false;
        prober->n_busy--;
        work_free(work);
    }
    pthread_mutex_unlock(&prober->lock);
    return NULL;
}

/* ---- what is due --------------------------------------------------------------- */

/* Under the lock. */
static struct target *target_of(struct prober *prober, const char *id)
{
    struct target *target = prober->targets;

    while (target && strcmp(target->id, id) != 0)
        target = target->next;
    if (target)
        return target;
    target = calloc(1, sizeof(*target));
    if (!target)
        abort();
    (void)snprintf(target->id, sizeof(target->id), "%s", id);
    target->next = prober->targets;
    prober->targets = target;
    return target;
}

/* Copies the row into an arena of its own. */
static struct work *work_new(const McpHealth__Server *row, const char *health_check_url)
{
    struct work *work = calloc(1, sizeof(*work));
    struct arena scratch;
    ProtobufCMessage *copy = NULL;
    struct error err = {0};
    const void *data;
    size_t len;

    if (!work)
        abort();
    arena_init(&work->arena);
    arena_init(&scratch);
    data = wire_pack(&scratch, &row->base, &len);
    if (wire_unpack(&work->arena, row->base.descriptor, data, len, &copy, &err) != ST_OK)
        abort(); /* what was packed can be unpacked */
    arena_done(&scratch);
    work->row = (const McpHealth__Server *)copy;
    work->health_check_url = arena_strdup(&work->arena, health_check_url);
    return work;
}

static void enqueue(struct prober *prober, struct work *work)
{
    struct target *target;

    pthread_mutex_lock(&prober->lock);
    target = target_of(prober, work->row->id);
    if (target->busy || prober->n_queued == THREADS) {
        work_free(work);
    } else {
        target->busy = true;
        work->target = target;
        prober->queue[prober->n_queued++] = work;
        pthread_cond_signal(&prober->wake);
    }
    pthread_mutex_unlock(&prober->lock);
}

static size_t room(struct prober *prober)
{
    size_t used;

    pthread_mutex_lock(&prober->lock);
    used = prober->n_queued + prober->n_busy;
    pthread_mutex_unlock(&prober->lock);
    return used < THREADS ? THREADS - used : 0;
}

/* Servers that said that something changed are due at once. */
static enum status hasten(struct call *call, struct prober *prober)
{
    struct names ids = {0};

    pthread_mutex_lock(&prober->lock);
    for (const struct target *t = prober->targets; t; t = t->next)
        if (t->changed && !t->busy)
            names_add(call, &ids, arena_strdup(call->arena, t->id));
    pthread_mutex_unlock(&prober->lock);
    return ids.n ? pg_exec(call, sql_state_hasten, NULL, "a", ids.n, ids.items) : ST_OK;
}

static void let_go(struct prober *prober, const char *id)
{
    struct target *target;

    pthread_mutex_lock(&prober->lock);
    target = target_of(prober, id);
    if (!target->busy)
        target_close(target);
    pthread_mutex_unlock(&prober->lock);
}

/* Sessions of servers that were switched off or deleted are ended: they would
 * listen for ever. */
static enum status let_go_all(struct call *call, struct prober *prober)
{
    struct names ids = {0};
    struct pg_rows rows;

    pthread_mutex_lock(&prober->lock);
    for (const struct target *t = prober->targets; t; t = t->next)
        if (!t->busy && t->session)
            names_add(call, &ids, arena_strdup(call->arena, t->id));
    pthread_mutex_unlock(&prober->lock);
    if (ids.n == 0)
        return ST_OK;
    TRY(pg_rows(call, &rows, sql_state_off, "a", ids.n, ids.items));
    for (int i = 0; i < rows.n; i++)
        let_go(prober, pg_cell(&rows, i, "id"));
    return ST_OK;
}

enum status prober_feed(struct call *call, struct prober *prober)
{
    McpHealth__ServerList due = MCP_HEALTH__SERVER_LIST__INIT;
    size_t n = room(prober);

    TRY(let_go_all(call, prober));
    TRY(hasten(call, prober));
    if (n == 0)
        return ST_OK;
    TRY(pg_all(call, &due.base, "items", sql_state_due, "i", (int)n));
    for (size_t i = 0; i < due.n_items; i++) {
        const char *page = NULL;

        TRY(pg_text(call, sql_state_page, &page, "s", due.items[i]->id));
        TRY(server_secrets(call, due.items[i]));
        TRY(pg_exec(call, sql_state_claim, NULL, "si", due.items[i]->id, CLAIM_MS));
        enqueue(prober, work_new(due.items[i], page ? page : ""));
    }
    return ST_OK;
}

/* ---- life ------------------------------------------------------------------------- */

enum status prober_new(struct prober **ret_prober, struct pg_conn *conn, struct bus *bus,
                       struct error *err)
{
    struct prober *prober = calloc(1, sizeof(*prober));

    if (!prober)
        abort();
    prober->conn = conn;
    prober->bus = bus;
    pthread_mutex_init(&prober->lock, NULL);
    pthread_mutex_init(&prober->store, NULL);
    pthread_cond_init(&prober->wake, NULL);
    while (prober->n_threads < THREADS) {
        if (pthread_create(&prober->threads[prober->n_threads], NULL, thread_run, prober) != 0) {
            prober_free(prober);
            return error_set(err, ST_INTERNAL, "no threads for probes");
        }
        prober->n_threads++;
    }
    *ret_prober = prober;
    return ST_OK;
}

void prober_free(struct prober *prober)
{
    if (!prober)
        return;
    pthread_mutex_lock(&prober->lock);
    prober->stop = true;
    pthread_cond_broadcast(&prober->wake);
    pthread_mutex_unlock(&prober->lock);
    for (int i = 0; i < prober->n_threads; i++)
        pthread_join(prober->threads[i], NULL);
    while (prober->n_queued > 0)
        work_free(prober->queue[--prober->n_queued]);
    while (prober->targets) {
        struct target *target = prober->targets;

        prober->targets = target->next;
        target_close(target);
        free(target);
    }
    pg_conn_free(prober->conn);
    pthread_cond_destroy(&prober->wake);
    pthread_mutex_destroy(&prober->store);
    pthread_mutex_destroy(&prober->lock);
    free(prober);
}
