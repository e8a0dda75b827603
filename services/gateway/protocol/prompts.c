/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts: every command, under its id, rendered for its parameters, and every
 * subagent's system prompt, under "agent." and its id. */
#include "catalog_lists.h"
#include "mcp/seal.h"
#include "mcp_reply.h"

#include "mal/catalog/v1/catalog.api.h"

#include <string.h>

enum { PARAMS_MAX = 30 };

static void put_argument(struct mcp *m, const Catalog__CommandParameter *parameter)
{
    strbuf_char(&m->out, '{');
    mcp_put_member(&m->out, "name", parameter->name);
    mcp_put_member(&m->out, "description", parameter->description);
    reply_key(m, "required");
    strbuf_str(&m->out, parameter->required ? "true}" : "false}");
}

static void put_prompt(struct mcp *m, const struct prompt *prompt)
{
    const Catalog__Command *command = prompt->command;
    const Catalog__Subagent *agent = prompt->subagent;

    strbuf_char(&m->out, '{');
    mcp_put_member(&m->out, "name", prompt->name);
    if (m->version >= MCP_2025_06_18)
        mcp_put_member(&m->out, "title", command != NULL ? command->name : agent->name);
    mcp_put_member(&m->out, "description",
                   command != NULL ? command->description : agent->description);
    if (command != NULL && command->n_parameters > 0) {
        reply_key(m, "arguments");
        strbuf_char(&m->out, '[');
        for (size_t i = 0; i < command->n_parameters; i++) {
            if (i > 0)
                strbuf_char(&m->out, ',');
            put_argument(m, command->parameters[i]);
        }
        strbuf_char(&m->out, ']');
    }
    strbuf_char(&m->out, '}');
}

/* The page and, if there is one, the first of the next; none for who may not read. */
static bool read_page(struct mcp *m, const char *after, struct prompt **ret_items, size_t *ret_n)
{
    struct error err = {0};

    *ret_n = 0;
    if ((m->x->who.scopes & SCOPE_READ) == 0 ||
        catalog_prompts(m->x, after, (int)config.list_page + 1, ret_items, ret_n, &err) == ST_OK)
        return true;
    reply_error(m, MCP_INTERNAL_ERROR, "%s", err.message);
    return false;
}

void mcp_prompts_list(struct mcp *m)
{
    struct prompt *prompts;
    const char *cursor, *after = "";
    size_t n, i;

    if (!mcp_cursor(m, &cursor))
        return;
    if (cursor != NULL)
        after = mcp_cursor_get(m->x->arena, 'p', cursor);
    if (after == NULL) {
        reply_error(m, MCP_INVALID_PARAMS, "params.cursor is no cursor of this list");
        return;
    }
    if (!read_page(m, after, &prompts, &n))
        return;
    reply_begin(m, TTL_STALE);
    reply_key(m, "prompts");
    strbuf_char(&m->out, '[');
    for (i = 0; i < n && i < (size_t)config.list_page; i++) {
        if (i > 0)
            strbuf_char(&m->out, ',');
        put_prompt(m, &prompts[i]);
    }
    strbuf_char(&m->out, ']');
    if (i < n) {
        reply_key(m, "nextCursor");
        strbuf_char(&m->out, '"');
        mcp_cursor_put(&m->out, 'p', prompts[i - 1].name);
        strbuf_char(&m->out, '"');
    }
    reply_end(m, NULL);
}

static void put_messages(struct mcp *m, const char *description, const char *text)
{
    reply_begin(m, TTL_NONE);
    mcp_put_member(&m->out, "description", description);
    reply_key(m, "messages");
    strbuf_str(&m->out, "[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":");
    json_put_string(&m->out, text);
    strbuf_str(&m->out, "}}]");
    reply_end(m, NULL);
}

/* A failure of the catalog as the answer to prompts/get. */
static void failed(struct mcp *m, enum status status, const struct error *err, const char *name)
{
    if (status == ST_NOT_FOUND)
        reply_error(m, MCP_INVALID_PARAMS, "Unknown prompt: %.128s", name);
    else if (status == ST_INVALID_ARGUMENT && err->n_fields > 0)
        reply_error(m, MCP_INVALID_PARAMS, "argument %s %s",
                    err->fields[0].field +
                        (strncmp(err->fields[0].field, "params.", 7) == 0 ? 7 : 0),
                    err->fields[0].message);
    else if (status == ST_INVALID_ARGUMENT)
        reply_error(m, MCP_INVALID_PARAMS, "%s", err->message);
    else
        reply_error(m, MCP_INTERNAL_ERROR, "%s", err->message);
}

static void get_agent(struct mcp *m, const char *name)
{
    Catalog__GetSubagentRequest request = CATALOG__GET_SUBAGENT_REQUEST__INIT;
    const Catalog__GetSubagentResponse *agent;
    ProtobufCMessage *reply;
    struct error err = {0};
    enum status status;

    request.id = name + strlen(AGENT);
    status = *request.id == '\0'
                 ? ST_NOT_FOUND
                 : catalog_ask(m->x, &catalog_get_subagent_rpc, &request.base, &reply, &err);
    if (status != ST_OK) {
        failed(m, status, &err, name);
        return;
    }
    agent = (const void *)reply;
    put_messages(m, agent->subagent->description, agent->subagent->system_prompt);
}

/* arguments of prompts/get as parameters of the command; false: answered. */
static bool read_arguments(struct mcp *m, Catalog__ExecuteCommandRequest *request)
{
    const struct json *json = m->msg.json;
    const struct json_node *arguments = json_get(json, m->msg.params, "arguments"), *key;
    Mal__Pair **pairs;
    size_t n = 0;

    if (arguments == NULL)
        return true;
    if (arguments->type != JSON_T_OBJECT || arguments->count > PARAMS_MAX) {
        reply_error(m, MCP_INVALID_PARAMS, "params.arguments must be an object of at most %d texts",
                    PARAMS_MAX);
        return false;
    }
    pairs = arena_alloc(m->x->arena, (arguments->count + 1) * sizeof(void *));
    for (key = json_first(arguments); n < arguments->count; key = json_next(json_next(key))) {
        Mal__Pair *pair = arena_alloc(m->x->arena, sizeof(*pair));

        mal__pair__init(pair);
        pair->key = json_text(m->x->arena, json, key);
        pair->value = json_text(m->x->arena, json, json_next(key));
        if (pair->value == NULL) {
            reply_error(m, MCP_INVALID_PARAMS, "params.arguments.%.64s must be a string",
                        pair->key);
            return false;
        }
        pairs[n++] = pair;
    }
    request->params = pairs;
    request->n_params = n;
    return true;
}

static const char *fenced(struct mcp *m, const Catalog__ExecuteCommandResponse *command,
                          const char *name, const char *description)
{
    static const char *const shells[] = {"", "bash", "python", "node"};
    const char *shell = command->shell < ARRAY_SIZE(shells) ? shells[command->shell] : "";
    size_t longest = 3, run = 0;
    char fence[64];

    for (const char *c = command->rendered_script; *c != '\0'; c++) {
        run = *c == '`' ? run + 1 : 0;
        if (run >= longest && run < sizeof(fence) - 1)
            longest = run + 1;
    }
    memset(fence, '`', longest);
    fence[longest] = '\0';
    return arena_printf(m->x->arena, "Run the command %s: %s\n\n%s%s\n%s\n%s\n", name, description,
                        fence, shell, command->rendered_script, fence);
}

static void get_command(struct mcp *m, const char *name)
{
    Catalog__GetCommandRequest lookup = CATALOG__GET_COMMAND_REQUEST__INIT;
    Catalog__ExecuteCommandRequest request = CATALOG__EXECUTE_COMMAND_REQUEST__INIT;
    const Catalog__GetCommandResponse *command;
    ProtobufCMessage *found, *rendered;
    struct error err = {0};
    enum status status;

    if (!read_arguments(m, &request))
        return;
    lookup.id = request.id = name;
    request.mode = CATALOG__EXECUTE_MODE__EXECUTE_MODE_RENDER;
    request.timeout_s = 60;
    status = catalog_ask(m->x, &catalog_get_command_rpc, &lookup.base, &found, &err);
    if (status == ST_OK)
        status = catalog_ask(m->x, &catalog_execute_command_rpc, &request.base, &rendered, &err);
    if (status != ST_OK) {
        failed(m, status, &err, name);
        return;
    }
    command = (const void *)found;
    put_messages(
        m, command->command->description,
        fenced(m, (const void *)rendered, command->command->name, command->command->description));
}

void mcp_prompts_get(struct mcp *m)
{
    const char *name;

    if (!mcp_need(m, "name", &name))
        return;
    if ((m->x->who.scopes & SCOPE_READ) == 0 || *name == '\0' || strlen(name) > 128)
        reply_error(m, MCP_INVALID_PARAMS, "Unknown prompt: %.128s", name);
    else if (strncmp(name, AGENT, strlen(AGENT)) == 0)
        get_agent(m, name);
    else
        get_command(m, name);
}
