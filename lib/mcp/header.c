/* SPDX-License-Identifier: Apache-2.0 */
/* Values of mirrored headers, and names of headers that may be passed on. */
#include "mcp/header.h"

#include "base/utf8.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

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

/* Credentials, and what describes one connection or message. */
static const char *const never[] = {
    "authorization", "x-api-key",  "cookie", "set-cookie", "cookie2",        "host",
    "connection",    "keep-alive", "te",     "trailer",    "upgrade",        "transfer-encoding",
    "origin",        "referer",    "accept", "expect",     "http2-settings", "last-event-id",
};

static const char *const never_prefixes[] = {"mcp-", "proxy-",          "content-", "accept-",
                                             "sec-", "access-control-", "mal-"};

bool mcp_header_may_pass(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (strcasecmp(name, never[i]) == 0)
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(never_prefixes); i++)
        if (strncasecmp(name, never_prefixes[i], strlen(never_prefixes[i])) == 0)
            return false;
    return *name != '\0';
}
