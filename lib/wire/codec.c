/* SPDX-License-Identifier: Apache-2.0 */
/* Packed messages: to and from the bus, and the rules once more behind it. */
#include "wire/internal.h"

#include "base/utf8.h"

enum { DEPTH_MAX = 16, MESSAGES_MAX = 500000 };

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void let_lie(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

ProtobufCAllocator wire_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocate, .free = let_lie, .allocator_data = arena};
}

void *wire_pack(struct arena *arena, const ProtobufCMessage *message, size_t *ret_len)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = arena_alloc(arena, len);

    *ret_len = protobuf_c_message_pack(message, data);
    return data;
}

/* Packed bytes being looked over. */
struct reader {
    const uint8_t *p, *end;
};

static bool read_varint(struct reader *r, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct reader *r, uint64_t len)
{
    if (len > (uint64_t)(r->end - r->p))
        return false;
    r->p += len;
    return true;
}

/* The reader of a message inside, and of what comes behind it. */
struct level {
    struct reader reader;
    const ProtobufCMessageDescriptor *descriptor;
};

/* Steps over one field; opens *inner when it is a message. False for what must
 * not be unpacked. */
static bool look_at_field(struct level *level, struct level *inner)
{
    const ProtobufCFieldDescriptor *field;
    struct reader *r = &level->reader;
    uint64_t key, len;
    const uint8_t *start;

    if (!read_varint(r, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return false;
    if ((key & 7) == 0)
        return read_varint(r, &len);
    if ((key & 7) == 1 || (key & 7) == 5)
        return skip(r, (key & 7) == 1 ? 8 : 4);
    if ((key & 7) != 2 || !read_varint(r, &len))
        return false;
    start = r->p;
    if (!skip(r, len))
        return false;
    field = protobuf_c_message_descriptor_get_field(level->descriptor, (unsigned)(key >> 3));
    if (field && field->type == PROTOBUF_C_TYPE_STRING)
        return utf8_valid((const char *)start, len);
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
        *inner = (struct level){.reader = {start, r->p}, .descriptor = field->descriptor};
    return true;
}

/* protobuf-c unpacks without a limit of depth, takes any bytes for a string and
 * cuts strings at a NUL. So look first. */
static bool look_over(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t len)
{
    struct level levels[DEPTH_MAX] = {
        {.reader = {data, data + len}, .descriptor = descriptor},
    };
    unsigned depth = 0, messages = 0;

    for (;;) {
        struct level inner = {.descriptor = NULL};

        if (levels[depth].reader.p == levels[depth].reader.end) {
            if (depth == 0)
                return true;
            depth--;
            continue;
        }
        if (!look_at_field(&levels[depth], &inner))
            return false;
        if (!inner.descriptor)
            continue;
        if (++depth == DEPTH_MAX || ++messages > MESSAGES_MAX)
            return false;
        levels[depth] = inner;
    }
}

enum status wire_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
                        const void *data, size_t len, ProtobufCMessage **ret_message,
                        struct error *err)
{
    ProtobufCAllocator allocator = wire_allocator(arena);
    ProtobufCMessage *message = NULL;

    if (len == 0)
        message = message_new(arena, descriptor);
    else if (look_over(descriptor, data, len))
        message = protobuf_c_message_unpack(descriptor, &allocator, len, data);
    if (!message)
        return error_set(err, ST_INVALID_ARGUMENT, "The message is no valid %s.",
                         descriptor->short_name);
    *ret_message = message;
    return ST_OK;
}

/* The field holds something, as far as a message without presence tells. */
static bool field_given(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        const struct field_rule *rule)
{
    const void *slot = field_slot(message, field);

    if (field_repeated(field))
        return *field_count(message, field) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return field_chosen(message, field);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return slot_string(slot)[0] != '\0';
    case PROTOBUF_C_TYPE_MESSAGE:
        return slot_message(slot) != NULL;
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_BYTES:
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        return *(const int32_t *)slot != 0;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        return slot_double(field, slot) != 0 || !(rule->flags & RULE_HAS_MIN) || rule->min <= 0;
    default:
        /* 0 where 0 is not allowed is absent. */
        return slot_int(field, slot) != 0 || !(rule->flags & RULE_HAS_MIN) || rule->min <= 0;
    }
}

static void check_message(struct codec *c, const struct path *path, const struct message_rule *rule,
                          ProtobufCMessage *message, unsigned depth);

static void check_elem(struct codec *c, const struct path *path,
                       const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                       void *slot, unsigned depth)
{
    ProtobufCMessage *inner;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        check_value(c, path, field, rule, slot);
        return;
    }
    inner = *(ProtobufCMessage **)slot;
    if (rule->flags & RULE_MAP)
        check_entry(c, path->name ? path : path->up, field, rule, inner);
    else if (rule->message && depth < DEPTH_MAX)
        check_message(c, path, rule->message, inner, depth + 1);
}

static void check_repeated(struct codec *c, const struct path *path,
                           const ProtobufCFieldDescriptor *field, const struct field_rule *rule,
                           ProtobufCMessage *message, unsigned depth)
{
    size_t n = *field_count(message, field);
    unsigned before = c->err->n_fields;

    if (!check_count(c, path, rule, n))
        return;
    for (size_t i = 0; i < n && !codec_full(c); i++) {
        struct path inner = {.up = path, .index = i};

        check_elem(c, &inner, field, rule, field_elem(message, field, i), depth);
    }
    if (c->err->n_fields == before)
        check_list(c, path, field, rule, message);
}

/* The unset list names fields that can be empty. */
static void check_unset(struct codec *c, const struct message_rule *rule,
                        const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *unset = &rule->descriptor->fields[rule->unset_field];

    for (size_t i = 0; i < *field_count(message, unset); i++) {
        const char *name = slot_string(field_elem(message, unset, i));
        int index = field_find(rule->descriptor, name, strlen(name));

        if (index < 0 ||
            !(rule->fields[index].flags & (RULE_NULLABLE | RULE_JSON) ||
              field_repeated(&rule->descriptor->fields[index])) ||
            rule->fields[index].flags & (RULE_INTERNAL | RULE_REQUIRED))
            codec_bad(c, &(struct path){.name = "unset", .up = NULL},
                      "names a field that cannot be cleared");
    }
}

static void check_message(struct codec *c, const struct path *path, const struct message_rule *rule,
                          ProtobufCMessage *message, unsigned depth)
{
    const ProtobufCMessageDescriptor *descriptor = rule->descriptor;
    bool *given = arena_alloc(c->arena, descriptor->n_fields * sizeof *given);

    for (unsigned i = 0; i < descriptor->n_fields && !codec_full(c); i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        struct path inner = {.up = path, .name = field->name};

        given[i] = field_given(message, field, &rule->fields[i]);
        if (!given[i])
            continue;
        if (field_repeated(field))
            check_repeated(c, &inner, field, &rule->fields[i], message, depth);
        else
            check_elem(c, &inner, field, &rule->fields[i], field_slot(message, field), depth);
    }
    if (rule->unset_field >= 0)
        check_unset(c, rule, message);
    check_absent(c, path, rule, given, message);
}

enum status wire_check(struct arena *arena, const struct message_rule *rule,
                       ProtobufCMessage *message, struct error *err)
{
    struct codec c = {.arena = arena, .err = err ? err : arena_alloc(arena, sizeof *err)};

    error_clear(c.err);
    check_message(&c, NULL, rule, message, 0);
    return codec_end(&c);
}
