/* SPDX-License-Identifier: Apache-2.0 */
/* Message -> JSON, written straight from the struct. */
#include "wire/internal.h"

/* JSON text of a field. It was valid when it was stored, but what leaves the hub
 * must be JSON whatever a column holds. */
static void put_json(struct strbuf *buf, const char *text)
{
    CLEANUP(arena_done) struct arena arena = {0};
    size_t len = strlen(text);
    struct json json;

    if (strcmp(text, "{}") == 0) {
        strbuf_str(buf, text);
        return;
    }
    if (json_parse(&arena, text, len, NULL, &json, NULL) == ST_OK)
        json_put_compact(buf, text, len);
    else
        strbuf_str(buf, "{}");
}

static void put_value(struct strbuf *buf, const ProtobufCFieldDescriptor *field,
                      const struct field_rule *rule, const void *slot)
{
    const char *name;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (rule->flags & RULE_JSON)
            put_json(buf, slot_string(slot));
        else
            json_put_string(buf, slot_string(slot));
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        wire_to_json(buf, rule->message, slot_message(slot));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        strbuf_str(buf, *(const protobuf_c_boolean *)slot ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        name = rule->enumeration ? wire_enum_name(rule->enumeration, *(const int32_t *)slot) : NULL;
        json_put_string(buf, name ? name : "");
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        json_put_double(buf, slot_double(field, slot));
        break;
    default:
        strbuf_printf(buf, "%lld", (long long)slot_int(field, slot));
    }
}

void encode_map(struct strbuf *buf, const ProtobufCFieldDescriptor *field,
                const struct field_rule *rule, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *key = map_key(field), *value = map_value(field);

    strbuf_char(buf, '{');
    for (size_t i = 0; i < *field_count(message, field); i++) {
        const ProtobufCMessage *entry = slot_message(field_elem(message, field, i));

        if (i)
            strbuf_char(buf, ',');
        json_put_string(buf, slot_string(field_slot(entry, key)));
        strbuf_char(buf, ':');
        put_value(buf, value, rule, field_slot(entry, value));
    }
    strbuf_char(buf, '}');
}

static void put_array(struct strbuf *buf, const ProtobufCFieldDescriptor *field,
                      const struct field_rule *rule, const ProtobufCMessage *message)
{
    strbuf_char(buf, '[');
    for (size_t i = 0; i < *field_count(message, field); i++) {
        if (i)
            strbuf_char(buf, ',');
        put_value(buf, field, rule, field_elem(message, field, i));
    }
    strbuf_char(buf, ']');
}

/* Fields without value are left out; lists, booleans and numbers always have
 * one, and so do strings that are required. */
static bool has_value(const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                      const ProtobufCMessage *message)
{
    const void *slot = field_slot(message, field);

    if (field_repeated(field))
        return true;
    if (!field_chosen(message, field))
        return false;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (rule->flags & RULE_JSON)
            return slot_string(slot)[0] || (rule->flags & RULE_REQUIRED);
        return slot_string(slot)[0] || rule->flags & (RULE_REQUIRED | RULE_PRESENCE);
    case PROTOBUF_C_TYPE_MESSAGE:
        return slot_message(slot) != NULL && rule->message;
    case PROTOBUF_C_TYPE_ENUM:
        return rule->enumeration && wire_enum_name(rule->enumeration, *(const int32_t *)slot);
    case PROTOBUF_C_TYPE_BYTES:
        return false; /* has no spelling; replies have none */
    default:
        return true;
    }
}

void wire_to_json(struct strbuf *buf, const struct message_rule *rule,
                  const ProtobufCMessage *message)
{
    bool first = true;

    strbuf_char(buf, '{');
    for (unsigned i = 0; i < rule->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &rule->descriptor->fields[i];
        const struct field_rule *field_rule = &rule->fields[i];

        if (field_rule->flags & RULE_INTERNAL || !has_value(field, field_rule, message))
            continue;
        strbuf_str(buf, first ? "\"" : ",\"");
        strbuf_str(buf, field->name);
        strbuf_str(buf, "\":");
        first = false;
        if (field_rule->flags & RULE_MAP)
            encode_map(buf, field, field_rule, message);
        else if (field_repeated(field))
            put_array(buf, field, field_rule, message);
        else
            put_value(buf, field, field_rule, field_slot(message, field));
    }
    strbuf_char(buf, '}');
}
