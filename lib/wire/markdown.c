/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of Markdown, and values as text. */
#include "wire/text_internal.h"

void trim_end(struct strbuf *buf)
{
    while (buf->len > 0 && (buf->data[buf->len - 1] == '\n' || buf->data[buf->len - 1] == ' '))
        buf->data[--buf->len] = '\0';
}

void put_new_line(struct strbuf *buf)
{
    if (buf->len > 0 && buf->data[buf->len - 1] != '\n')
        strbuf_char(buf, '\n');
}

void put_blank_line(struct strbuf *buf)
{
    trim_end(buf);
    if (buf->len > 0)
        strbuf_str(buf, "\n\n");
}

void put_fence(struct strbuf *buf, const char *language, const char *text)
{
    size_t longest = 2, run = 0;

    for (const char *p = text; *p; p++) {
        run = *p == '`' ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    for (size_t i = 0; i <= longest; i++)
        strbuf_char(buf, '`');
    strbuf_str(buf, language);
    strbuf_char(buf, '\n');
    strbuf_str(buf, text);
    put_new_line(buf);
    for (size_t i = 0; i <= longest; i++)
        strbuf_char(buf, '`');
    strbuf_char(buf, '\n');
}

static void put_inline(struct strbuf *buf, char c)
{
    if (c == '\n' || c == '\r')
        c = ' ';
    strbuf_char(buf, c);
}

void wire_text_cell(struct strbuf *buf, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            strbuf_str(buf, "\\|");
        else
            put_inline(buf, *text);
    }
}

void put_one_line(struct strbuf *buf, const char *text)
{
    for (; *text; text++)
        put_inline(buf, *text);
}

const struct field_rule *rule_of(const ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field)
{
    static const struct field_rule none;
    const struct message_rule *rule = wire_rule(message->descriptor);

    return rule ? &rule->fields[field - message->descriptor->fields] : &none;
}

void put_scalar(struct strbuf *buf, const ProtobufCFieldDescriptor *field,
                const struct field_rule *rule, const void *slot)
{
    const char *name;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        strbuf_str(buf, slot_string(slot));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        strbuf_str(buf, *(const protobuf_c_boolean *)slot ? "yes" : "no");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        name = rule->enumeration ? wire_enum_name(rule->enumeration, *(const int32_t *)slot) : NULL;
        strbuf_str(buf, name ? name : "");
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        json_put_double(buf, slot_double(field, slot));
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        /* An object: as compact JSON. */
        if (rule->message && slot_message(slot))
            wire_to_json(buf, rule->message, slot_message(slot));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        break;
    default:
        strbuf_printf(buf, "%lld", (long long)slot_int(field, slot));
    }
}

bool field_shown(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return field_shown_by(rule_of(message, field), message, field);
}

bool field_shown_by(const struct field_rule *rule, const ProtobufCMessage *message,
                    const ProtobufCFieldDescriptor *field)
{
    const void *slot = field_slot(message, field);

    if (rule->flags & RULE_INTERNAL || field->type == PROTOBUF_C_TYPE_BYTES)
        return false;
    if (field_repeated(field))
        return true;
    if (!field_chosen(message, field))
        return false;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return slot_string(slot)[0] != '\0';
    case PROTOBUF_C_TYPE_MESSAGE:
        return slot_message(slot) != NULL;
    case PROTOBUF_C_TYPE_ENUM:
        return rule->enumeration && wire_enum_name(rule->enumeration, *(const int32_t *)slot);
    default:
        return true;
    }
}

char *scalar_text(const ProtobufCMessage *message, const char *field)
{
    const ProtobufCFieldDescriptor *found = field_named(message, field);
    struct strbuf buf = STRBUF_INIT;

    if (found && !field_repeated(found) && field_shown(message, found))
        put_scalar(&buf, found, rule_of(message, found), field_slot(message, found));
    return strbuf_take(&buf);
}

void put_joined(struct strbuf *buf, const ProtobufCMessage *message,
                const ProtobufCFieldDescriptor *field)
{
    const struct field_rule *rule = rule_of(message, field);

    for (size_t i = 0; i < *field_count(message, field); i++) {
        if (i)
            strbuf_str(buf, ", ");
        put_scalar(buf, field, rule, field_elem(message, field, i));
    }
}
