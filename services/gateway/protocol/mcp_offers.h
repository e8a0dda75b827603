/* SPDX-License-Identifier: Apache-2.0 */
/* Tools as the endpoint offers them to one caller. */
#pragma once

#include "mcp_call.h"
#include "toolset.h"

/* The tool of that name; NULL when there is none that this caller may call. */
const struct offer *offer_find(struct mcp *m, const char *name);
/* Passes tools/call on to the downstream server that has the tool. */
void offer_pass(struct mcp *m, const struct offer *offer);
