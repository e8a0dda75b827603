/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request goes. */
#include "auth.h"
#include "base/clock.h"
#include "base/ids.h"
#include "mcp_call.h"
#include "origin.h"
#include "relay.h"
#include "respond.h"
#include "rest.h"

#include <ctype.h>
#include <string.h>

enum { TRACEPARENT_LEN = 55 };

/* 00-<32 hex>-<16 hex>-<2 hex> */
static const char *traceparent(struct http_request *req)
{
    const char *text = http_header(req, "traceparent");

    if (text == NULL || strlen(text) != TRACEPARENT_LEN)
        return NULL;
    for (unsigned i = 0; i < TRACEPARENT_LEN; i++) {
        bool dash = i == 2 || i == 35 || i == 52;

        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return NULL;
    }
    return text;
}

static const char *request_id(struct http_request *req)
{
    const char *given = http_header(req, "X-Request-Id");
    char *id;

    if (given != NULL && uuid_valid(given))
        return given;
    id = arena_alloc(req->arena, UUID_SIZE);
    uuid_v7(id);
    return id;
}

static bool below(const char *path, const char *root)
{
    size_t len = strlen(root);

    return strncmp(path, root, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* The query holds tools=search. */
static bool asks_for_search(const char *query)
{
    static const char wanted[] = "tools=search";

    for (size_t len; *query != '\0'; query += len + (query[len] == '&')) {
        len = strcspn(query, "&");
        if (len == strlen(wanted) && memcmp(query, wanted, len) == 0)
            return true;
    }
    return false;
}

/* /mcp is the hub itself, /mcp/{id} a downstream server or a virtual one. */
static void mcp_at(struct exchange *x)
{
    const char *id = x->req->path + strlen("/mcp");

    x->search = asks_for_search(x->req->query);
    if (*id == '/') {
        x->endpoint = id + 1;
        /* A server that is registered under the id of a virtual one takes nothing from it. */
        if (principal_may_use(&x->who, x->endpoint))
            x->virtual = picture_virtual(exchange_picture(x), x->endpoint);
        if (x->virtual == NULL)
            x->mount = exchange_server(x, x->endpoint);
    }
    if (x->endpoint != NULL && x->mount == NULL && x->virtual == NULL)
        respond_text(x, 404, "There is no MCP server of that name.\n", NULL);
    else
        mcp_handle(x);
}

void route(struct http_request *req, void *arg)
{
    struct gateway *gw = arg;
    struct exchange x = {
        .gw = gw,
        .req = req,
        .arena = req->arena,
        .request_id = request_id(req),
        .traceparent = traceparent(req),
        .started_us = clock_mono_us(),
        .now_ms = clock_wall_ms(),
    };
    bool mcp = below(req->path, "/mcp"), api = below(req->path, "/api");
    const char *reason;

    x.channel = mcp ? "mcp" : "rest";
    if (!origin_check(&x, &reason))
        respond_text(&x, 403, arena_printf(x.arena, "%s\n", reason), NULL);
    else if (strcmp(req->method, "OPTIONS") == 0 && (mcp || api))
        origin_preflight(&x);
    else if (!mcp && !api)
        respond_text(&x, 404, "Not found.\n", NULL);
    else if (auth_check(&x) && mcp)
        mcp_at(&x);
    else if (x.who.id != NULL && api)
        rest_handle(&x);
    picture_unref(x.picture);
}
