/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: a list of blocks, bumped; big pieces get a block of their own. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16 * 1024, SMALL_TEXT = 512 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void arena_run_hooks(struct arena *arena)
{
    /* A hook's record lives in the arena itself, so all run before any free. */
    for (struct arena_hook *hook = arena->hooks; hook; hook = hook->next)
        hook->fn(hook->arg);
    arena->hooks = NULL;
}

void arena_done(struct arena *arena)
{
    if (!arena)
        return;
    arena_run_hooks(arena);
    for (struct arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena_init(arena);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = NULL;

    arena_run_hooks(arena);
    for (struct arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        if (!keep && block->size == BLOCK_SIZE)
            keep = block;
        else
            free(block);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    arena->head = keep;
    arena->used_bytes = 0;
}

static struct arena_block *arena_block_new(size_t size)
{
    struct arena_block *block = malloc(sizeof *block + size);

    if (!block) {
        (void)fputs("out of memory\n", stderr);
        abort();
    }
    *block = (struct arena_block){.size = size};
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct arena_block *block = arena->head;
    char *p;

    size = (size + align - 1) / align * align;
    if (!block || block->size - block->used < size) {
        size_t want = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;

        block = arena_block_new(want);
        /* A block of its own goes behind the one being filled. */
        if (want != BLOCK_SIZE && arena->head) {
            block->next = arena->head->next;
            arena->head->next = block;
        } else {
            block->next = arena->head;
            arena->head = block;
        }
    }
    p = block->data + block->used;
    block->used += size;
    arena->used_bytes += size;
    memset(p, 0, size);
    return p;
}

char *arena_memdup(struct arena *arena, const void *bytes, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_memdup(arena, text, strlen(text));
}

char *arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
{
    char small[SMALL_TEXT];
    va_list again;
    char *text;
    int len;

    va_copy(again, ap);
    len = vsnprintf(small, sizeof small, fmt, again);
    va_end(again);
    if (len < 0)
        return arena_alloc(arena, 1);
    if ((size_t)len < sizeof small)
        return arena_memdup(arena, small, (size_t)len);
    text = arena_alloc(arena, (size_t)len + 1);
    (void)vsnprintf(text, (size_t)len + 1, fmt, ap);
    return text;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = arena_vprintf(arena, fmt, ap);
    va_end(ap);
    return text;
}

char *arena_join(struct arena *arena, const char *first, ...)
{
    size_t len = strlen(first);
    const char *part;
    char *text, *end;
    va_list ap;

    va_start(ap, first);
    while ((part = va_arg(ap, const char *)) != NULL)
        len += strlen(part);
    va_end(ap);
    text = arena_alloc(arena, len + 1);
    end = stpcpy(text, first);
    va_start(ap, first);
    while ((part = va_arg(ap, const char *)) != NULL)
        end = stpcpy(end, part);
    va_end(ap);
    return text;
}

void arena_defer(struct arena *arena, void (*fn)(void *), void *arg)
{
    struct arena_hook *hook = arena_alloc(arena, sizeof *hook);

    *hook = (struct arena_hook){.next = arena->hooks, .fn = fn, .arg = arg};
    arena->hooks = hook;
}
