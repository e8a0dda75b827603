/* SPDX-License-Identifier: Apache-2.0 */
/* The process around the handlers: settings, health, consumers and the sweep. */
#include "gamify.h"

#include "awards.h"
#include "base/clock.h"
#include "git.h"
#include "migrations.sql.h"
#include "svc/feed.h"
#include "svc/job.h"
#include "svc/settings.h"
#include "svc/svc.h"
#include "sweep.h"
#include "tools.h"

struct gamify_settings gamify_config = {
    .lines_per_point = 100,
    .check_interval_s = 300,
};

static const struct setting settings[] = {
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
    SETTING_DIR(&git_config.data_dir, "Folder of the hub's own data."),
    {0},
};

enum status gamify_check(struct call *call, const Gamify__CheckRequest *req,
                         Gamify__CheckResponse *rsp)
{
    (void)req;
    rsp->up = true;
    svc_check(call, &rsp->database_up, &rsp->latency_ms, &rsp->error);
    return ST_OK;
}

enum { TOOLS_BATCH = 1024, TOOLS_PENDING = 1024, SWEEP_TIMEOUT_MS = 300000 };

struct service_state {
    struct feed *awards, *tools;
    struct job *sweep;
};

static enum status apply_awards(struct call *call, const struct bus_event *events, size_t n,
                                void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++) {
        call->actor = events[i].actor;
        call->request_id = events[i].request_id;
        TRY(awards_apply(call, &events[i]));
    }
    return ST_OK;
}

static enum status apply_tools(struct call *call, const struct bus_event *events, size_t n,
                               void *arg)
{
    (void)arg;
    call->actor = "gamify";
    return tool_use_store(call, events, n);
}

/* In strict order: a reopening undoes the completion before it. */
static const struct feed_options awards = {.durable = "gamify_awards",
                                           .filter = "mal.evt.sprint.>",
                                           .max_batch = 1,
                                           .max_ack_pending = 1,
                                           .apply = apply_awards};
static const struct feed_options tools = {.durable = "gamify_tools",
                                          .filter = "mal.evt.gateway.tool.called",
                                          .max_batch = TOOLS_BATCH,
                                          .max_ack_pending = TOOLS_PENDING,
                                          .whole_messages = true,
                                          .apply = apply_tools};

/* Called again after a failure. */
static enum status start(struct svc_context *ctx, struct error *err)
{
    struct service_state *state = ctx->service;
    struct pg_conn *conn;

    if (!state)
        state = ctx->service = calloc(1, sizeof(*state));
    if (!state)
        abort();
    if (!state->awards)
        TRY(feed_new(&state->awards, ctx, &awards, err));
    if (!state->tools)
        TRY(feed_new(&state->tools, ctx, &tools, err));
    if (!state->sweep) {
        TRY(ctx->pg_open(&conn, err));
        TRY(job_new(&state->sweep,
                    &(struct job_options){.name = "achievements",
                                          .interval_ms = (int)gamify_config.check_interval_s * 1000,
                                          .timeout_ms = SWEEP_TIMEOUT_MS,
                                          .run = sweep_members},
                    conn, ctx->bus, err));
    }
    /* A history holds its worker while git runs; the others serve on. */
    ctx->extra_workers = (int)git_config.max;
    return ST_OK;
}

static void stop(struct svc_context *ctx)
{
    struct service_state *state = ctx->service;

    git_clone_stop();
    if (!state)
        return;
    job_free(state->sweep);
    feed_free(state->awards);
    feed_free(state->tools);
    free(state);
    ctx->service = NULL;
}

struct svc gamify_service(void)
{
    return (struct svc){
        .name = "gamify",
        .description = "Members, contributions and XP, levels, streaks, "
                       "achievements and leaderboards.",
        .settings = settings,
        .endpoints = gamify_endpoints,
        .n_endpoints = gamify_n_endpoints,
        .migrations = gamify_migrations,
        .n_migrations = gamify_n_migrations,
        .start = start,
        .stop = stop,
    };
}
