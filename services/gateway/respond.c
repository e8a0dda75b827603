/* SPDX-License-Identifier: Apache-2.0 */
/* Writing HTTP answers. */
#include "respond.h"

#include <string.h>

const char *respond_headers(struct exchange *x, const char *more)
{
    if (more == NULL)
        more = "";
    if (x->cors == NULL)
        return arena_join(x->arena, "X-Request-Id: ", x->request_id, "\r\n", more, NULL);
    return arena_join(x->arena, "X-Request-Id: ", x->request_id,
                      "\r\nAccess-Control-Allow-Origin: ", x->cors,
                      "\r\nAccess-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, "
                      "X-Request-Id, Location, Retry-After\r\nVary: Origin\r\n",
                      more, NULL);
}

void respond(struct exchange *x, int status, const char *type, const void *body, size_t len,
             const char *headers)
{
    struct http_response response = {
        .status = status,
        .content_type = type,
        .body = body,
        .len = len,
        .headers = respond_headers(x, headers),
    };

    http_reply(x->req, &response);
}

void respond_text(struct exchange *x, int status, const char *text, const char *headers)
{
    respond(x, status, "text/plain; charset=utf-8", text, strlen(text), headers);
}

void respond_empty(struct exchange *x, int status, const char *headers)
{
    respond(x, status, NULL, NULL, 0, headers);
}
