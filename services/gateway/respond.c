/* SPDX-License-Identifier: Apache-2.0 */
/* Writing HTTP answers. */
#include "respond.h"

#include "mcp/message.h"

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

void respond_put_detail(struct strbuf *out, const struct exchange *x, const struct error *err)
{
    if (err->reason != NULL && *err->reason != '\0')
        mcp_put_member(out, "reason", err->reason);
    if (err->n_fields > 0) {
        strbuf_str(out, ",\"fields\":[");
        for (unsigned i = 0; i < err->n_fields; i++) {
            strbuf_str(out, i > 0 ? ",{" : "{");
            mcp_put_member(out, "field", err->fields[i].field);
            mcp_put_member(out, "message", err->fields[i].message);
            strbuf_char(out, '}');
        }
        strbuf_char(out, ']');
    }
    mcp_put_member(out, "request_id", x->request_id);
}
