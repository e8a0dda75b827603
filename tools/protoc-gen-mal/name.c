/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the spelling of another language. */
#include "model.h"

#include <ctype.h>

static const char *camel_to(struct arena *arena, const char *camel, int (*fold)(int))
{
    char *out = arena_alloc(arena, 2 * strlen(camel) + 1);
    size_t n = 0;
    bool was_upper = true;
    for (const char *p = camel; *p; p++) {
        bool upper = isupper((unsigned char)*p);
        if (upper && !was_upper)
            out[n++] = '_';
        out[n++] = (char)fold((unsigned char)*p);
        was_upper = upper;
    }
    return out;
}

const char *name_lower(struct arena *arena, const char *camel)
{
    return camel_to(arena, camel, tolower);
}

const char *name_upper(struct arena *arena, const char *camel)
{
    return camel_to(arena, camel, toupper);
}

const char *name_camel(struct arena *arena, const char *snake)
{
    char *out = arena_alloc(arena, strlen(snake) + 1);
    size_t n = 0;
    bool upper = true;
    for (const char *p = snake; *p; p++) {
        if (*p == '_') {
            upper = true;
            continue;
        }
        out[n++] = (char)(upper ? toupper((unsigned char)*p) : *p);
        upper = false;
    }
    return out;
}
