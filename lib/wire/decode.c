/* SPDX-License-Identifier: Apache-2.0 */
/* JSON -> message. The nesting of the calls follows the nesting of the message
 * types, which cannot be recursive, never that of the input. */
#include "wire/internal.h"

#include <math.h>

/* The message being filled. */
struct target {
    const struct message_rule *rule;
    ProtobufCMessage *message;
    bool *given;        /* by field index */
    const char **unset; /* names given as null, [] or {} */
    size_t n_unset;
};

static void decode_object(struct codec *c, const struct path *path, const struct json_node *node,
                          struct target *target);

static struct target target_of(struct codec *c, const struct message_rule *rule,
                               ProtobufCMessage *message)
{
    struct target target = {.rule = rule, .message = message};

    target.given = arena_alloc(c->arena, rule->descriptor->n_fields * sizeof(bool));
    if (rule->unset_field >= 0)
        target.unset = arena_alloc(c->arena, rule->descriptor->n_fields * sizeof(const char *));
    return target;
}

static bool node_integer(const struct json *json, const struct json_node *node, int64_t *ret_value)
{
    double value;

    if (node->type == JSON_T_INT)
        return json_int(json, node, ret_value);
    /* 5.0 is an integer for JSON Schema, and so it is here. */
    if (node->type != JSON_T_NUMBER || !json_double(json, node, &value) || value != floor(value) ||
        fabs(value) > 9007199254740992.0)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

static bool decode_integer(struct codec *c, const struct path *path,
                           const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                           const struct json_node *node, void *slot)
{
    double value;
    int64_t integer;

    if (node_integer(c->json, node, &integer) && slot_set_int(field, slot, integer))
        return true;
    if (!json_double(c->json, node, &value) || value != floor(value))
        codec_bad(c, path, "must be an integer");
    else if (rule->flags & RULE_HAS_MIN && rule->flags & RULE_HAS_MAX)
        codec_bad(c, path, "must be between %.15g and %.15g", rule->min, rule->max);
    else
        codec_bad(c, path, "is out of range");
    return false;
}

/* Whether all strings of the value, keys included, are text; says so if not. */
static bool is_text(struct codec *c, const struct path *path, const struct json_node *node)
{
    for (uint32_t i = 0; i < node->span; i++)
        if (node[i].type == JSON_T_STRING && node[i].broken) {
            codec_bad(c, path, "must not hold the character NUL or half a surrogate pair");
            return false;
        }
    return true;
}

static bool decode_string(struct codec *c, const struct path *path, const struct field_rule *rule,
                          const struct json_node *node, void *slot)
{
    size_t len;
    const char *text;

    if (node->type == JSON_T_STRING) {
        slot_set_pointer(slot, json_text(c->arena, c->json, node));
        return is_text(c, path, node);
    }
    if (rule->flags & RULE_SCALARS && node->type != JSON_T_NULL && node->type != JSON_T_ARRAY &&
        node->type != JSON_T_OBJECT) {
        text = json_raw(c->json, node, &len);
        slot_set_pointer(slot, arena_memdup(c->arena, text, len));
        return true;
    }
    codec_bad(c, path,
              rule->flags & RULE_SCALARS ? "must be a string, a number or a boolean"
                                         : "must be a string");
    return false;
}

static bool decode_enum(struct codec *c, const struct path *path, const struct field_rule *rule,
                        const struct json_node *node, void *slot)
{
    const char *name = json_text(c->arena, c->json, node);
    int value;

    if (name && enum_parse(rule->enumeration, name, &value)) {
        *(int32_t *)slot = value;
        return true;
    }
    check_enum_name(c, path, rule->enumeration);
    return false;
}

static bool decode_bool(struct codec *c, const struct path *path, const struct json_node *node,
                        void *slot)
{
    if (node->type != JSON_T_TRUE && node->type != JSON_T_FALSE) {
        codec_bad(c, path, "must be true or false");
        return false;
    }
    *(protobuf_c_boolean *)slot = node->type == JSON_T_TRUE;
    return true;
}

static bool decode_number(struct codec *c, const struct path *path,
                          const ProtobufCFieldDescriptor *field, const struct json_node *node,
                          void *slot)
{
    double value;

    if (!json_double(c->json, node, &value)) {
        codec_bad(c, path, "must be a number");
        return false;
    }
    slot_set_double(field, slot, value);
    return true;
}

static bool decode_message(struct codec *c, const struct path *path, const struct field_rule *rule,
                           const struct json_node *node, void *slot)
{
    struct target target;

    if (node->type != JSON_T_OBJECT) {
        codec_bad(c, path, "must be an object");
        return false;
    }
    target = target_of(c, rule->message, message_new(c->arena, rule->message->descriptor));
    slot_set_pointer(slot, target.message);
    decode_object(c, path, node, &target);
    return true;
}

/* One value that is not null; false when it is of the wrong type, which has been
 * said then. */
static bool decode_value(struct codec *c, const struct path *path,
                         const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                         const struct json_node *node, void *slot)
{
    bool fits;

    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return decode_message(c, path, rule, node, slot);
    case PROTOBUF_C_TYPE_STRING:
        if (rule->flags & RULE_JSON) {
            if (is_text(c, path, node))
                decode_json(c, path, rule, c->json, node, slot);
            return true;
        }
        fits = decode_string(c, path, rule, node, slot);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        return decode_enum(c, path, rule, node, slot);
    case PROTOBUF_C_TYPE_BOOL:
        return decode_bool(c, path, node, slot);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        fits = decode_number(c, path, field, node, slot);
        break;
    default:
        fits = decode_integer(c, path, field, rule, node, slot);
    }
    if (fits)
        check_value(c, path, field, rule, slot);
    return fits;
}

static void decode_map(struct codec *c, const struct path *path,
                       const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                       const struct json_node *node, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *key = map_key(field), *value = map_value(field);
    const struct json_node *child = json_first(node);
    ProtobufCMessage **entries;

    if (node->type != JSON_T_OBJECT) {
        codec_bad(c, path, "must be an object");
        return;
    }
    if (!check_count(c, path, rule, node->count))
        return;
    entries = field_make_array(c, message, field, node->count);
    for (uint32_t i = 0; i < node->count && !codec_full(c); i++) {
        const char *name = json_text(c->arena, c->json, child);
        struct path inner = {.up = path, .name = name};

        entries[i] = message_new(c->arena, field->descriptor);
        slot_set_pointer(field_slot(entries[i], key), name);
        if (text_has_control(name))
            inner.name = "?";
        if (child->broken)
            codec_bad(c, path, "has a key with characters that are not allowed");
        child = json_next(child);
        /* What fits is checked with its key below. */
        if (value->type == PROTOBUF_C_TYPE_STRING
                ? decode_string(c, &inner, rule, child, field_slot(entries[i], value))
                : decode_value(c, &inner, value, rule, child, field_slot(entries[i], value)))
            check_entry(c, path, field, rule, entries[i]);
        child = json_next(child);
    }
}

static void decode_array(struct codec *c, const struct path *path,
                         const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                         const struct json_node *node, ProtobufCMessage *message)
{
    const struct json_node *child = json_first(node);
    unsigned before = c->err->n_fields;

    if (node->type != JSON_T_ARRAY) {
        codec_bad(c, path, "must be an array");
        return;
    }
    if (!check_count(c, path, rule, node->count))
        return;
    (void)field_make_array(c, message, field, node->count);
    for (uint32_t i = 0; i < node->count && !codec_full(c); i++) {
        struct path inner = {.up = path, .index = i};

        (void)decode_value(c, &inner, field, rule, child, field_elem(message, field, i));
        child = json_next(child);
    }
    if (c->err->n_fields == before)
        check_list(c, path, field, rule, message);
}

/* Whether null may stand there; notes the name for updates. */
static void decode_null(struct codec *c, const struct path *path, struct target *target,
                        unsigned index)
{
    const struct field_rule *rule = &target->rule->fields[index];

    /* Of a message that is no update, null means absent. */
    if (target->rule->unset_field < 0 || rule->flags & RULE_REQUIRED)
        return;
    target->given[index] = true;
    if (rule->flags & RULE_NULLABLE)
        target->unset[target->n_unset++] = rule->name;
    else
        codec_bad(c, path, "cannot be cleared with null; leave it out to keep it");
}

static void decode_field(struct codec *c, const struct path *path, struct target *target,
                         unsigned index, const struct json_node *node)
{
    const ProtobufCFieldDescriptor *field = &target->rule->descriptor->fields[index];
    const struct field_rule *rule = &target->rule->fields[index];
    bool empties = field_repeated(field) || rule->flags & RULE_JSON;

    if (node->type == JSON_T_NULL) {
        decode_null(c, path, target, index);
        return;
    }
    target->given[index] = true;
    if (target->unset && empties && node->count == 0 &&
        (node->type == JSON_T_ARRAY || node->type == JSON_T_OBJECT))
        target->unset[target->n_unset++] = rule->name;
    if (rule->flags & RULE_MAP) {
        decode_map(c, path, field, rule, node, target->message);
    } else if (field_repeated(field)) {
        decode_array(c, path, field, rule, node, target->message);
    } else if (decode_value(c, path, field, rule, node, field_slot(target->message, field))) {
        field_choose(target->message, field);
    }
}

static void decode_object(struct codec *c, const struct path *path, const struct json_node *node,
                          struct target *target)
{
    const ProtobufCMessageDescriptor *descriptor = target->rule->descriptor;
    const struct json_node *key = json_first(node);

    for (uint32_t i = 0; i < node->count && !codec_full(c); i++) {
        const struct json_node *value = json_next(key);
        const char *name = c->json->text + key->start, *text = NULL;
        size_t len = key->len;
        int index;

        if (key->escaped) {
            name = text = json_text(c->arena, c->json, key);
            len = strlen(name);
        }
        index = field_find(descriptor, name, len);
        if (index < 0 || target->rule->fields[index].flags & RULE_INTERNAL ||
            descriptor->fields[index].type == PROTOBUF_C_TYPE_BYTES) {
            bad_key(c, path, target->rule, text ? text : json_text(c->arena, c->json, key));
        } else {
            struct path inner = {.up = path, .name = descriptor->fields[index].name};

            decode_field(c, &inner, target, (unsigned)index, value);
        }
        key = json_next(value);
    }
    check_absent(c, path, target->rule, target->given, target->message);
    if (target->n_unset) {
        const ProtobufCFieldDescriptor *unset = &descriptor->fields[target->rule->unset_field];

        slot_set_pointer(field_slot(target->message, unset), target->unset);
        *field_count(target->message, unset) = target->n_unset;
    }
}

enum status wire_from_json(struct arena *arena, const struct message_rule *rule,
                           const struct json *json, const struct json_node *object,
                           ProtobufCMessage **ret_message, struct error *err)
{
    static const struct json_node empty = {.type = JSON_T_OBJECT, .span = 1};
    struct codec c = {.arena = arena, .err = err ? err : arena_alloc(arena, sizeof *err)};
    struct target target;

    c.json = json;
    error_clear(c.err);
    if (object && object->type != JSON_T_OBJECT)
        return error_set(c.err, ST_INVALID_ARGUMENT, "The arguments must be an object.");
    target = target_of(&c, rule, message_new(arena, rule->descriptor));
    decode_object(&c, NULL, object ? object : &empty, &target);
    *ret_message = c.err->n_fields ? NULL : target.message;
    return codec_end(&c);
}
