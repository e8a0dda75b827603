/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a request has arrived whole, told from bytes not yet taken from the
 * socket. */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header in a head that is not yet parsed; NULL when absent. */
static const char *peek_header(const char *head, const char *end, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line && line + len < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1)))
        if (strncasecmp(line + 1, name, len) == 0 && line[len + 1] == ':')
            return line + len + 2;
    return NULL;
}

/* Whether the last chunk has come, and how many bytes they are. What is malformed is
 * whole, and refused by the worker. bytes end with NUL. */
static bool chunks_whole(const char *bytes, const char *end, size_t *ret_len)
{
    const char *first = bytes;

    for (;;) {
        size_t digits = strspn(bytes, "0123456789abcdefABCDEF"), size;
        const char *data = bytes + digits + 2;

        if (digits > 8)
            return true;
        if (bytes + digits + 2 > end)
            return bytes + digits < end && bytes[digits] != '\r';
        if (digits == 0 || memcmp(bytes + digits, "\r\n", 2) != 0)
            return true;
        size = strtoul(bytes, NULL, 16);
        if (size > PEEK_MAX)
            return true;
        if ((size_t)(end - data) < size + 2)
            return false;
        if (memcmp(data + size, "\r\n", 2) != 0)
            return true;
        if (size == 0) {
            *ret_len = (size_t)(data + 2 - first);
            return true;
        }
        bytes = data + size + 2;
    }
}

/* civetweb refuses a head at its first control character: a TLS client's, say. */
static bool has_controls(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)bytes[i] < 0x20 && bytes[i] != '\r' && bytes[i] != '\n')
            return true;
    return false;
}

bool peek_is_whole(const char *bytes, size_t len, size_t *ret_len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4), *value;
    size_t head_len, body_len, chunks = SIZE_MAX;
    bool whole;

    *ret_len = SIZE_MAX;
    if (!end)
        return len >= PEEK_MAX || memmem(bytes, len, "\n\n", 2) || has_controls(bytes, len);
    head_len = (size_t)(end - bytes) + 4;
    if (peek_header(bytes, end, "Expect"))
        return true;
    value = peek_header(bytes, end, "Transfer-Encoding");
    if (value) { /* other encodings are refused */
        whole = strncasecmp(value + strspn(value, " "), "chunked", 7) != 0 ||
                chunks_whole(bytes + head_len, bytes + len, &chunks);
        if (chunks != SIZE_MAX)
            *ret_len = head_len + chunks;
        return whole || len >= PEEK_MAX;
    }
    value = peek_header(bytes, end, "Content-Length");
    body_len = value ? strtoul(value, NULL, 10) : 0;
    if (body_len > PEEK_MAX - head_len)
        return true;
    if (len - head_len < body_len)
        return len >= PEEK_MAX;
    *ret_len = head_len + body_len;
    return true;
}
