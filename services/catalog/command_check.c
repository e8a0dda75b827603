/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a command whole: every placeholder is declared, every declaration
 * fits itself. */
#include "catalog.h"

#include <ctype.h>

enum { NAME_MAX_LEN = 40 };

/* Length of a parameter's name at text, 0 when there is none. */
static size_t name_length(const char *text)
{
    size_t n = 0;

    if (*text < 'a' || *text > 'z')
        return 0;
    while (islower((unsigned char)text[n]) || isdigit((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n <= NAME_MAX_LEN ? n : 0;
}

const char *placeholder_next(const char *text, const char **ret_name, size_t *ret_len,
                             const char **ret_end)
{
    for (; (text = strstr(text, "{{")); text++) {
        size_t len = name_length(text + 2);

        if (len == 0 || strncmp(text + 2 + len, "}}", 2) != 0)
            continue;
        *ret_name = text + 2;
        *ret_len = len;
        *ret_end = text + 2 + len + 2;
        return text;
    }
    return NULL;
}

static bool is_declared(const char *name, size_t len, size_t n,
                        Catalog__CommandParameter *const *parameters)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(parameters[i]->name) == len && memcmp(parameters[i]->name, name, len) == 0)
            return true;
    return false;
}

static void check_script(struct call *call, const char *script, size_t n,
                         Catalog__CommandParameter *const *parameters)
{
    struct names reported = {0};
    const char *name, *end;
    size_t len;

    for (const char *p = script; placeholder_next(p, &name, &len, &end); p = end) {
        const char *text;

        if (is_declared(name, len, n, parameters))
            continue;
        text = arena_memdup(call->arena, name, len);
        if (names_have(&reported, text))
            continue;
        names_add(call, &reported, text);
        call_field(call, "script_template",
                   "uses {{%s}}, which is not declared; add a parameter '%s'", text, text);
    }
}

static void check_enum(struct call *call, const char *path,
                       const Catalog__CommandParameter *parameter)
{
    bool is_enum = parameter->type == CATALOG__PARAMETER_TYPE__PARAMETER_TYPE_ENUM;
    const char *field = arena_printf(call->arena, "%s.enum_values", path);

    if (is_enum && parameter->n_enum_values == 0)
        call_field(call, field, "is required for type enum");
    if (!is_enum && parameter->n_enum_values > 0)
        call_field(call, field, "goes only with type enum");
}

static void check_default(struct call *call, const char *path,
                          const Catalog__CommandParameter *parameter)
{
    const char *field = arena_printf(call->arena, "%s.default", path), *wanted;

    if (!parameter->has_default_case)
        return;
    if (parameter->required)
        call_field(call, field, "goes only with a parameter that is not required");
    else if (!value_fits(call, parameter, parameter->default_, &wanted))
        call_field(call, field, "must be %s", wanted);
}

void command_check(struct call *call, const char *script, size_t n_parameters,
                   Catalog__CommandParameter *const *parameters)
{
    for (size_t i = 0; i < n_parameters; i++) {
        const Catalog__CommandParameter *parameter = parameters[i];
        const char *path = arena_printf(call->arena, "parameters[%zu]", i);

        if (is_declared(parameter->name, strlen(parameter->name), i, parameters))
            call_field(call, arena_printf(call->arena, "%s.name", path), "'%s' is declared twice",
                       parameter->name);
        check_enum(call, path, parameter);
        check_default(call, path, parameter);
    }
    check_script(call, script, n_parameters, parameters);
}

static bool is_used(const char *script, const char *parameter)
{
    const char *name, *end;
    size_t len;

    for (const char *p = script; placeholder_next(p, &name, &len, &end); p = end)
        if (strlen(parameter) == len && memcmp(parameter, name, len) == 0)
            return true;
    return false;
}

void command_warn(struct call *call, const Catalog__Command *command, struct names *warnings)
{
    for (size_t i = 0; i < command->n_parameters; i++) {
        const char *name = command->parameters[i]->name;

        if (!is_used(command->script_template, name))
            names_add(call, warnings,
                      arena_printf(call->arena, "The script never uses the parameter '%s'.", name));
    }
}
