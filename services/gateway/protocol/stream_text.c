/* SPDX-License-Identifier: Apache-2.0 */
/* The texts on streams. */
#include "stream_text.h"

#include "mcp/era.h"
#include "mcp_reply.h"
#include "wire/json.h"

#define EVENT "event: message\ndata: "

void stream_put_change(struct strbuf *out, const char *subscription, const char *method,
                       const char *uri)
{
    strbuf_printf(out, EVENT "{\"jsonrpc\":\"2.0\",\"method\":\"%s\"", method);
    if (uri != NULL || subscription != NULL)
        strbuf_str(out, ",\"params\":{");
    if (uri != NULL) {
        strbuf_str(out, "\"uri\":");
        json_put_string(out, uri);
    }
    if (subscription != NULL)
        strbuf_printf(out, "%s\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":%s}", uri != NULL ? "," : "",
                      subscription);
    if (uri != NULL || subscription != NULL)
        strbuf_char(out, '}');
    strbuf_str(out, "}\n\n");
}

void stream_put_result(struct strbuf *out, const char *subscription)
{
    strbuf_printf(out,
                  "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\","
                  "\"_meta\":{" SERVER_META ",\"" MCP_META_SUBSCRIPTION "\":%s}}}",
                  subscription, subscription);
}

void stream_put_event(struct strbuf *out, const char *message, size_t len)
{
    strbuf_str(out, EVENT);
    strbuf_add(out, message, len);
    strbuf_str(out, "\n\n");
}
