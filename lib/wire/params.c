/* SPDX-License-Identifier: Apache-2.0 */
/* Query and path parameters -> message. */
#include "wire/internal.h"

#include <errno.h>

/* Text by the field's type; false when it does not fit, which has been said. */
static bool read_integer(struct codec *c, const struct path *path,
                         const ProtobufCFieldDescriptor *field, const char *text, void *slot)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (!strchr("-0123456789", text[0]) || !text[0] || *end || errno ||
        !slot_set_int(field, slot, value)) {
        codec_bad(c, path, "must be an integer");
        return false;
    }
    return true;
}

static bool read_json(struct codec *c, const struct path *path, const struct field_rule *rule,
                      const char *text, void *slot)
{
    struct json json;

    if (json_parse(c->arena, text, strlen(text), NULL, &json, NULL) != ST_OK) {
        codec_bad(c, path, "must be JSON text");
        return false;
    }
    decode_json(c, path, rule, &json, json.nodes, slot);
    return true;
}

static bool read_number(struct codec *c, const struct path *path,
                        const ProtobufCFieldDescriptor *field, const char *text, void *slot)
{
    struct json json;
    double value;

    if (json_parse(c->arena, text, strlen(text), NULL, &json, NULL) != ST_OK ||
        !json_double(&json, json.nodes, &value)) {
        codec_bad(c, path, "must be a number");
        return false;
    }
    slot_set_double(field, slot, value);
    return true;
}

static bool read_enum(struct codec *c, const struct path *path, const struct field_rule *rule,
                      const char *text, void *slot)
{
    int value;

    if (!enum_parse(rule->enumeration, text, &value)) {
        check_enum_name(c, path, rule->enumeration);
        return false;
    }
    *(int32_t *)slot = value;
    return true;
}

static bool read_bool(struct codec *c, const struct path *path, const char *text, void *slot)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0) {
        codec_bad(c, path, "must be true or false");
        return false;
    }
    *(protobuf_c_boolean *)slot = yes;
    return true;
}

static bool read_value(struct codec *c, const struct path *path,
                       const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                       const char *text, void *slot)
{
    bool fits;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (rule->flags & RULE_JSON)
            return read_json(c, path, rule, text, slot);
        slot_set_pointer(slot, text);
        fits = true;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(c, path, rule, text, slot);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(c, path, text, slot);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        fits = read_number(c, path, field, text, slot);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        codec_bad(c, path, "cannot be given as a parameter");
        return false;
    default:
        fits = read_integer(c, path, field, text, slot);
    }
    if (fits)
        check_value(c, path, field, rule, slot);
    return fits;
}

/* The parameters of one run, and which field each belongs to. */
struct params {
    const struct wire_param *params;
    const int *field;
    size_t n;
};

/* Whether the name goes on as a map's entry does after the field's own name. */
static bool is_entry(const char *rest)
{
    return rest[0] == '.' ||
           (rest[0] == '[' && rest[1] && strchr(rest, ']') == rest + strlen(rest) - 1);
}

/* The key in params.key and params[key] (OpenAPI's deepObject). */
static const char *entry_key(struct arena *arena, const char *name)
{
    const char *rest = name + strcspn(name, ".[");

    return rest[0] == '.' ? rest + 1 : arena_memdup(arena, rest + 1, strlen(rest) - 2);
}

static void read_map(struct codec *c, const struct path *path, const struct params *params,
                     const struct message_rule *rule, int index, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = &rule->descriptor->fields[index];
    const ProtobufCFieldDescriptor *key = map_key(field), *value = map_value(field);
    size_t n = *field_count(message, field), used = 0;
    ProtobufCMessage **entries = field_make_array(c, message, field, n);

    for (size_t i = 0; i < params->n && !codec_full(c); i++) {
        if (params->field[i] != index)
            continue;
        entries[used] = message_new(c->arena, field->descriptor);
        slot_set_pointer(field_slot(entries[used], key),
                         entry_key(c->arena, params->params[i].name));
        slot_set_pointer(field_slot(entries[used], value), params->params[i].value);
        check_entry(c, path, field, &rule->fields[index], entries[used++]);
    }
    *field_count(message, field) = used;
    check_list(c, path, field, &rule->fields[index], message);
}

static void read_array(struct codec *c, const struct path *path, const struct params *params,
                       const struct message_rule *rule, int index, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = &rule->descriptor->fields[index];
    size_t n = *field_count(message, field), used = 0;
    unsigned before = c->err->n_fields;

    (void)field_make_array(c, message, field, n);
    for (size_t i = 0; i < params->n && !codec_full(c); i++) {
        struct path inner = {.up = path, .index = used};

        if (params->field[i] == index)
            (void)read_value(c, &inner, field, &rule->fields[index], params->params[i].value,
                             field_elem(message, field, used++));
    }
    if (c->err->n_fields == before)
        check_list(c, path, field, &rule->fields[index], message);
}

static void read_field(struct codec *c, const struct params *params,
                       const struct message_rule *rule, int index, size_t n,
                       ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = &rule->descriptor->fields[index];
    const struct field_rule *field_rule = &rule->fields[index];
    struct path path = {.name = field->name};
    size_t at = 0;

    if (field_repeated(field)) {
        if (!check_count(c, &path, field_rule, n))
            return;
        *field_count(message, field) = n;
        if (field_rule->flags & RULE_MAP)
            read_map(c, &path, params, rule, index, message);
        else
            read_array(c, &path, params, rule, index, message);
        return;
    }
    if (n > 1) {
        codec_bad(c, &path, "is given twice");
        return;
    }
    while (params->field[at] != index)
        at++;
    if (read_value(c, &path, field, field_rule, params->params[at].value,
                   field_slot(message, field)))
        field_choose(message, field);
}

/* Index of the field that the parameter is for, -1 for none. */
static int field_of(const struct message_rule *rule, const char *name)
{
    size_t len = strcspn(name, ".[");
    int index = field_find(rule->descriptor, name, len);
    bool map;

    if (index < 0 || rule->fields[index].flags & RULE_INTERNAL ||
        rule->descriptor->fields[index].type == PROTOBUF_C_TYPE_BYTES)
        return -1;
    map = rule->fields[index].flags & RULE_MAP &&
          map_value(&rule->descriptor->fields[index])->type == PROTOBUF_C_TYPE_STRING;
    return map == is_entry(name + len) && (map || !name[len]) ? index : -1;
}

static void bad_param(struct codec *c, const struct message_rule *rule, const char *name)
{
    int index = field_find(rule->descriptor, name, strlen(name));

    if (index >= 0 && rule->fields[index].flags & RULE_MAP &&
        !(rule->fields[index].flags & RULE_INTERNAL))
        codec_bad(c, &(struct path){.name = name}, "is given as %s.<name>=<value>", name);
    else
        bad_key(c, NULL, rule, name);
}

enum status wire_from_params(struct arena *arena, const struct message_rule *rule,
                             const struct wire_param *params, size_t n_params,
                             ProtobufCMessage **ret_message, struct error *err)
{
    struct codec c = {.arena = arena, .err = err ? err : arena_alloc(arena, sizeof *err)};
    unsigned n_fields = rule->descriptor->n_fields;
    bool *given = arena_alloc(arena, n_fields * sizeof *given);
    size_t *counts = arena_alloc(arena, n_fields * sizeof *counts);
    int *field = arena_alloc(arena, n_params * sizeof *field);
    struct params all = {.params = params, .field = field, .n = n_params};
    ProtobufCMessage *message;

    error_clear(c.err);
    message = message_new(arena, rule->descriptor);
    for (size_t i = 0; i < n_params; i++) {
        field[i] = field_of(rule, params[i].name);
        if (field[i] < 0)
            bad_param(&c, rule, params[i].name);
        else
            counts[field[i]]++;
    }
    for (unsigned i = 0; i < n_fields && !codec_full(&c); i++) {
        given[i] = counts[i] > 0;
        if (given[i])
            read_field(&c, &all, rule, (int)i, counts[i], message);
    }
    check_absent(&c, NULL, rule, given, message);
    *ret_message = c.err->n_fields ? NULL : message;
    return codec_end(&c);
}
