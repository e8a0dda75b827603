/* SPDX-License-Identifier: Apache-2.0 */
/* Guards against browsers that were sent here by a foreign page: Host and
 * Origin, and CORS for the pages that may. */
#pragma once

#include "gateway.h"

/* Checks Host and Origin; sets x->cors. False: the reason, for a 403. */
bool origin_check(struct exchange *x, const char **ret_reason);
/* Answers OPTIONS. */
void origin_preflight(struct exchange *x);

/* The parts, for tests. host[:port] names loopback or is listed. */
bool origin_host_allowed(const char *host, bool loopback, const char *allowed_hosts,
                         const char *public_url);
/* ret_foreign: allowed, but not the listener's own origin. */
bool origin_allowed(const char *origin, const char *host, bool host_known, const char *cors_origins,
                    const char *public_url, bool *ret_foreign);
