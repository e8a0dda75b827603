/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of URIs. */
#include "wishes.h"

#include <string.h>

enum {
    URIS_MAX = 2000, /* of one server */
    SLOTS = 4096,
};

/* Where the URI is in the table, or would be. */
static uint16_t *slot_of(const struct wish *wish, const char *uri)
{
    uint32_t hash = 2166136261U;

    for (const char *c = uri; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    for (;; hash++) {
        uint16_t *slot = &wish->slots[hash % SLOTS];

        if (*slot == 0 || strcmp(wish->uris[*slot - 1], uri) == 0)
            return slot;
    }
}

bool wish_has(const struct wish *wish, const char *uri)
{
    return wish->uris != NULL && *slot_of(wish, uri) != 0;
}

bool wish_add(struct wish *wish, const char *uri)
{
    uint16_t *slot;

    if (wish->uris == NULL) {
        wish->uris = arena_alloc(&wish->arena, URIS_MAX * sizeof(*wish->uris));
        wish->slots = arena_alloc(&wish->arena, SLOTS * sizeof(*wish->slots));
        memset(wish->slots, 0, SLOTS * sizeof(*wish->slots));
    }
    slot = slot_of(wish, uri);
    if (*slot != 0 || wish->n >= URIS_MAX)
        return false;
    wish->uris[wish->n++] = arena_strdup(&wish->arena, uri);
    *slot = (uint16_t)wish->n;
    return true;
}

void wish_clear(struct wish *wish)
{
    arena_reset(&wish->arena);
    wish->kinds = 0;
    wish->uris = NULL;
    wish->slots = NULL;
    wish->n = 0;
}

void wish_copy(struct wish *to, const struct wish *from)
{
    wish_clear(to);
    to->kinds = from->kinds;
    for (size_t i = 0; i < from->n; i++)
        (void)wish_add(to, from->uris[i]);
}

bool wish_same(const struct wish *a, const struct wish *b)
{
    if (a->kinds != b->kinds || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!wish_has(b, a->uris[i]))
            return false;
    return true;
}
