/* SPDX-License-Identifier: Apache-2.0 */
/* REST routes. */
#include "rest.h"

#include "audit.h"
#include "invoke.h"
#include "mcp/message.h"
#include "mcp_call.h"
#include "openapi.h"
#include "respond.h"
#include "rest_match.h"
#include "wire/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NO_STORE "Cache-Control: no-store\r\n"

struct rest {
    struct exchange *x;
    const struct tool *tool;
    struct wire_param *params; /* of the path first */
    size_t n_vars, n_params;
};

static void respond_error_as(struct exchange *x, int http_status, const struct error *err,
                             const char *headers)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    const char *hint = *err->hint != '\0' ? err->hint : status_hint(err->status);
    bool later = err->status == ST_UNAVAILABLE || err->status == ST_RESOURCE_EXHAUSTED;

    strbuf_str(&body, "{\"error\":{");
    mcp_put_member(&body, "status", status_name(err->status));
    mcp_put_member(&body, "message",
                   err->status == ST_INTERNAL ? "Something went wrong inside the hub."
                                              : err->message);
    if (hint != NULL)
        mcp_put_member(&body, "hint", hint);
    respond_put_detail(&body, x, err);
    strbuf_str(&body, "}}");
    respond(x, http_status, "application/json", body.data, body.len,
            arena_printf(x->arena, NO_STORE "%s%s", later ? "Retry-After: 1\r\n" : "",
                         headers != NULL ? headers : ""));
}

static void respond_error(struct exchange *x, const struct error *err)
{
    respond_error_as(x, status_http(err->status), err, NULL);
}

/* A request that was no call yet: HTTP says more precisely what is wrong. */
static void refuse(struct exchange *x, int http_status, const char *message, const char *hint,
                   const char *headers)
{
    struct error *err = arena_alloc(x->arena, sizeof(*err));

    (void)error_set(err, ST_INVALID_ARGUMENT, "%s", message);
    error_hint(err, "%s", hint);
    respond_error_as(x, http_status, err, headers);
}

/* The row for method and path with fewest variables, NULL when none; *ret_allow
 * lists the methods of rows for the path. */
static const struct tool *find(struct exchange *x, struct rest *rest, const char **ret_allow)
{
    const struct tools *tools = x->gw->tools;
    const struct tool *best = NULL;
    struct wire_param vars[REST_VARS_MAX];
    size_t n;

    *ret_allow = NULL;
    for (size_t i = 0; i < tools->n; i++) {
        const struct rpc *rpc = tools->rows[i].rpc;

        if (rpc->method == NULL || !rest_match(x->arena, rpc->path, x->req->path, vars, &n))
            continue;
        *ret_allow = *ret_allow == NULL ? rpc->method
                                        : arena_printf(x->arena, "%s, %s", *ret_allow, rpc->method);
        if (strcmp(rpc->method, x->req->method) != 0 || (best != NULL && n >= rest->n_vars))
            continue;
        best = &tools->rows[i];
        rest->n_vars = rest->n_params = n;
        memcpy(rest->params, vars, n * sizeof(*vars));
    }
    return best;
}

static enum status permit(struct rest *rest, struct call *call)
{
    static const char *const names[] = {"read", "write", "destructive", "execute", "admin"};
    const struct principal *who = &rest->x->who;
    unsigned missing = rest->tool->needs & ~who->scopes;

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (missing & (1u << i))
            return call_fail(call, ST_PERMISSION_DENIED, "The API key %s lacks the scope %s.",
                             who->name, names[i]);
    if (rest->tool->rpc->trusted && !who->trusted)
        return call_fail(call, ST_PERMISSION_DENIED,
                         "The API key %s is not one of the trusted keys.", who->name);
    return ST_OK;
}

/* A request that may hold more than an ordinary body has a limit of its own. */
static size_t body_limit(const struct tool *tool)
{
    bool large = tools_text_bytes(tool->rpc->request) > (uint64_t)config.body_limit;

    return (size_t)(large ? config.import_limit : config.body_limit);
}

/* The body with the path's variables as further members. */
static enum status merge(struct rest *rest, struct call *call, const char *body, size_t len,
                         struct json *ret_json)
{
    CLEANUP(strbuf_done) struct strbuf merged = STRBUF_INIT;
    const struct json_limits limits = {.loose = true}; /* fields are checked by name */
    const struct json_node *root;
    const char *inner;

    while (len > 0 && isspace((unsigned char)*body)) {
        body++;
        len--;
    }
    if (len == 0) {
        body = "{}";
        len = 2;
    }
    TRY(json_parse(rest->x->arena, body, len, &limits, ret_json, &call->error));
    root = ret_json->nodes;
    if (root->type != JSON_T_OBJECT)
        return call_fail(call, ST_INVALID_ARGUMENT, "The body must be a JSON object.");
    if (rest->n_vars == 0)
        return ST_OK;
    strbuf_char(&merged, '{');
    for (size_t i = 0; i < rest->n_vars; i++) {
        if (json_get(ret_json, root, rest->params[i].name) != NULL)
            call_field(call, rest->params[i].name, "is given by the path, not in the body");
        mcp_put_member(&merged, rest->params[i].name, rest->params[i].value);
    }
    TRY(call_invalid(call));
    inner = json_raw(ret_json, root, &len);
    if (root->count > 0)
        strbuf_char(&merged, ',');
    strbuf_add(&merged, inner + 1, len - 1);
    return json_parse(rest->x->arena, arena_memdup(rest->x->arena, merged.data, merged.len),
                      merged.len, &limits, ret_json, &call->error);
}

/* False: refused before there was a call. */
static bool read_body(struct rest *rest, const char **ret_body, size_t *ret_len)
{
    struct exchange *x = rest->x;
    const char *type = http_header(x->req, "Content-Type");
    int http_status = 400;

    if (type != NULL && strncasecmp(type, "application/json", 16) != 0) {
        refuse(x, 415, "The body is not of the type application/json.",
               "send JSON with Content-Type: application/json.", NULL);
        return false;
    }
    if (http_body(x->req, body_limit(rest->tool), ret_body, ret_len, &http_status) == ST_OK)
        return true;
    if (http_status == 413)
        refuse(x, 413, "The body is too large.",
               arena_printf(x->arena, "a body of at most %zu bytes.", body_limit(rest->tool)),
               NULL);
    else
        refuse(x, http_status, "The body could not be read.", "the same request again.", NULL);
    return false;
}

static bool has_body(const struct rpc *rpc)
{
    return strcmp(rpc->method, "GET") != 0 && strcmp(rpc->method, "DELETE") != 0;
}

static enum status read_request(struct rest *rest, struct invocation *inv, const char *body,
                                size_t len)
{
    struct json json;

    if (!has_body(rest->tool->rpc)) {
        if (!rest_query(rest->x->arena, rest->x->req->query, rest->params, REST_PARAMS_MAX,
                        &rest->n_params))
            return call_fail(&inv->call, ST_INVALID_ARGUMENT, "The query cannot be read.");
        return invocation_params(inv, rest->params, rest->n_params);
    }
    TRY(merge(rest, &inv->call, body, len, &json));
    return invocation_arguments(inv, &json, json.nodes);
}

/* Location of what a POST made: there is a GET route for it. */
static const char *location(struct rest *rest, const struct invocation *inv)
{
    const struct tools *tools = rest->x->gw->tools;
    const char *path = rest->tool->rpc->path, *id;
    size_t len = strlen(path);

    if (strcmp(rest->tool->rpc->method, "POST") != 0)
        return NULL;
    for (size_t i = 0; i < tools->n; i++) {
        const struct rpc *rpc = tools->rows[i].rpc;

        if (rpc->method != NULL && strcmp(rpc->method, "GET") == 0 &&
            strncmp(rpc->path, path, len) == 0 && strcmp(rpc->path + len, "/{id}") == 0) {
            id = audit_entity_id(inv->reply);
            return *id != '\0' ? arena_printf(rest->x->arena, "Location: %s/%s\r\n", path, id)
                               : NULL;
        }
    }
    return NULL;
}

static bool wants_markdown(struct exchange *x)
{
    const char *accept = http_header(x->req, "Accept");

    return accept != NULL && strcasestr(accept, "text/markdown") != NULL;
}

static void respond_reply(struct rest *rest, const struct invocation *inv)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    struct exchange *x = rest->x;
    const char *made = location(rest, inv);
    bool markdown = wants_markdown(x);

    if (markdown)
        wire_text(&body, rest->tool->rpc, inv->request, inv->reply);
    else
        wire_to_json(&body, rest->tool->rpc->response, inv->reply);
    respond(x, made != NULL ? 201 : 200,
            markdown ? "text/markdown; charset=utf-8" : "application/json", strbuf_cstr(&body),
            body.len, arena_printf(x->arena, NO_STORE "%s", made != NULL ? made : ""));
}

static void call(struct rest *rest)
{
    struct invocation inv;
    const char *body = NULL;
    size_t len = 0;
    enum status status;

    if (has_body(rest->tool->rpc) && !read_body(rest, &body, &len))
        return;
    invocation_init(&inv, rest->x, rest->tool);
    inv.flight.req = rest->x->req;
    invocation_about(&inv, rest->params, rest->n_vars);
    status = permit(rest, &inv.call);
    if (status == ST_OK)
        status = read_request(rest, &inv, body, len);
    if (status == ST_OK)
        status = invocation_run(&inv);
    if (invocation_needs_confirmation(&inv, status))
        call_hint(&inv.call, "ask the user, then send the request again with confirm true.");
    invocation_done(&inv, status);
    if (status == ST_OK)
        respond_reply(rest, &inv);
    else
        respond_error(rest->x, &inv.call.error);
}

static void no_route(struct exchange *x)
{
    struct error *err = arena_alloc(x->arena, sizeof(*err));

    (void)error_set(err, ST_NOT_FOUND, "There is no such route.");
    error_hint(err, "GET /api/openapi.json, which lists the routes.");
    respond_error(x, err);
}

void rest_handle(struct exchange *x)
{
    struct rest rest = {.x = x};
    const char *allow;

    if (strcmp(x->req->path, "/api/openapi.json") == 0 && strcmp(x->req->method, "GET") == 0) {
        respond(x, 200, "application/json", openapi_json, (size_t)(openapi_json_end - openapi_json),
                "Cache-Control: no-cache\r\n");
        return;
    }
    rest.params = arena_alloc(x->arena, REST_PARAMS_MAX * sizeof(*rest.params));
    rest.tool = find(x, &rest, &allow);
    if (rest.tool == NULL && allow == NULL)
        no_route(x);
    else if (rest.tool == NULL)
        refuse(x, 405, "This route has no such method.",
               arena_printf(x->arena, "one of %s.", allow),
               arena_printf(x->arena, "Allow: %s, OPTIONS\r\n", allow));
    else
        call(&rest);
}
