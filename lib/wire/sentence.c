/* SPDX-License-Identifier: Apache-2.0 */
/* The sentence before the detail of a write. */
#include "wire/text_internal.h"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The noun of a write without entity in its reply: DeleteMcp is about an MCP
 * server, BulkUpdateWorkItems about work items. */
static const char *noun_of(const struct rpc *rpc)
{
    static const struct {
        const char *word, *noun;
    } nouns[] = {
        {"Mcp", "MCP server"},  {"WorkItem", "work item"}, {"TeamMember", "member"},
        {"Skill", "skill"},     {"Command", "command"},    {"Subagent", "subagent"},
        {"Project", "project"}, {"Sprint", "sprint"},      {"Interaction", "interaction"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
        if (strstr(rpc->name, nouns[i].word))
            return nouns[i].noun;
    return "entry";
}

static void put_updated(struct strbuf *buf, const ProtobufCMessage *reply, const char *noun,
                        const char *id)
{
    const ProtobufCFieldDescriptor *changed = field_named(reply, "changed");

    if (changed && field_repeated(changed) && *field_count(reply, changed) == 0) {
        strbuf_printf(buf, "Nothing to change in %s `%s`.\n", noun, id);
        return;
    }
    strbuf_printf(buf, "Updated %s `%s`", noun, id);
    if (changed && field_repeated(changed)) {
        strbuf_str(buf, ": ");
        put_joined(buf, reply, changed);
    }
    strbuf_str(buf, ".\n");
}

static void put_imported(struct strbuf *buf, const ProtobufCMessage *reply)
{
    const ProtobufCFieldDescriptor *failures = field_named(reply, "failures");

    strbuf_printf(buf, "Imported %lld, skipped %lld, failed %lld.\n",
                  (long long)wire_get_int(wire_get_message(reply, "imported"), "total"),
                  (long long)wire_get_int(wire_get_message(reply, "skipped"), "total"),
                  (long long)wire_get_int(wire_get_message(reply, "failed"), "total"));
    for (size_t i = 0; failures && i < *field_count(reply, failures); i++) {
        const ProtobufCMessage *failure = slot_message(field_elem(reply, failures, i));
        const char *id = wire_get_string(failure, "id");
        char *collection = scalar_text(failure, "collection");

        if (i == 0)
            put_blank_line(buf);
        if (id[0])
            strbuf_printf(buf, "- `%s` (%s): ", id, collection);
        else
            strbuf_printf(buf, "- %s[%lld]: ", collection,
                          (long long)wire_get_int(failure, "index"));
        put_one_line(buf, wire_get_string(failure, "reason"));
        strbuf_char(buf, '\n');
        free(collection);
    }
    if (wire_get_bool(reply, "dry_run")) {
        put_blank_line(buf);
        strbuf_str(buf, "Note: this was a dry run; nothing was written.\n");
    }
}

static void put_bulk(struct strbuf *buf, const struct rpc *rpc, const ProtobufCMessage *reply)
{
    const ProtobufCFieldDescriptor *fields = field_named(reply, "changed_fields");
    const ProtobufCFieldDescriptor *results = field_named(reply, "results");

    strbuf_printf(buf, "Updated %lld of %lld %ss: ", (long long)wire_get_int(reply, "updated"),
                  (long long)wire_get_int(reply, "total"), noun_of(rpc));
    put_joined(buf, reply, fields);
    strbuf_str(buf, ".\n");
    for (size_t i = 0; i < *field_count(reply, results); i++) {
        const ProtobufCMessage *result = slot_message(field_elem(reply, results, i));
        char *status = scalar_text(result, "status");
        const char *message = wire_get_string(result, "message");

        if (i == 0)
            put_blank_line(buf);
        strbuf_printf(buf, "- `%s` — %s", wire_get_string(result, "id"),
                      wire_get_bool(result, "ok") ? "ok"
                      : status[0]                 ? status
                                                  : "failed");
        if (message[0]) {
            strbuf_str(buf, ": ");
            put_one_line(buf, message);
        }
        strbuf_char(buf, '\n');
        free(status);
    }
}

/* The internal field unlocked holds what the ids of new_achievements stand for. */
static void put_unlocked(struct strbuf *buf, const ProtobufCMessage *reply)
{
    const ProtobufCFieldDescriptor *unlocked = field_named(reply, "unlocked");

    for (size_t i = 0; unlocked && i < *field_count(reply, unlocked); i++) {
        const ProtobufCMessage *achievement = slot_message(field_elem(reply, unlocked, i));

        strbuf_printf(buf, "Unlocked: %s %s (+%lld XP).\n", wire_get_string(achievement, "icon"),
                      name_of(achievement), (long long)wire_get_int(achievement, "xp_reward"));
    }
}

static void put_awarded(struct strbuf *buf, const ProtobufCMessage *reply)
{
    const ProtobufCMessage *contribution = wire_get_message(reply, "contribution");
    const ProtobufCMessage *member = wire_get_message(reply, "member");
    char *type;

    if (wire_get_bool(reply, "duplicate")) {
        strbuf_str(buf, "Already recorded; no XP awarded.\n");
        return;
    }
    type = scalar_text(contribution, "type");
    strbuf_printf(buf, "Awarded %lld XP to %s (%s, %lld × %lld %%): %lld XP, level %lld.\n",
                  (long long)wire_get_int(reply, "awarded_points"),
                  wire_get_string(contribution, "user_id"), type,
                  (long long)wire_get_int(contribution, "base_points"),
                  (long long)wire_get_int(contribution, "multiplier_percent"),
                  (long long)wire_get_int(member, "xp"), (long long)wire_get_int(member, "level"));
    free(type);
    if (wire_get_bool(reply, "level_up"))
        strbuf_printf(buf, "Level up: %lld (%s).\n", (long long)wire_get_int(member, "level"),
                      wire_get_string(member, "title"));
    put_unlocked(buf, reply);
}

/* A document on its own, without an entity around it. */
static void put_document(struct strbuf *buf, const ProtobufCMessage *reply)
{
    if (wire_get_bool(reply, "has_content"))
        strbuf_printf(buf, "## %s — SKILL.md\n\n%s", wire_get_string(reply, "name"),
                      wire_get_string(reply, "content"));
    else
        strbuf_printf(buf, "No document is stored for `%s`.", wire_get_string(reply, "id"));
}

bool put_sentence(const struct text *text, const ProtobufCMessage *entity)
{
    static const struct {
        const char *verb, *done;
    } verbs[] = {{"Register", "Registered"}, {"Create", "Created"}, {"Log", "Logged"}};
    const ProtobufCMessage *reply = text->reply;
    const char *rpc = text->rpc->name;

    if (field_named(reply, "awarded_points") && field_named(reply, "contribution")) {
        put_awarded(text->buf, reply);
        return true;
    }
    if (field_named(reply, "imported") && field_named(reply, "skipped")) {
        put_imported(text->buf, reply);
        return true;
    }
    if (field_named(reply, "changed_fields") && field_named(reply, "results")) {
        put_bulk(text->buf, text->rpc, reply);
        return true;
    }
    if (field_named(reply, "asset_path") && field_named(reply, "content")) {
        put_document(text->buf, reply);
        return true;
    }
    if (begins(rpc, "Delete") && field_named(reply, "deleted")) {
        strbuf_printf(text->buf, "Deleted %s `%s`.\n", noun_of(text->rpc),
                      wire_get_string(reply, "id"));
        return true;
    }
    if (!entity)
        return false;
    if (begins(rpc, "Update") || (field_named(reply, "created") && field_named(reply, "changed") &&
                                  !wire_get_bool(reply, "created"))) {
        put_updated(text->buf, reply, kind_of(entity)->noun, wire_get_string(entity, "id"));
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (begins(rpc, verbs[i].verb))
            strbuf_printf(text->buf, "%s %s `%s`.\n", verbs[i].done, kind_of(entity)->noun,
                          wire_get_string(entity, "id"));
    return false;
}
