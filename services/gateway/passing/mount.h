/* SPDX-License-Identifier: Apache-2.0 */
/* /mcp/{server}: one downstream server exactly as it is. */
#pragma once

#include "mcp/bridge.h"
#include "mcp_call.h"

/* Any request but initialize. */
void mount_request(struct mcp *m);
/* The capabilities to keep with a legacy session, NULL when they are too long. */
const char *mount_capabilities(struct mcp *m, const struct json_node *capabilities);
/* Which changes the server tells (enum stream_kind). */
unsigned mount_tells(const struct exchange *x);
/* The result of initialize. */
void mount_initialized(struct mcp *m);
