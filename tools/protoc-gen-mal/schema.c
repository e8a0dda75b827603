/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schemas of messages: closed, flat, real enums, and for inputs every
 * limit of the rules. Answers say types only: what the hub sends was checked
 * when it came in, and masked values need not match their patterns. */
#include "schema.h"

#include "format.h"

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        abort(); /* memory, or text that is no UTF-8, which protoc refuses */
}

static json_t *number(const struct field *field, double value)
{
    return field->type == TYPE_DOUBLE ? json_real(value) : json_integer((json_int_t)value);
}

static void set_range(json_t *schema, const struct field *field)
{
    const Mal__Rule *rule = field->rule;
    if (rule->has_min_case == MAL__RULE__HAS_MIN_MIN)
        set(schema, "minimum", number(field, rule->min));
    else if (field->type != TYPE_DOUBLE)
        set(schema, "minimum", json_integer(field->type == TYPE_UINT32 ? 0 : INT32_MIN));
    if (rule->has_max_case == MAL__RULE__HAS_MAX_MAX)
        set(schema, "maximum", number(field, rule->max));
    else if (field->type != TYPE_DOUBLE)
        set(schema, "maximum", json_integer(field->type == TYPE_UINT32 ? UINT32_MAX : INT32_MAX));
}

static void set_string_limits(json_t *schema, const Mal__Rule *rule)
{
    const struct format *format = *rule->format ? format_find(rule->format) : NULL;
    unsigned min = rule->min_len, max = rule->max_len;
    const char *pattern = *rule->pattern ? rule->pattern : NULL;
    if (rule->max_bytes && (!max || rule->max_bytes < max))
        max = rule->max_bytes; /* no text has more code points than bytes */
    if (format) {
        min = format->min_len > min ? format->min_len : min;
        max = format->max_len && (!max || format->max_len < max) ? format->max_len : max;
        pattern = pattern ? pattern : format->pattern;
        if (format->json_schema)
            set(schema, "format", json_string(format->json_schema));
    }
    if (min)
        set(schema, "minLength", json_integer(min));
    if (max)
        set(schema, "maxLength", json_integer(max));
    if (pattern)
        set(schema, "pattern", json_string(pattern));
}

static json_t *string_schema(const Mal__Rule *rule, struct schema_options options)
{
    if (rule->json)
        return rule->any ? json_object() : json_pack("{s:s}", "type", "object");
    json_t *schema = rule->scalars ? json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean")
                                   : json_pack("{s:s}", "type", "string");
    if (options.side == SCHEMA_INPUT)
        set_string_limits(schema, rule);
    else if (strcmp(rule->format, "timestamp") == 0 || strcmp(rule->format, "date") == 0)
        set(schema, "format", json_string(format_find(rule->format)->json_schema));
    return schema;
}

static json_t *enum_schema(const struct enumeration *enumeration)
{
    json_t *names = json_array();
    for (size_t i = 0; i < enumeration->n_values; i++)
        if (enumeration->values[i].json)
            json_array_append_new(names, json_string(enumeration->values[i].json));
    return json_pack("{s:s,s:o}", "type", "string", "enum", names);
}

const char *schema_component(struct arena *arena, const struct message *message,
                             enum schema_side side)
{
    size_t len = strlen(message->name);
    bool request = len > 7 && strcmp(message->name + len - 7, "Request") == 0;
    return arena_printf(arena, "%s.%s%s", message->place.file->c_package, message->name,
                        side == SCHEMA_INPUT && !request ? "Input" : "");
}

static json_t *message_or_ref(const struct message *message, struct schema_options options)
{
    if (!options.refs)
        return schema_message(message, options);
    struct arena arena;
    arena_init(&arena);
    json_t *ref = json_pack(
        "{s:o}", "$ref",
        json_sprintf("#/components/schemas/%s", schema_component(&arena, message, options.side)));
    arena_done(&arena);
    return ref;
}

/* One element of an array, one value of a map, or the field itself. rule is the
 * one that speaks of it, which for a map's values is the map field's. */
static json_t *element_schema(const struct field *field, const Mal__Rule *rule,
                              struct schema_options options)
{
    json_t *schema = NULL;
    switch (field->type) {
    case TYPE_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_DOUBLE:
        schema = json_pack("{s:s}", "type", field->type == TYPE_DOUBLE ? "number" : "integer");
        if (options.side == SCHEMA_INPUT)
            set_range(schema, field);
        return schema;
    case TYPE_ENUM:
        return enum_schema(field->enumeration);
    case TYPE_MESSAGE:
        return message_or_ref(field->message, options);
    default:
        return string_schema(rule, options);
    }
}

static json_t *map_schema(const struct field *field, struct schema_options options)
{
    const struct field *value = message_field(field->message, "value");
    const Mal__Rule *rule = value->type == TYPE_STRING ? field->rule : value->rule;
    json_t *schema = json_pack("{s:s,s:o}", "type", "object", "additionalProperties",
                               element_schema(value, rule, options));
    if (options.side == SCHEMA_OUTPUT)
        return schema;
    if (*field->rule->key_pattern)
        set(schema, "propertyNames", json_pack("{s:s}", "pattern", field->rule->key_pattern));
    if (field->rule->min_items)
        set(schema, "minProperties", json_integer(field->rule->min_items));
    if (field->rule->max_items)
        set(schema, "maxProperties", json_integer(field->rule->max_items));
    return schema;
}

static json_t *array_schema(const struct field *field, struct schema_options options)
{
    json_t *schema = json_pack("{s:s,s:o}", "type", "array", "items",
                               element_schema(field, field->rule, options));
    if (options.side == SCHEMA_OUTPUT)
        return schema;
    if (field->rule->min_items)
        set(schema, "minItems", json_integer(field->rule->min_items));
    if (field->rule->max_items)
        set(schema, "maxItems", json_integer(field->rule->max_items));
    if (field->rule->unique)
        set(schema, "uniqueItems", json_true());
    return schema;
}

/* null clears the field: ["string", "null"], and null among an enum's values. */
static void allow_null(json_t *schema)
{
    json_t *type = json_object_get(schema, "type"), *names = json_object_get(schema, "enum");
    if (json_is_string(type))
        set(schema, "type", json_pack("[O,s]", type, "null"));
    else if (json_is_array(type))
        json_array_append_new(type, json_string("null"));
    if (names)
        json_array_append_new(names, json_null());
}

json_t *schema_field(const struct field *field, struct schema_options options)
{
    json_t *schema = NULL;
    if (field->rule->map)
        schema = map_schema(field, options);
    else if (field->repeated)
        schema = array_schema(field, options);
    else
        schema = element_schema(field, field->rule, options);
    if (options.side == SCHEMA_INPUT && field->rule->nullable)
        allow_null(schema);
    set(schema, "description", json_string(field->place.comment));
    if (options.side == SCHEMA_INPUT && *field->rule->default_)
        set(schema, "default", json_loads(field->rule->default_, JSON_DECODE_ANY, NULL));
    return schema;
}

/* The field is in an input's "required", or always there in an answer. */
static bool is_required(const struct field *field, enum schema_side side)
{
    if (field->rule->required)
        return true;
    if (side == SCHEMA_INPUT || field->presence)
        return false;
    return field->repeated || field->type == TYPE_BOOL || field->type == TYPE_INT32 ||
           field->type == TYPE_UINT32 || field->type == TYPE_DOUBLE;
}

json_t *schema_message(const struct message *message, struct schema_options options)
{
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct field *field = &message->fields[i];
        if (field->rule->internal)
            continue;
        set(properties, field->name, schema_field(field, options));
        if (is_required(field, options.side))
            json_array_append_new(required, json_string(field->name));
    }
    json_t *schema = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
    if (json_array_size(required) > 0)
        set(schema, "required", required);
    else
        json_decref(required);
    set(schema, "additionalProperties", json_false());
    return schema;
}

const char *schema_text(struct arena *arena, json_t *schema)
{
    char *text = json_dumps(schema, JSON_COMPACT);
    const char *copy = arena_strdup(arena, text);
    free(text);
    json_decref(schema);
    return copy;
}
