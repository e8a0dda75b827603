/* SPDX-License-Identifier: Apache-2.0 */
/* Updates of any entity, field by field, and lists of names. */
#include "wire/update.h"

#include "wire/internal.h"

static const ProtobufCFieldDescriptor *find(const ProtobufCMessage *message, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
}

static bool is_optional(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* Of an object given as {}, which the codec leaves out, that. */
static const char *text_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *text = slot_string(field_slot(message, field));
    const struct message_rule *rule = wire_rule(message->descriptor);
    unsigned i = (unsigned)(field - message->descriptor->fields);

    return !*text && rule && rule->fields[i].flags & RULE_JSON ? "{}" : text;
}

static bool has_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field_repeated(field))
        return *field_count(message, field) > 0;
    if (is_optional(field))
        return field_chosen(message, field);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return *slot_string(field_slot(message, field)) != '\0';
    return *(const int32_t *)field_slot(message, field) != 0;
}

void names_add(struct call *call, struct names *names, const char *name)
{
    /* Grown by doubling at powers of two. */
    if ((names->n & (names->n - 1)) == 0) {
        const char **grown =
            arena_alloc(call->arena, (names->n ? names->n * 2 : 1) * sizeof(*grown));

        if (names->n)
            memcpy(grown, names->items, names->n * sizeof(*grown));
        names->items = grown;
    }
    names->items[names->n++] = name;
}

bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

void names_add_once(struct call *call, struct names *names, const char *name)
{
    if (!names_have(names, name))
        names_add(call, names, name);
}

void names_remove(struct names *names, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i], name) != 0)
            names->items[kept++] = names->items[i];
    names->n = kept;
}

bool update_names(const ProtobufCMessage *update, const char *name)
{
    const ProtobufCFieldDescriptor *field = find(update, name);

    return (field && has_value(update, field)) || wire_is_unset(update, name);
}

/* Fields that say which entity, and lists of fields, change nothing. */
static bool is_addressing(const char *name)
{
    return strcmp(name, "id") == 0 || strcmp(name, "ids") == 0 || strcmp(name, "unset") == 0;
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
    size_t n = *field_count(a, field);
    void *const *items_a = *(void *const **)field_slot(a, field);
    void *const *items_b = *(void *const **)field_slot(b, field_b);

    if (n != *field_count(b, field_b))
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

/* Nothing is as good as an empty text, but no number. */
static bool same_scalar(const ProtobufCMessage *a, const ProtobufCFieldDescriptor *field,
                        const ProtobufCMessage *b, const ProtobufCFieldDescriptor *field_b)
{
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return strcmp(text_of(a, field), text_of(b, field_b)) == 0;
    if (is_optional(field) && is_optional(field_b) &&
        field_chosen(a, field) != field_chosen(b, field_b))
        return false;
    return *(const int32_t *)field_slot(a, field) == *(const int32_t *)field_slot(b, field_b);
}

/* Enums, int32 and booleans have four bytes, strings a pointer. */
static void take_over(ProtobufCMessage *entity, const ProtobufCFieldDescriptor *to,
                      const ProtobufCMessage *update, const ProtobufCFieldDescriptor *from)
{
    if (field_repeated(to)) {
        *field_count(entity, to) = *field_count(update, from);
        slot_set_pointer(field_slot(entity, to), *(void **)field_slot(update, from));
        return;
    }
    if (to->type == PROTOBUF_C_TYPE_STRING)
        slot_set_pointer(field_slot(entity, to), text_of(update, from));
    else
        *(int32_t *)field_slot(entity, to) = *(const int32_t *)field_slot(update, from);
    if (is_optional(to))
        *(uint32_t *)(void *)((char *)entity + to->quantifier_offset) =
            has_value(update, from) ? to->id : 0;
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
        if (field_repeated(from))
            same = same_list(call, from, map, update, entity, to);
        else
            same = same_scalar(update, from, entity, to);
        if (same)
            continue;
        take_over(entity, to, update, from);
        names_add(call, ret_changed, from->name);
    }
}
