/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of conversations, any bytes: what they mention. */
#include "link_scan.h"

#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void check(struct arena *arena, const struct mention_set *set)
{
    must(set->n <= MENTIONS_MAX);
    for (size_t i = 0; i < set->n; i++) {
        const char *number = mention_number(arena, set->items[i]);

        must(strlen(set->items[i]) > 0 && strlen(set->items[i]) < MENTION_SIZE);
        must(strspn(set->items[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-") == strlen(set->items[i]));
        must(strlen(mention_plain(arena, set->items[i])) <= strlen(set->items[i]));
        must(!number || strspn(number, "0123456789") == strlen(number));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mentions mentions;
    struct arena arena;

    arena_init(&arena);
    mentions_init(&mentions, &arena);
    mentions_scan(&mentions, arena_memdup(&arena, data, size));
    for (size_t i = 0; i < mentions.items.n; i++)
        must(strchr(mentions.items.items[i], '-') != NULL);
    check(&arena, &mentions.items);
    check(&arena, &mentions.sprints);
    arena_done(&arena);
    return 0;
}
