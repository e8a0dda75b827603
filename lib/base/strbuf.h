/* SPDX-License-Identifier: Apache-2.0 */
/* A growing string; always NUL-terminated once something was added. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct strbuf {
    char *data; /* owned; NULL until the first byte */
    size_t len;
    size_t size;
};

#define STRBUF_INIT                                                                                \
    {                                                                                              \
        0                                                                                          \
    }

/* Frees and zeroes. */
void strbuf_done(struct strbuf *buf);
/* Empties, keeps the memory. */
void strbuf_clear(struct strbuf *buf);
/* Makes the memory at least need bytes. */
void strbuf_grow(struct strbuf *buf, size_t need);

/* What follows runs a hundred times for each call, so it is inlined. */

/* Makes room for extra bytes beyond len and the NUL. */
static inline void strbuf_reserve(struct strbuf *buf, size_t extra)
{
    if (buf->len + extra >= buf->size)
        strbuf_grow(buf, buf->len + extra + 1);
}

static inline void strbuf_add(struct strbuf *buf, const void *bytes, size_t len)
{
    strbuf_reserve(buf, len);
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

static inline void strbuf_str(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

static inline void strbuf_char(struct strbuf *buf, char c)
{
    strbuf_reserve(buf, 1);
    buf->data[buf->len++] = c;
    buf->data[buf->len] = '\0';
}

/* In decimal. */
void strbuf_uint(struct strbuf *buf, uint64_t value);
void strbuf_printf(struct strbuf *buf, const char *fmt, ...) PRINTF(2, 3);
/* The text, "" when empty; borrowed. */
const char *strbuf_cstr(const struct strbuf *buf);
/* Hands the memory over to the caller, who frees it; never NULL. */
char *strbuf_take(struct strbuf *buf);
