/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of the echo server, and how it talks over pipes. */
#include "echo.h"

#include "wire/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

#define INFO "\"serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}"
#define LASTING ",\"resultType\":\"complete\",\"ttlMs\":60000,\"cacheScope\":\"private\""
#define TOOLS                                                                                      \
    "\"tools\":[{\"name\":\"echo\",\"description\":\"Says it again.\",\"inputSchema\":{"           \
    "\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"}},"                      \
    "\"required\":[\"message\"]}}]"
#define INITIALIZED "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}," INFO "}"
#define DISCOVERED                                                                                 \
    "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}}" LASTING              \
    ",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}}}"

static void put_echo(struct strbuf *out, const struct json *json, const struct json_node *params,
                     bool modern)
{
    const struct json_node *message = json_path(json, params, "arguments", "message", NULL);
    const char *raw = "\"\"";
    size_t len = 2;

    if (message)
        raw = json_raw(json, message, &len);
    strbuf_str(out, "{\"content\":[{\"type\":\"text\",\"text\":");
    strbuf_add(out, raw, len);
    strbuf_str(out, modern ? "}],\"isError\":false,\"resultType\":\"complete\"}"
                           : "}],\"isError\":false}");
}

/* False: there is no such method. */
static bool put_result(struct strbuf *out, const struct json *json, const struct json_node *method,
                       const struct json_node *params)
{
    const struct json_node *meta = json_get(json, params, "_meta");
    bool modern = json_get(json, meta, "io.modelcontextprotocol/protocolVersion") != NULL;

    if (json_is(json, method, "tools/call"))
        put_echo(out, json, params, modern);
    else if (json_is(json, method, "tools/list"))
        strbuf_str(out, modern ? "{" TOOLS LASTING "}" : "{" TOOLS "}");
    else if (json_is(json, method, "server/discover"))
        strbuf_str(out, DISCOVERED);
    else if (json_is(json, method, "initialize"))
        strbuf_str(out, INITIALIZED);
    else if (json_is(json, method, "ping"))
        strbuf_str(out, "{}");
    else
        return false;
    return true;
}

void echo_answer(struct arena *arena, const char *text, size_t len, struct strbuf *out)
{
    const struct json_node *id, *method;
    struct json json;
    const char *raw;
    size_t raw_len;

    if (json_parse(arena, text, len, NULL, &json, NULL) != ST_OK)
        return;
    id = json_get(&json, json.nodes, "id");
    method = json_get(&json, json.nodes, "method");
    if (!id || !method)
        return;
    strbuf_reserve(out, len + 256);
    strbuf_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    raw = json_raw(&json, id, &raw_len);
    strbuf_add(out, raw, raw_len);
    strbuf_str(out, ",\"result\":");
    raw_len = out->len;
    if (!put_result(out, &json, method, json_get(&json, json.nodes, "params"))) {
        out->len = raw_len - strlen("\"result\":");
        strbuf_str(out, "\"error\":{\"code\":-32601,\"message\":\"no such method\"}");
    }
    strbuf_char(out, '}');
}

static bool write_all(const struct strbuf *out)
{
    size_t done = 0;
    ssize_t n = 0;

    while (done < out->len && (n = write(STDOUT_FILENO, out->data + done, out->len - done)) > 0)
        done += (size_t)n;
    return n >= 0;
}

/* Answers whole lines; returns how many bytes they were. */
static size_t answer_lines(struct arena *arena, const char *text, size_t len, struct strbuf *out)
{
    size_t done = 0;
    const char *end;

    while ((end = memchr(text + done, '\n', len - done))) {
        size_t before = out->len, line = (size_t)(end - text) - done;

        arena_reset(arena);
        echo_answer(arena, text + done, line, out);
        if (out->len > before)
            strbuf_char(out, '\n');
        done += line + 1;
    }
    return done;
}

int echo_stdio(void)
{
    CLEANUP(strbuf_done) struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena = {0};
    ssize_t n;

    for (;;) {
        size_t used;

        strbuf_reserve(&in, PIECE);
        n = read(STDIN_FILENO, in.data + in.len, PIECE);
        if (n <= 0)
            return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        in.len += (size_t)n;
        used = answer_lines(&arena, in.data, in.len, &out);
        memmove(in.data, in.data + used, in.len - used);
        in.len -= used;
        if (!write_all(&out))
            return EXIT_FAILURE;
        strbuf_clear(&out);
    }
}
