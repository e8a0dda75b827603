/* SPDX-License-Identifier: Apache-2.0 */
/* Mentions of work items and sprints in texts: found word by word, in time and
 * memory that grow with the text only up to a bound. Whether what is mentioned
 * exists is not known here. */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MENTION_SIZE = 65,   /* longest id and NUL */
    MENTIONS_MAX = 5000, /* different mentions of a kind that are kept; the rest is passed over */
};

/* Different words in the order of their first mention. */
struct mention_set {
    const char **items;
    size_t n;
    uint16_t *slots; /* hash table of index + 1 */
};

struct mentions {
    struct arena *arena;        /* borrowed */
    struct mention_set items;   /* MAL-42, as written */
    struct mention_set sprints; /* what follows sprint, in lower case: 7, alpha, 7-2 */
};

void mentions_init(struct mentions *mentions, struct arena *arena);
/* Finds the mentions of a further text, which ends at NUL. Any bytes are taken;
 * what is no UTF-8 mentions nothing. */
void mentions_scan(struct mentions *mentions, const char *text);
/* The id without the zeros before its number (MAL-042 is MAL-42); the id itself,
 * borrowed, when it has none. */
const char *mention_plain(struct arena *arena, const char *id);
/* The number that the first word of a sprint's mention is, without such zeros
 * (007 and 7-2 are 7); NULL when it is none of at most nine digits. */
const char *mention_number(struct arena *arena, const char *word);
