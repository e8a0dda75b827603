/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI 3.1 of the REST routes: GET and DELETE take the request's fields from
 * the query, the others a JSON body without the path's variables. */
#include "openapi.h"

#include "schema.h"

#include <ctype.h>

static const struct schema_options input = {.side = SCHEMA_INPUT, .refs = true};

/* The parts that are the same for every route. */
static const char skeleton[] =
    "{\"openapi\": \"3.1.0\","
    " \"info\": {"
    "  \"title\": \"mal-hub\","
    "  \"description\": \"The REST surface of the hub. Every route does what the MCP tool of"
    " the same name does; /mcp serves the tools themselves.\","
    "  \"license\": {\"name\": \"Apache License 2.0\", \"identifier\": \"Apache-2.0\"}},"
    " \"servers\": [{\"url\": \"/\"}],"
    " \"security\": [{\"apiKey\": []}, {\"bearer\": []}],"
    " \"tags\": [],"
    " \"paths\": {},"
    " \"components\": {"
    "  \"securitySchemes\": {"
    "   \"apiKey\": {\"type\": \"apiKey\", \"in\": \"header\", \"name\": \"x-api-key\"},"
    "   \"bearer\": {\"type\": \"http\", \"scheme\": \"bearer\"}},"
    "  \"responses\": {"
    "   \"Error\": {"
    "    \"description\": \"The call failed; nothing was changed.\","
    "    \"content\": {\"application/json\": {"
    "     \"schema\": {\"$ref\": \"#/components/schemas/Error\"}}}}},"
    "  \"schemas\": {"
    "   \"Error\": {"
    "    \"type\": \"object\","
    "    \"properties\": {\"error\": {"
    "     \"type\": \"object\","
    "     \"properties\": {"
    "      \"status\": {\"type\": \"string\", \"description\": \"Status, such as NOT_FOUND.\"},"
    "      \"message\": {\"type\": \"string\", \"description\": \"What went wrong.\"},"
    "      \"hint\": {\"type\": \"string\", \"description\": \"What to do next.\"},"
    "      \"reason\": {\"type\": \"string\","
    "       \"description\": \"Machine-readable reason, such as CONFIRMATION_REQUIRED.\"},"
    "      \"fields\": {\"type\": \"array\", \"description\": \"Violations, one per field.\","
    "       \"items\": {\"type\": \"object\","
    "        \"properties\": {"
    "         \"field\": {\"type\": \"string\", \"description\": \"Path of the field.\"},"
    "         \"message\": {\"type\": \"string\", \"description\": \"What is allowed.\"}},"
    "        \"required\": [\"field\", \"message\"]}},"
    "      \"request_id\": {\"type\": \"string\", \"description\": \"Id the logs name.\"}},"
    "     \"required\": [\"status\", \"message\", \"request_id\"]}},"
    "    \"required\": [\"error\"]}}}}";

static bool takes_query(const struct method *m)
{
    return strcmp(m->http->method, "GET") == 0 || strcmp(m->http->method, "DELETE") == 0;
}

static bool in_path(const struct method *m, const struct field *field)
{
    size_t len = strlen(field->name);
    for (const char *p = strchr(m->http->path, '{'); p; p = strchr(p + 1, '{'))
        if (strncmp(p + 1, field->name, len) == 0 && p[1 + len] == '}')
            return true;
    return false;
}

/* An entity that can be had at PATH/{variable} was made at PATH: 201, Location. */
static bool creates(const struct model *model, const struct method *m)
{
    size_t len = strlen(m->http->path);
    if (strcmp(m->http->method, "POST") != 0)
        return false;
    for (size_t i = 0; i < model->n_methods; i++) {
        const Mal__Http *http = model->methods[i].http;
        if (!http || strcmp(http->method, "GET") != 0 ||
            strncmp(http->path, m->http->path, len) != 0)
            continue;
        const char *rest = http->path + len;
        if (strncmp(rest, "/{", 2) == 0 && rest[strcspn(rest, "}")] == '}' &&
            !rest[strcspn(rest, "}") + 1])
            return true;
    }
    return false;
}

/* Adds the message and what it refers to; messages are not recursive (lint). */
// NOLINTNEXTLINE(misc-no-recursion)
static void add_component(json_t *schemas, struct arena *arena, const struct message *message,
                          struct schema_options options, bool itself)
{
    const char *name = schema_component(arena, message, options.side);
    if (itself && json_object_get(schemas, name))
        return;
    if (itself)
        json_object_set_new(schemas, name, schema_message(message, options));
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct field *field = &message->fields[i];
        if (field->message && !field->rule->internal)
            add_component(schemas, arena, field->message, options, !field->rule->map);
    }
}

static json_t *parameter(const struct method *m, const struct field *field)
{
    bool path = in_path(m, field);
    json_t *schema = schema_field(field, input);
    json_t *out = json_pack("{s:s, s:s, s:s}", "name", field->name, "in", path ? "path" : "query",
                            "description", field->place.comment);
    json_object_del(schema, "description");
    if (path || field->rule->required)
        json_object_set_new(out, "required", json_true());
    if (field->rule->map)
        json_object_set_new(out, "style", json_string("deepObject"));
    if (field->rule->map || field->repeated)
        json_object_set_new(out, "explode", json_true());
    json_object_set_new(out, "schema", schema);
    return out;
}

static json_t *parameters(const struct method *m)
{
    json_t *out = json_array();
    for (size_t i = 0; i < m->request->n_fields; i++) {
        const struct field *field = &m->request->fields[i];
        if (!field->rule->internal && !field_is_format(field) &&
            (takes_query(m) || in_path(m, field)))
            json_array_append_new(out, parameter(m, field));
    }
    return out;
}

/* The request's schema without what the path says and what REST has no use for. */
static json_t *body(const struct method *m)
{
    json_t *schema = schema_message(m->request, input);
    json_t *properties = json_object_get(schema, "properties");
    json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < m->request->n_fields; i++) {
        const struct field *field = &m->request->fields[i];
        if (!in_path(m, field) && !field_is_format(field))
            continue;
        json_object_del(properties, field->name);
        for (size_t j = json_array_size(required); j-- > 0;)
            if (strcmp(json_string_value(json_array_get(required, j)), field->name) == 0)
                json_array_remove(required, j);
    }
    bool needed = json_array_size(required) > 0;
    if (!needed)
        json_object_del(schema, "required");
    return json_pack("{s:b, s:{s:{s:o}}}", "required", needed, "content", "application/json",
                     "schema", schema);
}

static json_t *responses(const struct model *model, const struct method *m)
{
    bool created = creates(model, m);
    json_t *reference =
        json_pack("{s:o}", "$ref",
                  json_sprintf("#/components/schemas/%s",
                               schema_component(model->arena, m->response, SCHEMA_OUTPUT)));
    json_t *success =
        json_pack("{s:s, s:{s:{s:o}}}", "description", created ? "It was made." : "It was done.",
                  "content", "application/json", "schema", reference);
    if (m->tool)
        json_object_set_new(json_object_get(success, "content"), "text/markdown",
                            json_pack("{s:{s:s}}", "schema", "type", "string"));
    if (created)
        json_object_set_new(success, "headers",
                            json_pack("{s:{s:s, s:{s:s, s:s}}}", "Location", "description",
                                      "Where it can be had.", "schema", "type", "string", "format",
                                      "uri-reference"));
    json_t *out = json_pack("{s:o}", created ? "201" : "200", success);
    static const char *const failures[] = {"4XX", "5XX"};
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
        json_object_set_new(out, failures[i],
                            json_pack("{s:s}", "$ref", "#/components/responses/Error"));
    return out;
}

/* "ListSkills" -> "List skills", for rpcs that are no tools. */
static const char *title_of(struct arena *arena, const struct method *m)
{
    if (m->tool)
        return m->tool->title;
    char *title = arena_strdup(arena, m->snake);
    for (char *p = title; *p; p++)
        if (*p == '_')
            *p = ' ';
    *title = (char)toupper((unsigned char)*title);
    return title;
}

static json_t *operation(const struct model *model, const struct method *m)
{
    const char *package = m->place.file->c_package;
    json_t *out =
        json_pack("{s:s, s:s}", "operationId",
                  m->tool ? m->tool->name : arena_printf(model->arena, "%s_%s", package, m->snake),
                  "summary", title_of(model->arena, m));
    json_object_set_new(out, "description",
                        *m->http->scope ? json_sprintf("%s\n\nNeeds a key with the scope %s.",
                                                       m->place.comment, m->http->scope)
                                        : json_string(m->place.comment));
    json_object_set_new(out, "tags", json_pack("[s]", package));
    json_t *list = parameters(m);
    if (json_array_size(list) > 0)
        json_object_set(out, "parameters", list);
    json_decref(list);
    if (!takes_query(m))
        json_object_set_new(out, "requestBody", body(m));
    json_object_set_new(out, "responses", responses(model, m));
    return out;
}

static void add_route(const struct model *model, const struct method *m, json_t *document)
{
    json_t *paths = json_object_get(document, "paths"), *tags = json_object_get(document, "tags");
    json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    json_t *item = json_object_get(paths, m->http->path);
    if (!item) {
        item = json_object();
        json_object_set_new(paths, m->http->path, item);
    }
    char *verb = arena_strdup(model->arena, m->http->method);
    for (char *p = verb; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    json_object_set_new(item, verb, operation(model, m));

    const char *package = m->place.file->c_package;
    json_t *last = json_array_get(tags, json_array_size(tags) - 1);
    if (!last || strcmp(json_string_value(json_object_get(last, "name")), package) != 0)
        json_array_append_new(tags, json_pack("{s:s}", "name", package));

    add_component(schemas, model->arena, m->response,
                  (struct schema_options){.side = SCHEMA_OUTPUT, .refs = true}, true);
    add_component(schemas, model->arena, m->request, input, false);
}

json_t *openapi(const struct model *model, const char *version)
{
    json_t *document = json_loads(skeleton, 0, NULL);
    json_object_set_new(json_object_get(document, "info"), "version", json_string(version));
    for (size_t i = 0; i < model->n_methods; i++)
        if (model->methods[i].place.file->generate && model->methods[i].http)
            add_route(model, &model->methods[i], document);
    return document;
}
