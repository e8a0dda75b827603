/* SPDX-License-Identifier: Apache-2.0 */
/* mal_proxy_mcp_call, which the gateway carries out itself. */
#pragma once

#include "invoke.h"

/* Takes the place of the service: fills inv->reply. */
enum status proxy_call(struct invocation *inv) MUST_CHECK;
