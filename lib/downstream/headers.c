/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that an operator may add to requests. */
#include "downstream/headers.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { VALUE_MAX = 8192 };

/* What the protocol and the framing say themselves. */
static const char *const ours[] = {
    "host",           "content-type",
    "content-length", "transfer-encoding",
    "connection",     "keep-alive",
    "accept",         "accept-encoding",
    "expect",         "te",
    "trailer",        "upgrade",
    "last-event-id",  "proxy-connection",
};

static bool is_ours(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(ours); i++)
        if (strcasecmp(name, ours[i]) == 0)
            return true;
    return strncasecmp(name, "mcp-", 4) == 0;
}

static bool is_token(const char *name)
{
    if (*name == '\0')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("!#$%&'*+-.^_`|~", *name))
            return false;
    return true;
}

static bool is_value(const char *value)
{
    if (strlen(value) > VALUE_MAX)
        return false;
    for (; *value; value++)
        if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
            return false;
    return true;
}

enum status headers_check(const struct downstream_header *headers, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_token(headers[i].name))
            return error_set(err, ST_INVALID_ARGUMENT, "'%.100s' is no name of a header.",
                             headers[i].name);
        if (is_ours(headers[i].name))
            return error_set(err, ST_INVALID_ARGUMENT,
                             "The header %s is the hub's own and cannot be set.", headers[i].name);
        if (!is_value(headers[i].value))
            return error_set(err, ST_INVALID_ARGUMENT,
                             "The value of the header %s has line breaks or is too long.",
                             headers[i].name);
    }
    return ST_OK;
}

enum status headers_more(struct strbuf *out, const struct downstream_header *headers, size_t n,
                         struct error *err)
{
    TRY(headers_check(headers, n, err));
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
    return ST_OK;
}

void headers_put(struct strbuf *out, const struct url *url, const struct downstream_header *headers,
                 size_t n)
{
    bool agent = false;

    strbuf_printf(out, "Host: %s\r\n", url->authority);
    for (size_t i = 0; i < n; i++) {
        strbuf_printf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
        agent = agent || strcasecmp(headers[i].name, "user-agent") == 0;
    }
    if (!agent)
        strbuf_str(out, "User-Agent: mal-hub\r\n");
}
