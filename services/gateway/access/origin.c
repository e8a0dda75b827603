/* SPDX-License-Identifier: Apache-2.0 */
/* Host and Origin checks. */
#include "origin.h"

#include "respond.h"

#include <string.h>
#include <strings.h>

/* Length of the host in host[:port] of that length; brackets of an IPv6 address
 * included. */
static size_t host_length(const char *host, size_t len)
{
    const char *end = memchr(host, *host == '[' ? ']' : ':', len);

    if (end == NULL)
        return len;
    return (size_t)(end - host) + (*host == '[');
}

static bool same(const char *a, size_t len, const char *b)
{
    return strlen(b) == len && strncasecmp(a, b, len) == 0;
}

/* host[:port] of a URL; its length. */
static const char *url_authority(const char *url, size_t *ret_len)
{
    const char *start = strstr(url, "://");

    start = start != NULL ? start + 3 : url;
    *ret_len = strcspn(start, "/?#");
    return start;
}

static bool is_loopback(const char *host, size_t len)
{
    return same(host, len, "localhost") || same(host, len, "127.0.0.1") || same(host, len, "[::1]");
}

bool origin_host_allowed(const char *host, bool loopback, const char *allowed_hosts,
                         const char *public_url)
{
    size_t len = host_length(host, strlen(host)), part_len, authority_len;
    const char *part, *authority = url_authority(public_url, &authority_len);

    if (is_loopback(host, len))
        return true;
    if (*public_url != '\0' && len == host_length(authority, authority_len) &&
        strncasecmp(host, authority, len) == 0)
        return true;
    if (!loopback && *allowed_hosts == '\0')
        return true;
    while ((part = config_list_next(&allowed_hosts, &part_len)) != NULL)
        if ((part_len == 1 && *part == '*') ||
            (part_len == len && strncasecmp(part, host, len) == 0))
            return true;
    return false;
}

/* scheme://host[:port] of the URL is the origin. */
static bool is_origin_of(const char *origin, const char *url, size_t url_len)
{
    size_t len = strlen(origin);

    return url_len >= len && strncasecmp(origin, url, len) == 0 &&
           (url_len == len || url[len] == '/');
}

bool origin_allowed(const char *origin, const char *host, bool host_known, const char *cors_origins,
                    const char *public_url, bool *ret_foreign)
{
    const char *part, *authority = strstr(origin, "://");
    size_t len;

    *ret_foreign = false;
    if (authority == NULL)
        return false; /* "null" among others */
    if (host_known && strcasecmp(authority + 3, host) == 0)
        return true;
    if (*public_url != '\0' && is_origin_of(origin, public_url, strlen(public_url)))
        return true;
    *ret_foreign = true;
    while ((part = config_list_next(&cors_origins, &len)) != NULL)
        if (is_origin_of(origin, part, len))
            return true;
    return false;
}

bool origin_check(struct exchange *x, const char **ret_reason)
{
    const char *host = http_header(x->req, "Host");
    const char *origin = http_header(x->req, "Origin");
    bool known, foreign;

    if (host == NULL)
        host = "";
    *ret_reason = "This host name is not served here. The operator lists it in MAL_ALLOWED_HOSTS.";
    if (!origin_host_allowed(host, x->gw->loopback, config.allowed_hosts, config.public_url))
        return false;
    if (origin == NULL)
        return true;
    /* Beyond loopback a name is only known when the operator said so: else a
     * page could resolve its own name to this address. */
    known = x->gw->loopback || *config.allowed_hosts != '\0';
    *ret_reason = "Pages of this origin may not call the hub. The operator lists it in "
                  "MAL_CORS_ORIGINS.";
    if (http_header_count(x->req, "Origin") != 1 ||
        !origin_allowed(origin, host, known, config.cors_origins, config.public_url, &foreign))
        return false;
    if (foreign)
        x->cors = origin;
    return true;
}

void origin_preflight(struct exchange *x)
{
    respond_empty(x, 204,
                  "Allow: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
                  "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
                  "Access-Control-Allow-Headers: Authorization, Content-Type, Accept, X-Api-Key, "
                  "Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, "
                  "X-Request-Id, Traceparent\r\n"
                  "Access-Control-Max-Age: 600\r\n");
}
