/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that hold JSON, and defaults. */
#include "wire/internal.h"

enum { JSON_BYTES = 16 * 1024, JSON_DEPTH = 16 };

/* How deep valid JSON is nested. */
static unsigned json_depth(const char *text, size_t len)
{
    unsigned depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char ch = text[i];

        if (in_string) {
            if (ch == '\\')
                i++;
            else if (ch == '"')
                in_string = false;
        } else if (ch == '"') {
            in_string = true;
        } else if (ch == '{' || ch == '[') {
            if (++depth > deepest)
                deepest = depth;
        } else if (ch == '}' || ch == ']') {
            depth--;
        }
    }
    return deepest;
}

/* text is valid JSON without white space. */
static void check_compact(struct codec *c, const struct path *path, const struct field_rule *rule,
                          const char *text, size_t len)
{
    size_t most = rule->max_bytes ? rule->max_bytes : JSON_BYTES;

    if (text[0] != '{' && !(rule->flags & RULE_ANY))
        codec_bad(c, path, "must be an object");
    else if (len > most)
        codec_bad(c, path, "must have at most %zu bytes", most);
    else if (json_depth(text, len) > JSON_DEPTH)
        codec_bad(c, path, "must not be nested deeper than %d levels", JSON_DEPTH);
}

static const char *compact(struct arena *arena, const char *text, size_t len, size_t *ret_len)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    json_put_compact(&buf, text, len);
    *ret_len = buf.len;
    return arena_memdup(arena, strbuf_cstr(&buf), buf.len);
}

void check_json_text(struct codec *c, const struct path *path, const struct field_rule *rule,
                     const char *text)
{
    struct json json;
    size_t len = strlen(text);

    if (json_parse(c->arena, text, len, NULL, &json, NULL) != ST_OK) {
        codec_bad(c, path, "must be JSON text");
        return;
    }
    text = compact(c->arena, text, len, &len);
    check_compact(c, path, rule, text, len);
}

void decode_json(struct codec *c, const struct path *path, const struct field_rule *rule,
                 const struct json *json, const struct json_node *node, void *slot)
{
    size_t len;
    const char *raw = json_raw(json, node, &len);

    raw = compact(c->arena, raw, len, &len);
    slot_set_pointer(slot, raw);
    check_compact(c, path, rule, raw, len);
}

/* The string that JSON text spells, NULL when it is none. */
static const char *unquoted(struct arena *arena, const char *text)
{
    size_t len = strlen(text);
    struct json json;

    if (len >= 2 && text[0] == '"' && !strchr(text, '\\'))
        return arena_memdup(arena, text + 1, len - 2);
    if (json_parse(arena, text, len, NULL, &json, NULL) != ST_OK)
        return NULL;
    return json_text(arena, &json, json.nodes);
}

static void set_default(struct codec *c, const ProtobufCFieldDescriptor *field,
                        const struct field_rule *rule, void *slot)
{
    const char *text = rule->fallback;
    int value;

    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)slot = strcmp(text, "true") == 0;
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        slot_set_double(field, slot, strtod(text, NULL));
        return;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_ENUM:
        if (rule->flags & RULE_JSON) {
            slot_set_pointer(slot, text);
            return;
        }
        text = unquoted(c->arena, text);
        if (text && field->type == PROTOBUF_C_TYPE_STRING)
            slot_set_pointer(slot, text);
        else if (text && rule->enumeration && enum_parse(rule->enumeration, text, &value))
            *(int32_t *)slot = value;
        return;
    default:
        (void)slot_set_int(field, slot, strtoll(text, NULL, 10));
    }
}

static void fill_default(struct codec *c, const ProtobufCFieldDescriptor *field,
                         const struct field_rule *rule, ProtobufCMessage *message)
{
    /* The only defaults of lists and messages are empty ones. */
    if (!rule->fallback || field_repeated(field) || field->type == PROTOBUF_C_TYPE_MESSAGE ||
        field->type == PROTOBUF_C_TYPE_BYTES)
        return;
    set_default(c, field, rule, field_slot(message, field));
    field_choose(message, field);
}

void check_absent(struct codec *c, const struct path *path, const struct message_rule *rule,
                  const bool *given, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < rule->descriptor->n_fields; i++) {
        const struct field_rule *field = &rule->fields[i];

        if (given[i] || field->flags & RULE_INTERNAL)
            continue;
        if (field->flags & RULE_REQUIRED)
            codec_bad(c, &(struct path){.up = path, .name = field->name}, "is required");
        else
            fill_default(c, &rule->descriptor->fields[i], field, message);
    }
}
