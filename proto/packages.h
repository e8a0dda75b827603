/* SPDX-License-Identifier: Apache-2.0 */
/* Every package of this build that has rpcs; a new service is added in
 * packages.c. */
#pragma once

#include "wire/rule.h"

struct package {
    const struct rpc *const *rpcs;
    size_t n;
};

/* Fills at most max; returns how many. */
size_t packages_all(struct package *out, size_t max);
/* The i-th tool of the hub, NULL after the last. */
const struct rpc *packages_tool_at(size_t i);
/* The tool of that name, NULL when the hub has none. */
const struct rpc *packages_tool(const char *name);
