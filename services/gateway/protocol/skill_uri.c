/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading skill URIs. */
#include "skill_uri.h"

#include <string.h>

#define SCHEME "skill://"
#define DOCUMENT "/SKILL.md"

enum { ID_MAX = 64 };

const char *skill_uri(struct arena *arena, const char *id)
{
    return arena_printf(arena, SCHEME "%s" DOCUMENT, id);
}

const char *skill_uri_id(struct arena *arena, const char *uri)
{
    size_t len;

    if (strncmp(uri, SCHEME, strlen(SCHEME)) != 0)
        return NULL;
    uri += strlen(SCHEME);
    len = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (len == 0 || len > ID_MAX || strcmp(uri + len, DOCUMENT) != 0)
        return NULL;
    return arena_memdup(arena, uri, len);
}
