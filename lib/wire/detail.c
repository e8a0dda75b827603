/* SPDX-License-Identifier: Apache-2.0 */
/* One thing in full: a line or a section per field. */
#include "wire/text_internal.h"

/* Whether s is one of the words. */
static bool among(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (s[0] == (*words)[0] && strcmp(s, *words) == 0)
            return true;
    return false;
}

static const char *const scripts[] = {"script_template", "rendered_script", NULL};
static const char *const outputs[] = {"system_prompt", "stdout", "stderr", NULL};
static const char *const documents[] = {"content", "asset_content", NULL};
/* Said elsewhere in the text. */
static const char *const elsewhere[] = {"warnings", "changed", "created", "text", NULL};

static bool is_object_list(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return field_repeated(field) && field->type == PROTOBUF_C_TYPE_MESSAGE &&
           !(rule_of(message, field)->flags & RULE_MAP);
}

/* The field takes a section of its own. */
static bool is_section(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (is_object_list(message, field))
        return *field_count(message, field) > 0;
    if (field->type != PROTOBUF_C_TYPE_STRING || field_repeated(field))
        return false;
    return among(field->name, scripts) || among(field->name, outputs) ||
           among(field->name, documents) || strchr(slot_string(field_slot(message, field)), '\n');
}

static void put_line(struct strbuf *buf, const ProtobufCMessage *message,
                     const ProtobufCFieldDescriptor *field, const struct field_rule *rule)
{
    const void *slot = field_slot(message, field);

    put_new_line(buf);
    strbuf_str(buf, "**");
    strbuf_str(buf, field->name);
    strbuf_str(buf, "**: ");
    if (rule->flags & RULE_MAP)
        encode_map(buf, field, rule, message);
    else if (field_repeated(field) && *field_count(message, field) == 0)
        strbuf_str(buf, "(none)");
    else if (field_repeated(field))
        put_joined(buf, message, field);
    else if (rule->flags & RULE_JSON)
        json_put_compact(buf, slot_string(slot), strlen(slot_string(slot)));
    else
        put_scalar(buf, field, rule, slot);
    strbuf_char(buf, '\n');
}

static void put_lines(struct strbuf *buf, const ProtobufCMessage *message,
                      const ProtobufCMessage *but)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const struct field_rule *rule = rule_of(message, field);

        if (!field_shown_by(rule, message, field) || is_section(message, field) ||
            (but && among(field->name, elsewhere)))
            continue;
        if (but && field->type == PROTOBUF_C_TYPE_MESSAGE && !field_repeated(field) &&
            slot_message(field_slot(message, field)) == but)
            continue;
        /* Lists of a reply that are empty say nothing; those of an entity do. */
        if (but && is_object_list(message, field))
            continue;
        put_line(buf, message, field, rule);
    }
}

static void put_bullet(struct strbuf *buf, const ProtobufCMessage *message)
{
    const char *id = wire_get_string(message, "id"), *name = name_of(message);
    bool named = name[0] && strcmp(name, id) != 0;
    size_t before;

    if (!named) {
        name = wire_get_string(message, "text");
        named = name[0];
    }
    put_new_line(buf);
    strbuf_str(buf, "- ");
    if (id[0])
        strbuf_printf(buf, "`%s`%s", id, named ? " " : "");
    if (named)
        put_one_line(buf, name);
    before = buf->len;
    if (id[0] || named)
        strbuf_str(buf, " — ");
    if (!put_facts(buf, message)) {
        buf->len = before;
        buf->data[before] = '\0';
    }
    strbuf_char(buf, '\n');
}

/* A turn of a conversation. */
static void put_message(struct strbuf *buf, const ProtobufCMessage *message)
{
    char *role = scalar_text(message, "role");
    const char *at = wire_get_string(message, "created_at");

    put_blank_line(buf);
    strbuf_printf(buf, "**%s**", role);
    if (at[0])
        strbuf_printf(buf, " (%s)", at);
    strbuf_printf(buf, "\n%s\n", wire_get_string(message, "content"));
    free(role);
}

/* A change of a field. */
static void put_change(struct strbuf *buf, const ProtobufCMessage *message)
{
    const char *from = wire_get_string(message, "old_value");
    const char *to = wire_get_string(message, "new_value");

    put_new_line(buf);
    strbuf_printf(buf, "- %s @%s: %s ", wire_get_string(message, "at"),
                  wire_get_string(message, "actor"), wire_get_string(message, "field"));
    put_one_line(buf, from[0] ? from : "(none)");
    strbuf_str(buf, " → ");
    put_one_line(buf, to[0] ? to : "(none)");
    strbuf_char(buf, '\n');
}

static void put_element(struct strbuf *buf, const ProtobufCMessage *message)
{
    if (field_named(message, "role") && field_named(message, "content"))
        put_message(buf, message);
    else if (field_named(message, "old_value") && field_named(message, "new_value"))
        put_change(buf, message);
    else
        put_bullet(buf, message);
}

/* The items of a sprint, one section per status in the order of the enum. */
static void put_by_status(struct strbuf *buf, const ProtobufCMessage *message,
                          const ProtobufCFieldDescriptor *items, const struct enum_rule *statuses)
{
    size_t n = *field_count(message, items);

    for (unsigned s = 0; s < statuses->descriptor->n_values; s++) {
        int status = statuses->descriptor->values[s].value;
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
            count += wire_get_int(slot_message(field_elem(message, items, i)), "status") == status;
        if (count == 0 || !statuses->names[s])
            continue;
        put_blank_line(buf);
        strbuf_printf(buf, "### %s (%zu)\n", statuses->names[s], count);
        for (size_t i = 0; i < n; i++) {
            const ProtobufCMessage *item = slot_message(field_elem(message, items, i));

            if (wire_get_int(item, "status") == status)
                put_bullet(buf, item);
        }
    }
}

static const struct enum_rule *status_rule(const ProtobufCMessage *message,
                                           const ProtobufCFieldDescriptor *list)
{
    const ProtobufCMessage *first = slot_message(field_elem(message, list, 0));
    const ProtobufCFieldDescriptor *status = field_named(first, "status");

    return status && status->type == PROTOBUF_C_TYPE_ENUM ? rule_of(first, status)->enumeration
                                                          : NULL;
}

static void put_text_section(struct strbuf *buf, const ProtobufCMessage *message,
                             const ProtobufCMessage *entity, const ProtobufCFieldDescriptor *field)
{
    const char *text = slot_string(field_slot(message, field));
    char *shell;

    put_blank_line(buf);
    strbuf_printf(buf, "### %s\n", field->name);
    if (among(field->name, documents)) {
        strbuf_str(buf, text);
        return;
    }
    shell = scalar_text(field_named(message, "shell") ? message : entity, "shell");
    put_fence(buf, among(field->name, scripts) ? shell : "", text);
    free(shell);
}

static void put_sections(struct strbuf *buf, const ProtobufCMessage *message,
                         const ProtobufCMessage *entity, bool reply)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const struct enum_rule *statuses;

        if (!field_shown(message, field) || !is_section(message, field) ||
            (reply && among(field->name, elsewhere)))
            continue;
        if (!field_repeated(field)) {
            put_text_section(buf, message, entity, field);
            continue;
        }
        statuses = reply && strcmp(field->name, "items") == 0 ? status_rule(message, field) : NULL;
        if (statuses) {
            put_by_status(buf, message, field, statuses);
            continue;
        }
        put_blank_line(buf);
        strbuf_printf(buf, "### %s\n", field->name);
        for (size_t k = 0; k < *field_count(message, field); k++)
            put_element(buf, slot_message(field_elem(message, field, k)));
    }
}

const ProtobufCMessage *entity_of(const ProtobufCMessage *reply)
{
    for (unsigned i = 0; i < reply->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &reply->descriptor->fields[i];
        const ProtobufCMessage *inner;
        const struct kind *kind;

        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field_repeated(field))
            continue;
        inner = slot_message(field_slot(reply, field));
        kind = kind_of(inner);
        if (kind && kind->heading)
            return inner;
    }
    return NULL;
}

void put_heading(struct strbuf *buf, const struct rpc *rpc)
{
    const char *title = rpc->title ? rpc->title : rpc->name, *p = title;

    strbuf_str(buf, "## ");
    if (rpc->title && strchr(title, ' ')) {
        p = strchr(title, ' ') + 1;
        strbuf_char(buf, (char)(*p >= 'a' && *p <= 'z' ? *p - 0x20 : *p));
        strbuf_str(buf, p + 1);
        return;
    }
    /* ListWorkItems: what stands behind the verb, in words. */
    for (p++; *p && !(*p >= 'A' && *p <= 'Z'); p++)
        ;
    if (!*p)
        p = title;
    for (const char *start = p; *p; p++) {
        bool upper = *p >= 'A' && *p <= 'Z';

        if (upper && p > start)
            strbuf_char(buf, ' ');
        strbuf_char(buf, (char)(upper && p > start ? *p | 0x20 : *p));
    }
}

/* What a run of a command came to, behind its name. */
static void put_outcome(struct strbuf *buf, const ProtobufCMessage *reply)
{
    const char *name = wire_get_string(reply, "name");

    strbuf_printf(buf, "## Command: %s — ", *name ? name : wire_get_string(reply, "command_id"));
    if (!wire_get_bool(reply, "executed"))
        strbuf_str(buf, "rendered");
    else if (wire_get_bool(reply, "timed_out"))
        strbuf_str(buf, "timed out");
    else if (field_shown(reply, field_named(reply, "exit_code")))
        strbuf_printf(buf, "exit %lld", (long long)wire_get_int(reply, "exit_code"));
    else
        strbuf_printf(buf, "signal %lld", (long long)wire_get_int(reply, "signal"));
}

void put_detail(const struct text *text, const ProtobufCMessage *entity)
{
    struct strbuf *buf = text->buf;

    put_blank_line(buf);
    if (entity) {
        strbuf_str(buf, "## ");
        strbuf_str(buf, kind_of(entity)->heading);
        strbuf_str(buf, ": ");
        strbuf_str(buf, name_of(entity));
    } else if (field_named(text->reply, "executed") && field_named(text->reply, "command_id") &&
               field_named(text->reply, "exit_code")) {
        put_outcome(buf, text->reply);
    } else {
        put_heading(buf, text->rpc);
    }
    strbuf_char(buf, '\n');
    if (entity)
        put_lines(buf, entity, NULL);
    put_lines(buf, text->reply, entity ? entity : text->reply);
    if (entity)
        put_sections(buf, entity, entity, false);
    put_sections(buf, text->reply, entity ? entity : text->reply, true);
}
