/* SPDX-License-Identifier: Apache-2.0 */
/* Growing strings. */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 256 };

void strbuf_done(struct strbuf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (struct strbuf)STRBUF_INIT;
}

void strbuf_clear(struct strbuf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void strbuf_grow(struct strbuf *buf, size_t need)
{
    size_t size = buf->size ? buf->size : FIRST_SIZE;

    while (size < need)
        size *= 2;
    buf->data = realloc(buf->data, size);
    if (!buf->data) {
        (void)fputs("out of memory\n", stderr);
        abort();
    }
    buf->size = size;
}

void strbuf_uint(struct strbuf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    strbuf_add(buf, digits + at, sizeof digits - at);
}

void strbuf_printf(struct strbuf *buf, const char *fmt, ...)
{
    va_list ap;
    int len;

    strbuf_reserve(buf, 64);
    va_start(ap, fmt);
    len = vsnprintf(buf->data + buf->len, buf->size - buf->len, fmt, ap);
    va_end(ap);
    if (len < 0)
        return;
    if ((size_t)len >= buf->size - buf->len) {
        strbuf_reserve(buf, (size_t)len);
        va_start(ap, fmt);
        (void)vsnprintf(buf->data + buf->len, buf->size - buf->len, fmt, ap);
        va_end(ap);
    }
    buf->len += (size_t)len;
}

const char *strbuf_cstr(const struct strbuf *buf)
{
    return buf->data ? buf->data : "";
}

char *strbuf_take(struct strbuf *buf)
{
    char *data;

    strbuf_reserve(buf, 0);
    buf->data[buf->len] = '\0';
    data = buf->data;
    *buf = (struct strbuf)STRBUF_INIT;
    return data;
}
