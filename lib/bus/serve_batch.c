/* SPDX-License-Identifier: Apache-2.0 */
/* Several requests on one worker: each runs on a fiber until it waits, and what
 * they wait for is done together. One that wants to be alone is gone on with
 * when the others were answered. */
#include "server.h"

#include "base/clock.h"
#include "base/fiber.h"

enum {
    QUICK_US = 5000, /* by itself: such a call keeps nobody waiting */
    SLOW_US = 50000, /* a batch: somebody in it was not quick after all */
};

bool bus_server_shares(const struct bus_server *server, const struct waiting *item)
{
    const struct served *served = item->served;

    return server->service.round && served && served->endpoint->rpc->read_only &&
           atomic_load_explicit(&served->quick, memory_order_relaxed) &&
           !atomic_load_explicit(&served->loner, memory_order_relaxed);
}

static void run_alone(struct worker *worker, const struct waiting *item)
{
    int64_t took_us = bus_server_run(worker, &worker->arena, item);

    if (item->served)
        atomic_store_explicit(&item->served->quick, took_us < QUICK_US, memory_order_relaxed);
    arena_reset(&worker->arena);
}

static void run_lane(void *arg)
{
    struct lane *lane = arg;

    (void)bus_server_run(lane->worker, &lane->arena, lane->item);
}

static struct lane *lanes_of(struct worker *worker)
{
    if (worker->lanes)
        return worker->lanes;
    worker->lanes = calloc(BATCH_MAX, sizeof(*worker->lanes));
    if (!worker->lanes)
        abort();
    for (size_t i = 0; i < BATCH_MAX; i++)
        arena_init(&worker->lanes[i].arena);
    return worker->lanes;
}

void bus_server_free_lanes(struct worker *worker)
{
    for (size_t i = 0; worker->lanes && i < BATCH_MAX; i++) {
        arena_done(&worker->lanes[i].arena);
        fiber_free(worker->lanes[i].fiber);
    }
    free(worker->lanes);
}

/* Their answers gather, and what they log. */
static void begin_step(struct worker *worker)
{
    bus_loop_hold(worker->server->bus->loop);
    log_hold(&worker->log);
}

static void end_step(struct worker *worker)
{
    bus_loop_release(worker->server->bus->loop);
    log_release();
}

/* The first step of each lane up to n. */
static void start_lanes(struct worker *worker, struct waiting *const *items, size_t n)
{
    begin_step(worker);
    for (size_t i = 0; i < n; i++) {
        struct lane *lane = &worker->lanes[i];

        lane->worker = worker;
        lane->item = items[i];
        lane->ended = fiber_start(lane->fiber, run_lane, lane);
    }
    end_step(worker);
}

/* One more step of each lane that shares; false when there was none. */
static bool resume_lanes(struct worker *worker, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n && !any; i++)
        any = !worker->lanes[i].ended && !fiber_wants_alone(worker->lanes[i].fiber);
    if (!any)
        return false;
    worker->server->service.round(worker->state);
    begin_step(worker);
    for (size_t i = 0; i < n; i++) {
        struct lane *lane = &worker->lanes[i];

        if (!lane->ended && !fiber_wants_alone(lane->fiber))
            lane->ended = fiber_resume(lane->fiber);
    }
    end_step(worker);
    return true;
}

static void run_together(struct worker *worker, struct waiting *const *items, size_t n)
{
    int64_t start_us = clock_mono_us();

    start_lanes(worker, items, n);
    while (resume_lanes(worker, n))
        ;
    if (clock_mono_us() - start_us > SLOW_US)
        for (size_t i = 0; i < n; i++)
            atomic_store_explicit(&items[i]->served->quick, false, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        struct lane *lane = &worker->lanes[i];

        if (!lane->ended) {
            atomic_store_explicit(&items[i]->served->loner, true, memory_order_relaxed);
            lane->ended = fiber_resume(lane->fiber);
        }
        arena_reset(&lane->arena);
    }
}

void bus_server_run_all(struct worker *worker, struct waiting *const *items, size_t n)
{
    struct lane *lanes = n > 1 ? lanes_of(worker) : NULL;

    for (size_t i = 0; lanes && i < n; i++)
        if (!lanes[i].fiber && (lanes[i].fiber = fiber_new()) == NULL)
            lanes = NULL; /* no memory for stacks: one after another */
    if (lanes) {
        run_together(worker, items, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        run_alone(worker, items[i]);
}
