/* SPDX-License-Identifier: Apache-2.0 */
/* Work that one copy of a service does again and again, however many copies run:
 * schedulers, sweeps, publishers. The active copy holds an advisory lock of the
 * schema in its session; when it dies or loses the database, another one takes
 * over within about a second. A run may overlap with the end of one whose copy
 * has just lost its place, so it decides by what its transaction finds. */
#pragma once

#include "bus/bus.h"
#include "pg/pg.h"

struct job_options {
    const char *name;    /* of the lock and of log lines, e.g. "digests"; borrowed for ever */
    int interval_ms;     /* from the end of a run to the next */
    const char *channel; /* a NOTIFY on it starts the next run at once; NULL = none */
    int timeout_ms;      /* deadline of a run; 0 = 60 s */
    /* On the job's thread with an arena and a connection of its own, now_ms set,
     * outside any transaction. A failure is logged once and tried again with
     * growing pauses. */
    enum status (*run)(struct call *call, void *arg);
    void *arg;
};

struct job;
/* Starts the thread. Takes conn. */
enum status job_new(struct job **ret_job, const struct job_options *options, struct pg_conn *conn,
                    struct bus *bus, struct error *err) MUST_CHECK;
/* Lets a run that is going on end, joins. Accepts NULL. */
void job_free(struct job *job);
