/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator refuses of rpcs: tools, routes, paging. */
#include "lint.h"

enum { TOOL_NAME_MAX = 64 };

static bool one_of(const char *text, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Another rpc, declared earlier, that takes the same name or route. */
static const struct method *earlier(const struct model *model, const struct method *method,
                                    bool (*same)(const struct method *, const struct method *))
{
    for (const struct method *m = model->methods; m < method; m++)
        if (same(m, method))
            return m;
    return NULL;
}

static bool same_tool(const struct method *a, const struct method *b)
{
    return a->tool && b->tool && strcmp(a->tool->name, b->tool->name) == 0;
}

/* /things/{id} and /things/{name} are the same route. */
static bool same_route(const struct method *a, const struct method *b)
{
    if (!a->http || !b->http || strcmp(a->http->method, b->http->method) != 0)
        return false;
    const char *p = a->http->path, *q = b->http->path;
    while (*p && *p == *q) {
        if (*p == '{') {
            p += strcspn(p, "}");
            q += strcspn(q, "}");
            continue;
        }
        p++;
        q++;
    }
    return !*p && !*q;
}

static void lint_tool(struct model *model, const struct method *m)
{
    const Mal__Tool *tool = m->tool;
    const char *name = arena_printf(model->arena, "mal_%s", m->snake);
    const struct method *other = earlier(model, m, same_tool);
    if (strcmp(tool->name, name) != 0)
        model_error(model, &m->place, "the tool of rpc %s must be named %s, not '%s'", m->name,
                    name, tool->name);
    if (strlen(tool->name) > TOOL_NAME_MAX)
        model_error(model, &m->place, "tool name %s is longer than %d characters; shorten the rpc",
                    tool->name, TOOL_NAME_MAX);
    if (other)
        model_error(model, &m->place, "tool %s is declared already, %s:%d", tool->name,
                    other->place.file->name, other->place.line);
    if (!*tool->title)
        model_error(model, &m->place, "tool %s has no title; give a verb and a noun", tool->name);
    if (tool->read_only && tool->destructive)
        model_error(model, &m->place,
                    "tool %s is read_only and destructive; remove one of the hints", tool->name);
    if (tool->read_only && !tool->idempotent)
        model_error(model, &m->place,
                    "tool %s is read_only, and reading twice is reading once; add idempotent: true",
                    tool->name);
}

/* Every {variable} of the path must be a string field of the request. */
static void lint_variables(struct model *model, const struct method *m)
{
    for (const char *p = strchr(m->http->path, '{'); p; p = strchr(p, '{')) {
        size_t len = strcspn(++p, "}");
        const char *name = arena_memdup(model->arena, p, len);
        const struct field *field = message_field(m->request, name);
        if (!field)
            model_error(model, &m->place, "path %s: {%s} is no field of %s", m->http->path, name,
                        m->request->name);
        else if (field->type != TYPE_STRING || field->repeated || !field->rule->required)
            model_error(model, &m->place, "path %s: {%s} must be a required string of %s",
                        m->http->path, name, m->request->name);
        p += len;
    }
}

static void lint_query(struct model *model, const struct method *m)
{
    for (size_t i = 0; i < m->request->n_fields; i++) {
        const struct field *field = &m->request->fields[i];
        if (field->type == TYPE_MESSAGE && !field->rule->map && !field->rule->internal)
            model_error(model, &field->place,
                        "%s.%s is a message, and %s %s takes its fields from the query; use "
                        "scalars, lists or maps",
                        m->request->name, field->name, m->http->method, m->http->path);
    }
}

static void lint_route(struct model *model, const struct method *m)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
    static const char *const scopes[] = {"read", "write", "destructive", "execute", "admin", NULL};
    const Mal__Http *http = m->http;
    const struct method *other = earlier(model, m, same_route);
    if (!one_of(http->method, methods))
        model_error(model, &m->place,
                    "rpc %s: method '%s' is none of GET, POST, PUT, PATCH and DELETE", m->name,
                    http->method);
    if (!starts_with(http->path, "/api/v1/"))
        model_error(model, &m->place, "rpc %s: path '%s' must begin with /api/v1/", m->name,
                    http->path);
    if (other)
        model_error(model, &m->place, "route %s %s is taken already, %s:%d", http->method,
                    http->path, other->place.file->name, other->place.line);
    if (strcmp(http->method, "GET") == 0 && m->tool && !m->tool->read_only)
        model_error(model, &m->place,
                    "GET %s is a route of %s, which is not read_only; use POST, or mark the tool",
                    http->path, m->tool->name);
    if (!m->tool && !one_of(http->scope, scopes))
        model_error(model, &m->place,
                    "rpc %s is no tool, so its route needs a scope: read, write, destructive, "
                    "execute or admin",
                    m->name);
    if (m->tool && *http->scope)
        model_error(model, &m->place,
                    "rpc %s: the scope of a tool follows from its hints; remove "
                    "scope",
                    m->name);
    lint_variables(model, m);
    if (strcmp(http->method, "GET") == 0 || strcmp(http->method, "DELETE") == 0)
        lint_query(model, m);
}

/* A list is read in pages, by the same names everywhere. */
static void lint_paging(struct model *model, const struct method *m)
{
    static const char *const asked[] = {"limit", "offset", NULL};
    static const char *const answered[] = {"items",    "total",       "count", "offset",
                                           "has_more", "next_offset", NULL};
    bool listing = starts_with(m->name, "List") || starts_with(m->name, "Search") ||
                   message_field(m->response, "has_more");
    if (!listing || !(m->tool || m->http)) /* jobs between services read all at once */
        return;
    for (const char *const *name = asked; *name; name++)
        if (!message_field(m->request, *name))
            model_error(model, &m->place, "rpc %s answers a list: %s needs field %s", m->name,
                        m->request->name, *name);
    for (const char *const *name = answered; *name; name++)
        if (!message_field(m->response, *name))
            model_error(model, &m->place, "rpc %s answers a list: %s needs field %s", m->name,
                        m->response->name, *name);
}

static void lint_messages(struct model *model, const struct method *m)
{
    const char *request =
        arena_printf(model->arena, "%s.%sRequest", m->place.file->package, m->name);
    const char *response =
        arena_printf(model->arena, "%s.%sResponse", m->place.file->package, m->name);
    if (strcmp(m->request->full_name, request) != 0)
        model_error(model, &m->place, "rpc %s must take %sRequest, not %s", m->name, m->name,
                    m->request->full_name);
    if (strcmp(m->response->full_name, response) != 0)
        model_error(model, &m->place, "rpc %s must return %sResponse, not %s", m->name, m->name,
                    m->response->full_name);
}

/* JSON has no bytes: what clients see must not hold any. */
// NOLINTNEXTLINE(misc-no-recursion)
static void lint_bytes(struct model *model, const struct message *message, bool *visited)
{
    if (visited[message - model->messages])
        return;
    visited[message - model->messages] = true;
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct field *field = &message->fields[i];
        if (field->rule->internal)
            continue;
        if (field->type == TYPE_BYTES)
            model_error(model, &field->place,
                        "%s.%s is bytes, which JSON has not; use string, or rule internal",
                        message->name, field->name);
        if (field->message)
            lint_bytes(model, field->message, visited);
    }
}

void lint_method(struct model *model, const struct method *m)
{
    if (!m->place.comment)
        model_error(model, &m->place,
                    "rpc %s has no comment; say above it what it does, models read it", m->name);
    if (m->streaming)
        model_error(model, &m->place, "rpc %s streams; the bus carries one request, one reply",
                    m->name);
    lint_messages(model, m);
    if (m->tool)
        lint_tool(model, m);
    if (m->http)
        lint_route(model, m);
    lint_paging(model, m);
    if (m->tool || m->http) {
        bool *visited = arena_alloc(model->arena, model->n_messages);
        lint_bytes(model, m->request, visited);
        lint_bytes(model, m->response, visited);
    }
}
