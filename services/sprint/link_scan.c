/* SPDX-License-Identifier: Apache-2.0 */
/* Mentions of work items and sprints: each text is cut into words once, and a
 * mention is seen from a word and what stands beside it. */
#include "link_scan.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* A run of letters, digits and underscores. */
struct word {
    const char *start, *end;
};

enum { KEY_MIN = 2, KEY_MAX = 10, SLOTS = 16384, PROBES = 32 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

/* Bytes of the word character at p, 0 when there is none: letters and digits of
 * ASCII, _, and of what lies beyond the letters of Latin, Greek and Cyrillic
 * with their accents (U+00C0 to U+053F), so that neither an em dash nor a
 * Chinese sentence hides what stands in it. */
static size_t word_char(const char *p)
{
    unsigned char lead = (unsigned char)p[0], next;

    if (is_alnum(p[0]) || lead == '_')
        return 1;
    if (lead < 0xc3 || lead > 0xd4)
        return 0;
    next = (unsigned char)p[1];
    if ((next & 0xc0) != 0x80)
        return 0;
    /* The signs of multiplication and division stand among the letters. */
    return lead == 0xc3 && (next == 0x97 || next == 0xb7) ? 0 : 2;
}

static struct word word_at(const char *p)
{
    struct word word = {p, p};
    size_t len;

    while ((len = word_char(word.end)) > 0)
        word.end += len;
    return word;
}

static size_t word_len(struct word word)
{
    return (size_t)(word.end - word.start);
}

/* Whether every byte of the word is one of those. */
static bool consists(struct word word, bool (*is)(char))
{
    for (const char *p = word.start; p < word.end; p++)
        if (!is(*p))
            return false;
    return word.start < word.end;
}

/* FNV-1a. */
static uint32_t hash(const char *text, size_t len)
{
    uint32_t h = 2166136261U;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619U;
    return h;
}

static void set_init(struct mention_set *set, struct arena *arena)
{
    set->n = 0;
    set->items = arena_alloc(arena, MENTIONS_MAX * sizeof(*set->items));
    set->slots = arena_alloc(arena, SLOTS * sizeof(*set->slots));
}

/* Looks at a few slots only: texts made to collide cost no more time than
 * others, and lose their mentions. */
static void set_add(struct mention_set *set, struct arena *arena, const char *text, size_t len)
{
    uint32_t first = hash(text, len);

    for (uint32_t i = 0; i < PROBES; i++) {
        uint16_t *slot = &set->slots[(first + i) % SLOTS];
        const char *known = *slot ? set->items[*slot - 1] : NULL;

        if (!known && set->n < MENTIONS_MAX) {
            set->items[set->n++] = arena_memdup(arena, text, len);
            *slot = (uint16_t)set->n;
        }
        if (!known || (strlen(known) == len && memcmp(known, text, len) == 0))
            return;
    }
}

void mentions_init(struct mentions *mentions, struct arena *arena)
{
    mentions->arena = arena;
    set_init(&mentions->items, arena);
    set_init(&mentions->sprints, arena);
}

/* KEY-42, where the word is KEY. */
static void scan_item(struct mentions *mentions, struct word key)
{
    struct word number;

    if (word_len(key) < KEY_MIN || word_len(key) > KEY_MAX || *key.end != '-' ||
        !consists(key, is_upper))
        return;
    number = word_at(key.end + 1);
    if (consists(number, is_alnum) && (size_t)(number.end - key.start) < MENTION_SIZE)
        set_add(&mentions->items, mentions->arena, key.start, (size_t)(number.end - key.start));
}

/* The words joined by hyphens from p on, as many as an id holds. */
static struct word joined_at(const char *p)
{
    struct word all = word_at(p);

    while (*all.end == '-') {
        struct word next = word_at(all.end + 1);

        if (!consists(next, is_alnum) || next.end - all.start >= MENTION_SIZE)
            break;
        all.end = next.end;
    }
    return all;
}

/* What follows the word sprint. */
static void scan_name(struct mentions *mentions, const char *p)
{
    struct word all = joined_at(p);
    char lower[MENTION_SIZE];
    size_t len = word_len(all);

    if (len >= sizeof(lower) || !consists(word_at(p), is_alnum))
        return;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)p[i]);
    set_add(&mentions->sprints, mentions->arena, lower, len);
}

static bool begins_sprint(struct word word)
{
    static const char sprint[] = "sprint";

    if (word_len(word) < sizeof(sprint) - 1)
        return false;
    for (size_t i = 0; i < sizeof(sprint) - 1; i++)
        if ((word.start[i] | 0x20) != sprint[i])
            return false;
    return true;
}

/* sprint7, sprint 7, sprint-7, sprint#7, sprint #7. */
static void scan_sprint(struct mentions *mentions, struct word word)
{
    const char *p = word.start + strlen("sprint");

    if (!begins_sprint(word))
        return;
    if (p == word.end) {
        bool space = *p == ' ';

        p += space;
        p += *p == '#' || (*p == '-' && !space);
    }
    scan_name(mentions, p);
}

void mentions_scan(struct mentions *mentions, const char *text)
{
    while (*text) {
        struct word word = word_at(text);

        if (word.start == word.end) {
            text++;
            continue;
        }
        scan_item(mentions, word);
        scan_sprint(mentions, word);
        text = word.end;
    }
}

static const char *skip_zeros(const char *digits)
{
    while (digits[0] == '0' && digits[1])
        digits++;
    return digits;
}

static bool is_number(const char *text)
{
    return consists((struct word){text, text + strlen(text)}, is_digit);
}

const char *mention_plain(struct arena *arena, const char *id)
{
    const char *number = strchr(id, '-');
    const char *plain;

    if (!number || !is_number(number + 1))
        return id;
    plain = skip_zeros(number + 1);
    return plain == number + 1 ? id
                               : arena_printf(arena, "%.*s%s", (int)(number + 1 - id), id, plain);
}

const char *mention_number(struct arena *arena, const char *word)
{
    const char *number = skip_zeros(arena_memdup(arena, word, strcspn(word, "-")));

    return is_number(number) && strlen(number) <= 9 ? number : NULL;
}
