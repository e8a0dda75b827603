/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a pipe, bounded. */
#include "downstream/lines.h"

#include <string.h>

void lines_init(struct lines *lines, size_t max_bytes)
{
    *lines = (struct lines){.max_bytes = max_bytes};
}

void lines_done(struct lines *lines)
{
    strbuf_done(&lines->line);
}

/* Cuts the \r of \r\n; whether anything is left. */
static bool finish(struct lines *lines)
{
    struct strbuf *line = &lines->line;

    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->data[--line->len] = '\0';
    return line->len > 0;
}

enum lines_state lines_feed(struct lines *lines, const char *bytes, size_t len, size_t *ret_used)
{
    const char *p = bytes, *end = bytes + len;

    if (lines->found)
        strbuf_clear(&lines->line);
    lines->found = false;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p)), *stop = lf != NULL ? lf : end;
        size_t piece = (size_t)(stop - p);
        bool too_long = !lines->skipping && lines->line.len + piece > lines->max_bytes;

        if (too_long)
            strbuf_clear(&lines->line);
        else if (!lines->skipping)
            strbuf_add(&lines->line, p, piece);
        lines->skipping = (lines->skipping || too_long) && lf == NULL;
        p = lf != NULL ? lf + 1 : end;
        *ret_used = (size_t)(p - bytes);
        if (too_long)
            return LINES_TOO_LONG;
        if (lf != NULL && finish(lines)) {
            lines->found = true;
            return LINES_LINE;
        }
    }
    *ret_used = len;
    return LINES_MORE;
}
