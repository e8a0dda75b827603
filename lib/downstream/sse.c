/* SPDX-License-Identifier: Apache-2.0 */
/* The event stream format of the HTML standard. */
#include "downstream/sse.h"

#include <ctype.h>
#include <string.h>

enum { RETRY_DIGITS_MAX = 8 };

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void sse_init(struct sse *sse, size_t max_bytes)
{
    *sse = (struct sse){.max_bytes = max_bytes, .retry_ms = -1};
}

void sse_done(struct sse *sse)
{
    strbuf_done(&sse->data);
    strbuf_done(&sse->line);
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static void set_id(struct sse *sse, const char *value, size_t len)
{
    /* One that could not be sent back in a header is as good as none. */
    if (len >= SSE_ID_SIZE)
        return;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
            return;
    memcpy(sse->id, value, len);
    sse->id[len] = '\0';
}

static void set_retry(struct sse *sse, const char *value, size_t len)
{
    long ms = 0;

    if (len == 0 || len > RETRY_DIGITS_MAX)
        return;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)value[i]))
            return;
        ms = ms * 10 + (value[i] - '0');
    }
    sse->retry_ms = ms;
}

static void field(struct sse *sse, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len), *value = line + len;
    size_t name_len = colon != NULL ? (size_t)(colon - line) : len, value_len = 0;

    if (colon != NULL) {
        value = colon + 1;
        value_len = len - name_len - 1;
        if (value_len > 0 && *value == ' ') {
            value++;
            value_len--;
        }
    }
    if (is_word(line, name_len, "data")) {
        if (sse->has_data)
            strbuf_char(&sse->data, '\n');
        sse->has_data = true;
        if (sse->data.len + value_len > sse->max_bytes)
            sse->too_large = true;
        else
            strbuf_add(&sse->data, value, value_len);
    } else if (is_word(line, name_len, "event")) {
        sse->other_type = value_len > 0 && !is_word(value, value_len, "message");
    } else if (is_word(line, name_len, "id")) {
        set_id(sse, value, value_len);
    } else if (is_word(line, name_len, "retry")) {
        set_retry(sse, value, value_len);
    }
}

static void forget_event(struct sse *sse)
{
    strbuf_clear(&sse->data);
    sse->has_data = false;
    sse->other_type = false;
}

/* The field's name and its colon are no data. */
static bool too_long(const struct sse *sse, size_t len)
{
    return len > sse->max_bytes + sizeof("data: ");
}

/* A whole line; an empty one ends the event. */
static void line_end(struct sse *sse, const char *line, size_t len)
{
    if (len > 0 && *line != ':' && too_long(sse, len)) {
        sse->too_large = true;
        return;
    }
    if (!sse->began && len >= 3 && memcmp(line, BYTE_ORDER_MARK, 3) == 0) {
        line += 3;
        len -= 3;
    }
    sse->began = true;
    if (len > 0)
        field(sse, line, len);
    else if (sse->has_data && !sse->other_type && sse->data.len > 0)
        sse->found = true;
    else
        forget_event(sse);
}

/* End of the line that begins at p, or end. */
static const char *find_end(const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *stop = lf != NULL ? lf : end;
    const char *cr = memchr(p, '\r', (size_t)(stop - p));

    return cr != NULL ? cr : stop;
}

/* A piece of a line whose end has not come. A comment is not kept. */
static void keep_piece(struct sse *sse, const char *p, size_t len)
{
    if (sse->comment || len == 0)
        return;
    if (sse->line.len == 0 && *p == ':') {
        sse->comment = true;
        return;
    }
    if (too_long(sse, sse->line.len + len))
        sse->too_large = true;
    else
        strbuf_add(&sse->line, p, len);
}

enum sse_state sse_feed(struct sse *sse, const char *bytes, size_t len, size_t *ret_used)
{
    const char *p = bytes, *end = bytes + len;

    if (sse->found) {
        sse->found = false;
        forget_event(sse);
    }
    while (p < end && !sse->found && !sse->too_large) {
        const char *eol;

        if (sse->after_cr && *p == '\n')
            p++;
        sse->after_cr = false;
        if (p == end)
            break;
        eol = find_end(p, end);
        if (eol == end) {
            keep_piece(sse, p, (size_t)(end - p));
            p = end;
            break;
        }
        if (sse->line.len > 0 || sse->comment) {
            keep_piece(sse, p, (size_t)(eol - p));
            if (!sse->comment)
                line_end(sse, sse->line.data, sse->line.len);
            strbuf_clear(&sse->line);
            sse->comment = false;
            sse->began = true;
        } else {
            line_end(sse, p, (size_t)(eol - p));
        }
        sse->after_cr = *eol == '\r';
        p = eol + 1;
    }
    *ret_used = (size_t)(p - bytes);
    if (sse->too_large)
        return SSE_TOO_LARGE;
    return sse->found ? SSE_EVENT : SSE_MORE;
}
