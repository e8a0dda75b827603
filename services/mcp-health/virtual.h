/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual servers, for the publisher. */
#pragma once

#include "health.h"

/* Works out token_budget; tools that are gone are named in warnings (may be
 * NULL). */
enum status virtual_budget(struct call *call, McpHealth__Virtual *server,
                           struct names *warnings) MUST_CHECK;
