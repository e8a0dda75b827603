/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that go to clients and come back: sealed state and opaque cursors. */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum { MCP_SEAL_KEY_SIZE = 32 };

/* Appends base64url of XChaCha20-Poly1305 over the bytes under a random nonce. */
void mcp_seal(struct strbuf *buf, const unsigned char key[MCP_SEAL_KEY_SIZE], const void *data,
              size_t len);
/* False when the text was not made by mcp_seal with this key. */
bool mcp_unseal(struct arena *arena, const unsigned char key[MCP_SEAL_KEY_SIZE], const char *text,
                const void **ret_data, size_t *ret_len);

/* A cursor says after which item of which list to go on; kind is one letter per
 * list, so that a cursor of another list is refused. */
void mcp_cursor_put(struct strbuf *buf, char kind, const char *after);
/* NULL when the text is no cursor of that list; "" is the beginning. */
const char *mcp_cursor_get(struct arena *arena, char kind, const char *text);
