/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting what a server says: whose it is, and whether it is a message at all.
 * More is taken than a strict reader would: what matters is what is passed on. */
#include "downstream/exchange.h"

#include <string.h>

enum { METHOD_MAX = 128, ID_MAX = 512 };

struct json_limits inbound_limits(const struct downstream *server)
{
    return (struct json_limits){
        .depth = server->limits.depth, .nodes = server->limits.values, .loose = true};
}

bool inbound_withdraws(const struct downstream_message *msg)
{
    return msg->method != NULL && strcmp(msg->method, "notifications/cancelled") == 0;
}

bool inbound_number(const struct json *json, const struct json_node *node, uint64_t *ret_number)
{
    int64_t value;

    if (!json_int(json, node, &value) || value < 0)
        return false;
    *ret_number = (uint64_t)value;
    return true;
}

static bool is_number(const struct json *json, const struct json_node *node, uint64_t number)
{
    int64_t value;

    return json_int(json, node, &value) && value >= 0 && (uint64_t)value == number;
}

static enum inbound read_response(const struct json *json, const struct json_node *node,
                                  uint64_t own, struct downstream_message *msg)
{
    const struct json_node *id = json_get(json, node, "id");
    const struct json_node *result = json_get(json, node, "result");
    const struct json_node *error = json_get(json, node, "error");

    if (error != NULL && error->type == JSON_T_OBJECT) {
        /* One without an id is about the only request there is. */
        if (id != NULL && id->type != JSON_T_NULL && !is_number(json, id, own))
            return INBOUND_SKIP;
        if (!json_int(json, json_get(json, error, "code"), &msg->code))
            return INBOUND_BAD;
        msg->kind = DOWNSTREAM_ERROR;
        msg->error = error;
        return INBOUND_PASS;
    }
    if (result == NULL || result->type != JSON_T_OBJECT)
        return INBOUND_BAD;
    if (!is_number(json, id, own))
        return INBOUND_SKIP;
    msg->kind = DOWNSTREAM_RESULT;
    msg->result = result;
    return INBOUND_PASS;
}

static enum inbound read_request(const struct json *json, const struct json_node *node,
                                 struct downstream_message *msg)
{
    const struct json_node *id = json_get(json, node, "id");
    size_t len;

    if (id == NULL)
        return INBOUND_PASS;
    (void)json_raw(json, id, &len);
    if ((id->type != JSON_T_STRING && id->type != JSON_T_INT) || len > ID_MAX)
        return INBOUND_BAD;
    msg->kind = DOWNSTREAM_REQUEST;
    msg->id = id;
    return strcmp(msg->method, "ping") == 0 ? INBOUND_PING : INBOUND_PASS;
}

enum inbound inbound_read(struct arena *arena, const struct json *json,
                          const struct json_node *node, uint64_t own, uint64_t token,
                          struct downstream_message *ret_msg)
{
    const struct json_node *method;

    *ret_msg = (struct downstream_message){.json = *json, .kind = DOWNSTREAM_NOTIFICATION};
    if (node->type != JSON_T_OBJECT)
        return INBOUND_BAD;
    method = json_get(json, node, "method");
    if (method == NULL)
        return read_response(json, node, own, ret_msg);
    if (method->type != JSON_T_STRING || method->len == 0 || method->len > METHOD_MAX)
        return INBOUND_BAD;
    ret_msg->method = json_text(arena, json, method);
    ret_msg->params = json_get(json, node, "params");
    if (ret_msg->params != NULL && ret_msg->params->type != JSON_T_OBJECT)
        return INBOUND_BAD;
    if (strcmp(ret_msg->method, "notifications/progress") == 0)
        ret_msg->own_progress =
            is_number(json, json_get(json, ret_msg->params, "progressToken"), token);
    return read_request(json, node, ret_msg);
}
