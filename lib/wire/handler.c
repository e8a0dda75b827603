/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers of any service have in common: filters, enums, replies, failures
 * that name the tool to go on with. */
#include "wire/handler.h"

#include "wire/internal.h"

/* The tag as it is stored: trimmed, lower case. */
static const char *normal_tag(struct call *call, const char *text, size_t len)
{
    return text_lower(call->arena, text_trim(call->arena, arena_memdup(call->arena, text, len)));
}

enum status filter_tags(struct call *call, const char *field, const char *text, size_t *ret_n,
                        const char ***ret_tags)
{
    const char **tags = arena_alloc(call->arena, (strlen(text) / 2 + 1) * sizeof(*tags));
    size_t n = 0;

    for (const char *p = text; *p;) {
        size_t len = strcspn(p, ",");
        const char *tag = normal_tag(call, p, len);

        if (*tag)
            tags[n++] = tag;
        p += len + (p[len] == ',');
    }
    if (*text && n == 0)
        call_field(call, field, "must name at least one");
    *ret_n = n;
    *ret_tags = tags;
    return call_invalid(call);
}

enum status filter_range(struct call *call, const char *from, const char *to)
{
    if (*from && *to && strcmp(to, from) < 0)
        call_field(call, "to", "must not be before from");
    return call_invalid(call);
}

bool list_names(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; p && *p;) {
        p += strspn(p, ", \t");
        size_t n = strcspn(p, ", \t");

        if (n == len && memcmp(p, word, n) == 0)
            return true;
        p += n;
    }
    return false;
}

const char *enum_text(const ProtobufCMessage *message, const char *field)
{
    const struct message_rule *rule = wire_rule(message->descriptor);
    const ProtobufCFieldDescriptor *found =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field);

    if (!found || found->type != PROTOBUF_C_TYPE_ENUM)
        return NULL;
    return wire_enum_name(rule->fields[found - message->descriptor->fields].enumeration,
                          (int)wire_get_int(message, field));
}

void *new_message(struct call *call, const ProtobufCMessageDescriptor *descriptor)
{
    void *message = arena_alloc(call->arena, descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, message);
    return message;
}

const char *take_text(struct call *call, struct strbuf *buf)
{
    const char *text = arena_memdup(call->arena, strbuf_cstr(buf), buf->len);

    strbuf_clear(buf);
    return text;
}

const char *take_lines(struct call *call, struct strbuf *buf)
{
    while (buf->len > 0 && buf->data[buf->len - 1] == '\n')
        buf->data[--buf->len] = '\0';
    return take_text(call, buf);
}

enum status fail_missing(struct call *call, enum status status, const char *kind, const char *id)
{
    static const char *const finders[][2] = {
        {"Skill", "mal_list_skills or mal_search_skills"},
        {"Command", "mal_list_commands or mal_search_catalog"},
        {"Subagent", "mal_list_subagents or mal_search_catalog"},
        {"MCP server", "mal_list_mcps"},
        {"Project", "mal_list_projects"},
        {"Sprint", "mal_list_sprints"},
        {"Work item", "mal_list_work_items"},
        {"Interaction", "mal_list_interactions or mal_search_interactions"},
        {"Member", "mal_list_team_members"},
    };

    if (status != ST_NOT_FOUND)
        return status;
    for (size_t i = 0; i < ARRAY_SIZE(finders); i++)
        if (strcmp(finders[i][0], kind) == 0)
            call_hint(call, "%s to find the id.", finders[i][1]);
    return call_fail(call, ST_NOT_FOUND, "%s '%s' was not found.", kind, id);
}

enum status fail_taken(struct call *call, enum status status, const char *kind, const char *id)
{
    static const char *const changers[][2] = {
        {"Skill", "mal_update_skill to change it"},
        {"Command", "mal_get_command to see it"},
        {"Subagent", "mal_get_subagent to see it"},
        {"MCP server", "mal_list_mcps to see it"},
        {"Project", "mal_update_project to change it"},
        {"Sprint", "mal_update_sprint to change it"},
        {"Work item", "mal_update_work_item to change it"},
        {"Interaction", "mal_get_interaction to see it"},
    };

    if (status != ST_ALREADY_EXISTS)
        return status;
    for (size_t i = 0; i < ARRAY_SIZE(changers); i++)
        if (strcmp(changers[i][0], kind) == 0)
            call_hint(call, "%s, or another id.", changers[i][1]);
    return call_fail(call, ST_ALREADY_EXISTS, "%s '%s' already exists.", kind, id);
}

enum status fail_unconfirmed(struct call *call, const char *tool, const char *fmt, ...)
{
    const char *sentence;
    va_list ap;

    va_start(ap, fmt);
    sentence = arena_vprintf(call->arena, fmt, ap);
    va_end(ap);
    call_hint(call, "ask the user, then call %s again with confirm: true.", tool);
    return call_fail_reason(call, ST_FAILED_PRECONDITION, "CONFIRMATION_REQUIRED", "%s", sentence);
}
