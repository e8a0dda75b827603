/* SPDX-License-Identifier: Apache-2.0 */
/* The search mode of an endpoint (?tools=search): instead of all tools two, which
 * find and call the others. */
#pragma once

#include "mcp_call.h"

/* tools/list. */
void search_list(struct mcp *m);
/* tools/call of one of the two. False: it is none of them, nothing was answered. */
bool search_call(struct mcp *m, const char *name);
