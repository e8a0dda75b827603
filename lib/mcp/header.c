/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of mirrored header values. */
#include "mcp/header.h"

#include "base/utf8.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define PREFIX "=?base64?"
#define SUFFIX "?="

const char *mcp_header_trim(struct arena *arena, const char *value)
{
    size_t len;

    value += strspn(value, " \t");
    len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    return arena_memdup(arena, value, len);
}

const char *mcp_header_decode(struct arena *arena, const char *value)
{
    const char *text = mcp_header_trim(arena, value);
    size_t len = strlen(text), prefix = strlen(PREFIX), suffix = strlen(SUFFIX), out_len;
    char *out;

    if (len < prefix + suffix || memcmp(text, PREFIX, prefix) != 0 ||
        memcmp(text + len - suffix, SUFFIX, suffix) != 0)
        return text;
    out = arena_alloc(arena, len + 1);
    if (sodium_base642bin((unsigned char *)out, len, text + prefix, len - prefix - suffix, NULL,
                          &out_len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return NULL;
    out[out_len] = '\0';
    return utf8_valid(out, out_len) ? out : NULL;
}
