/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of commands. A value never becomes part of the script's code: a
 * placeholder turns into a reference to a variable, and where the script is to
 * be pasted the values stand before it as quoted literals. */
#include "catalog.h"

#include <ctype.h>

/* A number as JSON spells it. */
static bool is_number(const char *text)
{
    if (*text == '-')
        text++;
    if (*text == '0')
        text++;
    else if (*text >= '1' && *text <= '9')
        text += strspn(text, "0123456789");
    else
        return false;
    if (*text == '.') {
        size_t n = strspn(text + 1, "0123456789");
        if (n == 0)
            return false;
        text += n + 1;
    }
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        size_t n = strspn(text, "0123456789");
        if (n == 0)
            return false;
        text += n;
    }
    return *text == '\0';
}

static const char *listed(struct call *call, const Catalog__CommandParameter *parameter)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "one of ");
    for (size_t i = 0; i < parameter->n_enum_values; i++)
        strbuf_printf(&buf, "%s%s", i ? ", " : "", parameter->enum_values[i]);
    return take_text(call, &buf);
}

bool value_fits(struct call *call, const Catalog__CommandParameter *parameter, const char *value,
                const char **ret_wanted)
{
    switch (parameter->type) {
    case CATALOG__PARAMETER_TYPE__PARAMETER_TYPE_NUMBER:
        *ret_wanted = "a number such as 3 or 0.5";
        return is_number(value);
    case CATALOG__PARAMETER_TYPE__PARAMETER_TYPE_BOOLEAN:
        *ret_wanted = "true or false";
        return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
    case CATALOG__PARAMETER_TYPE__PARAMETER_TYPE_ENUM:
        for (size_t i = 0; i < parameter->n_enum_values; i++)
            if (strcmp(parameter->enum_values[i], value) == 0)
                return true;
        *ret_wanted = listed(call, parameter);
        return false;
    default:
        return true;
    }
}

static const char *given(size_t n, Mal__Pair *const *params, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(params[i]->key, name) == 0)
            return params[i]->value;
    return NULL;
}

static void refuse_unknown(struct call *call, const Catalog__Command *command, size_t n,
                           Mal__Pair *const *params)
{
    for (size_t i = 0; i < n; i++) {
        bool known = false;

        for (size_t k = 0; !known && k < command->n_parameters; k++)
            known = strcmp(command->parameters[k]->name, params[i]->key) == 0;
        if (!known)
            call_field(call, arena_printf(call->arena, "params.%.64s", params[i]->key),
                       "is no parameter of command '%s'", command->id);
    }
}

enum status values_bind(struct call *call, const Catalog__Command *command, size_t n_params,
                        Mal__Pair *const *params, const char ***ret_values)
{
    const char **values = arena_alloc(call->arena, command->n_parameters * sizeof(*values));

    refuse_unknown(call, command, n_params, params);
    for (size_t i = 0; i < command->n_parameters; i++) {
        const Catalog__CommandParameter *parameter = command->parameters[i];
        const char *value = given(n_params, params, parameter->name), *wanted;
        const char *field = arena_printf(call->arena, "params.%s", parameter->name);

        values[i] = value ? value : parameter->has_default_case ? parameter->default_ : "";
        if (!value && parameter->required)
            call_field(call, field, "is required");
        else if (value && !value_fits(call, parameter, value, &wanted))
            call_field(call, field, "must be %s", wanted);
    }
    *ret_values = values;
    return call_invalid(call);
}

const char *variable_name(struct call *call, const char *parameter)
{
    char *name = arena_printf(call->arena, "MAL_P_%s", parameter);

    for (char *p = name; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return name;
}

static const char *reference(struct call *call, Catalog__Shell shell, const char *parameter)
{
    const char *variable = variable_name(call, parameter);

    switch (shell) {
    case CATALOG__SHELL__SHELL_PYTHON:
        return arena_printf(call->arena, "os.environ[\"%s\"]", variable);
    case CATALOG__SHELL__SHELL_NODE:
        return arena_printf(call->arena, "process.env.%s", variable);
    default:
        return arena_printf(call->arena, "${%s}", variable);
    }
}

static void add_with_references(struct call *call, struct strbuf *buf,
                                const Catalog__Command *command, const char *script)
{
    const char *name, *end, *start;
    size_t len;

    while ((start = placeholder_next(script, &name, &len, &end))) {
        strbuf_add(buf, script, (size_t)(start - script));
        strbuf_str(buf, reference(call, command->shell, arena_memdup(call->arena, name, len)));
        script = end;
    }
    strbuf_str(buf, script);
}

/* Copies a possible #! line; returns what follows it. */
static const char *add_interpreter(struct strbuf *buf, const char *script)
{
    size_t len = strcspn(script, "\n");

    if (strncmp(script, "#!", 2) != 0)
        return script;
    strbuf_add(buf, script, len);
    strbuf_char(buf, '\n');
    return script + len + (script[len] == '\n');
}

static bool needs_import(const Catalog__Command *command)
{
    return command->shell == CATALOG__SHELL__SHELL_PYTHON && command->n_parameters > 0;
}

const char *script_body(struct call *call, const Catalog__Command *command)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    const char *rest = add_interpreter(&buf, command->script_template);

    if (needs_import(command))
        strbuf_str(&buf, "import os\n");
    add_with_references(call, &buf, command, rest);
    return take_text(call, &buf);
}

static void add_bash_literal(struct strbuf *buf, const char *value)
{
    strbuf_char(buf, '\'');
    for (; *value; value++) {
        if (*value == '\'')
            strbuf_str(buf, "'\\''");
        else
            strbuf_char(buf, *value);
    }
    strbuf_char(buf, '\'');
}

/* JSON strings are literals of Python and JavaScript, too. */
static void add_assignment(struct strbuf *buf, Catalog__Shell shell, const char *variable,
                           const char *value)
{
    switch (shell) {
    case CATALOG__SHELL__SHELL_PYTHON:
        strbuf_printf(buf, "os.environ[\"%s\"] = ", variable);
        json_put_string(buf, value);
        break;
    case CATALOG__SHELL__SHELL_NODE:
        strbuf_printf(buf, "process.env.%s = ", variable);
        json_put_string(buf, value);
        strbuf_char(buf, ';');
        break;
    default:
        strbuf_printf(buf, "export %s=", variable);
        add_bash_literal(buf, value);
        break;
    }
    strbuf_char(buf, '\n');
}

const char *script_render(struct call *call, const Catalog__Command *command,
                          const char *const *values)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    const char *rest = add_interpreter(&buf, command->script_template);

    if (needs_import(command))
        strbuf_str(&buf, "import os\n");
    for (size_t i = 0; i < command->n_parameters; i++)
        add_assignment(&buf, command->shell, variable_name(call, command->parameters[i]->name),
                       values[i]);
    add_with_references(call, &buf, command, rest);
    return take_text(call, &buf);
}
