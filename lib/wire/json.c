/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON scanner: one validating pass, a tape of nodes, no recursion. */
#include "wire/json.h"

#include "base/utf8.h"
#include "wire/internal.h"
#include "wire/scan.h"

enum { DEPTH_DEFAULT = 64, NODES_DEFAULT = 200000, NODES_FIRST = 48 };

/* Index of no node; the parent of the root. */
#define NO_NODE UINT32_MAX

struct scanner {
    struct arena *arena;
    struct error *err;
    const char *text, *p, *end;
    struct json_node *nodes;
    uint32_t n, size;
    /* The open container. While it is open, its span holds the one around it. */
    uint32_t open;
    uint32_t depth, max_depth, max_nodes;
    bool loose;
    bool broken; /* the string at hand has escapes of no character */
};

static enum status refuse(struct scanner *s, const char *at, const char *why)
{
    return error_set(s->err, ST_INVALID_ARGUMENT, "Invalid JSON: %s at byte %zu", why,
                     (size_t)(at - s->text));
}

static void skip_space(struct scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static enum status grow(struct scanner *s)
{
    struct json_node *old = s->nodes;

    if (s->n >= s->max_nodes)
        return refuse(s, s->p, "too many values");
    s->size = s->size > s->max_nodes / 4 ? s->max_nodes : s->size * 4;
    s->nodes = arena_alloc(s->arena, s->size * sizeof *old);
    memcpy(s->nodes, old, s->n * sizeof *old);
    return ST_OK;
}

static enum status add_node(struct scanner *s, enum json_type type, const char *start)
{
    if (s->n >= s->size)
        TRY(grow(s));
    s->nodes[s->n++] =
        (struct json_node){.type = type, .start = (uint32_t)(start - s->text), .span = 1};
    return ST_OK;
}

/* Value of four hexadecimal digits, -1 when they are none. */
static int hex4(const char *p, const char *end)
{
    int value = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];

        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static enum status no_character(struct scanner *s, const char *at, const char *why)
{
    s->broken = true;
    return s->loose ? ST_OK : refuse(s, at, why);
}

/* Checks the escape whose backslash is at p and steps over it. */
static enum status scan_escape(struct scanner *s)
{
    const char *at = s->p;
    int unit;

    if (s->end - at < 2)
        return refuse(s, s->end, "unfinished string");
    s->p += 2;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) ? ST_OK
                                                            : refuse(s, at, "unknown escape");
    unit = hex4(s->p, s->end);
    if (unit < 0)
        return refuse(s, at, "\\u without four hexadecimal digits");
    s->p += 4;
    if (unit == 0)
        return no_character(s, at, "NUL character");
    if (unit < 0xd800 || unit > 0xdfff)
        return ST_OK;
    if (unit < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u') {
        int low = hex4(s->p + 2, s->end);

        if (low >= 0xdc00 && low <= 0xdfff) {
            s->p += 6;
            return ST_OK;
        }
    }
    return no_character(s, at, "half of a surrogate pair");
}

/* From the opening quote to behind the closing one. */
static enum status scan_string(struct scanner *s)
{
    const char *start = s->p + 1;
    uint8_t bits = 0;
    bool escaped = false;
    struct json_node *node;

    TRY(add_node(s, JSON_T_STRING, start));
    s->p = start;
    s->broken = false;
    for (;;) {
        s->p += plain_run(s->p, s->end, &bits);
        if (s->p == s->end)
            return refuse(s, s->p, "unfinished string");
        if (*s->p == '"')
            break;
        if (*s->p != '\\')
            return refuse(s, s->p, "control character in a string");
        escaped = true;
        TRY(scan_escape(s));
    }
    if ((bits & 0x80) && !utf8_valid(start, (size_t)(s->p - start)))
        return refuse(s, start, "text that is not UTF-8");
    node = &s->nodes[s->n - 1];
    node->len = (uint32_t)(s->p - start);
    node->escaped = escaped;
    node->broken = s->broken;
    s->p++;
    return ST_OK;
}

static bool scan_digits(struct scanner *s)
{
    const char *start = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > start;
}

static enum status scan_number(struct scanner *s)
{
    const char *start = s->p;
    struct json_node *node;

    TRY(add_node(s, JSON_T_INT, start));
    node = &s->nodes[s->n - 1];
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!scan_digits(s))
        return refuse(s, start, "bad number");
    if (s->p < s->end && *s->p == '.') {
        node->type = JSON_T_NUMBER;
        s->p++;
        if (!scan_digits(s))
            return refuse(s, start, "bad number");
    }
    if (s->p < s->end && (*s->p | 0x20) == 'e') {
        node->type = JSON_T_NUMBER;
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!scan_digits(s))
            return refuse(s, start, "bad number");
    }
    node->len = (uint32_t)(s->p - start);
    return ST_OK;
}

static enum status scan_word(struct scanner *s, enum json_type type, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
        return refuse(s, s->p, "unknown word");
    TRY(add_node(s, type, s->p));
    s->nodes[s->n - 1].len = (uint32_t)len;
    s->p += len;
    return ST_OK;
}

static enum status open_container(struct scanner *s, enum json_type type)
{
    if (++s->depth > s->max_depth)
        return refuse(s, s->p, "nested too deeply");
    TRY(add_node(s, type, s->p));
    s->nodes[s->n - 1].span = s->open;
    s->open = s->n - 1;
    s->p++;
    return ST_OK;
}

static enum status close_container(struct scanner *s)
{
    uint32_t index = s->open;
    struct json_node *node = &s->nodes[index];

    s->p++;
    s->depth--;
    s->open = node->span;
    node->span = s->n - index;
    node->len = (uint32_t)(s->p - s->text) - node->start;
    if (node->type == JSON_T_OBJECT && node->count > 1) {
        const struct json_node *twice = json_twice(s->arena, s->text, node);

        if (twice)
            return refuse(s, s->text + twice->start, "a key that is given twice");
    }
    return ST_OK;
}

/* At p stands the first byte of a value. *ret_opened: a container was opened
 * and is not complete. */
static enum status scan_value(struct scanner *s, bool *ret_opened)
{
    *ret_opened = false;
    if (s->p == s->end)
        return refuse(s, s->p, "unexpected end");
    switch (*s->p) {
    case '"':
        return scan_string(s);
    case '{':
        *ret_opened = true;
        return open_container(s, JSON_T_OBJECT);
    case '[':
        *ret_opened = true;
        return open_container(s, JSON_T_ARRAY);
    case 't':
        return scan_word(s, JSON_T_TRUE, "true");
    case 'f':
        return scan_word(s, JSON_T_FALSE, "false");
    case 'n':
        return scan_word(s, JSON_T_NULL, "null");
    default:
        if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
            return scan_number(s);
        return refuse(s, s->p, "unexpected character");
    }
}

/* Before a member or element: steps over a key and its colon. */
static enum status scan_key(struct scanner *s)
{
    s->nodes[s->open].count++;
    if (s->nodes[s->open].type == JSON_T_ARRAY)
        return ST_OK;
    if (s->p == s->end || *s->p != '"')
        return refuse(s, s->p, "no key");
    TRY(scan_string(s));
    skip_space(s);
    if (s->p == s->end || *s->p != ':')
        return refuse(s, s->p, "no ':' after a key");
    s->p++;
    skip_space(s);
    return ST_OK;
}

/* Behind a value: closes what ends here, or steps over the comma and the next
 * key. */
static enum status scan_separators(struct scanner *s)
{
    while (s->open != NO_NODE) {
        bool array = s->nodes[s->open].type == JSON_T_ARRAY;

        skip_space(s);
        if (s->p == s->end)
            return refuse(s, s->p, "unexpected end");
        if (*s->p == ',') {
            s->p++;
            skip_space(s);
            return scan_key(s);
        }
        if (*s->p != (array ? ']' : '}'))
            return refuse(s, s->p, array ? "no ',' or ']'" : "no ',' or '}'");
        TRY(close_container(s));
    }
    return ST_OK;
}

/* Whether the container just opened ends at once. */
static bool at_close(struct scanner *s)
{
    skip_space(s);
    return s->p == s->end || *s->p == (s->nodes[s->open].type == JSON_T_ARRAY ? ']' : '}');
}

static enum status scan(struct scanner *s)
{
    do {
        bool opened;

        TRY(scan_value(s, &opened));
        if (opened && !at_close(s))
            TRY(scan_key(s));
        else
            TRY(scan_separators(s));
    } while (s->open != NO_NODE);
    skip_space(s);
    return s->p == s->end ? ST_OK : refuse(s, s->p, "something behind the value");
}

enum status json_parse(struct arena *arena, const char *text, size_t len,
                       const struct json_limits *limits, struct json *ret_json, struct error *err)
{
    struct scanner s = {
        .arena = arena,
        .err = err,
        .text = text,
        .p = text,
        .end = text + len,
        .size = NODES_FIRST,
        .open = NO_NODE,
        .max_depth = limits && limits->depth ? limits->depth : DEPTH_DEFAULT,
        .max_nodes = limits && limits->nodes ? limits->nodes : NODES_DEFAULT,
        .loose = limits && limits->loose,
    };

    if (len >= UINT32_MAX)
        return error_set(err, ST_INVALID_ARGUMENT, "Invalid JSON: longer than 4 GiB");
    if (s.size > s.max_nodes)
        s.size = s.max_nodes;
    s.nodes = arena_alloc(arena, s.size * sizeof *s.nodes);
    skip_space(&s);
    TRY(scan(&s));
    *ret_json = (struct json){.text = text, .nodes = s.nodes, .n_nodes = s.n};
    return ST_OK;
}
