/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of things that the hub keeps, and what one line says about each. A
 * new kind of entity is a row here. */
#include "wire/text_internal.h"

static const struct fact skill_facts[] = {
    {"category", FACT_VALUE, "", ""},
    {"version", FACT_VALUE, "v", ""},
    {"tags", FACT_LIST, "tags: ", ""},
    {0},
};
static const struct fact command_facts[] = {
    {"category", FACT_VALUE, "", ""},
    {"shell", FACT_VALUE, "", ""},
    {"parameters", FACT_COUNT, "", "parameter"},
    {"requires_confirmation", FACT_FLAG, "needs confirmation", ""},
    {0},
};
static const struct fact subagent_facts[] = {
    {"model", FACT_VALUE, "", ""},
    {"max_turns", FACT_NUMBER, "at most ", "turn"},
    {"output_format", FACT_VALUE, "", ""},
    {0},
};
static const struct fact mcp_facts[] = {
    {"transport", FACT_VALUE, "", ""},
    {"status", FACT_VALUE, "", ""},
    {"tools_exposed", FACT_COUNT, "all tools", "tool"},
    {0},
};
static const struct fact project_facts[] = {
    {"status", FACT_VALUE, "", ""},
    {"color", FACT_VALUE, "", ""},
    {"owner_id", FACT_VALUE, "@", ""},
    {0},
};
static const struct fact sprint_facts[] = {
    {"status", FACT_VALUE, "", ""},
    {"start_date", FACT_SPAN, "", ""},
    {"velocity", FACT_VALUE, "velocity ", ""},
    {"project_id", FACT_VALUE, "", ""},
    {0},
};
static const struct fact work_item_facts[] = {
    {"type", FACT_VALUE, "", ""},
    {"status", FACT_VALUE, "", ""},
    {"priority", FACT_VALUE, "", ""},
    {"story_points", FACT_NUMBER, "", "point"},
    {"assignee", FACT_VALUE, "@", ""},
    {"sprint_id", FACT_VALUE, "", ""},
    {0},
};
static const struct fact interaction_facts[] = {
    {"source", FACT_VALUE, "", ""},
    {"user_id", FACT_VALUE, "@", ""},
    {"created_at", FACT_DAY, "", ""},
    {"message_count", FACT_NUMBER, "", "message"},
    {0},
};
static const struct fact member_facts[] = {
    {"role", FACT_VALUE, "", ""},
    {"level", FACT_LEVEL, "level ", ""},
    {"xp", FACT_VALUE, "", " XP"},
    {"streak_days", FACT_VALUE, "streak ", " d"},
    {0},
};
static const struct fact hit_facts[] = {
    {"collection", FACT_VALUE, "", ""},
    {"category", FACT_VALUE, "", ""},
    {0},
};
static const struct fact decision_facts[] = {
    {"user_id", FACT_VALUE, "@", ""},
    {"created_at", FACT_DAY, "", ""},
    {"sprint_id", FACT_VALUE, "", ""},
    {"work_item_id", FACT_VALUE, "", ""},
    {0},
};
static const struct fact digest_facts[] = {
    {"kind", FACT_VALUE, "", ""},
    {"period", FACT_VALUE, "", ""},
    {"project_id", FACT_VALUE, "", ""},
    {0},
};
static const struct fact contribution_facts[] = {
    {"type", FACT_VALUE, "", ""},
    {"points", FACT_VALUE, "", " XP"},
    {"reference_id", FACT_VALUE, "", ""},
    {"occurred_at", FACT_DAY, "", ""},
    {0},
};
static const struct fact achievement_facts[] = {
    {"tier", FACT_VALUE, "", ""},
    {"category", FACT_VALUE, "", ""},
    {"xp_reward", FACT_VALUE, "", " XP"},
    {"unlocked_at", FACT_DAY, "", ""},
    {0},
};
static const struct fact parameter_facts[] = {
    {"type", FACT_VALUE, "", ""},
    {"required", FACT_FLAG, "required", ""},
    {"default", FACT_VALUE, "default ", ""},
    {"enum_values", FACT_LIST, "", ""},
    {"description", FACT_VALUE, "", ""},
    {0},
};

static const struct kind kinds[] = {
    {"Skill", "Skill", "skill", skill_facts},
    {"Command", "Command", "command", command_facts},
    {"Subagent", "Subagent", "subagent", subagent_facts},
    {"Mcp", "MCP server", "MCP server", mcp_facts},
    {"Project", "Project", "project", project_facts},
    {"Sprint", "Sprint", "sprint", sprint_facts},
    {"WorkItem", "Work item", "work item", work_item_facts},
    {"Interaction", "Interaction", "interaction", interaction_facts},
    {"Member", "Member", "member", member_facts},
    {"SearchHit", NULL, "hit", hit_facts},
    {"Decision", NULL, "decision", decision_facts},
    {"Digest", NULL, "digest", digest_facts},
    {"Contribution", NULL, "contribution", contribution_facts},
    {"Achievement", NULL, "achievement", achievement_facts},
    {"CommandParameter", NULL, "parameter", parameter_facts},
};

const struct kind *kind_of(const ProtobufCMessage *message)
{
    for (size_t i = 0; message && i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].type, message->descriptor->short_name) == 0)
            return &kinds[i];
    return NULL;
}

const char *name_of(const ProtobufCMessage *message)
{
    static const char *const fields[] = {"name", "title", "id"};

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const char *text = wire_get_string(message, fields[i]);

        if (text[0])
            return text;
    }
    return "";
}

static void put_number(struct strbuf *buf, long long n, const struct fact *fact)
{
    strbuf_printf(buf, "%s%lld %s%s", fact->before, n, fact->after, n == 1 ? "" : "s");
}

static void put_fact(struct strbuf *buf, const ProtobufCMessage *message,
                     const ProtobufCFieldDescriptor *field, const struct fact *fact)
{
    const void *slot = field_slot(message, field);
    size_t n = field_repeated(field) ? *field_count(message, field) : 0;

    switch (fact->how) {
    case FACT_VALUE:
        strbuf_str(buf, fact->before);
        put_scalar(buf, field, rule_of(message, field), slot);
        strbuf_str(buf, fact->after);
        break;
    case FACT_LIST:
        if (n > 0) {
            strbuf_str(buf, fact->before);
            put_joined(buf, message, field);
        }
        break;
    case FACT_COUNT:
        if (n == 0 && fact->before[0])
            strbuf_str(buf, fact->before);
        else
            strbuf_printf(buf, "%zu %s%s", n, fact->after, n == 1 ? "" : "s");
        break;
    case FACT_NUMBER:
        put_number(buf, (long long)slot_int(field, slot), fact);
        break;
    case FACT_FLAG:
        if (*(const protobuf_c_boolean *)slot)
            strbuf_str(buf, fact->before);
        break;
    case FACT_DAY:
        strbuf_printf(buf, "%.10s", slot_string(slot));
        break;
    case FACT_SPAN:
        strbuf_printf(buf, "%s → %s", slot_string(slot), wire_get_string(message, "end_date"));
        break;
    case FACT_LEVEL:
        strbuf_printf(buf, "level %lld %s", (long long)slot_int(field, slot),
                      wire_get_string(message, "title"));
        break;
    }
}

/* What is known of a kind without a row above: every field by its name. */
static void put_any_facts(struct strbuf *buf, const ProtobufCMessage *message)
{
    size_t start = buf->len;

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

        if (!field_shown(message, field) || strcmp(field->name, "id") == 0 ||
            strcmp(field->name, "name") == 0 || strcmp(field->name, "title") == 0 ||
            (field_repeated(field) && *field_count(message, field) == 0))
            continue;
        strbuf_printf(buf, "%s%s: ", buf->len > start ? " · " : "", field->name);
        if (field_repeated(field))
            put_joined(buf, message, field);
        else
            put_scalar(buf, field, rule_of(message, field), field_slot(message, field));
    }
}

bool put_facts(struct strbuf *buf, const ProtobufCMessage *message)
{
    const struct kind *kind = kind_of(message);
    size_t start = buf->len;

    if (!kind) {
        put_any_facts(buf, message);
        return buf->len > start;
    }
    for (const struct fact *fact = kind->facts; fact->field; fact++) {
        const ProtobufCFieldDescriptor *field = field_named(message, fact->field);
        size_t before = buf->len, from;

        if (!field || !field_shown(message, field))
            continue;
        if (before > start)
            strbuf_str(buf, " · ");
        from = buf->len;
        put_fact(buf, message, field, fact);
        if (buf->len == from) {
            buf->len = before;
            buf->data[before] = '\0';
        }
    }
    return buf->len > start;
}
