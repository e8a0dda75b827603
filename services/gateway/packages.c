/* SPDX-License-Identifier: Apache-2.0 */
/* The packages whose rpcs this gateway serves; a new service is added here. */
#include "mal/catalog/v1/catalog.api.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/mcp_health/v1/mcp_health.api.h"
#include "mal/sprint/v1/sprint.api.h"

#include "tools.h"

size_t tools_packages(struct package *out, size_t max)
{
    const struct package all[] = {
        {catalog_rpcs, catalog_n_rpcs},
        {sprint_rpcs, sprint_n_rpcs},
        {gamify_rpcs, gamify_n_rpcs},
        {mcp_health_rpcs, mcp_health_n_rpcs},
    };
    size_t n = ARRAY_SIZE(all) < max ? ARRAY_SIZE(all) : max;

    for (size_t i = 0; i < n; i++)
        out[i] = all[i];
    return n;
}
