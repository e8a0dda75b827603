/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of Postgres values: arrays, bytea, timestamps. */
#include "pg/internal.h"

#include <ctype.h>

/* One element; advances *p past it. */
static bool array_element(struct arena *arena, const char **p, char **ret_item)
{
    const char *s = *p;
    bool quoted = *s == '"';
    char *out;
    size_t n = 0;

    if (!quoted) {
        size_t len = strcspn(s, ",{}\"");
        *p = s + len;
        *ret_item = len == 4 && strncasecmp(s, "NULL", 4) == 0 ? NULL : arena_memdup(arena, s, len);
        return len > 0;
    }
    s++;
    out = arena_alloc(arena, strlen(s) + 1);
    while (*s && *s != '"') {
        if (*s == '\\' && s[1])
            s++;
        out[n++] = *s++;
    }
    if (*s != '"')
        return false;
    out[n] = '\0';
    *p = s + 1;
    *ret_item = out;
    return true;
}

/* Upper bound of the number of elements. */
static size_t array_size(const char *text)
{
    size_t n = 1;

    for (; *text; text++)
        n += *text == ',';
    return n;
}

bool array_parse(struct arena *arena, const char *text, size_t *ret_n, char ***ret_items)
{
    char **items = arena_alloc(arena, array_size(text) * sizeof(*items));
    size_t n = 0;

    *ret_n = 0;
    *ret_items = items;
    if (*text == '[') { /* bounds: [0:2]={…} */
        text = strchr(text, '=');
        if (!text)
            return false;
        text++;
    }
    if (*text++ != '{')
        return false;
    if (*text == '}')
        return text[1] == '\0';
    for (;; text++) {
        if (!array_element(arena, &text, &items[n]))
            return false;
        n++;
        if (*text != ',')
            break;
    }
    *ret_n = n;
    return text[0] == '}' && text[1] == '\0';
}

char *array_format(struct arena *arena, size_t n, char *const *items)
{
    size_t size = 3;
    char *out, *p;

    for (size_t i = 0; i < n; i++)
        size += items[i] ? 2 * strlen(items[i]) + 3 : sizeof("NULL,");
    out = p = arena_alloc(arena, size);
    *p++ = '{';
    for (size_t i = 0; i < n; i++) {
        if (i)
            *p++ = ',';
        if (!items[i]) {
            memcpy(p, "NULL", 4);
            p += 4;
            continue;
        }
        *p++ = '"';
        for (const char *s = items[i]; *s; s++) {
            if (*s == '"' || *s == '\\')
                *p++ = '\\';
            *p++ = *s;
        }
        *p++ = '"';
    }
    *p++ = '}';
    *p = '\0';
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

void *bytes_parse(struct arena *arena, const char *text, size_t *ret_len)
{
    size_t len = strlen(text);
    unsigned char *out;

    if (len < 2 || len % 2 || text[0] != '\\' || text[1] != 'x')
        return NULL;
    len = len / 2 - 1;
    out = arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 + 2 * i]), low = hex_digit(text[3 + 2 * i]);

        if (high < 0 || low < 0)
            return NULL;
        out[i] = (unsigned char)(high << 4 | low);
    }
    *ret_len = len;
    return out;
}

/* "2026-03-02 09:30:00.12+00": fixed places up to the seconds, then a fraction
 * without trailing zeros, then the zone. */
char *timestamp_parse(struct arena *arena, const char *text)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    char *out;

    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        bool fits = shape[i] == 'd' ? isdigit((unsigned char)text[i]) != 0 : text[i] == shape[i];
        if (!fits)
            return NULL;
    }
    out = arena_memdup(arena, "0000-00-00T00:00:00.000Z", 24);
    memcpy(out, text, 10);
    memcpy(out + 11, text + 11, 8);
    text += 19;
    if (*text == '.') {
        text++;
        for (int i = 0; isdigit((unsigned char)*text); text++, i++)
            if (i < 3)
                out[20 + i] = *text;
    }
    return *text == '\0' || strcmp(text, "+00") == 0 ? out : NULL;
}
