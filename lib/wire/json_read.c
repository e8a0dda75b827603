/* SPDX-License-Identifier: Apache-2.0 */
/* Looking things up on the tape that the scanner made. */
#include "wire/json.h"

#include "wire/internal.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>

enum { NUMBER_MAX = 400, KEYS_SMALL = 16 };

static unsigned hex_value(const char *digits)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++)
        value = value * 16 +
                (unsigned)(digits[i] <= '9' ? digits[i] - '0' : (digits[i] | 0x20) - 'a' + 10);
    return value;
}

static size_t put_utf8(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

enum { REPLACEMENT = 0xfffd };

/* The character of the escape at p, which is stepped over: in one of two halves
 * both. What is no character (loose reading only) is U+FFFD. */
static unsigned unescape(const char **p)
{
    const char *at = *p;
    unsigned code = hex_value(at + 2), low;

    *p += 6;
    if (code == 0)
        return REPLACEMENT;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || at[6] != '\\' || at[7] != 'u')
        return REPLACEMENT;
    low = hex_value(at + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return REPLACEMENT;
    *p += 6;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

/* Steps over one character of a string that the scanner has accepted and writes
 * its bytes. */
static size_t next_char(const char **p, char out[4])
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *at = *p, *which;

    if (at[0] != '\\') {
        out[0] = at[0];
        *p += 1;
        return 1;
    }
    if (at[1] != 'u') {
        *p += 2;
        which = strchr(from, at[1]);
        out[0] = at[1];
        if (which)
            out[0] = to[which - from];
        return 1;
    }
    return put_utf8(unescape(p), out);
}

/* A string read byte by byte, escapes resolved. */
struct reader {
    const char *p, *end;
    char out[4];
    size_t n, used;
};

static int next_byte(struct reader *r)
{
    if (r->used == r->n) {
        if (r->p == r->end)
            return -1;
        r->n = next_char(&r->p, r->out);
        r->used = 0;
    }
    return (unsigned char)r->out[r->used++];
}

static int compare_escaped(struct reader *a, struct reader *b)
{
    for (;;) {
        int x = next_byte(a), y = next_byte(b);

        if (x != y || x < 0)
            return x - y;
    }
}

static int compare_strings(const char *text, const struct json_node *a, const struct json_node *b)
{
    struct reader left, right;
    int order;

    if (!a->escaped && !b->escaped) {
        order = memcmp(text + a->start, text + b->start, a->len < b->len ? a->len : b->len);
        return order ? order : (a->len > b->len) - (a->len < b->len);
    }
    left = (struct reader){.p = text + a->start, .end = text + a->start + a->len};
    right = (struct reader){.p = text + b->start, .end = text + b->start + b->len};
    return compare_escaped(&left, &right);
}

static int compare_keys(const void *a, const void *b, void *text)
{
    return compare_strings(text, *(const struct json_node *const *)a,
                           *(const struct json_node *const *)b);
}

/* Few keys: each against the ones before it. */
static const struct json_node *twice_small(const char *text, const struct json_node *object)
{
    const struct json_node *keys[KEYS_SMALL], *node = json_first(object);

    for (uint32_t i = 0; i < object->count; i++) {
        keys[i] = node;
        for (uint32_t k = 0; k < i; k++)
            if ((keys[k]->len == node->len || keys[k]->escaped || node->escaped) &&
                compare_strings(text, keys[k], node) == 0)
                return node;
        node = json_next(json_next(node));
    }
    return NULL;
}

const struct json_node *json_twice(struct arena *arena, const char *text,
                                   const struct json_node *object)
{
    const struct json_node **keys, *node;

    if (object->count <= KEYS_SMALL)
        return twice_small(text, object);
    /* Sorting keeps the time below quadratic whatever the keys are; a hash
     * without a secret would not. */
    keys = arena_alloc(arena, object->count * sizeof(const struct json_node *));
    node = json_first(object);
    for (uint32_t i = 0; i < object->count; i++) {
        keys[i] = node;
        node = json_next(json_next(node));
    }
    qsort_r(keys, object->count, sizeof(const struct json_node *), compare_keys, (void *)text);
    for (uint32_t i = 1; i < object->count; i++)
        if (compare_strings(text, keys[i - 1], keys[i]) == 0)
            return keys[i] > keys[i - 1] ? keys[i] : keys[i - 1];
    return NULL;
}

static bool escaped_is(const char *raw, size_t raw_len, const char *text, size_t len)
{
    struct reader left = {.p = raw, .end = raw + raw_len};

    for (const char *end = text + len; text < end; text++)
        if (next_byte(&left) != (unsigned char)*text)
            return false;
    return next_byte(&left) < 0;
}

static inline bool string_is(const struct json *json, const struct json_node *node,
                             const char *text, size_t len)
{
    const char *raw = json->text + node->start;

    if (!node->escaped)
        return node->len == len && memcmp(raw, text, len) == 0;
    return escaped_is(raw, node->len, text, len);
}

bool json_is(const struct json *json, const struct json_node *node, const char *text)
{
    return node && node->type == JSON_T_STRING && string_is(json, node, text, strlen(text));
}

const struct json_node *json_get(const struct json *json, const struct json_node *object,
                                 const char *key)
{
    const struct json_node *node;
    size_t len;

    if (!object || object->type != JSON_T_OBJECT)
        return NULL;
    len = strlen(key);
    node = json_first(object);
    for (uint32_t i = 0; i < object->count; i++) {
        if (string_is(json, node, key, len))
            return json_next(node);
        node = json_next(json_next(node));
    }
    return NULL;
}

const struct json_node *json_path(const struct json *json, const struct json_node *object, ...)
{
    const char *key;
    va_list ap;

    va_start(ap, object);
    while (object && (key = va_arg(ap, const char *)) != NULL)
        object = json_get(json, object, key);
    va_end(ap);
    return object;
}

const char *json_text(struct arena *arena, const struct json *json, const struct json_node *node)
{
    const char *p, *end;
    char *copy, *out;

    if (!node || node->type != JSON_T_STRING)
        return NULL;
    p = json->text + node->start;
    end = p + node->len;
    if (!node->escaped)
        return arena_memdup(arena, p, node->len);
    /* An escape is never shorter than what it stands for. */
    copy = out = arena_alloc(arena, node->len + 1);
    while (p < end) {
        char bytes[4];
        size_t n = next_char(&p, bytes);

        memcpy(out, bytes, n);
        out += n;
    }
    return copy;
}

bool json_int(const struct json *json, const struct json_node *node, int64_t *ret_value)
{
    const char *p, *end;
    bool negative;
    int64_t value = 0;

    if (!node || node->type != JSON_T_INT)
        return false;
    p = json->text + node->start;
    end = p + node->len;
    negative = *p == '-';
    for (p += negative; p < end; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *p - '0', &value))
            return false;
    /* Summed up below zero, where the range is larger by one. */
    if (!negative && value == INT64_MIN)
        return false;
    *ret_value = negative ? value : -value;
    return true;
}

bool json_double(const struct json *json, const struct json_node *node, double *ret_value)
{
    char digits[NUMBER_MAX];

    if (!node || (node->type != JSON_T_INT && node->type != JSON_T_NUMBER) ||
        node->len >= sizeof digits)
        return false;
    memcpy(digits, json->text + node->start, node->len);
    digits[node->len] = '\0';
    *ret_value = strtod(digits, NULL);
    return isfinite(*ret_value);
}

const char *json_raw(const struct json *json, const struct json_node *node, size_t *ret_len)
{
    bool string = node->type == JSON_T_STRING;

    *ret_len = node->len + (string ? 2 : 0);
    return json->text + node->start - string;
}
