/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting URLs of servers. */
#include "downstream/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool refuse(struct error *err, const char *why)
{
    (void)error_set(err, ST_INVALID_ARGUMENT, "The URL of the server %s.", why);
    return false;
}

/* Where the host begins; NULL when the scheme is another. */
static const char *scheme(const char *text, struct url *url)
{
    if (strncasecmp(text, "http://", 7) == 0)
        return text + 7;
    if (strncasecmp(text, "https://", 8) != 0)
        return NULL;
    url->tls = true;
    return text + 8;
}

static bool read_host(const char *host, size_t len, struct url *url, struct error *err)
{
    unsigned char address[16];
    bool six = len > 2 && host[0] == '[' && host[len - 1] == ']';

    if (six) {
        host++;
        len -= 2;
    }
    if (len == 0 || len > URL_HOST_MAX)
        return refuse(err, "needs a host");
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr(six ? ":." : "-._", host[i]))
            return refuse(err, "has a host with other than letters, digits, dots and hyphens");
    memcpy(url->host, host, len);
    url->host[len] = '\0';
    if (six && inet_pton(AF_INET6, url->host, address) != 1)
        return refuse(err, "has a bad IPv6 address");
    url->numeric = six || inet_pton(AF_INET, url->host, address) == 1;
    return true;
}

static bool read_port(const char *port, size_t len, struct url *url, struct error *err)
{
    long number;

    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)port[i]))
            return refuse(err, "has a bad port");
    if (len == 0 || len > 5)
        return refuse(err, "has a bad port");
    memcpy(url->port, port, len);
    url->port[len] = '\0';
    number = strtol(url->port, NULL, 10);
    if (number < 1 || number > 65535)
        return refuse(err, "has a bad port");
    return true;
}

static bool read_authority(const char *text, size_t len, struct url *url, struct error *err)
{
    const char *close = *text == '[' ? memchr(text, ']', len) : NULL;
    const char *colon =
        close != NULL ? (close + 1 < text + len ? close + 1 : NULL) : memchr(text, ':', len);
    size_t host_len = colon != NULL ? (size_t)(colon - text) : len;
    bool usual = colon == NULL;

    if (memchr(text, '@', len) != NULL)
        return refuse(err, "must not hold a user name or a password; set a header instead");
    if (!read_host(text, host_len, url, err))
        return false;
    if (usual)
        (void)snprintf(url->port, sizeof(url->port), "%s", url->tls ? "443" : "80");
    else if (*colon != ':' || !read_port(colon + 1, len - host_len - 1, url, err))
        return refuse(err, "has a bad port");
    (void)snprintf(url->authority, sizeof(url->authority),
                   strchr(url->host, ':') ? "[%s]%s%s" : "%s%s%s", url->host, usual ? "" : ":",
                   usual ? "" : url->port);
    return true;
}

static bool read_all(const char *text, struct url *url, struct error *err)
{
    const char *host = scheme(text, url);

    if (host == NULL)
        return refuse(err, "must begin with http:// or https://");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return refuse(err, "has blanks or other than ASCII; write them as %XX");
    if (strchr(text, '#') != NULL)
        return refuse(err, "must not have a fragment (#)");
    url->target = host + strcspn(host, "/?");
    return read_authority(host, (size_t)(url->target - host), url, err);
}

enum status url_parse(const char *text, struct url *ret_url, struct error *err)
{
    *ret_url = (struct url){0};
    if (!read_all(text, ret_url, err))
        return ST_INVALID_ARGUMENT;
    if (*ret_url->target == '\0')
        ret_url->target = "/";
    return ST_OK;
}
