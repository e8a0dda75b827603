/* SPDX-License-Identifier: Apache-2.0 */
/* Any body as a JSON-RPC message of either era: read, told apart, answered. What
 * is written must be JSON again. */
#include "mcp/era.h"
#include "mcp/message.h"

#include <stdint.h>
#include <stdlib.h>

static void must_be_json(struct arena *arena, const struct strbuf *text)
{
    struct json json;

    if (json_parse(arena, text->data, text->len, NULL, &json, NULL) != ST_OK)
        abort();
}

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const headers[] = {NULL, "2025-11-25", "2026-07-28", "x"};
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct json json;
    struct mcp_message msg;
    struct mcp_client client;
    struct error err = {0};

    arena_init(&arena);
    if (json_parse(&arena, (const char *)data, size, NULL, &json, NULL) != ST_OK)
        return 0;
    if (mcp_message_parse(&arena, &json, json.nodes, &msg, &err) != ST_OK) {
        mcp_put_error(&out, &msg, MCP_INVALID_REQUEST, err.message, NULL);
        must_be_json(&arena, &out);
        return 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(headers); i++)
        (void)mcp_classify(&msg, headers[i]);
    if (msg.meta != NULL && mcp_envelope_parse(&arena, &msg, &client, &err) != ST_OK &&
        err.message[0] == '\0')
        abort();
    if (msg.kind == MCP_REQUEST) {
        mcp_put_result_head(&out, &msg);
        strbuf_str(&out, "{}}");
        must_be_json(&arena, &out);
    }
    return 0;
}
