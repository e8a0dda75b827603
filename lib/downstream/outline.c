/* SPDX-License-Identifier: Apache-2.0 */
/* Reads only what tells whose a message is: id, method, progress token, and whether
 * there is a result. It checks nothing: who sends rubbish gets it wrong for himself. */
#include "downstream/outline.h"

#include "base/status.h"

#include <string.h>

enum { DECIMAL = 10, DIGITS_MAX = 18 };

static void word_add(struct outline *o, char c)
{
    if (o->word_len + 1 < sizeof(o->word))
        o->word[o->word_len] = c;
    o->word_len++;
}

/* What was gathered, if it was short enough to be one of those that matter. */
static void word_take(struct outline *o, char out[sizeof(o->key)])
{
    size_t len = o->word_len + 1 < sizeof(o->word) ? o->word_len : 0;

    memcpy(out, o->word, len);
    out[len] = '\0';
    o->word_len = 0;
}

static bool number(const char *text, uint64_t *ret_number)
{
    size_t len = strspn(text, "0123456789");

    *ret_number = 0;
    for (size_t i = 0; i < len && len <= DIGITS_MAX; i++)
        *ret_number = *ret_number * DECIMAL + (uint64_t)(text[i] - '0');
    return len > 0 && len <= DIGITS_MAX && text[len] == '\0';
}

static void decide(struct outline *o, enum outline_kind kind, uint64_t which)
{
    o->kind = kind;
    o->number = which;
}

/* A key of the message, or of its params. */
static void take_key(struct outline *o)
{
    word_take(o, o->key);
    if (o->depth != 1)
        return;
    o->in_params = strcmp(o->key, "params") == 0;
    if (strcmp(o->key, "result") == 0 || strcmp(o->key, "error") == 0)
        o->answers = true;
    if (o->answers && o->has_id)
        decide(o, OUTLINE_ANSWER, o->id);
}

/* The value of that key, when it is neither an object nor an array. */
static void take_value(struct outline *o)
{
    char value[sizeof(o->word)] = "";
    uint64_t n;

    word_take(o, value);
    if (o->depth == 2) {
        if (strcmp(o->key, "progressToken") == 0 && number(value, &n)) {
            o->has_token = true;
            o->token = n;
        }
    } else if (strcmp(o->key, "id") == 0) {
        o->has_id = number(value, &o->id);
        if (o->has_id && o->answers)
            decide(o, OUTLINE_ANSWER, o->id);
    } else if (strcmp(o->key, "method") == 0) {
        o->progress = strcmp(value, "notifications/progress") == 0;
        if (!o->progress)
            decide(o, OUTLINE_OTHER, 0);
    }
    if (o->progress && o->has_token)
        decide(o, OUTLINE_PROGRESS, o->token);
    o->key[0] = '\0';
}

/* Whether what stands here matters. */
static bool looks(const struct outline *o)
{
    return o->depth == 1 || (o->depth == 2 && o->in_params);
}

static void outside_text(struct outline *o, char c)
{
    switch (c) {
    case '"':
        o->in_text = true;
        break;
    case '{':
    case '[':
        o->depth++;
        o->key[0] = '\0';
        o->word_len = 0;
        break;
    case ':':
        if (looks(o))
            take_key(o);
        break;
    case ',':
        if (looks(o))
            take_value(o);
        break;
    case '}':
    case ']':
        if (looks(o))
            take_value(o);
        o->depth -= o->depth > 0;
        o->word_len = 0;
        break;
    case ' ':
    case '\t':
    case '\r':
        break;
    default:
        if (looks(o))
            word_add(o, c);
    }
}

static void inside_text(struct outline *o, char c)
{
    if (o->escaped)
        o->escaped = false;
    else if (c == '\\')
        o->escaped = true;
    else if (c == '"')
        o->in_text = false;
    if (o->in_text && looks(o))
        word_add(o, c);
}

void outline_feed(struct outline *outline, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && outline->kind == OUTLINE_UNKNOWN; i++)
        if (outline->in_text)
            inside_text(outline, bytes[i]);
        else
            outside_text(outline, bytes[i]);
}

void outline_end(struct outline *outline)
{
    if (outline->kind == OUTLINE_UNKNOWN && outline->progress)
        decide(outline, OUTLINE_OTHER, 0);
}
