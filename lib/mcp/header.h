/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the mirrored headers Mcp-Name and Mcp-Param-*: plain text or the
 * sentinel form =?base64?…?=. */
#pragma once

#include "base/arena.h"

#include <stdbool.h>

/* The value without surrounding blanks, decoded when it has the sentinel form;
 * NULL when the Base64 inside is malformed or no UTF-8. */
const char *mcp_header_decode(struct arena *arena, const char *value);
/* Copies the value without blanks and tabs at its ends. */
const char *mcp_header_trim(struct arena *arena, const char *value);
/* Whether a caller's header of that name may ever go on to a downstream server: no
 * credential, nothing of the caller's own connection or of the protocol. */
bool mcp_header_may_pass(const char *name);
