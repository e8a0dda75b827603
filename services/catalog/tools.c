/* SPDX-License-Identifier: Apache-2.0 */
/* Which tools a subagent may be given. */
#include "catalog.h"

#include "mal/catalog/v1/catalog.api.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/sprint/v1/sprint.api.h"

/* One row per package of tools that this build has. */
static const struct {
    const struct rpc *const *rpcs;
    const size_t *n;
} packages[] = {
    {catalog_rpcs, &catalog_n_rpcs},
    {sprint_rpcs, &sprint_n_rpcs},
    {gamify_rpcs, &gamify_n_rpcs},
};

static bool is_known(const char *tool)
{
    for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
        for (size_t k = 0; k < *packages[i].n; k++) {
            const char *name = packages[i].rpcs[k]->tool_name;

            if (name && strcmp(name, tool) == 0)
                return true;
        }
    return false;
}

void tools_warn(struct call *call, size_t n, const char *const *tools, struct names *warnings)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(tools[i], "mal_", 4) == 0 && !is_known(tools[i]))
            names_add(call, warnings,
                      arena_printf(call->arena, "This hub has no tool '%s'.", tools[i]));
}
