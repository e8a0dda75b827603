/* SPDX-License-Identifier: Apache-2.0 */
/* What streams wish to hear of one server, all together. */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed is none; arena_done(&wish->arena) frees. */
struct wish {
    struct arena arena;
    unsigned kinds;
    const char **uris;
    size_t n;
    uint16_t *slots; /* a table of them: index + 1, 0 = free */
};

bool wish_has(const struct wish *wish, const char *uri);
/* False: it is there already, or there are too many. */
bool wish_add(struct wish *wish, const char *uri);
void wish_clear(struct wish *wish);
void wish_copy(struct wish *to, const struct wish *from);
bool wish_same(const struct wish *a, const struct wish *b);
