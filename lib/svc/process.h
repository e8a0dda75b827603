/* SPDX-License-Identifier: Apache-2.0 */
/* What every process does around its own work: flags, settings, log, signals,
 * admin listener, bus, readiness. svc_main builds on it; a process without a
 * database (the gateway) uses it directly:
 *
 *     struct process process;
 *     int code;
 *     if (!process_init(&process, &options, argc, argv, &code))
 *         return code;
 *     …                                  own checks: process_check()
 *     if (process_start(&process) && process_connect(&process)) {
 *         …                              start what is to be served
 *         process_ready(&process, "url=…");
 *         process_wait(&process);
 *         …                              stop it again
 *     }
 *     return process_done(&process);
 */
#pragma once

#include "base/settings.h"
#include "base/strbuf.h"
#include "bus/bus.h"
#include "svc/metrics.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define MAL_VERSION "0.1.0"

struct http_server;

struct process_options {
    const char *name;        /* "gateway"; the log's svc, the program mal-gateway */
    const char *description; /* sentence for --help */
    /* NULL-terminated, each ending with a zeroed row; process_settings is added. */
    const struct setting *const *tables;
};

enum { PROCESS_CHECKS_MAX = 8, PROCESS_TABLES_MAX = 16 };

/* A condition of readiness: false writes why. Runs on the admin listener's
 * threads, one at a time. */
struct process_check {
    const char *name;
    bool (*fn)(void *arg, struct strbuf *why);
    void *arg;
};

struct process {
    const char *name, *description;
    const struct setting *tables[PROCESS_TABLES_MAX + 1];
    struct bus *bus;           /* owned; NULL before process_connect */
    struct http_server *admin; /* owned */
    int admin_port;
    char admin_bind[256]; /* host:port as it listens */
    struct process_check checks[PROCESS_CHECKS_MAX];
    atomic_int n_checks;
    pthread_mutex_t lock;           /* of the checks */
    _Atomic(struct bus *) bus_seen; /* what the admin listener sees of bus */
    atomic_bool ready, stopping;
    sigset_t signals;
    int exit_code;
};

/* Flags and settings. False: main returns *ret_code. From here on SIGTERM and
 * SIGINT are blocked in all threads and wait for process_wait. */
bool process_init(struct process *process, const struct process_options *options, int argc,
                  char **argv, int *ret_code);
/* A further condition of readiness; before process_start. */
void process_check(struct process *process, const char *name,
                   bool (*fn)(void *arg, struct strbuf *why), void *arg);
/* Admin listener, not ready yet. False: failed, logged. */
bool process_start(struct process *process);
/* Connects the bus, trying until it works; false when told to stop. */
bool process_connect(struct process *process);
/* Says "ready" in the log and on /readyz; fields is further logfmt, may be NULL. */
void process_ready(struct process *process, const char *fields);
/* Waits until SIGTERM or SIGINT, or until NATS refuses the process for good; a
 * second signal then ends the process at once. */
void process_wait(struct process *process);
/* True when a signal came within that time, which may be 0; then it is as if
 * process_wait had returned. */
bool process_stopped(struct process *process, int timeout_ms);
/* Logs what went wrong at the start; process_done then returns 1. */
void process_fail(struct process *process, const struct error *err);
/* Drains the bus, stops the admin listener; the exit code. */
int process_done(struct process *process);
/* Why the process is not ready, one line each; true when it is. */
bool process_is_ready(struct process *process, struct strbuf *why);
