/* SPDX-License-Identifier: Apache-2.0 */
/* A message with every kind of field, written by hand so that the tests of
 * lib/pg need no service's protos. Fields are in the order of their names. */
#pragma once

#include "wire/rule.h"

#include <stddef.h>

struct part {
    ProtobufCMessage base;
    const char *name;
    int32_t size;
};

struct entry {
    ProtobufCMessage base;
    const char *key, *value;
};

struct sample {
    ProtobufCMessage base;
    int64_t big;
    ProtobufCBinaryData blob;
    int32_t count;
    const char *created_at;
    const char *extra;
    protobuf_c_boolean flag;
    const char *id;
    int kind;
    size_t n_kinds;
    int *kinds;
    size_t n_labels;
    struct entry **labels;
    uint32_t has_note_case;
    const char *note;
    size_t n_numbers;
    int32_t *numbers;
    struct part *one;
    size_t n_parts;
    struct part **parts;
    uint32_t has_points_case;
    int32_t points;
    double ratio;
    size_t n_tags;
    const char **tags;
    uint32_t wide;
};

struct samples {
    ProtobufCMessage base;
    size_t n_items;
    struct sample **items;
};

#define FIELD(number, type_, label_, struct_, member, quantifier, descriptor_, flags_)             \
    {                                                                                              \
        .name = #member, .id = (number), .label = PROTOBUF_C_LABEL_##label_,                       \
        .type = PROTOBUF_C_TYPE_##type_, .quantifier_offset = (quantifier),                        \
        .offset = offsetof(struct struct_, member), .descriptor = (descriptor_), .flags = (flags_) \
    }
#define DESCRIPTOR(name_, type_, fields_, by_name, ranges, init)                                   \
    {                                                                                              \
        .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, .name = (name_), .short_name = (name_),     \
        .c_name = (name_), .package_name = "test", .sizeof_message = sizeof(type_),                \
        .n_fields = sizeof(fields_) / sizeof((fields_)[0]), .fields = (fields_),                   \
        .fields_sorted_by_name = (by_name), .n_field_ranges = 1, .field_ranges = (ranges),         \
        .message_init = (init)                                                                     \
    }

static const unsigned in_order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};

static const ProtobufCEnumValue kind_values[] = {{"KIND_UNSPECIFIED", "KIND_UNSPECIFIED", 0},
                                                 {"KIND_BIG", "KIND_BIG", 1},
                                                 {"KIND_VERY_SMALL", "KIND_VERY_SMALL", 7}};
static const ProtobufCIntRange kind_ranges[] = {{0, 0}, {7, 2}, {0, 3}};
static const ProtobufCEnumDescriptor kind_descriptor = {
    .magic = PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC,
    .name = "test.Kind",
    .n_values = 3,
    .values = kind_values,
    .n_value_ranges = 2,
    .value_ranges = kind_ranges,
};
static const char *const kind_names[] = {NULL, "big", "very_small"};
static const struct enum_rule kind_rule = {&kind_descriptor, kind_names};

static const ProtobufCMessageDescriptor part_descriptor, entry_descriptor, sample_descriptor,
    samples_descriptor;

static void part_init(ProtobufCMessage *message)
{
    *(struct part *)(void *)message =
        (struct part){.base = PROTOBUF_C_MESSAGE_INIT(&part_descriptor), .name = ""};
}

static void entry_init(ProtobufCMessage *message)
{
    *(struct entry *)(void *)message =
        (struct entry){.base = PROTOBUF_C_MESSAGE_INIT(&entry_descriptor), .key = "", .value = ""};
}

static void sample_init(ProtobufCMessage *message)
{
    *(struct sample *)(void *)message =
        (struct sample){.base = PROTOBUF_C_MESSAGE_INIT(&sample_descriptor),
                        .id = "",
                        .created_at = "",
                        .extra = ""};
}

static void samples_init(ProtobufCMessage *message)
{
    *(struct samples *)(void *)message =
        (struct samples){.base = PROTOBUF_C_MESSAGE_INIT(&samples_descriptor)};
}

static const ProtobufCFieldDescriptor part_fields[] = {
    FIELD(1, STRING, NONE, part, name, 0, NULL, 0),
    FIELD(2, INT32, NONE, part, size, 0, NULL, 0),
};
static const ProtobufCIntRange part_ranges[] = {{1, 0}, {0, 2}};
static const ProtobufCMessageDescriptor part_descriptor =
    DESCRIPTOR("test.Part", struct part, part_fields, in_order, part_ranges, part_init);

static const ProtobufCFieldDescriptor entry_fields[] = {
    FIELD(1, STRING, NONE, entry, key, 0, NULL, 0),
    FIELD(2, STRING, NONE, entry, value, 0, NULL, 0),
};
static const ProtobufCMessageDescriptor entry_descriptor =
    DESCRIPTOR("test.Entry", struct entry, entry_fields, in_order, part_ranges, entry_init);

#define COUNT(member) offsetof(struct sample, n_##member)
#define CASE(member) offsetof(struct sample, has_##member##_case)
static const ProtobufCFieldDescriptor sample_fields[] = {
    FIELD(1, INT64, NONE, sample, big, 0, NULL, 0),
    FIELD(2, BYTES, NONE, sample, blob, 0, NULL, 0),
    FIELD(3, INT32, NONE, sample, count, 0, NULL, 0),
    FIELD(4, STRING, NONE, sample, created_at, 0, NULL, 0),
    FIELD(5, STRING, NONE, sample, extra, 0, NULL, 0),
    FIELD(6, BOOL, NONE, sample, flag, 0, NULL, 0),
    FIELD(7, STRING, NONE, sample, id, 0, NULL, 0),
    FIELD(8, ENUM, NONE, sample, kind, 0, &kind_descriptor, 0),
    FIELD(9, ENUM, REPEATED, sample, kinds, COUNT(kinds), &kind_descriptor, 0),
    FIELD(10, MESSAGE, REPEATED, sample, labels, COUNT(labels), &entry_descriptor, 0),
    FIELD(11, STRING, NONE, sample, note, CASE(note), NULL, PROTOBUF_C_FIELD_FLAG_ONEOF),
    FIELD(12, INT32, REPEATED, sample, numbers, COUNT(numbers), NULL, 0),
    FIELD(13, MESSAGE, OPTIONAL, sample, one, 0, &part_descriptor, 0),
    FIELD(14, MESSAGE, REPEATED, sample, parts, COUNT(parts), &part_descriptor, 0),
    FIELD(15, INT32, NONE, sample, points, CASE(points), NULL, PROTOBUF_C_FIELD_FLAG_ONEOF),
    FIELD(16, DOUBLE, NONE, sample, ratio, 0, NULL, 0),
    FIELD(17, STRING, REPEATED, sample, tags, COUNT(tags), NULL, 0),
    FIELD(18, UINT32, NONE, sample, wide, 0, NULL, 0),
};
static const ProtobufCIntRange sample_ranges[] = {{1, 0}, {0, 18}};
static const ProtobufCMessageDescriptor sample_descriptor =
    DESCRIPTOR("test.Sample", struct sample, sample_fields, in_order, sample_ranges, sample_init);

static const ProtobufCFieldDescriptor samples_fields[] = {
    FIELD(1, MESSAGE, REPEATED, samples, items, offsetof(struct samples, n_items),
          &sample_descriptor, 0),
};
static const ProtobufCIntRange samples_ranges[] = {{1, 0}, {0, 1}};
static const ProtobufCMessageDescriptor samples_descriptor = DESCRIPTOR(
    "test.Samples", struct samples, samples_fields, in_order, samples_ranges, samples_init);

static const struct field_rule part_field_rules[] = {{.name = "name"}, {.name = "size"}};
static const struct message_rule part_rule = {&part_descriptor, part_field_rules, -1, -1};
static const struct field_rule entry_field_rules[] = {{.name = "key"}, {.name = "value"}};
static const struct message_rule entry_rule = {&entry_descriptor, entry_field_rules, -1, -1};
static const struct field_rule sample_field_rules[] = {
    {.name = "big"},
    {.name = "blob"},
    {.name = "count"},
    {.name = "created_at"},
    {.name = "extra", .flags = RULE_JSON},
    {.name = "flag"},
    {.name = "id"},
    {.name = "kind", .enumeration = &kind_rule},
    {.name = "kinds", .enumeration = &kind_rule},
    {.name = "labels", .flags = RULE_MAP, .message = &entry_rule},
    {.name = "note", .flags = RULE_PRESENCE},
    {.name = "numbers"},
    {.name = "one", .message = &part_rule},
    {.name = "parts", .message = &part_rule},
    {.name = "points", .flags = RULE_PRESENCE},
    {.name = "ratio"},
    {.name = "tags"},
    {.name = "wide"},
};
static const struct message_rule sample_rule = {&sample_descriptor, sample_field_rules, -1, -1};
static const struct field_rule samples_field_rules[] = {{.name = "items", .message = &sample_rule}};
static const struct message_rule samples_rule = {&samples_descriptor, samples_field_rules, -1, -1};

static const struct message_rule *const sample_rules[] = {&part_rule, &entry_rule, &sample_rule,
                                                          &samples_rule};
