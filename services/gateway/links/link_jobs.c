/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of links.c. */
#include "link_jobs.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 100000, ASKED_MAX = 64, ASKED_OF_ONE = 8, ASKED_BYTES = 16 << 20 };

/* ---- one ------------------------------------------------------------------------ */

struct link_job *link_job_new(enum link_job_kind kind, const char *key)
{
    struct link_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        abort();
    job->kind = kind;
    (void)snprintf(job->key, sizeof(job->key), "%s", key);
    return job;
}

struct link_job *link_job_asked(const char *server, const char *key, const char *json, size_t len)
{
    struct link_job *job = link_job_new(JOB_ASKED, key);

    job->server = strdup(server);
    job->json = malloc(len + 1);
    if (job->server == NULL || job->json == NULL)
        abort();
    memcpy(job->json, json, len);
    job->json[len] = '\0';
    job->len = len;
    job->until_ms = clock_mono_ms() + LINK_ASK_MS;
    return job;
}

void link_job_free(struct link_job *job)
{
    free(job->server);
    free(job->json);
    free(job);
}

/* ---- all of them ------------------------------------------------------------------ */

void link_jobs_init(struct link_jobs *jobs)
{
    *jobs = (struct link_jobs){0};
    jobs->last = &jobs->first;
    jobs->last_asked = &jobs->asked;
}

static bool has_room(const struct link_jobs *jobs, const struct link_job *job)
{
    size_t of_one = 0;

    if (job->kind != JOB_ASKED)
        return jobs->n < JOBS_MAX;
    for (const struct link_job *other = jobs->asked; other != NULL; other = other->next)
        of_one += strcmp(other->server, job->server) == 0;
    return jobs->n_asked < ASKED_MAX && of_one < ASKED_OF_ONE &&
           jobs->asked_bytes + job->len <= ASKED_BYTES;
}

static void add_asked(struct link_jobs *jobs, struct link_job *job)
{
    job->next = NULL;
    *jobs->last_asked = job;
    jobs->last_asked = &job->next;
    jobs->n_asked++;
    jobs->asked_bytes += job->len;
}

bool link_jobs_add(struct link_jobs *jobs, struct link_job *job)
{
    if (!has_room(jobs, job))
        return false;
    if (job->kind == JOB_ASKED) {
        add_asked(jobs, job);
    } else {
        job->next = NULL;
        *jobs->last = job;
        jobs->last = &job->next;
        jobs->n++;
    }
    return true;
}

static struct link_job *take_asked(struct link_jobs *jobs)
{
    struct link_job *job = jobs->asked;

    jobs->asked = job->next;
    if (jobs->asked == NULL)
        jobs->last_asked = &jobs->asked;
    jobs->n_asked--;
    jobs->asked_bytes -= job->len;
    jobs->n_asking++;
    return job;
}

struct link_job *link_jobs_take(struct link_jobs *jobs)
{
    struct link_job *job = jobs->first;

    /* Somebody waits for the answer to a question, but it may take long. */
    if (jobs->asked != NULL && jobs->n_asking < LINK_THREADS - 1)
        return take_asked(jobs);
    if (job == NULL)
        return NULL;
    jobs->first = job->next;
    if (jobs->first == NULL)
        jobs->last = &jobs->first;
    jobs->n--;
    return job;
}

void link_jobs_finish(struct link_jobs *jobs, struct link_job *job)
{
    jobs->n_asking -= job->kind == JOB_ASKED;
    link_job_free(job);
}

void link_jobs_again(struct link_jobs *jobs, struct link_job *job)
{
    jobs->n_asking--;
    add_asked(jobs, job);
}

void link_jobs_done(struct link_jobs *jobs)
{
    struct link_job *job;

    jobs->n_asking = 0;
    while ((job = link_jobs_take(jobs)) != NULL)
        link_jobs_finish(jobs, job);
}
