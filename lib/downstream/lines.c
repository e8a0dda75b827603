/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a pipe, bounded. */
#include "downstream/lines.h"

#include <string.h>

enum { LOOK_TIMES = 16 }; /* so many times the bound a line may take to say whose it is */

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

/* Looks into a piece of a line that is not kept; whether now is the time to tell of
 * the line. */
static bool skip(struct lines *lines, const char *bytes, size_t len, bool ends)
{
    size_t left = lines->max_bytes * LOOK_TIMES - lines->looked;

    lines->skipping = !ends;
    if (lines->told)
        return false;
    outline_feed(&lines->outline, bytes, len < left ? len : left);
    lines->looked += len < left ? len : left;
    if (ends && len <= left)
        outline_end(&lines->outline);
    lines->told = ends || len >= left || lines->outline.kind != OUTLINE_UNKNOWN;
    return lines->told;
}

/* The line grows beyond the bound: what was kept of it is gone through once more. */
static void give_up(struct lines *lines)
{
    lines->outline = (struct outline){0};
    lines->looked = lines->line.len;
    lines->skipping = true;
    lines->told = false;
    outline_feed(&lines->outline, lines->line.data, lines->line.len);
    strbuf_clear(&lines->line);
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
        bool was_skipping, tell;

        if (!lines->skipping && lines->line.len + piece > lines->max_bytes)
            give_up(lines);
        was_skipping = lines->skipping;
        tell = was_skipping && skip(lines, p, piece, lf != NULL);
        if (!was_skipping)
            strbuf_add(&lines->line, p, piece);
        p = lf != NULL ? lf + 1 : end;
        *ret_used = (size_t)(p - bytes);
        if (tell)
            return LINES_TOO_LONG;
        if (lf != NULL && finish(lines)) {
            lines->found = true;
            return LINES_LINE;
        }
    }
    *ret_used = len;
    return LINES_MORE;
}
