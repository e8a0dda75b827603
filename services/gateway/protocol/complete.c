/* SPDX-License-Identifier: Apache-2.0 */
/* completion/complete: ids of skills, and values of commands' parameters. */
#include "catalog_lists.h"
#include "mcp_reply.h"
#include "skill_uri.h"

#include "mal/catalog/v1/catalog.api.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { VALUES_MAX = 100, ID_MAX = 128 };

struct completion {
    const char *values[VALUES_MAX];
    size_t n, total;
    const char *start; /* what was typed so far */
};

static void suggest(struct completion *c, const char *value)
{
    if (strncasecmp(value, c->start, strlen(c->start)) != 0)
        return;
    if (c->n < VALUES_MAX)
        c->values[c->n++] = value;
    c->total++;
}

static void put(struct mcp *m, const struct completion *c)
{
    reply_begin(m, TTL_NONE);
    reply_key(m, "completion");
    strbuf_str(&m->out, "{\"values\":[");
    for (size_t i = 0; i < c->n; i++) {
        if (i > 0)
            strbuf_char(&m->out, ',');
        json_put_string(&m->out, c->values[i]);
    }
    if (c->total > c->n) /* how many nobody counted */
        strbuf_str(&m->out, "],\"hasMore\":true}");
    else
        strbuf_printf(&m->out, "],\"total\":%zu,\"hasMore\":false}", c->total);
    reply_end(m, NULL);
}

/* false: answered with an error. */
static bool skills(struct mcp *m, const char *uri, const char *argument, struct completion *c)
{
    const Catalog__PageDocumentsResponse *page;
    char start[ID_MAX + 1] = "";
    struct error err = {0};

    if (strcmp(uri, SKILL_TEMPLATE) != 0 || strcmp(argument, "id") != 0) {
        reply_error(m, MCP_INVALID_PARAMS,
                    "only the argument id of " SKILL_TEMPLATE " can be completed");
        return false;
    }
    if (strlen(c->start) > ID_MAX)
        return true; /* no id is that long */
    for (size_t i = 0; c->start[i] != '\0'; i++)
        start[i] = (char)tolower((unsigned char)c->start[i]);
    if (catalog_documents(m->x, "", start, VALUES_MAX + 1, &page, &err) != ST_OK) {
        reply_error(m, MCP_INTERNAL_ERROR, "%s", err.message);
        return false;
    }
    for (size_t i = 0; i < page->n_items; i++)
        suggest(c, page->items[i]->id);
    return true;
}

static const Catalog__CommandParameter *find_parameter(const Catalog__Command *command,
                                                       const char *name)
{
    for (size_t i = 0; i < command->n_parameters; i++)
        if (strcmp(command->parameters[i]->name, name) == 0)
            return command->parameters[i];
    return NULL;
}

static void suggest_values(struct completion *c, const Catalog__CommandParameter *parameter)
{
    for (size_t i = 0; i < parameter->n_enum_values; i++)
        suggest(c, parameter->enum_values[i]);
    if (parameter->type == CATALOG__PARAMETER_TYPE__PARAMETER_TYPE_BOOLEAN) {
        suggest(c, "false");
        suggest(c, "true");
    } else if (parameter->n_enum_values == 0 &&
               parameter->has_default_case == CATALOG__COMMAND_PARAMETER__HAS_DEFAULT_DEFAULT) {
        suggest(c, parameter->default_);
    }
}

static bool parameters(struct mcp *m, const char *prompt, const char *argument,
                       struct completion *c)
{
    Catalog__GetCommandRequest request = CATALOG__GET_COMMAND_REQUEST__INIT;
    const Catalog__CommandParameter *parameter;
    ProtobufCMessage *reply;
    struct error err = {0};
    enum status status = ST_NOT_FOUND;

    request.id = prompt;
    if (*prompt != '\0' && strlen(prompt) <= 128)
        status = catalog_ask(m->x, &catalog_get_command_rpc, &request.base, &reply, &err);
    if (status == ST_NOT_FOUND || status == ST_INVALID_ARGUMENT) {
        reply_error(m, MCP_INVALID_PARAMS, "Unknown prompt, or one without arguments: %.128s",
                    prompt);
        return false;
    }
    if (status != ST_OK) {
        reply_error(m, MCP_INTERNAL_ERROR, "%s", err.message);
        return false;
    }
    parameter = find_parameter(((const Catalog__GetCommandResponse *)(const void *)reply)->command,
                               argument);
    if (parameter == NULL) {
        reply_error(m, MCP_INVALID_PARAMS, "%.128s has no argument %.64s", prompt, argument);
        return false;
    }
    suggest_values(c, parameter);
    return true;
}

void mcp_complete(struct mcp *m)
{
    const struct json *json = m->msg.json;
    const struct json_node *params = m->msg.params, *ref;
    const char *name, *uri, *argument;
    struct completion *c = arena_alloc(m->x->arena, sizeof(*c));
    bool found = true;

    ref = params != NULL ? json_get(json, params, "ref") : NULL;
    if (ref == NULL || json_path(json, params, "argument", "name", NULL) == NULL) {
        reply_error(m, MCP_INVALID_PARAMS, "params must have ref and argument");
        return;
    }
    name = json_text(m->x->arena, json, json_get(json, ref, "name"));
    uri = json_text(m->x->arena, json, json_get(json, ref, "uri"));
    argument = json_text(m->x->arena, json, json_path(json, params, "argument", "name", NULL));
    c->start = json_text(m->x->arena, json, json_path(json, params, "argument", "value", NULL));
    if (argument == NULL || c->start == NULL) {
        reply_error(m, MCP_INVALID_PARAMS, "params.argument must have the texts name and value");
        return;
    }
    if ((m->x->who.scopes & SCOPE_READ) == 0)
        found = true; /* nothing to suggest */
    else if (json_is(json, json_get(json, ref, "type"), "ref/resource") && uri != NULL)
        found = skills(m, uri, argument, c);
    else if (json_is(json, json_get(json, ref, "type"), "ref/prompt") && name != NULL)
        found = parameters(m, name, argument, c);
    else {
        reply_error(m, MCP_INVALID_PARAMS, "params.ref must name a prompt or a resource");
        return;
    }
    if (found)
        put(m, c);
}
