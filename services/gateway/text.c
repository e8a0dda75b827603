/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting texts. */
#include "text.h"

#include <string.h>

const char *text_cut(struct arena *arena, const char *text, size_t max)
{
    size_t len = strnlen(text, max);

    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return arena_memdup(arena, text, len);
}
