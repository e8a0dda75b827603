/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that come back from clients: mirrored headers, cursors, sealed state. */
#include "mcp/header.h"
#include "mcp/seal.h"

#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[MCP_SEAL_KEY_SIZE] = {1};
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(strbuf_done) struct strbuf cursor = STRBUF_INIT;
    const char *text, *value;
    const void *opened;
    size_t len;

    arena_init(&arena);
    text = arena_memdup(&arena, (const char *)data, size);
    value = mcp_header_decode(&arena, text);
    if (value != NULL && strncmp(text, "=?base64?", 9) == 0 && value != text &&
        strncmp(value, "=?base64?", 9) != 0 && !utf8_valid(value, strlen(value)))
        abort();
    value = mcp_cursor_get(&arena, 't', text);
    if (value != NULL && !utf8_valid(value, strlen(value)))
        abort();
    /* Nobody can seal without the key. */
    if (mcp_unseal(&arena, key, text, &opened, &len))
        abort();
    if (!utf8_valid(text, strlen(text)))
        return 0;
    mcp_cursor_put(&cursor, 't', text);
    value = mcp_cursor_get(&arena, 't', cursor.data);
    if (cursor.len <= 16384 && (value == NULL || strcmp(value, text) != 0))
        abort();
    return 0;
}
