/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC messages as MCP uses them: what came in, and the frame of what goes
 * out. */
#pragma once

#include "base/strbuf.h"
#include "mcp/version.h"
#include "wire/json.h"

enum mcp_kind { MCP_REQUEST, MCP_NOTIFICATION, MCP_RESPONSE };

/* Borrows from the parsed JSON; method lives in the arena. */
struct mcp_message {
    enum mcp_kind kind;
    const struct json *json;
    const struct json_node *root;
    const struct json_node *id;     /* NULL when absent or not readable */
    const struct json_node *params; /* an object, NULL when absent */
    const struct json_node *meta;   /* params._meta when it is an object */
    const char *method;             /* NULL for responses */
};

/* Fails with INVALID_ARGUMENT when the node is no proper message; id is then
 * still set if it could be read, so that the error can carry it. */
enum status mcp_message_parse(struct arena *arena, const struct json *json,
                              const struct json_node *node, struct mcp_message *ret_msg,
                              struct error *err) MUST_CHECK;

/* {"jsonrpc":"2.0","id":…,"result": — the caller writes the value and '}'. The
 * id is echoed with the type it came with. */
void mcp_put_result_head(struct strbuf *buf, const struct mcp_message *msg);
/* A whole error message. msg may be NULL or without id: the member is left out.
 * data is ready JSON or NULL. */
void mcp_put_error(struct strbuf *buf, const struct mcp_message *msg, enum mcp_code code,
                   const char *message, const char *data);
/* "key":"value" with a comma before it unless the buffer ends in '{' or '['. */
void mcp_put_member(struct strbuf *buf, const char *key, const char *value);
