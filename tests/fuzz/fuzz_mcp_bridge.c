/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON object as a message of a server, for callers of every revision: what
 * is written must be JSON on one line. The first two bytes choose the revisions. */
#include "mcp/bridge.h"
#include "mcp/mirror.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void must_be_json(struct strbuf *text)
{
    const struct json_limits limits = {.depth = 200, .loose = true};
    struct arena arena = {0};
    struct json json;

    must(json_parse(&arena, text->data, text->len, &limits, &json, NULL) == ST_OK);
    must(memchr(text->data, '\n', text->len) == NULL &&
         memchr(text->data, '\r', text->len) == NULL);
    arena_done(&arena);
    strbuf_clear(text);
}

static void results(const struct bridge *b, const struct json *json, struct strbuf *out)
{
    static const char *const methods[] = {"tools/list",     "tools/call",     "prompts/get",
                                          "resources/read", "resources/list", "x"};

    for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
        const struct bridge_extra extra = {.wrapped = i & 1, .state = "s"};

        bridge_put_result(out, b, methods[i], json, json->nodes, &extra);
        must_be_json(out);
        bridge_put_params(out, b, methods[i], json, json->nodes);
        must_be_json(out);
    }
}

static void others(const struct bridge *b, const struct json *json, struct strbuf *out,
                   struct arena *arena)
{
    const struct bridge_listener listener = {.token = "1",
                                             .token_len = 1,
                                             .own_progress = true,
                                             .log_level = "info",
                                             .subscription = "\"w\""};
    struct bridge_error error = bridge_error(arena, b, "tools/call", json, json->nodes, true);

    must(error.message != NULL);
    if (bridge_put_notification(out, b, "notifications/message", json, json->nodes, &listener))
        must_be_json(out);
    if (bridge_put_notification(out, b, "notifications/progress", json, json->nodes, &listener))
        must_be_json(out);
    if (bridge_put_tool(out, b, json, json->nodes, NULL))
        must_be_json(out);
    bridge_put_client_capabilities(out, b, json, json->nodes);
    must_be_json(out);
    bridge_put_server_capabilities(out, b, json, json->nodes);
    must_be_json(out);
    strbuf_char(out, '{');
    (void)bridge_put_question(out, b, json, json->nodes, "e");
    strbuf_char(out, '}');
    must_be_json(out);
    strbuf_char(out, '{');
    (void)bridge_put_input_request(out, "k", "elicitation/create", json, json->nodes);
    (void)bridge_put_url_requests(out, json, json->nodes);
    strbuf_char(out, '}');
    must_be_json(out);
    bridge_put_retry(out, json, json->nodes, "{}", NULL, 0);
    must_be_json(out);
}

static void headers(const struct json *json, struct strbuf *out, struct arena *arena)
{
    struct mirrors mirrors;
    const char *why;

    if (!mirror_read(arena, json, json->nodes, &mirrors, &why))
        return;
    mirror_put_headers(out, &mirrors, json, json->nodes);
    for (const char *p = strbuf_cstr(out); *p; p++)
        must(*p != '\r' || p[1] == '\n');
    strbuf_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json_limits limits = {.depth = 128, .loose = true};
    struct bridge b = {.server_info = "{\"name\":\"h\",\"version\":\"1\"}"};
    struct json json;

    if (size < 3 ||
        json_parse(&arena, (const char *)data + 2, size - 2, &limits, &json, NULL) != ST_OK ||
        json.nodes->type != JSON_T_OBJECT)
        return 0;
    b.server = (enum mcp_version)(data[0] % MCP_UNKNOWN);
    b.caller = (enum mcp_version)(data[1] % MCP_UNKNOWN);
    b.strip_headers = data[1] & 16;
    results(&b, &json, &out);
    others(&b, &json, &out, &arena);
    headers(&json, &out, &arena);
    return 0;
}
