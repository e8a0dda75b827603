/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of any message by name, for code that knows no message types. */
#include "wire/internal.h"

const ProtobufCFieldDescriptor *field_named(const ProtobufCMessage *message, const char *name)
{
    int index = message ? field_find(message->descriptor, name, strlen(name)) : -1;

    return index < 0 ? NULL : &message->descriptor->fields[index];
}

/* The field when it is single, of that type and there. */
static const ProtobufCFieldDescriptor *single(const ProtobufCMessage *message, const char *name,
                                              ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field = field_named(message, name);

    return field && field->type == type && !field_repeated(field) && field_chosen(message, field)
               ? field
               : NULL;
}

const char *wire_get_string(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCFieldDescriptor *found = single(message, field, PROTOBUF_C_TYPE_STRING);

    return found ? slot_string(field_slot(message, found)) : "";
}

bool wire_get_bool(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCFieldDescriptor *found = single(message, field, PROTOBUF_C_TYPE_BOOL);

    return found && *(const protobuf_c_boolean *)field_slot(message, found);
}

int64_t wire_get_int(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCFieldDescriptor *found = field_named(message, field);

    if (!found || field_repeated(found) || !field_chosen(message, found) ||
        (!field_integer(found) && found->type != PROTOBUF_C_TYPE_ENUM))
        return 0;
    return slot_int(found, field_slot(message, found));
}

const ProtobufCMessage *wire_get_message(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCFieldDescriptor *found = single(message, field, PROTOBUF_C_TYPE_MESSAGE);

    return found ? slot_message(field_slot(message, found)) : NULL;
}

bool wire_set_bool(ProtobufCMessage *message, const char *field, bool value)
{
    const ProtobufCFieldDescriptor *found = field_named(message, field);

    if (!found || field_repeated(found) || found->type != PROTOBUF_C_TYPE_BOOL)
        return false;
    *(protobuf_c_boolean *)field_slot(message, found) = value;
    field_choose(message, found);
    return true;
}

bool wire_is_unset(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCFieldDescriptor *found = field_named(message, "unset");

    if (!found || !field_repeated(found) || found->type != PROTOBUF_C_TYPE_STRING)
        return false;
    for (size_t i = 0; i < *field_count(message, found); i++)
        if (strcmp(slot_string(field_elem(message, found, i)), field) == 0)
            return true;
    return false;
}

const char *wire_enum_name(const struct enum_rule *rule, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(rule->descriptor, value);

    return known ? rule->names[known - rule->descriptor->values] : NULL;
}
