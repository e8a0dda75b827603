/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of RFC 9112 about request heads that civetweb 1.15 does not keep. */
#include "http/internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Most names differ in their first letter already. */
static bool is_named(const struct mg_header *header, const char *name)
{
    return (header->name[0] | 0x20) == (name[0] | 0x20) && strcasecmp(header->name, name) == 0;
}

const char *head_get(const struct mg_request_info *info, const char *name)
{
    for (int i = 0; i < info->num_headers; i++)
        if (is_named(&info->http_headers[i], name))
            return info->http_headers[i].value;
    return NULL;
}

int head_count(const struct mg_request_info *info, const char *name)
{
    int n = 0;

    for (int i = 0; i < info->num_headers; i++)
        n += is_named(&info->http_headers[i], name);
    return n;
}

bool head_keeps_alive(const struct mg_request_info *info)
{
    const char *connection = head_get(info, "Connection");

    if (head_get(info, "Upgrade"))
        return false; /* civetweb closes, whatever was answered */
    if (connection)
        return strcasestr(connection, "keep-alive") != NULL;
    return strcmp(info->http_version, "1.1") == 0;
}

/* civetweb stops at the first line it does not take for a header (a folded
 * line, an empty name, the 65th header) and drops the rest in silence. The
 * lines it took are NUL-terminated, so what follows the last value tells
 * whether the head ended there, with \r\n throughout. */
static bool head_complete(const struct mg_request_info *info, const char *buf_end,
                          size_t *ret_head_len)
{
    bool some = info->num_headers > 0;
    const char *line = info->http_version;
    const char *end = some ? info->http_headers[info->num_headers - 1].value : info->http_version;

    for (int i = 0; i < info->num_headers; i++) {
        /* \r\n, both overwritten, and nothing else in between */
        if (info->http_headers[i].name != line + strlen(line) + 2)
            return false;
        line = info->http_headers[i].value;
    }
    end += strlen(end);
    if (buf_end && end + 4 > buf_end)
        return false;
    if (buf_end)
        *ret_head_len = (size_t)(end + 4 - (buf_end - HEAD_MAX));
    return end[1] == '\0' && end[2] == (some ? '\r' : '\0') && end[3] == '\0';
}

/* civetweb skips white space before the request, but takes an empty line in it
 * for the end of the head, and the request for its body. One line break may
 * precede (RFC 9112, 2.2). */
static bool head_starts(const struct mg_request_info *info, const char *buf_end)
{
    const char *start = buf_end - HEAD_MAX;

    return info->request_method == start ||
           (info->request_method == start + 2 && memcmp(start, "\r\n", 2) == 0);
}

/* Letters, digits and !#$%&'*+-.^_`|~ of ASCII, a bit for each. */
static const uint32_t token_bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

static bool name_is_token(const struct mg_header *header)
{
    const char *c;

    for (c = header->name; *c; c++)
        if (!(token_bits[(unsigned char)*c / 32] >> (unsigned char)*c % 32 & 1))
            return false;
    /* civetweb blanks spaces between name and colon, then the colon. */
    for (c++; c < header->value; c++)
        if (*c == '\0')
            return false;
    return header->name[0] != '\0';
}

static bool value_is_clean(const struct mg_header *header)
{
    /* The bytes are civetweb's buffer, which is ours while we handle. */
    char *value = (char *)(uintptr_t)header->value;
    size_t len = strlen(value);

    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return false;
    return true;
}

static bool host_is_plain(const char *host)
{
    if (!*host)
        return false;
    for (; *host; host++)
        if (!isalnum((unsigned char)*host) && !strchr("-._:[]%~", *host))
            return false;
    return true;
}

static struct refusal check_framing(const struct mg_request_info *info)
{
    const char *length = head_get(info, "Content-Length");
    const char *encoding = head_get(info, "Transfer-Encoding");

    if (length && encoding)
        return (struct refusal){400, "send either Content-Length or Transfer-Encoding, not both"};
    if (head_count(info, "Content-Length") > 1)
        return (struct refusal){400, "send one Content-Length"};
    if (length &&
        (!*length || strlen(length) > 15 || strspn(length, "0123456789") != strlen(length)))
        return (struct refusal){400, "Content-Length must be a decimal number"};
    if (head_count(info, "Transfer-Encoding") > 1 ||
        (encoding && strcasecmp(encoding, "chunked") != 0))
        return (struct refusal){400, "the only Transfer-Encoding taken is chunked"};
    if (encoding && strcmp(info->http_version, "1.1") != 0)
        return (struct refusal){400, "Transfer-Encoding needs HTTP/1.1"};
    return (struct refusal){0, NULL};
}

static bool method_known(const char *method)
{
    static const char *const methods[] = {"GET",    "POST", "PUT",    "PATCH",
                                          "DELETE", "HEAD", "OPTIONS"};

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

struct refusal head_check(const struct mg_request_info *info, const char *buf_end,
                          size_t *ret_head_len)
{
    int hosts = head_count(info, "Host");
    const char *expect;
    struct refusal framing;

    *ret_head_len = 0;
    if (info->num_headers >= MG_MAX_HEADERS)
        return (struct refusal){431, "send fewer than 64 headers"};
    if (buf_end && !head_starts(info, buf_end))
        return (struct refusal){400, "nothing may precede the request line"};
    if (!head_complete(info, buf_end, ret_head_len))
        return (struct refusal){400, "a header line is malformed, folded or ends without CR LF"};
    for (int i = 0; i < info->num_headers; i++)
        if (!name_is_token(&info->http_headers[i]) || !value_is_clean(&info->http_headers[i]))
            return (struct refusal){400, "a header line is malformed"};
    if (hosts > 1 || (hosts == 0 && strcmp(info->http_version, "1.1") == 0))
        return (struct refusal){400, "send exactly one Host header"};
    if (hosts == 1 && !host_is_plain(head_get(info, "Host")))
        return (struct refusal){400, "the Host header is malformed"};
    framing = check_framing(info);
    if (framing.status)
        return framing;
    expect = head_get(info, "Expect");
    if (expect && strcasecmp(expect, "100-continue") != 0)
        return (struct refusal){417, "the only expectation met is 100-continue"};
    if (!method_known(info->request_method))
        return (struct refusal){501, "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"};
    return (struct refusal){0, NULL};
}
