/* SPDX-License-Identifier: Apache-2.0 */
/* Writing HTTP answers. */
#include "respond.h"

#include <string.h>

const char *respond_headers(struct exchange *x, const char *more)
{
    if (more == NULL)
        more = "";
    if (x->cors == NULL)
        return arena_printf(x->arena, "X-Request-Id: %s\r\n%s", x->request_id, more);
    return arena_printf(x->arena,
                        "X-Request-Id: %s\r\nAccess-Control-Allow-Origin: %s\r\n"
                        "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, "
                        "X-Request-Id, Location, Retry-After\r\nVary: Origin\r\n%s",
                        x->request_id, x->cors, more);
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
