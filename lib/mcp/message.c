/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and framing JSON-RPC messages. */
#include "mcp/message.h"

#include "base/error.h"

enum { METHOD_MAX = 128, ID_MAX = 256 };

static enum status read_id(const struct json *json, const struct json_node *id,
                           struct mcp_message *msg, struct error *err)
{
    size_t len;

    if (id == NULL)
        return ST_OK;
    (void)json_raw(json, id, &len);
    if ((id->type != JSON_T_STRING && id->type != JSON_T_INT) || len > ID_MAX)
        return error_set(err, ST_INVALID_ARGUMENT,
                         "id must be a string or an integer of at most %d bytes", ID_MAX);
    msg->id = id;
    return ST_OK;
}

static enum status read_response(const struct json *json, const struct json_node *node,
                                 struct mcp_message *msg, struct error *err)
{
    const struct json_node *result = json_get(json, node, "result");
    const struct json_node *error = json_get(json, node, "error");

    msg->kind = MCP_RESPONSE;
    if ((result == NULL) == (error == NULL))
        return error_set(err, ST_INVALID_ARGUMENT,
                         "a message has a method, or exactly one of result and error");
    if ((result != NULL && result->type != JSON_T_OBJECT) ||
        (error != NULL && error->type != JSON_T_OBJECT))
        return error_set(err, ST_INVALID_ARGUMENT, "result and error must be objects");
    if (msg->id == NULL && result != NULL)
        return error_set(err, ST_INVALID_ARGUMENT, "a result needs the id it answers");
    return ST_OK;
}

enum status mcp_message_parse(struct arena *arena, const struct json *json,
                              const struct json_node *node, struct mcp_message *ret_msg,
                              struct error *err)
{
    const struct json_node *method, *meta;

    *ret_msg = (struct mcp_message){.json = json, .root = node};
    if (node->type != JSON_T_OBJECT)
        return error_set(err, ST_INVALID_ARGUMENT, "a message must be a JSON object");
    TRY(read_id(json, json_get(json, node, "id"), ret_msg, err));
    if (!json_is(json, json_get(json, node, "jsonrpc"), "2.0"))
        return error_set(err, ST_INVALID_ARGUMENT, "jsonrpc must be \"2.0\"");
    method = json_get(json, node, "method");
    if (method == NULL)
        return read_response(json, node, ret_msg, err);
    if (method->type != JSON_T_STRING || method->len == 0 || method->len > METHOD_MAX)
        return error_set(err, ST_INVALID_ARGUMENT, "method must be a string of 1 to %d bytes",
                         METHOD_MAX);
    ret_msg->kind = ret_msg->id != NULL ? MCP_REQUEST : MCP_NOTIFICATION;
    ret_msg->method = json_text(arena, json, method);
    ret_msg->params = json_get(json, node, "params");
    if (ret_msg->params != NULL && ret_msg->params->type != JSON_T_OBJECT)
        return error_set(err, ST_INVALID_ARGUMENT, "params must be an object");
    if (ret_msg->params != NULL) {
        meta = json_get(json, ret_msg->params, "_meta");
        if (meta != NULL && meta->type == JSON_T_OBJECT)
            ret_msg->meta = meta;
    }
    return ST_OK;
}

static void put_id(struct strbuf *buf, const struct mcp_message *msg)
{
    size_t len;
    const char *raw;

    if (msg == NULL || msg->id == NULL)
        return;
    raw = json_raw(msg->json, msg->id, &len);
    strbuf_str(buf, "\"id\":");
    strbuf_add(buf, raw, len);
    strbuf_char(buf, ',');
}

void mcp_put_result_head(struct strbuf *buf, const struct mcp_message *msg)
{
    strbuf_str(buf, "{\"jsonrpc\":\"2.0\",");
    put_id(buf, msg);
    strbuf_str(buf, "\"result\":");
}

void mcp_put_error(struct strbuf *buf, const struct mcp_message *msg, enum mcp_code code,
                   const char *message, const char *data)
{
    strbuf_str(buf, "{\"jsonrpc\":\"2.0\",");
    put_id(buf, msg);
    strbuf_printf(buf, "\"error\":{\"code\":%d,\"message\":", (int)code);
    json_put_string(buf, message);
    if (data != NULL) {
        strbuf_str(buf, ",\"data\":");
        strbuf_str(buf, data);
    }
    strbuf_str(buf, "}}");
}

void mcp_put_member(struct strbuf *buf, const char *key, const char *value)
{
    if (buf->len > 0 && buf->data[buf->len - 1] != '{' && buf->data[buf->len - 1] != '[')
        strbuf_char(buf, ',');
    json_put_string(buf, key);
    strbuf_char(buf, ':');
    json_put_string(buf, value);
}
