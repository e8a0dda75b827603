/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of an import, held to the rules of its register tool. */
#include "import.h"

#include "base/clock.h"

enum { ASSET_MAX_BYTES = 262144 };

/* All violations in one line: "name: is required; version: must …". */
static const char *words(struct call *call, const struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    if (err->n_fields == 0)
        return arena_strdup(call->arena, err->message);
    for (unsigned i = 0; i < err->n_fields; i++)
        strbuf_printf(&buf, "%s%s: %s", i ? "; " : "", err->fields[i].field,
                      err->fields[i].message);
    return take_text(call, &buf);
}

static bool is_output(const struct import_kind *kind, const char *key)
{
    for (size_t i = 0; kind->outputs[i]; i++)
        if (strcmp(kind->outputs[i], key) == 0)
            return true;
    return false;
}

/* The entry as its register tool would get it. */
static const char *request_text(struct import *import, const struct json_node *node,
                                const struct import_kind *kind)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    const struct json_node *key = json_first(node);

    for (uint32_t i = 0; i < node->count; i++) {
        const struct json_node *value = json_next(key);
        const char *raw;
        size_t len;

        if (!is_output(kind, json_text(import->call->arena, &import->json, key))) {
            strbuf_char(&buf, buf.len ? ',' : '{');
            raw = json_raw(&import->json, key, &len);
            strbuf_add(&buf, raw, len);
            strbuf_char(&buf, ':');
            raw = json_raw(&import->json, value, &len);
            strbuf_add(&buf, raw, len);
        }
        key = json_next(value);
    }
    strbuf_str(&buf, buf.len ? "}" : "{}");
    return take_text(import->call, &buf);
}

static const char *member(struct import *import, const struct json_node *node, const char *key)
{
    return json_text(import->call->arena, &import->json, json_get(&import->json, node, key));
}

/* NULL when absent; a value that is no timestamp is a violation. */
static const char *time_of(struct import *import, struct call *probe, const struct json_node *node,
                           const char *key)
{
    const char *text = member(import, node, key);
    int64_t ignored;

    if (json_get(&import->json, node, key) && (!text || !clock_parse(text, &ignored)))
        call_field(probe, key, "must be a time such as 2026-03-02T09:30:00.120Z");
    return text;
}

static void take_document(struct import *import, struct call *probe,
                          Catalog__RegisterSkillRequest *skill)
{
    const struct json_node *node;
    const char *text;

    skill->asset_path = skill_asset_path(import->call, skill->id, skill->asset_path);
    node = import->assets ? json_get(&import->json, import->assets, skill->asset_path) : NULL;
    if (!node)
        return;
    text = json_text(import->call->arena, &import->json, node);
    if (!text) {
        call_field(probe, "assets", "the document of %s must be a string", skill->asset_path);
    } else if (strlen(text) > ASSET_MAX_BYTES) {
        call_field(probe, "assets", "the document of %s has more than %d bytes", skill->asset_path,
                   ASSET_MAX_BYTES);
    } else {
        skill->has_asset_content_case =
            CATALOG__REGISTER_SKILL_REQUEST__HAS_ASSET_CONTENT_ASSET_CONTENT;
        skill->asset_content = text;
    }
}

/* Leaves out the pairs whose value is ***. */
static void drop_masked(struct import *import, struct import_entry *entry, const char *field,
                        size_t *n, Mal__Pair **pairs)
{
    size_t kept = 0;

    for (size_t i = 0; i < *n; i++) {
        if (!secret_is_masked(pairs[i]->value)) {
            pairs[kept++] = pairs[i];
            continue;
        }
        entry->inactive = true;
        names_add(import->call, &import->warnings,
                  arena_printf(import->call->arena,
                               "MCP server '%s' lost the masked value of %s.%s and is inactive.",
                               entry->id, field, pairs[i]->key));
    }
    *n = kept;
}

static void check_mcp(struct import *import, struct call *probe, const struct json_node *node,
                      struct import_entry *entry)
{
    static const char *const known[] = {"active", "inactive", "error"};
    Catalog__RegisterMcpRequest *req = (void *)entry->request;
    Catalog__Mcp mcp = CATALOG__MCP__INIT;
    bool fits = false;

    mcp_from_request(&mcp, req);
    mcp_check(probe, &mcp);
    entry->status = member(import, node, "status");
    for (size_t i = 0; entry->status && i < ARRAY_SIZE(known); i++)
        fits = fits || strcmp(known[i], entry->status) == 0;
    if (json_get(&import->json, node, "status") && !fits)
        call_field(probe, "status", "must be one of active, inactive, error");
    if (probe->error.n_fields == 0) {
        drop_masked(import, entry, "env_vars", &req->n_env_vars, req->env_vars);
        drop_masked(import, entry, "headers", &req->n_headers, req->headers);
        secrets_seal(probe, "env_vars", req->n_env_vars, req->env_vars);
        secrets_seal(probe, "headers", req->n_headers, req->headers);
    }
}

static void check_kind(struct import *import, struct call *probe, const struct json_node *node,
                       struct import_entry *entry)
{
    Catalog__RegisterCommandRequest *command;

    switch (entry->kind->collection) {
    case CATALOG__COLLECTION__COLLECTION_SKILLS:
        take_document(import, probe, (void *)entry->request);
        break;
    case CATALOG__COLLECTION__COLLECTION_COMMANDS:
        command = (void *)entry->request;
        command_check(probe, command->script_template, command->n_parameters, command->parameters);
        break;
    case CATALOG__COLLECTION__COLLECTION_MCPS:
        check_mcp(import, probe, node, entry);
        break;
    default:
        break;
    }
}

static const char *short_id(struct import *import, const struct json_node *node)
{
    const char *id = member(import, node, "id");

    return id ? arena_printf(import->call->arena, "%.64s", id) : "";
}

void import_read_entry(struct import *import, const struct json_node *node,
                       struct import_entry *entry)
{
    struct call probe = *import->call; /* its violations are the entry's, not the call's */
    const char *text;
    struct json json;

    probe.error = (struct error){0};
    entry->id = "";
    if (node->type != JSON_T_OBJECT) {
        entry->reason = "must be an object";
        return;
    }
    entry->id = short_id(import, node);
    text = request_text(import, node, entry->kind);
    if (json_parse(probe.arena, text, strlen(text), NULL, &json, &probe.error) != ST_OK ||
        wire_from_json(probe.arena, wire_rule(entry->kind->request), &json, json.nodes,
                       &entry->request, &probe.error) != ST_OK) {
        entry->request = NULL;
        entry->reason = words(import->call, &probe.error);
        return;
    }
    entry->birth.created_at = time_of(import, &probe, node, "created_at");
    entry->birth.updated_at = time_of(import, &probe, node, "updated_at");
    check_kind(import, &probe, node, entry);
    if (probe.error.n_fields)
        entry->reason = words(import->call, &probe.error);
}
