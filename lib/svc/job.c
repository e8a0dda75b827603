/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of a job and its lock. */
#include "svc/job.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RUN_TIMEOUT_MS = 60000,
    STANDBY_MS = 1000, /* between tries to become the active copy */
    LISTEN_MS = 500,   /* for a notification; also how long a stop may take */
    RETRY_FIRST_MS = 100,
    RETRY_LAST_MS = 10000,
};

static const struct query job_lock = {
    .name = "mal_job_lock",
    .sql = "select pg_try_advisory_lock(hashtextextended('mal.job.' || $1 || '.' ||"
           " current_schema(), 0))",
    .params = 1,
};

struct job {
    struct job_options options;
    struct pg_conn *conn; /* owned */
    struct bus *bus;
    struct arena arena;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* with wake */
    pthread_cond_t wake;
    bool active; /* holds the lock in the session `generation` */
    unsigned generation;
    int retry_ms;
};

static struct call job_call(struct job *job)
{
    int timeout_ms = job->options.timeout_ms ? job->options.timeout_ms : RUN_TIMEOUT_MS;

    return (struct call){.arena = &job->arena,
                         .pg = job->conn,
                         .bus = job->bus,
                         .actor = "",
                         .request_id = "",
                         .channel = "",
                         .deadline_ms = clock_mono_ms() + timeout_ms,
                         .now_ms = clock_wall_ms()};
}

static void pause_ms(struct job *job, int timeout_ms)
{
    int64_t ms = clock_wall_ms() + timeout_ms;
    struct timespec until = {ms / 1000, ms % 1000 * 1000000};

    pthread_mutex_lock(&job->lock);
    while (!job->stop && pthread_cond_timedwait(&job->wake, &job->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&job->lock);
}

static enum status become_active(struct job *job)
{
    struct call call = job_call(job);
    const char *locked = NULL;

    if (job->active && job->generation == pg_conn_generation(job->conn) && pg_conn_up(job->conn))
        return ST_OK;
    job->active = false;
    TRY(pg_text(&call, &job_lock, &locked, "s", job->options.name));
    job->generation = pg_conn_generation(job->conn);
    job->active = locked && strcmp(locked, "t") == 0;
    return ST_OK;
}

static enum status run_once(struct job *job, struct error *err)
{
    struct call call;
    enum status status;

    arena_reset(&job->arena);
    TRY(become_active(job));
    if (!job->active)
        return ST_OK;
    call = job_call(job);
    status = job->options.run(&call, job->options.arg);
    pg_conn_settle(job->conn);
    *err = call.error;
    return status;
}

static enum status wait_for_next(struct job *job)
{
    int64_t until = clock_mono_ms() + job->options.interval_ms;
    bool notified = false;

    if (!job->active)
        pause_ms(job, STANDBY_MS);
    else if (!job->options.channel)
        pause_ms(job, job->options.interval_ms);
    else
        while (!job->stop && !notified && clock_mono_ms() < until)
            TRY(pg_wait_notify(job->conn, job->options.channel, LISTEN_MS, &notified));
    return ST_OK;
}

static void after_failure(struct job *job, enum status status, const struct error *err)
{
    if (job->retry_ms == RETRY_FIRST_MS)
        log_warn("job %s: %s %s; trying on", job->options.name, status_lower_name(status),
                 err->message);
    pause_ms(job, job->retry_ms);
    job->retry_ms = job->retry_ms < RETRY_LAST_MS / 2 ? 2 * job->retry_ms : RETRY_LAST_MS;
}

static void *job_run(void *arg)
{
    struct job *job = arg;

    while (!job->stop) {
        struct error err = {0};
        enum status status = run_once(job, &err);

        if (status == ST_OK) {
            job->retry_ms = RETRY_FIRST_MS;
            status = wait_for_next(job);
        }
        if (status != ST_OK && !job->stop)
            after_failure(job, status, &err);
    }
    return NULL;
}

static void release(struct job *job)
{
    pg_conn_free(job->conn);
    arena_done(&job->arena);
    pthread_cond_destroy(&job->wake);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

enum status job_new(struct job **ret_job, const struct job_options *options, struct pg_conn *conn,
                    struct bus *bus, struct error *err)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        abort();
    job->options = *options;
    job->conn = conn;
    job->bus = bus;
    job->retry_ms = RETRY_FIRST_MS;
    arena_init(&job->arena);
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->wake, NULL);
    if (pthread_create(&job->thread, NULL, job_run, job) != 0) {
        release(job);
        return error_set(err, ST_INTERNAL, "no thread for the job %s", options->name);
    }
    *ret_job = job;
    return ST_OK;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    pthread_mutex_lock(&job->lock);
    job->stop = true;
    pthread_cond_signal(&job->wake);
    pthread_mutex_unlock(&job->lock);
    pthread_join(job->thread, NULL);
    release(job);
}
