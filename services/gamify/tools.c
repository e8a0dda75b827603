/* SPDX-License-Identifier: Apache-2.0 */
/* The use of tools, as the gateway tells it: which ones each key has called. */
#include "tools.h"

#include "mal/catalog/v1/catalog.api.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/sprint/v1/sprint.api.h"

#include <string.h>

/* One row per package of tools that this build has. */
static const struct {
    const struct rpc *const *rpcs;
    const size_t *n;
} packages[] = {
    {catalog_rpcs, &catalog_n_rpcs},
    {sprint_rpcs, &sprint_n_rpcs},
    {gamify_rpcs, &gamify_n_rpcs},
};

int tools_built_in(void)
{
    int n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
        for (size_t k = 0; k < *packages[i].n; k++)
            n += packages[i].rpcs[k]->tool_name != NULL;
    return n;
}

static bool is_built_in(const char *tool)
{
    for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
        for (size_t k = 0; k < *packages[i].n; k++) {
            const char *name = packages[i].rpcs[k]->tool_name;

            if (name && strcmp(name, tool) == 0)
                return true;
        }
    return false;
}

bool tool_use_counts(const Gateway__ToolCalled *called)
{
    return called->success && *called->user_key && strcmp(called->channel, "web") != 0 &&
           is_built_in(called->tool_name);
}
