/* SPDX-License-Identifier: Apache-2.0 */
/* notifications/progress of a call, from what its service publishes on
 * mal.progress.<request id>. */
#pragma once

#include "mcp_call.h"
#include "tools.h"

struct progress;
/* NULL when the caller did not ask for progress or the tool is never slow. */
struct progress *progress_begin(struct mcp *m, const struct tool *tool);
/* Afterwards the stream is the worker's again. Accepts NULL. */
void progress_end(struct progress *progress);
