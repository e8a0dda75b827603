/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a row into its field. */
#include "pg/internal.h"

#include "wire/codec.h"

#include <errno.h>

static enum status integer(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;

    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    return errno || end == text || *end || *ret_value < min || *ret_value > max ? ST_INTERNAL
                                                                                : ST_OK;
}

static enum status number(const char *text, double *ret_value)
{
    char *end;

    *ret_value = strtod(text, &end);
    return end == text || *end ? ST_INTERNAL : ST_OK;
}

static enum status enumeration(const struct enum_rule *rule, const char *text, int *ret_value)
{
    for (unsigned i = 0; i < rule->descriptor->n_values; i++) {
        if (rule->names[i] && strcmp(rule->names[i], text) == 0) {
            *ret_value = rule->descriptor->values[i].value;
            return ST_OK;
        }
    }
    return ST_INTERNAL;
}

static size_t element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static enum status set_integer(ProtobufCType type, void *slot, const char *text)
{
    bool is_wide = element_size(type) == 8;
    bool is_unsigned = type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_FIXED32 ||
                       type == PROTOBUF_C_TYPE_UINT64 || type == PROTOBUF_C_TYPE_FIXED64;
    int64_t value;

    if (is_wide)
        TRY(integer(text, is_unsigned ? 0 : INT64_MIN, INT64_MAX, &value));
    else if (is_unsigned)
        TRY(integer(text, 0, UINT32_MAX, &value));
    else
        TRY(integer(text, INT32_MIN, INT32_MAX, &value));
    if (is_wide)
        *(int64_t *)slot = value;
    else
        *(uint32_t *)slot = (uint32_t)value;
    return ST_OK;
}

static enum status set_bytes(struct arena *arena, void *slot, const char *text)
{
    ProtobufCBinaryData bytes;

    bytes.data = bytes_parse(arena, text, &bytes.len);
    if (!bytes.data)
        return ST_INTERNAL;
    *(ProtobufCBinaryData *)slot = bytes;
    return ST_OK;
}

static enum status set_number(ProtobufCType type, void *slot, const char *text)
{
    double value;

    TRY(number(text, &value));
    if (type == PROTOBUF_C_TYPE_DOUBLE)
        *(double *)slot = value;
    else
        *(float *)slot = (float)value;
    return ST_OK;
}

static enum status set_bool(void *slot, const char *text)
{
    bool value = strcmp(text, "t") == 0 || strcmp(text, "true") == 0;

    if (!value && strcmp(text, "f") != 0 && strcmp(text, "false") != 0)
        return ST_INTERNAL;
    *(protobuf_c_boolean *)slot = value;
    return ST_OK;
}

/* Text is borrowed. */
static enum status set_scalar(struct arena *arena, const struct column *column, void *slot,
                              const char *text)
{
    ProtobufCType type = column->field->type;
    const char *time;

    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
        time = column->timestamp ? timestamp_parse(arena, text) : NULL;
        *(const char **)slot = time ? time : text;
        return ST_OK;
    case PROTOBUF_C_TYPE_BYTES:
        return set_bytes(arena, slot, text);
    case PROTOBUF_C_TYPE_BOOL:
        return set_bool(slot, text);
    case PROTOBUF_C_TYPE_ENUM:
        return column->rule ? enumeration(column->rule->enumeration, text, slot) : ST_INTERNAL;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return set_number(type, slot, text);
    case PROTOBUF_C_TYPE_MESSAGE:
        return ST_INTERNAL;
    default:
        return set_integer(type, slot, text);
    }
}

/* Makes a list of n zeroed elements in the field. */
static char *make_list(struct arena *arena, const struct column *column, ProtobufCMessage *message,
                       size_t n)
{
    char *base = (char *)message;
    char *memory = arena_alloc(arena, n * element_size(column->field->type));

    *(size_t *)(void *)(base + column->field->quantifier_offset) = n;
    *(void **)(void *)(base + column->field->offset) = memory;
    return memory;
}

static enum status scan_array(struct call *call, const struct column *column, const char *text,
                              ProtobufCMessage *message)
{
    size_t step = element_size(column->field->type), n;
    char **items, *memory;

    if (!array_parse(call->arena, text, &n, &items))
        return ST_INTERNAL;
    memory = make_list(call->arena, column, message, n);
    for (size_t i = 0; i < n; i++) {
        if (!items[i])
            return ST_INTERNAL;
        TRY(set_scalar(call->arena, column, memory + i * step, items[i]));
    }
    return ST_OK;
}

/* Text of a string, or the number or boolean as written. */
static const char *node_text(struct arena *arena, const struct json *json,
                             const struct json_node *node)
{
    size_t len;
    const char *raw;

    if (node->type == JSON_T_STRING)
        return json_text(arena, json, node);
    raw = json_raw(json, node, &len);
    return arena_memdup(arena, raw, len);
}

static enum status scan_json_array(struct call *call, const struct column *column,
                                   const struct json *json, ProtobufCMessage *message)
{
    const struct json_node *node = json->nodes;
    size_t step = element_size(column->field->type), n = node->count;
    char *memory;

    if (node->type != JSON_T_ARRAY)
        return ST_INTERNAL;
    memory = make_list(call->arena, column, message, n);
    node = json_first(node);
    for (size_t i = 0; i < n; i++, node = json_next(node)) {
        if (node->type == JSON_T_NULL || node->type >= JSON_T_ARRAY)
            return ST_INTERNAL;
        TRY(set_scalar(call->arena, column, memory + i * step, node_text(call->arena, json, node)));
    }
    return ST_OK;
}

static enum status scan_map(struct call *call, const struct column *column, const struct json *json,
                            ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *entry = column->field->descriptor;
    const ProtobufCFieldDescriptor *key =
        protobuf_c_message_descriptor_get_field_by_name(entry, "key");
    struct column value = {.field =
                               protobuf_c_message_descriptor_get_field_by_name(entry, "value")};
    const struct json_node *node = json->nodes;
    size_t n = node->count;
    ProtobufCMessage **entries;

    if (node->type != JSON_T_OBJECT || !key || !value.field)
        return ST_INTERNAL;
    entries = (ProtobufCMessage **)(void *)make_list(call->arena, column, message, n);
    node = json_first(node);
    for (size_t i = 0; i < n; i++) {
        char *memory = arena_alloc(call->arena, entry->sizeof_message);

        protobuf_c_message_init(entry, memory);
        entries[i] = (ProtobufCMessage *)(void *)memory;
        *(const char **)(void *)(memory + key->offset) = json_text(call->arena, json, node);
        node = json_next(node);
        if (node->type == JSON_T_NULL)
            return ST_INTERNAL;
        TRY(set_scalar(call->arena, &value, memory + value.field->offset,
                       node_text(call->arena, json, node)));
        node = json_next(node);
    }
    return ST_OK;
}

static enum status scan_message(struct call *call, const struct column *column,
                                const struct json *json, const struct json_node *node,
                                ProtobufCMessage **ret_message)
{
    struct error err = {0};

    if (node->type != JSON_T_OBJECT)
        return ST_INTERNAL;
    return wire_from_json(call->arena, column->rule->message, json, node, ret_message, &err);
}

static enum status scan_messages(struct call *call, const struct column *column,
                                 const struct json *json, ProtobufCMessage *message)
{
    const struct json_node *node = json->nodes;
    size_t n = node->count;
    ProtobufCMessage **items;

    if (node->type != JSON_T_ARRAY)
        return ST_INTERNAL;
    items = (ProtobufCMessage **)(void *)make_list(call->arena, column, message, n);
    node = json_first(node);
    for (size_t i = 0; i < n; i++, node = json_next(node))
        TRY(scan_message(call, column, json, node, &items[i]));
    return ST_OK;
}

static enum status scan_json(struct call *call, const struct column *column, const char *text,
                             ProtobufCMessage *message)
{
    struct error err = {0};
    struct json json;

    TRY(json_parse(call->arena, text, strlen(text), NULL, &json, &err));
    switch (column->kind) {
    case COLUMN_MAP:
        return scan_map(call, column, &json, message);
    case COLUMN_MESSAGE:
        return scan_message(call, column, &json, json.nodes,
                            (void *)((char *)message + column->field->offset));
    case COLUMN_MESSAGES:
        return scan_messages(call, column, &json, message);
    default:
        return scan_json_array(call, column, &json, message);
    }
}

enum status scan_value(struct call *call, const struct column *column, const char *text,
                       ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = column->field;
    char *base = (char *)message;

    if (column->kind == COLUMN_ARRAY)
        return scan_array(call, column, text, message);
    if (column->kind != COLUMN_SCALAR)
        return scan_json(call, column, text, message);
    TRY(set_scalar(call->arena, column, base + field->offset, text));
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)(void *)(base + field->quantifier_offset) = field->id;
    return ST_OK;
}
