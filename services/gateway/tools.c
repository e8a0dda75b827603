/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations, and how they are shown. */
#include "tools.h"

#include "keylist.h"
#include "wire/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_SCHEMA                                                                             \
    "\"confirm\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Set to true only "      \
    "after "                                                                                       \
    "the user agreed to this exact action.\"}"

static unsigned scopes_of(const struct rpc *rpc)
{
    unsigned bits;

    if (rpc->tool_name == NULL && rpc->scope != NULL && *rpc->scope != '\0') {
        bits = scope_bit(rpc->scope);
        assert(bits != 0);
        return bits == SCOPE_DESTRUCTIVE ? SCOPE_WRITE | SCOPE_DESTRUCTIVE : bits;
    }
    if (rpc->read_only)
        return SCOPE_READ;
    if (rpc->open_world)
        return SCOPE_EXECUTE;
    return rpc->destructive ? SCOPE_WRITE | SCOPE_DESTRUCTIVE : SCOPE_WRITE;
}

uint64_t tools_text_bytes(const struct message_rule *rule)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < rule->descriptor->n_fields; i++) {
        const struct field_rule *field = &rule->fields[i];
        uint64_t bytes = field->max_bytes != 0 ? field->max_bytes : field->max_len;

        if (field->message != NULL)
            bytes = tools_text_bytes(field->message);
        sum += field->max_items != 0 ? bytes * field->max_items : bytes;
    }
    return sum;
}

static bool has_field(const struct message_rule *rule, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(rule->descriptor, name) != NULL;
}

/* The schema with a further property; the text comes from the generator. */
static const char *add_confirm(struct arena *arena, const char *schema)
{
    struct json json;
    const struct json_node *properties;

    if (json_parse(arena, schema, strlen(schema), NULL, &json, NULL) != ST_OK)
        return schema;
    properties = json_get(&json, json.nodes, "properties");
    if (properties == NULL || properties->type != JSON_T_OBJECT)
        return schema;
    return arena_printf(arena, "%.*s" CONFIRM_SCHEMA "%s%s", (int)properties->start + 1, schema,
                        properties->count > 0 ? "," : "", schema + properties->start + 1);
}

static void put_hint(struct strbuf *buf, const char *name, bool value)
{
    strbuf_printf(buf, "%s\"%s\":%s", buf->data[buf->len - 1] == '{' ? "" : ",", name,
                  value ? "true" : "false");
}

static void show(struct tool *tool, enum tool_form form)
{
    const struct rpc *rpc = tool->rpc;
    struct strbuf *buf = &tool->shown[form];

    strbuf_str(buf, "{\"name\":");
    json_put_string(buf, rpc->tool_name);
    if (form == TOOL_FULL) {
        strbuf_str(buf, ",\"title\":");
        json_put_string(buf, rpc->title);
    }
    strbuf_str(buf, ",\"description\":");
    json_put_string(buf, rpc->description);
    strbuf_str(buf, ",\"inputSchema\":");
    strbuf_str(buf, tool->input_schema);
    if (form == TOOL_FULL) {
        strbuf_str(buf, ",\"outputSchema\":");
        strbuf_str(buf, rpc->output_schema);
    }
    if (form != TOOL_OLDEST) {
        strbuf_str(buf, ",\"annotations\":{");
        if (form == TOOL_ANNOTATED) {
            strbuf_str(buf, "\"title\":");
            json_put_string(buf, rpc->title);
        }
        put_hint(buf, "readOnlyHint", rpc->read_only);
        put_hint(buf, "destructiveHint", rpc->destructive);
        put_hint(buf, "idempotentHint", rpc->idempotent);
        put_hint(buf, "openWorldHint", rpc->open_world);
        strbuf_char(buf, '}');
    }
    strbuf_char(buf, '}');
}

static void row_init(struct tools *tools, const struct rpc *rpc, const char *confirm_tools)
{
    struct tool *tool = &tools->rows[tools->n++];

    *tool = (struct tool){.rpc = rpc, .needs = scopes_of(rpc), .input_schema = rpc->input_schema};
    tool->own_confirm = has_field(rpc->request, "confirm");
    if (rpc->tool_name == NULL)
        return;
    tool->guarded = !tool->own_confirm && config_list_has(confirm_tools, rpc->tool_name);
    if (tool->guarded)
        tool->input_schema = add_confirm(&tools->arena, rpc->input_schema);
    for (int form = 0; form < TOOL_FORMS; form++)
        show(tool, (enum tool_form)form);
    tools->by_name[tools->n_by_name++] = tool;
}

static int compare(const void *a, const void *b)
{
    const struct tool *const *left = a, *const *right = b;

    return strcmp((*left)->rpc->tool_name, (*right)->rpc->tool_name);
}

struct tools *tools_new(const struct package *packages, size_t n_packages,
                        const char *confirm_tools)
{
    struct tools *tools = calloc(1, sizeof(*tools));
    size_t total = 1;

    if (tools == NULL)
        abort();
    arena_init(&tools->arena);
    for (size_t i = 0; i < n_packages; i++)
        total += packages[i].n;
    tools->rows = calloc(total, sizeof(*tools->rows));
    tools->by_name = calloc(total, sizeof(void *));
    if (tools->rows == NULL || tools->by_name == NULL)
        abort();
    for (size_t i = 0; i < n_packages; i++)
        for (size_t j = 0; j < packages[i].n; j++)
            if (packages[i].rpcs[j]->tool_name != NULL || packages[i].rpcs[j]->method != NULL)
                row_init(tools, packages[i].rpcs[j], confirm_tools);
    qsort(tools->by_name, tools->n_by_name, sizeof(void *), compare);
    return tools;
}

void tools_free(struct tools *tools)
{
    if (tools == NULL)
        return;
    for (size_t i = 0; i < tools->n; i++)
        for (int form = 0; form < TOOL_FORMS; form++)
            strbuf_done(&tools->rows[i].shown[form]);
    free(tools->rows);
    free(tools->by_name);
    arena_done(&tools->arena);
    free(tools);
}

static bool visible(const struct tool *tool, unsigned scopes)
{
    return tool->rpc->tool_name != NULL && (tool->needs & ~scopes) == 0;
}

const struct tool *tools_find(const struct tools *tools, const char *name, unsigned scopes)
{
    size_t low = 0, high = tools->n_by_name;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, tools->by_name[middle]->rpc->tool_name);

        if (order == 0)
            return visible(tools->by_name[middle], scopes) ? tools->by_name[middle] : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum tool_form tools_form(enum mcp_version version)
{
    if (version <= MCP_2024_11_05)
        return TOOL_OLDEST;
    return version == MCP_2025_03_26 ? TOOL_ANNOTATED : TOOL_FULL;
}
