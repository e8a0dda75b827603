/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from the environment. */
#include "base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const struct setting *setting_find(const struct setting *const *tables, const char *name,
                                          size_t len)
{
    for (; *tables; tables++)
        for (const struct setting *s = *tables; s->env; s++)
            if (strncmp(s->env, name, len) == 0 && s->env[len] == '\0')
                return s;
    return NULL;
}

static bool also_knows(const char *const *also_known, const char *name, size_t len)
{
    for (; also_known && *also_known; also_known++)
        if (strncmp(*also_known, name, len) == 0 && (*also_known)[len] == '\0')
            return true;
    return false;
}

static void find_unknown(const struct setting *const *tables, const char *const *also_known,
                         struct strbuf *mistakes)
{
    for (char **entry = environ; entry && *entry; entry++) {
        size_t len = strcspn(*entry, "=");

        if (strncmp(*entry, "MAL_", 4) == 0 && !setting_find(tables, *entry, len) &&
            !also_knows(also_known, *entry, len))
            strbuf_printf(mistakes, "%.*s: no such setting; --print-config lists them\n", (int)len,
                          *entry);
    }
}

static bool parse_bool(const char *text, bool *ret_value)
{
    *ret_value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *ret_value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool parse_int(const char *text, int64_t *ret_value)
{
    char *end;

    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static void setting_read(const struct setting *s, struct strbuf *mistakes)
{
    const char *text = getenv(s->env);

    if (!text)
        text = s->fallback;
    switch (s->type) {
    case SETTING_STRING:
        *(const char **)s->target = text;
        break;
    case SETTING_BOOL:
        if (!parse_bool(text, s->target))
            strbuf_printf(mistakes, "%s: must be true or false\n", s->env);
        break;
    case SETTING_INT:
        if (!parse_int(text, s->target))
            strbuf_printf(mistakes, "%s: must be a whole number\n", s->env);
        else if ((s->min || s->max) &&
                 (*(int64_t *)s->target < s->min || *(int64_t *)s->target > s->max))
            strbuf_printf(mistakes, "%s: must be from %lld to %lld\n", s->env, (long long)s->min,
                          (long long)s->max);
        break;
    }
}

enum status settings_load(const struct setting *const *tables, const char *const *also_known,
                          struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf mistakes = STRBUF_INIT;

    for (const struct setting *const *table = tables; *table; table++)
        for (const struct setting *s = *table; s->env; s++)
            setting_read(s, &mistakes);
    find_unknown(tables, also_known, &mistakes);
    if (mistakes.len > 0)
        return error_set(err, ST_INVALID_ARGUMENT, "settings:\n%s", strbuf_cstr(&mistakes));
    return ST_OK;
}

static void setting_value(const struct setting *s, struct strbuf *out)
{
    const char *text = getenv(s->env);

    if (!text)
        text = s->fallback;
    strbuf_str(out, s->secret && *text ? "***" : text);
}

void settings_print(const struct setting *const *tables, struct strbuf *out)
{
    for (; *tables; tables++) {
        for (const struct setting *s = *tables; s->env; s++) {
            strbuf_printf(out, "%s=", s->env);
            setting_value(s, out);
            strbuf_char(out, '\n');
        }
    }
}

void settings_markdown(const struct setting *const *tables, struct strbuf *out)
{
    static const char *const types[] = {"text", "number", "true or false"};

    for (; *tables; tables++)
        for (const struct setting *s = *tables; s->env; s++)
            strbuf_printf(out, "| `%s` | %s%s | %s%s%s | %s |\n", s->env, types[s->type],
                          s->secret ? ", secret" : "", *s->fallback ? "`" : "",
                          *s->fallback ? s->fallback : "empty", *s->fallback ? "`" : "", s->help);
}
