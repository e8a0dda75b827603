/* SPDX-License-Identifier: Apache-2.0 */
/* Which tools a subagent may be given. */
#include "catalog.h"

#include "packages.h"

void tools_warn(struct call *call, size_t n, const char *const *tools, struct names *warnings)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(tools[i], "mal_", 4) == 0 && !packages_tool(tools[i]))
            names_add(call, warnings,
                      arena_printf(call->arena, "This hub has no tool '%s'.", tools[i]));
}
