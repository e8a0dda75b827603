/* SPDX-License-Identifier: Apache-2.0 */
/* C source of texts and bytes. */
#include "ctext.h"

#include <stdbool.h>

enum { LITERAL_MAX = 4095, LINE_MAX_CHARS = 90, BYTES_PER_LINE = 20 };

static void add_escaped(struct strbuf *out, unsigned char c, unsigned char before)
{
    if (c == '"' || c == '\\')
        strbuf_printf(out, "\\%c", c);
    else if (c == '\n')
        strbuf_str(out, "\\n");
    else if (c < 0x20 || c >= 0x7f || (c == '?' && before == '?')) /* ?? begins a trigraph */
        strbuf_printf(out, "\\%03o", c);
    else
        strbuf_char(out, (char)c);
}

void ctext_literal(struct strbuf *out, const char *text)
{
    if (!text) {
        strbuf_str(out, "NULL");
        return;
    }
    strbuf_char(out, '"');
    size_t column = 0;
    for (const char *p = text; *p; p++) {
        size_t len = out->len;
        add_escaped(out, (unsigned char)*p, p > text ? (unsigned char)p[-1] : 0);
        column += out->len - len;
        if (p[1] && (*p == '\n' || column >= LINE_MAX_CHARS)) {
            strbuf_str(out, "\"\n    \"");
            column = 0;
        }
    }
    strbuf_char(out, '"');
}

/* Beyond ASCII a char is a character constant, which fits it whatever its sign. */
static void put_numbers(struct strbuf *out, const unsigned char *bytes, size_t len, bool as_char)
{
    strbuf_char(out, '{');
    for (size_t i = 0; i < len; i++) {
        strbuf_str(out, i % BYTES_PER_LINE == 0 ? "\n    " : " ");
        if (as_char && bytes[i] >= 0x80)
            strbuf_printf(out, "'\\%03o',", bytes[i]);
        else
            strbuf_printf(out, "%u,", bytes[i]);
    }
    strbuf_str(out, " 0}");
}

void ctext_bytes(struct strbuf *out, const void *bytes, size_t len)
{
    put_numbers(out, bytes, len, false);
}

void ctext_declare(struct strbuf *out, const char *name, const char *text)
{
    strbuf_printf(out, "static const char %s[] =", name);
    size_t len = strlen(text);
    if (len > LITERAL_MAX) {
        strbuf_char(out, ' ');
        put_numbers(out, (const unsigned char *)text, len, true);
    } else {
        strbuf_str(out, "\n    ");
        ctext_literal(out, text);
    }
    strbuf_str(out, ";\n");
}
