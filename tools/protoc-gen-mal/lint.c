/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator refuses of files, messages, fields and enums. */
#include "lint.h"

#include <ctype.h>

static bool is_snake(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
            return false;
    return islower((unsigned char)*name);
}

static void lint_oneof(struct model *model, const struct message *message,
                       const struct field *field)
{
    const char *name = arena_printf(model->arena, "has_%s", field->name);
    if (!field->presence)
        model_error(model, &field->place,
                    "%s.%s shares oneof %s with other fields, and no client can say 'one of "
                    "these'; make them flat fields and check in the handler",
                    message->name, field->name, field->oneof);
    else if (strcmp(field->oneof, name) != 0)
        model_error(model, &field->place, "the oneof around %s.%s must be named %s, not %s",
                    message->name, field->name, name, field->oneof);
    else if (field->type == TYPE_MESSAGE)
        model_error(model, &field->place,
                    "%s.%s is a message and may be absent anyhow; remove the oneof around it",
                    message->name, field->name);
}

static void lint_type(struct model *model, const struct message *message, const struct field *field)
{
    bool unknown = (field->type == TYPE_MESSAGE && !field->message) ||
                   (field->type == TYPE_ENUM && !field->enumeration);
    if (unknown)
        model_error(model, &field->place,
                    "%s.%s has the nested type %s; declare it at the top level, and a map as "
                    "repeated mal.v1.Pair with (mal.v1.rule).map",
                    message->name, field->name, field->type_name);
    else if (field->type == TYPE_OTHER && strstr(field->type_name, "64"))
        model_error(model, &field->place,
                    "%s.%s is %s, whose digits JSON clients lose; use int32, or string for ids",
                    message->name, field->name, field->type_name);
    else if (field->type == TYPE_OTHER)
        model_error(model, &field->place, "%s.%s is %s; use int32, uint32 or double", message->name,
                    field->name, field->type_name);
}

static void lint_field(struct model *model, const struct message *message,
                       const struct field *field)
{
    if (!field->place.comment)
        model_error(model, &field->place,
                    "field %s.%s has no comment; say above it what it holds, clients read it",
                    message->name, field->name);
    if (!is_snake(field->name))
        model_error(model, &field->place, "field %s.%s must be in lower_snake_case", message->name,
                    field->name);
    if (field->proto3_optional)
        model_error(model, &field->place,
                    "%s.%s is optional, which protobuf-c does not know; write oneof has_%s { … }",
                    message->name, field->name, field->name);
    if (field->oneof)
        lint_oneof(model, message, field);
    lint_type(model, message, field);
    lint_rule(model, message, field);
}

/* Whether from holds target, however deep. visited keeps the walk short. */
// NOLINTNEXTLINE(misc-no-recursion)
static bool reaches(const struct model *model, const struct message *from,
                    const struct message *target, bool *visited)
{
    if (from == target)
        return true;
    if (visited[from - model->messages])
        return false;
    visited[from - model->messages] = true;
    for (size_t i = 0; i < from->n_fields; i++)
        if (from->fields[i].message && reaches(model, from->fields[i].message, target, visited))
            return true;
    return false;
}

static void lint_message(struct model *model, const struct message *message)
{
    if (message->proto->n_nested_type || message->proto->n_enum_type)
        model_error(model, &message->place,
                    "message %s declares types inside; declare them at the top level",
                    message->name);
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct field *field = &message->fields[i];
        lint_field(model, message, field);
        bool *visited = arena_alloc(model->arena, model->n_messages);
        if (field->message && reaches(model, field->message, message, visited))
            model_error(model, &field->place,
                        "%s.%s makes %s contain itself, and unpacking has no depth limit; refer "
                        "to it by id",
                        message->name, field->name, message->name);
    }
}

static void lint_enum(struct model *model, const struct enumeration *e)
{
    const char *prefix = arena_printf(model->arena, "%s_", name_upper(model->arena, e->name));
    const char *zero = arena_printf(model->arena, "%sUNSPECIFIED", prefix);
    if (e->values[0].number != 0 || strcmp(e->values[0].name, zero) != 0)
        model_error(model, &e->place, "enum %s must have %s = 0, which means 'not said'", e->name,
                    zero);
    for (size_t i = 0; i < e->n_values; i++) {
        const struct enum_value *value = &e->values[i];
        if (!value->place.comment)
            model_error(model, &value->place, "value %s has no comment; say above it what it means",
                        value->name);
        if (strncmp(value->name, prefix, strlen(prefix)) != 0)
            model_error(model, &value->place, "value %s must begin with %s", value->name, prefix);
        for (size_t j = 0; j < i; j++) {
            if (value->number == e->values[j].number)
                model_error(model, &value->place, "value %s has the number of %s; give it its own",
                            value->name, e->values[j].name);
            else if (value->json && e->values[j].json &&
                     strcmp(value->json, e->values[j].json) == 0)
                model_error(model, &value->place, "value %s is spelled \"%s\" in JSON, as is %s",
                            value->name, value->json, e->values[j].name);
        }
    }
}

/* Names of C, subjects and files follow from the package: mal.<name>.v1 in
 * mal/<name>/v1/ with c_package <name>. mal.v1, the options, stands apart. */
static void lint_file(struct model *model, const struct file *file)
{
    struct place place = {.file = file, .line = 1};
    const char *package = arena_printf(model->arena, "mal.%s.v1", file->c_package);
    if (strcmp(file->package, "mal.v1") != 0 && strcmp(file->package, package) != 0)
        model_error(model, &place,
                    "package %s and c_package %s do not go together; use package mal.<name>.v1 "
                    "and option (pb_c_file).c_package = \"<name>\"",
                    file->package, file->c_package);
    if (file->proto->n_extension)
        model_error(model, &place, "extensions belong into mal/v1/options.proto");
}

void lint(struct model *model)
{
    for (size_t i = 0; i < model->n_files; i++)
        if (model->files[i].generate)
            lint_file(model, &model->files[i]);
    for (size_t i = 0; i < model->n_enums; i++)
        if (model->enums[i].place.file->generate)
            lint_enum(model, &model->enums[i]);
    for (size_t i = 0; i < model->n_messages; i++)
        if (model->messages[i].place.file->generate)
            lint_message(model, &model->messages[i]);
    for (size_t i = 0; i < model->n_methods; i++)
        if (model->methods[i].place.file->generate)
            lint_method(model, &model->methods[i]);
}
