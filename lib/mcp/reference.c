/* SPDX-License-Identifier: Apache-2.0 */
/* Putting secrets where they are referred to. */
#include "mcp/reference.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 100 };

static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; *p;) {
        size_t blank = strspn(p, " ,"), n = strcspn(p + blank, " ,");

        if (n == len && strncmp(p + blank, word, len) == 0)
            return true;
        p += blank + n;
    }
    return false;
}

static enum status variable(const struct reference_source *source, const char *name,
                            const char **ret_text, struct error *err)
{
    if (strncmp(name, "MAL_", 4) == 0 || !list_has(source->env_allow, name)) {
        error_hint(err, "the operator allows it in MAL_ENV_ALLOW.");
        return error_set(err, ST_PERMISSION_DENIED, "The variable %s may not be read.", name);
    }
    *ret_text = getenv(name);
    if (*ret_text)
        return ST_OK;
    error_hint(err, "the operator sets it for the processes that reach servers.");
    return error_set(err, ST_PERMISSION_DENIED, "The variable %s is not set.", name);
}

static enum status unsealed(struct arena *arena, const struct reference_source *source,
                            const char *value, const char *what, const char **ret_text,
                            struct error *err)
{
    *ret_text = secret_open(arena, source->keys, value);
    if (*ret_text)
        return ST_OK;
    error_hint(err, "the operator checks MAL_SECRET_KEYS, or stores it anew.");
    return error_set(err, ST_FAILED_PRECONDITION, "%s cannot be opened with the keys of this hub.",
                     what);
}

static enum status secret(struct arena *arena, const struct reference_source *source,
                          const char *name, const char **ret_text, struct error *err)
{
    for (size_t i = 0; i < source->n_secrets; i++)
        if (strcmp(source->secrets[i].name, name) == 0)
            return unsealed(arena, source, source->secrets[i].value,
                            arena_printf(arena, "The secret %s", name), ret_text, err);
    error_hint(err, "mal secret set %s", name);
    return error_set(err, ST_FAILED_PRECONDITION, "There is no secret %s.", name);
}

/* The reference that begins at text: its length with ${ and }, 0 when it is none. */
static size_t reference_at(const char *text, const char *prefix, char name[NAME_MAX_LEN + 1])
{
    size_t start = strlen(prefix), len;

    if (strncmp(text, prefix, start) != 0)
        return 0;
    len = strspn(text + start, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    if (len == 0 || len > NAME_MAX_LEN || text[start + len] != '}')
        return 0;
    memcpy(name, text + start, len);
    name[len] = '\0';
    return start + len + 1;
}

enum status reference_resolve(struct arena *arena, const struct reference_source *source,
                              const char *value, const char **ret_text, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    char name[NAME_MAX_LEN + 1];

    if (secret_is_sealed(value))
        TRY(unsealed(arena, source, value, "A stored value", &value, err));
    while (*value) {
        const char *text = NULL;
        size_t len = reference_at(value, "${env:", name);

        if (len) {
            TRY(variable(source, name, &text, err));
        } else if ((len = reference_at(value, "${secret:", name)) > 0) {
            TRY(secret(arena, source, name, &text, err));
        }
        if (text)
            strbuf_str(&out, text);
        else
            strbuf_char(&out, *value);
        value += text ? len : 1;
    }
    *ret_text = arena_strdup(arena, strbuf_cstr(&out));
    return ST_OK;
}
