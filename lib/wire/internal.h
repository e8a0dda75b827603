/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of lib/wire only. */
#pragma once

#include "wire/codec.h"

/* A key of the object that stands there twice, NULL when there is none; not
 * quadratic. */
const struct json_node *json_twice(struct arena *arena, const char *text,
                                   const struct json_node *object);

/* One run of the codec. err is never NULL. */
struct codec {
    struct arena *arena;
    struct error *err;
    const struct json *json; /* NULL where there is no JSON */
};

/* Where a value stands, from the inside out; name NULL = element index. */
struct path {
    const struct path *up;
    const char *name;
    size_t index;
};

/* Records a violation. */
void codec_bad(struct codec *c, const struct path *path, const char *fmt, ...) PRINTF(3, 4);
/* So many violations that looking for more helps nobody. */
bool codec_full(const struct codec *c);
/* The result: ST_OK, or INVALID_ARGUMENT when something was recorded. */
enum status codec_end(struct codec *c);

/* Memory of a protobuf-c message by descriptor; field.c has what is not inline. */
static inline void *field_slot(const ProtobufCMessage *message,
                               const ProtobufCFieldDescriptor *field)
{
    return (char *)message + field->offset;
}

static inline size_t *field_count(const ProtobufCMessage *message,
                                  const ProtobufCFieldDescriptor *field)
{
    return (size_t *)((char *)message + field->quantifier_offset);
}

static inline bool field_repeated(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED;
}

/* The member of a one-member oneof is there; true for other fields. */
static inline bool field_chosen(const ProtobufCMessage *message,
                                const ProtobufCFieldDescriptor *field)
{
    return !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
           *(const uint32_t *)((const char *)message + field->quantifier_offset) == field->id;
}

static inline const char *slot_string(const void *slot)
{
    const char *text = *(const char *const *)slot;

    return text ? text : "";
}

static inline const ProtobufCMessage *slot_message(const void *slot)
{
    return *(const ProtobufCMessage *const *)slot;
}

/* The field of that name, NULL when there is none. */
const ProtobufCFieldDescriptor *field_named(const ProtobufCMessage *message, const char *name);
/* Element i of a repeated field. */
void *field_elem(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t i);
bool field_integer(const ProtobufCFieldDescriptor *field);
void field_choose(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
int64_t slot_int(const ProtobufCFieldDescriptor *field, const void *slot);
/* False when the type cannot hold it. */
bool slot_set_int(const ProtobufCFieldDescriptor *field, void *slot, int64_t value);
double slot_double(const ProtobufCFieldDescriptor *field, const void *slot);
void slot_set_double(const ProtobufCFieldDescriptor *field, void *slot, double value);
void slot_set_pointer(void *slot, const void *pointer);
/* The key and value fields of a map's entries. */
const ProtobufCFieldDescriptor *map_key(const ProtobufCFieldDescriptor *map);
const ProtobufCFieldDescriptor *map_value(const ProtobufCFieldDescriptor *map);
/* Array of n zeroed elements, set into the message. */
void *field_make_array(struct codec *c, ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field, size_t n);
ProtobufCMessage *message_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor);
/* Index of the field in its message, -1 when there is none. */
int field_find(const ProtobufCMessageDescriptor *descriptor, const char *name, size_t len);
/* Value by its JSON spelling. */
bool enum_parse(const struct enum_rule *rule, const char *name, int *ret_value);

/* check.c: the rules. Strings are normalised in place. */
void check_value(struct codec *c, const struct path *path, const ProtobufCFieldDescriptor *field,
                 const struct field_rule *rule, void *slot);
void check_enum_name(struct codec *c, const struct path *path, const struct enum_rule *rule);
/* False when the elements should not be looked at. */
bool check_count(struct codec *c, const struct path *path, const struct field_rule *rule, size_t n);
/* What concerns the elements together: doubled tags are removed, doubled values
 * and keys refused. */
void check_list(struct codec *c, const struct path *path, const ProtobufCFieldDescriptor *field,
                const struct field_rule *rule, ProtobufCMessage *message);
void check_entry(struct codec *c, const struct path *path, const ProtobufCFieldDescriptor *field,
                 const struct field_rule *rule, ProtobufCMessage *entry);
/* Required fields and defaults of those that are not marked in given. */
void check_absent(struct codec *c, const struct path *path, const struct message_rule *rule,
                  const bool *given, ProtobufCMessage *message);

/* normal.c */
const char *text_trim(struct arena *arena, const char *text);
const char *text_lower(struct arena *arena, const char *text);
bool text_has_control(const char *text);

/* format.c */
bool format_valid(enum rule_format format, const char *text);
const char *format_words(enum rule_format format);
bool pattern_matches(const char *pattern, const char *text);

/* value.c: JSON text in fields. */
void check_json_text(struct codec *c, const struct path *path, const struct field_rule *rule,
                     const char *text);
void decode_json(struct codec *c, const struct path *path, const struct field_rule *rule,
                 const struct json *json, const struct json_node *node, void *slot);

/* encode.c: a map as a JSON object. */
void encode_map(struct strbuf *buf, const ProtobufCFieldDescriptor *field,
                const struct field_rule *rule, const ProtobufCMessage *message);

/* suggest.c: an unknown key. */
void bad_key(struct codec *c, const struct path *up, const struct message_rule *rule,
             const char *key);
