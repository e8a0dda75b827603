/* SPDX-License-Identifier: Apache-2.0 */
/* A growing string; always NUL-terminated once something was added. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

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
/* Makes room for extra bytes beyond len and the NUL. */
void strbuf_reserve(struct strbuf *buf, size_t extra);
void strbuf_add(struct strbuf *buf, const void *bytes, size_t len);
void strbuf_str(struct strbuf *buf, const char *text);
void strbuf_char(struct strbuf *buf, char c);
/* In decimal. */
void strbuf_uint(struct strbuf *buf, uint64_t value);
void strbuf_printf(struct strbuf *buf, const char *fmt, ...) PRINTF(2, 3);
/* The text, "" when empty; borrowed. */
const char *strbuf_cstr(const struct strbuf *buf);
/* Hands the memory over to the caller, who frees it; never NULL. */
char *strbuf_take(struct strbuf *buf);
