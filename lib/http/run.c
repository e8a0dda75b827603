/* SPDX-License-Identifier: Apache-2.0 */
/* A request under way, on a fiber: where it waits for an event, its worker does
 * something else, and whoever is at the loop goes on with it. */
#include "http/internal.h"

#include "base/fiber.h"

#include <stdlib.h>

static void ready(void *arg)
{
    struct http_job *job = arg;

    http_loop_job_ready(job->loop, job);
}

static bool watch(void *arg, int fd, uint32_t events)
{
    struct http_job *job = arg;

    return http_loop_watch(job->loop, job, fd, events);
}

static void blocks(void *arg)
{
    struct http_job *job = arg;

    http_loop_leave(job->loop);
}

struct http_job *http_job_new(struct http_loop *loop)
{
    static const struct fiber_host host = {.ready = ready, .watch = watch, .blocks = blocks};
    struct http_job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    job->item.kind = ITEM_JOB;
    job->loop = loop;
    arena_init(&job->arena);
    job->fiber = fiber_new_hosted(&host, job);
    if (job->fiber)
        return job;
    free(job);
    return NULL;
}

void http_job_free(struct http_job *job)
{
    fiber_free(job->fiber);
    arena_done(&job->arena);
    strbuf_done(&job->out);
    strbuf_done(&job->answer);
    free(job);
}

/* After its fiber has stopped or ended; true: ended. */
static bool settle(struct http_job *job, bool ended)
{
    while (!ended) {
        atomic_store(&job->until_ms, fiber_until_ms(job->fiber));
        if (fiber_rests(job->fiber))
            return false; /* another thread may be at it by now */
        atomic_store(&job->until_ms, 0);
        ended = fiber_resume(job->fiber);
    }
    return true;
}

bool http_job_start(struct http_job *job, void (*fn)(void *job))
{
    return settle(job, fiber_start(job->fiber, fn, job));
}

bool http_job_go_on(struct http_job *job)
{
    atomic_store(&job->until_ms, 0);
    return settle(job, fiber_resume(job->fiber));
}
