/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a health check of the whole hub. */
#pragma once

#include "health.h"

enum {
    CHECKUP_SERVICE_MS = 1000, /* for a service to answer */
    CHECKUP_PROBES_MS = 8000,  /* from the start to the last probe's end; the whole: 10 s */
};

/* Probes the servers that are switched on (id "" = all) until that time and stores what
 * came out; rsp->mcps says how they are. */
enum status checkup_servers(struct call *call, const char *id, int64_t until_ms,
                            McpHealth__HealthCheckResponse *rsp) MUST_CHECK;
/* Runs run(arg, i) for every i below n on at most `threads` threads. */
void checkup_parallel(size_t n, size_t threads, void (*run)(void *arg, size_t i), void *arg);
/* The Markdown of the reply. */
const char *checkup_text(struct call *call, const McpHealth__HealthCheckResponse *rsp);
