/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of protobuf-c messages, reached by descriptor. */
#include "wire/internal.h"

static size_t field_elem_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(int64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default: /* 32 bits, enums and float too */
        return sizeof(int32_t);
    }
}

void *field_elem(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t i)
{
    return *(char **)field_slot(message, field) + i * field_elem_size(field);
}

bool field_integer(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return true;
    default:
        return false;
    }
}

void field_choose(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)((char *)message + field->quantifier_offset) = field->id;
}

int64_t slot_int(const ProtobufCFieldDescriptor *field, const void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return *(const uint32_t *)slot;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return *(const int64_t *)slot;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        /* Ours never get there; an alien one shows as the greatest we know. */
        return *(const uint64_t *)slot > INT64_MAX ? INT64_MAX : (int64_t) * (const uint64_t *)slot;
    default:
        return *(const int32_t *)slot;
    }
}

bool slot_set_int(const ProtobufCFieldDescriptor *field, void *slot, int64_t value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (value < 0 || value > UINT32_MAX)
            return false;
        *(uint32_t *)slot = (uint32_t)value;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        *(int64_t *)slot = value;
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        if (value < 0)
            return false;
        *(uint64_t *)slot = (uint64_t)value;
        return true;
    default:
        if (value < INT32_MIN || value > INT32_MAX)
            return false;
        *(int32_t *)slot = (int32_t)value;
        return true;
    }
}

double slot_double(const ProtobufCFieldDescriptor *field, const void *slot)
{
    return field->type == PROTOBUF_C_TYPE_FLOAT ? (double)*(const float *)slot
                                                : *(const double *)slot;
}

void slot_set_double(const ProtobufCFieldDescriptor *field, void *slot, double value)
{
    if (field->type == PROTOBUF_C_TYPE_FLOAT)
        *(float *)slot = (float)value;
    else
        *(double *)slot = value;
}

void slot_set_pointer(void *slot, const void *pointer)
{
    *(const void **)slot = pointer;
}

const ProtobufCFieldDescriptor *map_key(const ProtobufCFieldDescriptor *map)
{
    return protobuf_c_message_descriptor_get_field_by_name(map->descriptor, "key");
}

const ProtobufCFieldDescriptor *map_value(const ProtobufCFieldDescriptor *map)
{
    return protobuf_c_message_descriptor_get_field_by_name(map->descriptor, "value");
}

void *field_make_array(struct codec *c, ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field, size_t n)
{
    void *array = n ? arena_alloc(c->arena, n * field_elem_size(field)) : NULL;

    slot_set_pointer(field_slot(message, field), array);
    *field_count(message, field) = n;
    return array;
}

ProtobufCMessage *message_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, message);
    return message;
}

int field_find(const ProtobufCMessageDescriptor *descriptor, const char *name, size_t len)
{
    unsigned low = 0, high = descriptor->n_fields;

    while (low < high) {
        unsigned middle = (low + high) / 2, index = descriptor->fields_sorted_by_name[middle];
        const char *other = descriptor->fields[index].name;
        int order = strncmp(other, name, len);

        if (order == 0 && other[len] != '\0')
            order = 1;
        if (order == 0)
            return (int)index;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

bool enum_parse(const struct enum_rule *rule, const char *name, int *ret_value)
{
    for (unsigned i = 0; i < rule->descriptor->n_values; i++) {
        if (rule->names[i] && strcmp(rule->names[i], name) == 0) {
            *ret_value = rule->descriptor->values[i].value;
            return true;
        }
    }
    return false;
}
