/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the user before a guarded tool acts. */
#pragma once

#include "invoke.h"
#include "mcp_call.h"

enum confirm {
    CONFIRM_PENDING,  /* the outcome is still to be written */
    CONFIRM_ANSWERED, /* the call has failed, its JSON-RPC error stands in m->out */
    CONFIRM_ASKED,    /* an interim result stands in m->out, the call goes on later */
};

/* As invocation_run, asking the caller's user where that is needed and
 * possible. */
enum status confirm_run(struct mcp *m, struct invocation *inv,
                        enum confirm *ret_answered) MUST_CHECK;
