/* SPDX-License-Identifier: Apache-2.0 */
/* Which names downstream tools get in /mcp. */
#pragma once

#include "base/arena.h"

enum naming { NAMING_ON_CONFLICT, NAMING_ALWAYS, NAMING_NEVER };

enum { SHOWN_NAME_MAX = 64 };

/* A tool that is to have a name. */
struct named_tool {
    const char *server, *tool;
    enum naming naming;
    const char *prefix;
    const char *name; /* chosen; NULL: none can be given */
};

/* A name that was given before: it never means another tool. */
struct given_name {
    const char *name, *server, *tool;
};

/* Chooses names of at most SHOWN_NAME_MAX letters, digits, _, . and -, all
 * different. The order of tools matters only between tools that want the same
 * name without a prefix: the first one gets it. */
void names_choose(struct arena *arena, struct named_tool *tools, size_t n,
                  const struct given_name *given, size_t n_given);
