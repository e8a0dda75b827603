/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to messages, with every rule. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct message_rule *rule;
    ProtobufCMessage *message;
    const struct json_limits limits = {.loose = true};
    struct error err = {0};
    struct arena arena;
    struct json json;

    arena_init(&arena);
    if (json_parse(&arena, (const char *)data, size, &limits, &json, &err) == ST_OK) {
        rule = json_get(&json, json.nodes, "ids") ? EVERYTHING_RULE : ALTER_RULE;
        if (wire_from_json(&arena, rule, &json, json.nodes, &message, &err) != ST_OK) {
            must_explain(&err);
        } else {
            forget_unset(message);
            must_hold(&arena, rule, message);
        }
    }
    arena_done(&arena);
    return 0;
}
