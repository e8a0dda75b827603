/* SPDX-License-Identifier: Apache-2.0 */
/* The front matter of a SKILL.md document, as far as an agent needs it to find
 * the skill: a name that is the id, and a description. */
#include "catalog.h"

/* Length of the line at p without its end; *ret_next is the line after it. */
static size_t line_at(const char *p, const char **ret_next)
{
    size_t len = strcspn(p, "\n");

    *ret_next = p + len + (p[len] == '\n');
    while (len > 0 && (p[len - 1] == '\r' || p[len - 1] == ' ' || p[len - 1] == '\t'))
        len--;
    return len;
}

static bool is_fence(const char *line, size_t len)
{
    return len == 3 && memcmp(line, "---", 3) == 0;
}

/* First line after the opening fence, NULL when there is no front matter. */
static const char *frontmatter(const char *document)
{
    const char *next, *line;

    if (strncmp(document, "\xef\xbb\xbf", 3) == 0)
        document += 3;
    if (!is_fence(document, line_at(document, &next)))
        return NULL;
    for (line = next; *line; line = next)
        if (is_fence(line, line_at(line, &next)))
            return document + strcspn(document, "\n") + 1;
    return NULL;
}

/* Value of a key at the beginning of a line, without quotes; "" when it has
 * none. A block value (> or |) counts as its mark. */
static const char *value_of(struct call *call, const char *lines, const char *key)
{
    size_t n = strlen(key);

    for (const char *line = lines, *next;; line = next) {
        size_t len = line_at(line, &next);

        if (*line == '\0' || is_fence(line, len))
            return "";
        if (len <= n || strncmp(line, key, n) != 0 || line[n] != ':')
            continue;
        const char *value = line + n + 1;
        len -= n + 1;
        while (len > 0 && (*value == ' ' || *value == '\t')) {
            value++;
            len--;
        }
        if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
            value++;
            len -= 2;
        }
        return arena_memdup(call->arena, value, len);
    }
}

void frontmatter_warn(struct call *call, const char *id, const char *document,
                      struct names *warnings)
{
    const char *lines = frontmatter(document), *name;

    if (!lines) {
        names_add(call, warnings,
                  "The document has no front matter; agents look there for name and description.");
        return;
    }
    name = value_of(call, lines, "name");
    if (!*name)
        names_add(call, warnings, "The front matter has no name.");
    else if (strcmp(name, id) != 0)
        names_add(call, warnings,
                  arena_printf(call->arena,
                               "The name '%.100s' in the front matter is not the id '%s'.", name,
                               id));
    if (!*value_of(call, lines, "description"))
        names_add(call, warnings, "The front matter has no description.");
}
