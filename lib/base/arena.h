/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one request: allocated piece by piece, freed at once. */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

struct arena_hook {
    struct arena_hook *next;
    void (*fn)(void *);
    void *arg;
};

/* Not thread safe. Aborts when memory is exhausted (sizes from outside are
 * bounded before they get here). */
struct arena {
    struct arena_block *head;
    struct arena_hook *hooks;
    size_t used_bytes; /* handed out since the last reset, for limits and tests */
};

void arena_init(struct arena *arena);
/* Runs the hooks (last added first) and frees everything. Accepts zeroed. */
void arena_done(struct arena *arena);
/* As arena_done, but keeps one block for the next request. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type; size 0 yields a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
char *arena_strdup(struct arena *arena, const char *text);
/* Copies len bytes and adds a NUL. */
char *arena_memdup(struct arena *arena, const void *bytes, size_t len);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF(2, 3);
char *arena_vprintf(struct arena *arena, const char *fmt, va_list ap) PRINTF(2, 0);
/* The texts one behind the other; the last argument is NULL. */
char *arena_join(struct arena *arena, const char *first, ...) __attribute__((sentinel));
/* fn(arg) runs when the arena is reset or done, for things borrowed from it
 * that need their own destructor (PGresult). */
void arena_defer(struct arena *arena, void (*fn)(void *), void *arg);
