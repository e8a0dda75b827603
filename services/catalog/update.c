/* SPDX-License-Identifier: Apache-2.0 */
/* Updates of any entity: what the request names is compared with the stored
 * entity and taken over field by field. */
#include "catalog.h"

static const ProtobufCFieldDescriptor *find(const ProtobufCMessage *message, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
}

static void *slot(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)message + field->offset;
}

static uint32_t *quantifier(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (uint32_t *)(void *)((char *)message + field->quantifier_offset);
}

static size_t *length(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (size_t *)(void *)((char *)message + field->quantifier_offset);
}

static const char *text_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *text = *(const char **)slot(message, field);

    return text ? text : "";
}

static bool has_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *length(message, field) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *quantifier(message, field) == field->id;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return *text_of(message, field) != '\0';
    return *(const int32_t *)slot(message, field) != 0;
}

bool update_names(const ProtobufCMessage *update, const char *name)
{
    const ProtobufCFieldDescriptor *field = find(update, name);

    return (field && has_value(update, field)) || wire_is_unset(update, name);
}

/* Fields that say which entity, and lists of fields, change nothing. */
static bool is_addressing(const char *name)
{
    return strcmp(name, "id") == 0 || strcmp(name, "unset") == 0;
}

enum status update_check(struct call *call, const ProtobufCMessage *update)
{
    const ProtobufCMessageDescriptor *descriptor = update->descriptor;

    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (!is_addressing(descriptor->fields[i].name) &&
            update_names(update, descriptor->fields[i].name))
            return ST_OK;
    call_hint(call, "give the id and at least one field to change.");
    return call_fail(call, ST_INVALID_ARGUMENT, "The update names no field to change.");
}

static bool same_message(struct call *call, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t len_a, len_b;
    const void *packed_a = wire_pack(call->arena, a, &len_a);
    const void *packed_b = wire_pack(call->arena, b, &len_b);

    return len_a == len_b && memcmp(packed_a, packed_b, len_a) == 0;
}

static bool same_element(struct call *call, const ProtobufCFieldDescriptor *field, const void *a,
                         const void *b)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return same_message(call, a, b);
    return strcmp(a, b) == 0;
}

/* Lists of strings or messages. The entries of a map have no order. */
static bool same_list(struct call *call, const ProtobufCFieldDescriptor *field, bool map,
                      const ProtobufCMessage *a, const ProtobufCMessage *b,
                      const ProtobufCFieldDescriptor *field_b)
{
    size_t n = *length(a, field);
    void *const *items_a = *(void *const **)slot(a, field);
    void *const *items_b = *(void *const **)slot(b, field_b);

    if (n != *length(b, field_b))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found = same_element(call, field, items_a[i], items_b[i]);

        for (size_t k = 0; map && !found && k < n; k++)
            found = same_element(call, field, items_a[i], items_b[k]);
        if (!found)
            return false;
    }
    return true;
}

static bool same_scalar(const ProtobufCMessage *a, const ProtobufCFieldDescriptor *field,
                        const ProtobufCMessage *b, const ProtobufCFieldDescriptor *field_b)
{
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return strcmp(text_of(a, field), text_of(b, field_b)) == 0;
    return *(const int32_t *)slot(a, field) == *(const int32_t *)slot(b, field_b);
}

/* Enums, int32 and booleans have four bytes, strings a pointer. */
static void take_over(ProtobufCMessage *entity, const ProtobufCFieldDescriptor *to,
                      const ProtobufCMessage *update, const ProtobufCFieldDescriptor *from)
{
    if (to->label == PROTOBUF_C_LABEL_REPEATED) {
        *length(entity, to) = *length(update, from);
        *(void **)slot(entity, to) = *(void **)slot(update, from);
    } else if (to->type == PROTOBUF_C_TYPE_STRING) {
        *(const char **)slot(entity, to) = text_of(update, from);
    } else {
        *(int32_t *)slot(entity, to) = *(const int32_t *)slot(update, from);
    }
}

void update_merge(struct call *call, ProtobufCMessage *entity, const ProtobufCMessage *update,
                  struct names *ret_changed)
{
    const struct message_rule *rule = wire_rule(update->descriptor);

    for (unsigned i = 0; i < update->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *from = &update->descriptor->fields[i];
        const ProtobufCFieldDescriptor *to = find(entity, from->name);
        bool map = (rule->fields[i].flags & RULE_MAP) != 0;
        bool same;

        if (!to || is_addressing(from->name) || !update_names(update, from->name))
            continue;
        if (from->label == PROTOBUF_C_LABEL_REPEATED)
            same = same_list(call, from, map, update, entity, to);
        else
            same = same_scalar(update, from, entity, to);
        if (same)
            continue;
        take_over(entity, to, update, from);
        names_add(call, ret_changed, from->name);
    }
}
