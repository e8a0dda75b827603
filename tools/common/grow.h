/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow in an arena. */
#pragma once

#include "base/arena.h"

#include <string.h>

/* Room for item n of an array of *size items; returns the array, which may have
 * moved. The old one stays in the arena until it is done. */
static inline void *grow(struct arena *arena, void *items, size_t n, size_t *size,
                         size_t item_bytes)
{
    if (n < *size)
        return items;
    *size = *size ? 2 * *size : 32;
    void *bigger = arena_alloc(arena, *size * item_bytes);
    if (n)
        memcpy(bigger, items, n * item_bytes);
    return bigger;
}
