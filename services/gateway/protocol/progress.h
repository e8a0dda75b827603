/* SPDX-License-Identifier: Apache-2.0 */
/* What a slow call sends before its answer: notifications/progress, from what
 * its service publishes on mal.progress.<request id>, and keep-alive comments. */
#pragma once

#include "mcp_call.h"
#include "tools.h"

struct progress;
/* Silence after which a stream gets a comment (MAL_SSE_KEEPALIVE_MS). */
int64_t progress_keepalive_ms(void);
/* Around one run; nobody else may write to the stream meanwhile. NULL when the
 * tool is never slow or the caller takes no stream. */
struct progress *progress_begin(struct mcp *m, const struct tool *tool);
/* Afterwards the stream is the worker's again. Accepts NULL. */
void progress_end(struct progress *progress);
