/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from the bus: unpacked, checked, and written as JSON and as text. The
 * first byte chooses the rpc. */
#include "fuzz.h"

static void try_text(const struct rpc *rpc, const ProtobufCMessage *reply)
{
    struct strbuf buf = STRBUF_INIT;

    wire_text(&buf, rpc, NULL, reply);
    must(utf8_valid(strbuf_cstr(&buf), buf.len));
    must(buf.len == 0 || buf.data[buf.len - 1] != '\n');
    strbuf_done(&buf);
}

static void try_json(struct arena *arena, const struct message_rule *rule,
                     const ProtobufCMessage *message)
{
    struct strbuf buf = STRBUF_INIT;
    struct error err = {0};
    struct json json;

    wire_to_json(&buf, rule, message);
    /* Keys of a map are only looked at by wire_check. */
    must(json_parse(arena, buf.data, buf.len, NULL, &json, &err) == ST_OK ||
         strstr(err.message, "given twice"));
    strbuf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct message_rule *rule = EVERYTHING_RULE;
    ProtobufCMessage *message;
    struct error err = {0};
    struct arena arena;
    unsigned which;

    if (size == 0)
        return 0;
    which = data[0] % (unsigned)(test_n_rpcs + 2);
    if (which < test_n_rpcs)
        rule = test_rpcs[which]->response;
    else if (which > test_n_rpcs)
        rule = ALTER_RULE;
    arena_init(&arena);
    if (wire_unpack(&arena, rule->descriptor, data + 1, size - 1, &message, &err) == ST_OK) {
        try_json(&arena, rule, message);
        if (which < test_n_rpcs)
            try_text(test_rpcs[which], message);
        else if (wire_check(&arena, rule, message, &err) != ST_OK)
            must_explain(&err);
    }
    arena_done(&arena);
    return 0;
}
