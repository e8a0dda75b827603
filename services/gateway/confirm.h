/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the user before a guarded tool acts. */
#pragma once

#include "invoke.h"
#include "mcp_call.h"

/* As invocation_run, asking the caller's user where that is needed and possible.
 * *ret_written: an interim result or a JSON-RPC error stands in m->out, and the
 * call does not end with this request. */
enum status confirm_run(struct mcp *m, struct invocation *inv, bool *ret_written) MUST_CHECK;
