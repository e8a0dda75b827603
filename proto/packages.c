/* SPDX-License-Identifier: Apache-2.0 */
/* The packages of this build. */
#include "packages.h"

#include "base/cleanup.h"
#include "mal/catalog/v1/catalog.api.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/mcp_health/v1/mcp_health.api.h"
#include "mal/mcp_runner/v1/mcp_runner.api.h"
#include "mal/sprint/v1/sprint.api.h"

#include <string.h>

enum { PACKAGES = 5 };

size_t packages_all(struct package *out, size_t max)
{
    const struct package all[PACKAGES] = {
        {catalog_rpcs, catalog_n_rpcs},       {sprint_rpcs, sprint_n_rpcs},
        {gamify_rpcs, gamify_n_rpcs},         {mcp_health_rpcs, mcp_health_n_rpcs},
        {mcp_runner_rpcs, mcp_runner_n_rpcs},
    };

    if (max > PACKAGES)
        max = PACKAGES;
    memcpy(out, all, max * sizeof(*out));
    return max;
}

const struct rpc *packages_tool_at(size_t i)
{
    struct package all[PACKAGES];

    (void)packages_all(all, PACKAGES);
    for (size_t p = 0; p < PACKAGES; p++)
        for (size_t k = 0; k < all[p].n; k++)
            if (all[p].rpcs[k]->tool_name && i-- == 0)
                return all[p].rpcs[k];
    return NULL;
}

const struct rpc *packages_tool(const char *name)
{
    struct package all[PACKAGES];

    (void)packages_all(all, PACKAGES);
    for (size_t p = 0; p < PACKAGES; p++)
        for (size_t k = 0; k < all[p].n; k++) {
            const char *tool = all[p].rpcs[k]->tool_name;

            if (tool && strcmp(tool, name) == 0)
                return all[p].rpcs[k];
        }
    return NULL;
}
