/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the field whose name is nearest to an unknown key. */
#include "wire/internal.h"

enum { KEY_MAX = 40 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edit distance; a swap of neighbours is one edit. Both at most KEY_MAX long. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][KEY_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    size_t n = strlen(a), m = strlen(b);

    for (size_t k = 0; k <= m; k++)
        above[k] = (unsigned)k;
    for (size_t i = 1; i <= n; i++) {
        unsigned *free_row = before;

        row[0] = (unsigned)i;
        for (size_t k = 1; k <= m; k++) {
            row[k] = least(least(row[k - 1], above[k]) + 1, above[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[k] = least(row[k], before[k - 2] + 1);
        }
        before = above;
        above = row;
        row = free_row;
    }
    return above[m];
}

static const char *nearest(const struct message_rule *rule, const char *key)
{
    char plain[KEY_MAX + 1] = "";
    const char *best = NULL;
    size_t len = strlen(key);
    unsigned best_edits;

    if (len > KEY_MAX)
        return NULL;
    /* sprintId and Sprint-Id mean sprint_id. */
    for (size_t i = 0; i <= len; i++)
        plain[i] = (char)(key[i] == '-'                    ? '_'
                          : key[i] >= 'A' && key[i] <= 'Z' ? key[i] | 0x20
                                                           : key[i]);
    best_edits = (unsigned)len / 3 + 1;
    for (unsigned i = 0; i < rule->descriptor->n_fields; i++) {
        const char *name = rule->fields[i].name;
        unsigned edits;

        if (rule->fields[i].flags & RULE_INTERNAL || strlen(name) > KEY_MAX)
            continue;
        edits = distance(plain, name);
        if (edits <= best_edits && (!best || edits < best_edits)) {
            best = name;
            best_edits = edits;
        }
    }
    return best;
}

void bad_key(struct codec *c, const struct path *up, const struct message_rule *rule,
             const char *key)
{
    char shown[KEY_MAX * 2 + 1];
    struct path path = {.up = up, .name = shown};
    const char *name;
    size_t n = 0;

    if (codec_full(c))
        return;
    /* What strangers call their keys must not make lines of its own. */
    while (key[n] && n < sizeof shown - 1) {
        shown[n] = (char)((unsigned char)key[n] < 0x20 || key[n] == 0x7f ? '?' : key[n]);
        n++;
    }
    while (key[n] && n > 0 && ((unsigned char)key[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    shown[n] = '\0';
    name = nearest(rule, key);
    if (name)
        codec_bad(c, &path, "is not a field; did you mean %s?", name);
    else
        codec_bad(c, &path, "is not a field");
}
