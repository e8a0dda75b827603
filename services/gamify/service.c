/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, consumers and the sweep. */
#include "gamify.h"

#include "awards.h"
#include "base/clock.h"
#include "git.h"
#include "svc/job.h"
#include "svc/metrics.h"
#include "svc/svc.h"
#include "sweep.h"
#include "tools.h"

#include <pthread.h>

struct gamify_settings gamify_config = {
    .lines_per_point = 100,
    .check_interval_s = 300,
};

const struct setting gamify_setting_table[] = {
    {.env = "MAL_XP_LINES_PER_POINT",
     .type = SETTING_INT,
     .fallback = "100",
     .help = "Changed lines of a commit that give one point more.",
     .target = &gamify_config.lines_per_point,
     .min = 1,
     .max = 1000000},
    {.env = "MAL_ACHIEVEMENT_CHECK_INTERVAL",
     .type = SETTING_INT,
     .fallback = "300",
     .help = "Seconds between two looks for achievements that members should have.",
     .target = &gamify_config.check_interval_s,
     .min = 1,
     .max = 86400},
    {.env = "MAL_GIT_REPO_PATH",
     .type = SETTING_STRING,
     .fallback = ".",
     .help = "Repository whose commits are read when a call names none.",
     .target = &git_config.repo_path},
    {.env = "MAL_GIT_ROOTS",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "Comma-separated folders whose repositories may be read; empty = MAL_GIT_REPO_PATH.",
     .target = &git_config.roots},
    {.env = "MAL_GIT_URL_ALLOW",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "Comma-separated hosts or beginnings of https addresses whose repositories may be "
             "cloned; empty = none.",
     .target = &git_config.url_allow},
    {.env = "MAL_GIT_CACHE_DIR",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "Folder of the clones, written by the hub alone; empty = git in MAL_DIR.",
     .target = &git_config.cache_dir},
    {.env = "MAL_GIT_CACHE_MIB",
     .type = SETTING_INT,
     .fallback = "2048",
     .help = "MiB that all clones together may take.",
     .target = &git_config.cache_mib,
     .min = 1,
     .max = 1048576},
    {.env = "MAL_GIT_FETCH_TIMEOUT_S",
     .type = SETTING_INT,
     .fallback = "120",
     .help = "Seconds that fetching a repository may take.",
     .target = &git_config.fetch_timeout_s,
     .min = 1,
     .max = 3600},
    {.env = "MAL_GIT_CA_FILE",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "File of the authorities that servers of repositories are trusted by; empty = the "
             "system's.",
     .target = &git_config.ca_file},
    {.env = "MAL_GIT_MAX",
     .type = SETTING_INT,
     .fallback = "2",
     .help = "Histories that one process reads at once, and repositories that it fetches at once.",
     .target = &git_config.max,
     .min = 1,
     .max = 64},
    {.env = "MAL_DIR",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "Folder of the hub's own data.",
     .target = &git_config.data_dir},
    {0},
};

enum status gamify_check(struct call *call, const Gamify__CheckRequest *req,
                         Gamify__CheckResponse *rsp)
{
    bool up;
    int latency_ms;

    (void)req;
    svc_check(call, &up, &latency_ms, &rsp->error);
    rsp->up = true;
    rsp->database_up = up;
    rsp->latency_ms = latency_ms;
    return ST_OK;
}

enum { TOOLS_BATCH = 256, TOOLS_PENDING = 1024, CONSUMERS = 2, SWEEP_TIMEOUT_MS = 300000 };

/* A durable consumer with a connection of its own. */
struct feed {
    const char *name;
    enum status (*apply)(struct call *call, const struct bus_event *events, size_t n);
    struct pg_conn *pg;
    struct bus_consumer *consumer;
};

struct service_state {
    struct feed feeds[CONSUMERS];
    struct job *sweep;
};

static struct {
    pthread_mutex_t lock;
    struct metric *events;
    const struct service_state *state; /* NULL while there is none */
} shown = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Counted by the consumers themselves; shown as the page is made. */
static void show_feed(const struct feed *feed)
{
    uint64_t count[3] = {0};
    static const char *const outcomes[] = {"applied", "failed", "dead"};

    if (feed->consumer)
        bus_consumer_stats(feed->consumer, &count[0], &count[1], &count[2]);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        char labels[80];

        (void)snprintf(labels, sizeof(labels), "consumer=\"%s\",outcome=\"%s\"", feed->name,
                       outcomes[i]);
        metric_set(shown.events, labels, (int64_t)count[i]);
    }
}

static void show_events(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&shown.lock);
    for (size_t i = 0; shown.state && i < CONSUMERS; i++)
        show_feed(&shown.state->feeds[i]);
    pthread_mutex_unlock(&shown.lock);
}

static void shown_set(const struct service_state *state)
{
    pthread_mutex_lock(&shown.lock);
    shown.state = state;
    pthread_mutex_unlock(&shown.lock);
    if (state && !shown.events) {
        shown.events = metric_new(METRIC_COUNTER, "mal_events_consumed_total",
                                  "Deliveries of events; dead ones were put aside after 20.");
        metrics_on_render(show_events, NULL);
    }
}

static enum status apply_awards(struct call *call, const struct bus_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        call->actor = events[i].actor;
        call->request_id = events[i].request_id;
        TRY(awards_apply(call, &events[i]));
    }
    return ST_OK;
}

static enum status apply_tools(struct call *call, const struct bus_event *events, size_t n)
{
    call->actor = "gamify";
    return tool_use_store(call, events, n);
}

static enum status consume(const struct bus_event *events, size_t n, void *arg)
{
    struct feed *feed = arg;
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena, .pg = feed->pg, .now_ms = clock_wall_ms()};

    arena_init(&arena);
    return feed->apply(&call, events, n);
}

static enum status start_feed(struct svc_context *ctx, struct feed *feed,
                              const struct bus_consumer_options *options, struct error *err)
{
    struct bus_consumer_options all = *options;

    if (feed->consumer)
        return ST_OK;
    feed->name = options->durable;
    if (!feed->pg)
        TRY(ctx->pg_open(&feed->pg, err));
    all.fn = consume;
    all.arg = feed;
    return bus_consume(ctx->bus, &all, &feed->consumer, err);
}

/* Called again after a failure. */
enum status gamify_start(struct svc_context *ctx, struct error *err)
{
    struct service_state *state = ctx->service;
    struct pg_conn *conn;

    if (!state)
        state = ctx->service = calloc(1, sizeof(*state));
    if (!state)
        abort();
    state->feeds[0].apply = apply_awards;
    state->feeds[1].apply = apply_tools;
    /* In strict order: a reopening undoes the completion before it. */
    TRY(start_feed(ctx, &state->feeds[0],
                   &(struct bus_consumer_options){.durable = "gamify_awards",
                                                  .filter = "mal.evt.sprint.>",
                                                  .max_batch = 1,
                                                  .max_ack_pending = 1},
                   err));
    TRY(start_feed(ctx, &state->feeds[1],
                   &(struct bus_consumer_options){.durable = "gamify_tools",
                                                  .filter = "mal.evt.gateway.tool.called",
                                                  .max_batch = TOOLS_BATCH,
                                                  .max_ack_pending = TOOLS_PENDING},
                   err));
    if (!state->sweep) {
        TRY(ctx->pg_open(&conn, err));
        TRY(job_new(&state->sweep,
                    &(struct job_options){.name = "achievements",
                                          .interval_ms = (int)gamify_config.check_interval_s * 1000,
                                          .timeout_ms = SWEEP_TIMEOUT_MS,
                                          .run = sweep_members},
                    conn, ctx->bus, err));
    }
    shown_set(state);
    /* A history holds its worker while git runs; the others serve on. */
    ctx->extra_workers = (int)git_config.max;
    return ST_OK;
}

void gamify_stop(struct svc_context *ctx)
{
    struct service_state *state = ctx->service;

    git_clone_stop();
    if (!state)
        return;
    shown_set(NULL);
    job_free(state->sweep);
    for (size_t i = 0; i < CONSUMERS; i++) {
        if (state->feeds[i].consumer)
            bus_consumer_stop(state->feeds[i].consumer);
        pg_conn_free(state->feeds[i].pg);
    }
    free(state);
    ctx->service = NULL;
}
