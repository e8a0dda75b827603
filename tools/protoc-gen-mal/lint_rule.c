/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a field's rule fits its type: a rule that cannot be kept is a mistake
 * that no test of a handler would find. */
#include "format.h"
#include "lint.h"

#include <jansson.h>
#include <regex.h>

/* A field under inspection. */
struct subject {
    struct model *model;
    const struct message *message;
    const struct field *field;
    const Mal__Rule *rule;
};

static void refuse(const struct subject *s, const char *words)
{
    model_error(s->model, &s->field->place, "%s.%s: %s", s->message->name, s->field->name, words);
}

static bool is_number(const struct field *field)
{
    return field->type == TYPE_INT32 || field->type == TYPE_UINT32 || field->type == TYPE_DOUBLE;
}

/* The strings that a rule of strings speaks of: the field, its elements, or a
 * map's values. */
static bool holds_strings(const struct field *field)
{
    if (!field->rule->map || !field->message)
        return field->type == TYPE_STRING;
    const struct field *value = message_field(field->message, "value");
    return value && value->type == TYPE_STRING;
}

static void check_pattern(const struct subject *s, const char *name, const char *pattern)
{
    size_t len = strlen(pattern);
    regex_t compiled;
    char why[128];
    if (!len)
        return;
    if (pattern[0] != '^' || pattern[len - 1] != '$')
        refuse(s, arena_printf(s->model->arena, "%s must be anchored: ^…$", name));
    int code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        regfree(&compiled);
        return;
    }
    (void)regerror(code, &compiled, why, sizeof why);
    refuse(s, arena_printf(s->model->arena, "%s is no POSIX extended expression (%s)", name, why));
}

static void check_strings(const struct subject *s)
{
    const Mal__Rule *rule = s->rule;
    if (*rule->format && !format_find(rule->format))
        refuse(s, arena_printf(s->model->arena, "unknown format '%s'; known are %s", rule->format,
                               format_names()));
    if ((rule->min_len || rule->max_len || rule->max_bytes || *rule->pattern || *rule->format ||
         rule->line) &&
        !holds_strings(s->field))
        refuse(s, "min_len, max_len, max_bytes, pattern, format and line are for strings");
    if (rule->max_len && rule->min_len > rule->max_len)
        refuse(s, "min_len is above max_len");
    if (rule->tags && !(s->field->repeated && s->field->type == TYPE_STRING))
        refuse(s, "tags is for repeated strings");
    check_pattern(s, "pattern", rule->pattern);
    check_pattern(s, "key_pattern", rule->key_pattern);
}

static void check_numbers(const struct subject *s)
{
    bool has_min = s->rule->has_min_case == MAL__RULE__HAS_MIN_MIN;
    bool has_max = s->rule->has_max_case == MAL__RULE__HAS_MAX_MAX;
    if ((has_min || has_max) && !is_number(s->field))
        refuse(s, "min and max are for numbers; strings have min_len and max_len");
    if (has_min && has_max && s->rule->min > s->rule->max)
        refuse(s, "min is above max");
}

static void check_items(const struct subject *s)
{
    const Mal__Rule *rule = s->rule;
    if ((rule->min_items || rule->max_items || rule->unique) && !s->field->repeated)
        refuse(s, "min_items, max_items and unique are for repeated fields and maps");
    if (rule->max_items && rule->min_items > rule->max_items)
        refuse(s, "min_items is above max_items");
    if (rule->unique && s->field->type == TYPE_MESSAGE)
        refuse(s, "unique is for strings, numbers and enums");
}

static bool is_pair(const struct message *message)
{
    const struct field *key = message_field(message, "key");
    return key && key->type == TYPE_STRING && !key->repeated && message->n_fields == 2 &&
           message_field(message, "value");
}

static void check_shape(const struct subject *s)
{
    const Mal__Rule *rule = s->rule;
    if (rule->map && !(s->field->repeated && s->field->message && is_pair(s->field->message)))
        refuse(s, "map is for a repeated message of string key and value, such as mal.v1.Pair");
    if ((rule->scalars || *rule->key_pattern) && !rule->map)
        refuse(s, "scalars and key_pattern are for maps");
    if (rule->json && s->field->type != TYPE_STRING)
        refuse(s, "json is for strings");
    if (rule->any && !rule->json)
        refuse(s, "any goes with json");
    if (rule->nullable && !message_field(s->message, "unset"))
        refuse(s, "nullable needs `repeated string unset` (rule internal) in the message, which "
                  "tells the handler what was null");
    if (rule->nullable && rule->required)
        refuse(s, "nullable and required exclude each other");
    if (rule->internal && rule->required)
        refuse(s, "an internal field is in no schema and cannot be required");
    if (strcmp(s->field->name, "unset") == 0 &&
        !(rule->internal && s->field->repeated && s->field->type == TYPE_STRING))
        refuse(s, "must be a repeated string with rule internal: the codec fills it in");
}

/* As words for people when the default does not fit, else NULL. */
static const char *wrong_default(const struct field *field, const json_t *value)
{
    const Mal__Rule *rule = field->rule;
    double number = json_number_value(value);
    if (field->repeated)
        return rule->map ? (json_is_object(value) ? NULL : "a JSON object")
                         : (json_is_array(value) ? NULL : "a JSON array");
    switch (field->type) {
    case TYPE_STRING:
        if (rule->json)
            return rule->any || json_is_object(value) ? NULL : "a JSON object";
        return json_is_string(value) ? NULL : "a JSON string, quotes included";
    case TYPE_BOOL:
        return json_is_boolean(value) ? NULL : "true or false";
    case TYPE_ENUM:
        for (size_t i = 0; json_is_string(value) && i < field->enumeration->n_values; i++)
            if (field->enumeration->values[i].json &&
                strcmp(field->enumeration->values[i].json, json_string_value(value)) == 0)
                return NULL;
        return "one of the enum's spellings in JSON, quotes included";
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_DOUBLE:
        if (field->type == TYPE_DOUBLE ? !json_is_number(value) : !json_is_integer(value))
            return "a number";
        if ((rule->has_min_case == MAL__RULE__HAS_MIN_MIN && number < rule->min) ||
            (rule->has_max_case == MAL__RULE__HAS_MAX_MAX && number > rule->max))
            return "between min and max";
        return NULL;
    default:
        return "left out for such a field";
    }
}

static void check_default(const struct subject *s)
{
    if (!*s->rule->default_)
        return;
    json_t *value = json_loads(s->rule->default_, JSON_DECODE_ANY, NULL);
    const char *wanted = value ? wrong_default(s->field, value) : "JSON text";
    if (wanted)
        refuse(s, arena_printf(s->model->arena, "default must be %s", wanted));
    if (s->rule->required)
        refuse(s, "a required field has no default");
    json_decref(value);
}

void lint_rule(struct model *model, const struct message *message, const struct field *field)
{
    struct subject subject = {model, message, field, field->rule};
    if ((field->type == TYPE_MESSAGE && !field->message) ||
        (field->type == TYPE_ENUM && !field->enumeration))
        return; /* refused for its type already */
    check_strings(&subject);
    check_numbers(&subject);
    check_items(&subject);
    check_shape(&subject);
    check_default(&subject);
}
