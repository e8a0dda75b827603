/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON into a strbuf. */
#include "wire/json.h"

#include "base/utf8.h"
#include "wire/scan.h"

#include <float.h>
#include <math.h>

static void put_escape(struct strbuf *buf, char c)
{
    static const char short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
    const char *which = c ? strchr(short_from, c) : NULL;

    if (!c) {
        strbuf_str(buf, "\xef\xbf\xbd"); /* no reader of ours accepts NUL */
    } else if (which) {
        strbuf_char(buf, '\\');
        strbuf_char(buf, short_to[which - short_from]);
    } else {
        strbuf_printf(buf, "\\u%04x", (unsigned char)c);
    }
}

/* Returns the bytes or-ed together. */
static uint8_t put_escaped(struct strbuf *buf, const char *text, size_t len)
{
    const char *end = text + len;
    uint8_t bits = 0;

    strbuf_reserve(buf, len + 2);
    strbuf_char(buf, '"');
    for (;;) {
        size_t run = plain_run(text, end, &bits);

        strbuf_add(buf, text, run);
        text += run;
        if (text == end)
            break;
        put_escape(buf, *text++);
    }
    strbuf_char(buf, '"');
    return bits;
}

void json_put_string_n(struct strbuf *buf, const char *text, size_t len)
{
    size_t before = buf->len, n;
    char *fixed;

    if (!(put_escaped(buf, text, len) & 0x80) || utf8_valid(text, len))
        return;
    /* Never hand out what no reader accepts. */
    buf->len = before;
    fixed = malloc(3 * len);
    if (!fixed)
        abort();
    n = utf8_repair(text, len, fixed);
    (void)put_escaped(buf, fixed, n);
    free(fixed);
}

void json_put_string(struct strbuf *buf, const char *text)
{
    json_put_string_n(buf, text, strlen(text));
}

void json_put_double(struct strbuf *buf, double value)
{
    char text[40];

    if (!isfinite(value))
        value = 0;
    if (fabs(value) < 1e15 && value == floor(value)) {
        strbuf_printf(buf, "%lld", (long long)value);
        return;
    }
    /* With 15 digits every normal number that has so few reads back; subnormal
     * ones have fewer. */
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    strbuf_str(buf, text);
}

void json_put_compact(struct strbuf *buf, const char *text, size_t len)
{
    const char *end = text + len, *run = text;
    bool in_string = false;

    strbuf_reserve(buf, len);
    for (; text < end; text++) {
        if (in_string) {
            if (*text == '\\')
                text++;
            else if (*text == '"')
                in_string = false;
        } else if (*text == '"') {
            in_string = true;
        } else if (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t') {
            strbuf_add(buf, run, (size_t)(text - run));
            run = text + 1;
        }
    }
    if (run < end)
        strbuf_add(buf, run, (size_t)(end - run));
}

static void put_line(struct strbuf *buf, const char *raw, size_t len)
{
    if (memchr(raw, '\n', len) != NULL || memchr(raw, '\r', len) != NULL)
        json_put_compact(buf, raw, len);
    else
        strbuf_add(buf, raw, len);
}

void json_put_node(struct strbuf *buf, const struct json *json, const struct json_node *node)
{
    size_t len;
    const char *raw = json_raw(json, node, &len);

    put_line(buf, raw, len);
}

void json_put_member(struct strbuf *buf, const struct json *json, const struct json_node *key)
{
    size_t len;
    const char *raw = json_raw(json, key, &len), *value = json_raw(json, json_next(key), &len);

    put_line(buf, raw, (size_t)(value - raw) + len);
}
