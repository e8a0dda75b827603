/* SPDX-License-Identifier: Apache-2.0 */
/* What the threads of links.c have to do, in two queues: questions of servers, and
 * the rest. Servers ask as much as they like, so questions are bounded, for each
 * server and all together, and never keep all threads busy. Not locked. */
#pragma once

#include "session.h"

enum { LINK_THREADS = 4, LINK_ASK_MS = 5000 };

enum link_job_kind {
    JOB_END,    /* the caller's session is over: end the one with the server */
    JOB_CHECK,  /* was there at the start: perhaps its session is over */
    JOB_RESUME, /* the caller listens here now */
    JOB_ASKED,  /* find who answers */
    JOB_SWEEP,  /* close what idles */
};

struct link_job {
    struct link_job *next;
    enum link_job_kind kind;
    char key[SESSION_HASH_SIZE];
    char *server, *json; /* of JOB_ASKED; owned */
    size_t len;
    int64_t until_ms; /* JOB_ASKED: when it is refused unless somebody was found */
};

struct link_job *link_job_new(enum link_job_kind kind, const char *key);
struct link_job *link_job_asked(const char *server, const char *key, const char *json, size_t len);
void link_job_free(struct link_job *job);

struct link_jobs {
    struct link_job *first, **last;
    struct link_job *asked, **last_asked;
    size_t n, n_asked, asked_bytes;
    int n_asking; /* questions that were taken and are not done */
};
void link_jobs_init(struct link_jobs *jobs);
void link_jobs_done(struct link_jobs *jobs);
/* False: there is no room, it stays the caller's. */
bool link_jobs_add(struct link_jobs *jobs, struct link_job *job);
/* Whose turn it is; NULL: nothing to do now. */
struct link_job *link_jobs_take(struct link_jobs *jobs);
/* It was done; frees it. */
void link_jobs_finish(struct link_jobs *jobs, struct link_job *job);
/* A question found nobody: once more, after the others. */
void link_jobs_again(struct link_jobs *jobs, struct link_job *job);
