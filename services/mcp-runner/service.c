/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, start and stop. */
#include "runner.h"

#include "base/clock.h"
#include "pool.h"
#include "svc/metrics.h"
#include "svc/process.h"
#include "svc/settings.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORKERS = 16,
    LEASE_S = 10,
    CLOSE_MS = 5000,
    DRAIN_MS = 10000,
    STOP_MS = 10000,
    SLICE_MS = 50,
    SPARE_THREADS = 64
};

struct runner_settings runner_config = {.stdio_allow = "",
                                        .secret_keys = "",
                                        .env_allow = "",
                                        .dir = "",
                                        .hub_dir = "",
                                        .idle_stop_s = 600,
                                        .start_s = 20,
                                        .max_children = 64,
                                        .max_calls = 512};

const struct setting runner_setting_table[] = {
    SETTING_STDIO_ALLOW(&runner_config.stdio_allow),
    SETTING_ENV_ALLOW(&runner_config.env_allow),
    SETTING_SECRET_KEYS(&runner_config.secret_keys),
    SETTING_DIR(&runner_config.hub_dir,
                "Folder of the hub's own data, which children cannot see where the kernel allows."),
    {.env = "MAL_RUNNER_DIR",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "Folder with a home folder for each stdio server; empty = one in /var/tmp.",
     .target = &runner_config.dir},
    {.env = "MAL_RUNNER_IDLE_S",
     .type = SETTING_INT,
     .fallback = "600",
     .help = "Seconds without a call after which a child is stopped; it is started again on "
             "demand.",
     .target = &runner_config.idle_stop_s,
     .min = 1,
     .max = 86400},
    {.env = "MAL_RUNNER_START_S",
     .type = SETTING_INT,
     .fallback = "20",
     .help = "Seconds within which a child must have started and answered.",
     .target = &runner_config.start_s,
     .min = 1,
     .max = 300},
    {.env = "MAL_RUNNER_CHILDREN",
     .type = SETTING_INT,
     .fallback = "64",
     .help = "Children that one process holds at once.",
     .target = &runner_config.max_children,
     .min = 1,
     .max = 1000},
    {.env = "MAL_RUNNER_CALLS",
     .type = SETTING_INT,
     .fallback = "512",
     .help = "Calls that one process carries at once.",
     .target = &runner_config.max_calls,
     .min = 1,
     .max = 4096},
    {0},
};

static struct pool *pool;

bool runner_spawn(struct runner *runner, void (*fn)(void *arg), void *arg)
{
    (void)runner;
    return pool_run(pool, fn, arg);
}

/* ---- start and stop ----------------------------------------------------------------------- */

static void prepare(struct call *call, void *state, void *arg)
{
    struct runner *runner = arg;

    (void)state;
    call->bus = runner->bus;
    call->service = runner;
}

/* These are called while the runner runs only. */

static int64_t count_under_lock(struct runner *runner, const int *n)
{
    pthread_mutex_lock(&runner->lock);
    int64_t count = *n;
    pthread_mutex_unlock(&runner->lock);
    return count;
}

static int64_t count_children(void *arg)
{
    struct runner *runner = arg;

    return count_under_lock(runner, &runner->n_children);
}

static int64_t count_exchanges(void *arg)
{
    struct runner *runner = arg;

    return count_under_lock(runner, &runner->n_exchanges);
}

static int64_t count_starts(void *arg)
{
    return (int64_t)((struct runner *)arg)->starts;
}

static int64_t count_crashes(void *arg)
{
    return (int64_t)((struct runner *)arg)->crashes;
}

void runner_metrics(struct runner *runner)
{
    metric_callback("mal_runner_children", "Servers whose child is held.", count_children, runner);
    metric_callback("mal_runner_exchanges", "Calls that run.", count_exchanges, runner);
    metric_callback("mal_runner_starts", "Children started since the start.", count_starts, runner);
    metric_callback("mal_runner_crashes", "Children that ended by themselves since the start.",
                    count_crashes, runner);
    metric_callbacks_live(runner, false);
}

static enum status serve_own(struct runner *runner, struct error *err)
{
    static struct rpc rpcs[2];
    static char subjects[2][96];
    static struct endpoint endpoints[2];

    rpcs[0] = mcp_runner_open_rpc;
    rpcs[1] = mcp_runner_describe_rpc;
    for (size_t i = 0; i < ARRAY_SIZE(rpcs); i++) {
        (void)snprintf(subjects[i], sizeof(subjects[i]), "mal.runner.%s.rpc.%s", runner->id,
                       strrchr(rpcs[i].subject, '.') + 1);
        rpcs[i].subject = subjects[i];
        endpoints[i].rpc = &rpcs[i];
    }
    endpoints[0].run = runner_own_open;
    endpoints[1].run = runner_own_describe;
    return bus_serve(runner->bus,
                     &(struct bus_service){.name = "mcp-runner-own",
                                           .version = MAL_VERSION,
                                           .description = "What runners ask of each other.",
                                           .endpoints = endpoints,
                                           .n_endpoints = ARRAY_SIZE(endpoints),
                                           .workers = WORKERS,
                                           .rare = true,
                                           .prepare = prepare,
                                           .arg = runner},
                     &runner->own, err);
}

static enum status serve_any(struct runner *runner, struct error *err)
{
    return bus_serve(runner->bus,
                     &(struct bus_service){.name = "mcp-runner",
                                           .version = MAL_VERSION,
                                           .description = "Holds the children of stdio servers.",
                                           .endpoints = mcp_runner_endpoints,
                                           .n_endpoints = mcp_runner_n_endpoints,
                                           .workers = WORKERS,
                                           .rare = true,
                                           .prepare = prepare,
                                           .arg = runner},
                     &runner->any, err);
}

static enum status start_threads(struct runner *runner, struct error *err)
{
    runner->has_minder = pthread_create(&runner->minder, NULL, slot_mind, runner) == 0;
    runner->has_renewer = pthread_create(&runner->renewer, NULL, lease_run, runner) == 0;
    if (!runner->has_minder || !runner->has_renewer)
        return error_set(err, ST_INTERNAL, "no threads");
    return ST_OK;
}

enum status runner_start(struct runner *runner, struct bus *bus, struct error *err)
{
    *runner = (struct runner){.bus = bus};
    token_hex(runner->id);
    pthread_mutex_init(&runner->lock, NULL);
    pthread_cond_init(&runner->changed, NULL);
    runner->ears = ears_new();
    pool = pool_new(SPARE_THREADS + (int)runner_config.max_children);
    TRY(secret_keys_read(runner_config.secret_keys, &runner->keys, err));
    TRY(bus_kv_open(bus, "MAL_LEASES", LEASE_S, &runner->leases, err));
    TRY(registry_open(runner, err));
    TRY(start_threads(runner, err));
    TRY(exchanges_open(runner, err));
    TRY(serve_own(runner, err));
    return serve_any(runner, err);
}

/* With the lock held: of slots that nobody uses, or of all. */
static void retire(struct runner *runner, bool all)
{
    for (struct slot *slot = runner->slots, *next; slot; slot = next) {
        next = slot->next;
        if (all || slot->refs == 1)
            slot_retire(slot);
    }
}

/* Calls that run may end; new ones are sent to other runners, which wait until the
 * child of their server has ended here. */
static void drain(struct runner *runner)
{
    int64_t until = clock_mono_ms() + DRAIN_MS;

    pthread_mutex_lock(&runner->lock);
    runner->stopping = true;
    pthread_cond_broadcast(&runner->changed);
    while (runner->n_children > 0) {
        struct timespec slice;

        retire(runner, clock_mono_ms() >= until);
        slice = clock_in_ms(SLICE_MS);
        if (runner->n_children > 0)
            (void)pthread_cond_timedwait(&runner->changed, &runner->lock, &slice);
    }
    pthread_mutex_unlock(&runner->lock);
}

void runner_stop(struct runner *runner)
{
    bus_server_stop(runner->any, CLOSE_MS);
    drain(runner);
    bus_takers_stop(runner->calls);
    exchanges_close(runner, STOP_MS);
    bus_server_free(TAKE(runner->any));
    bus_server_free(TAKE(runner->own));
    if (runner->has_minder)
        pthread_join(runner->minder, NULL);
    if (runner->has_renewer)
        pthread_join(runner->renewer, NULL);
    registry_close(runner);
    bus_kv_free(TAKE(runner->leases));
    pool_free(TAKE(pool));
    ears_free(TAKE(runner->ears));
    while (runner->entries) {
        struct entry *entry = runner->entries;

        runner->entries = entry->next;
        config_unref(entry->config);
        free(entry);
    }
    pthread_cond_destroy(&runner->changed);
    pthread_mutex_destroy(&runner->lock);
    *runner = (struct runner){0};
}
