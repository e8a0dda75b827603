/* SPDX-License-Identifier: Apache-2.0 */
/* mal call: one tool, over MCP 2026-07-28, arguments typed by its schema. */
#include "hub.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MCP_VERSION "2026-07-28"

enum { CALL_TIMEOUT_MS = 320000 };

static const char call_help[] =
    "Usage: mal call TOOL [name=value | name:=JSON | name=@FILE]…\n\n"
    "Calls a tool and prints its text. Values are read by the type that the tool's\n"
    "schema gives; name:=JSON gives any value as it is; name=@FILE reads a file.\n\n"
    "  --url URL, --key KEY   the hub (default: MAL_URL, MAL_KEY, else the stack in --dir)\n"
    "  --dir DIR              folder of the private stack (default .mal)\n"
    "  --json                 print the structured content\n";

struct call_options {
    const char *dir, *url, *key, *tool;
    char **words;
    int n_words;
    bool json;
};

/* One JSON-RPC request of the modern era; Mcp-Name mirrors params.name. *ret_root
 * is owned by the caller. */
static enum status rpc(struct arena *arena, const struct hub_address *hub, const char *method,
                       json_t *params, json_t **ret_root, struct error *err)
{
    json_auto_t *body = json_object();
    const char *name = json_string_value(json_object_get(params, "name"));
    struct cli_request request = {.method = "POST", .url = hub->url, .timeout_ms = CALL_TIMEOUT_MS};
    const char *headers[8];
    struct cli_reply reply;
    size_t n = 0;
    char *text;
    enum status st;

    (void)json_object_set_new(
        params, "_meta",
        json_pack("{s:s, s:{s:s, s:s}, s:{}}", "io.modelcontextprotocol/protocolVersion",
                  MCP_VERSION, "io.modelcontextprotocol/clientInfo", "name", "mal", "version",
                  "0.1.0", "io.modelcontextprotocol/clientCapabilities"));
    (void)json_object_set_new(body, "jsonrpc", json_string("2.0"));
    (void)json_object_set_new(body, "id", json_integer(1));
    (void)json_object_set_new(body, "method", json_string(method));
    (void)json_object_set(body, "params", params);
    headers[n++] = "Content-Type: application/json";
    headers[n++] = "Accept: application/json, text/event-stream";
    headers[n++] = "MCP-Protocol-Version: " MCP_VERSION;
    headers[n++] = arena_printf(arena, "Mcp-Method: %s", method);
    if (name)
        headers[n++] = arena_printf(arena, "Mcp-Name: %s", name);
    if (hub->key)
        headers[n++] = arena_printf(arena, "x-api-key: %s", hub->key);
    headers[n] = NULL;
    text = json_dumps(body, JSON_COMPACT);
    request.headers = headers;
    request.body = text;
    st = cli_http(arena, &request, &reply, err);
    free(text);
    TRY(st);
    *ret_root = json_loadb(reply.body, reply.len, 0, NULL);
    if (!json_is_object(*ret_root))
        return error_set(err, ST_INTERNAL, "the hub answered %ld: %.300s", reply.status,
                         reply.body);
    return ST_OK;
}

/* The tool's input schema, looked up page by page; NULL when it has none. */
static enum status tool_schema(struct arena *arena, const struct hub_address *hub, const char *tool,
                               json_t **ret_schema, struct error *err)
{
    const char *cursor = NULL;

    for (int page = 0; page < 100; page++) {
        json_auto_t *params = json_object();
        json_auto_t *root = NULL;
        const json_t *result, *next;
        size_t i;
        json_t *entry;

        if (cursor)
            (void)json_object_set_new(params, "cursor", json_string(cursor));
        TRY(rpc(arena, hub, "tools/list", params, &root, err));
        result = json_object_get(root, "result");
        if (!result)
            return error_set(
                err, ST_FAILED_PRECONDITION, "tools/list: %s",
                json_string_value(json_object_get(json_object_get(root, "error"), "message")));
        json_array_foreach(json_object_get(result, "tools"), i, entry)
        {
            const char *name = json_string_value(json_object_get(entry, "name"));

            if (name && strcmp(name, tool) == 0) {
                *ret_schema = json_incref(json_object_get(entry, "inputSchema"));
                return ST_OK;
            }
        }
        next = json_object_get(result, "nextCursor");
        if (!next)
            break;
        cursor = arena_strdup(arena, json_string_value(next));
    }
    error_hint(err, "mal call mal_search_catalog, or tools/list in a client.");
    return error_set(err, ST_NOT_FOUND, "there is no tool '%s' for this key", tool);
}

static bool schema_has_type(const json_t *property, const char *type)
{
    const json_t *types = json_object_get(property, "type");
    size_t i;
    json_t *one;

    if (json_is_string(types))
        return strcmp(json_string_value(types), type) == 0;
    json_array_foreach(types, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), type) == 0)
            return true;
    }
    return false;
}

/* Text by the property's type: text stays text unless only JSON can be meant. */
static json_t *typed_value(const json_t *property, const char *value)
{
    if (!property || schema_has_type(property, "string"))
        return json_string(value);
    if (schema_has_type(property, "array") && value[0] != '[') {
        json_t *list = json_array();

        (void)json_array_append_new(list, json_string(value));
        return list;
    }
    return json_loads(value, JSON_DECODE_ANY, NULL);
}

static enum status add_argument(struct arena *arena, json_t *arguments, const json_t *schema,
                                const char *word, struct error *err)
{
    size_t len = strcspn(word, "=:");
    const char *name = arena_memdup(arena, word, len);
    const json_t *property = json_object_get(json_object_get(schema, "properties"), name);
    const char *value = strchr(word + len, '=');
    json_t *json;

    if (len == 0 || !value || (word[len] == ':' && word[len + 1] != '='))
        return error_set(err, ST_INVALID_ARGUMENT, "'%s' is no name=value", word);
    value++;
    if (word[len] == ':')
        json = json_loads(value, JSON_DECODE_ANY, NULL);
    else if (value[0] == '@' && (value = cli_read_file(arena, value + 1, NULL)))
        json = json_string(value);
    else
        json = value ? typed_value(property, value) : NULL;
    if (!json)
        return error_set(err, ST_INVALID_ARGUMENT, "%s: the value is not of the tool's type", name);
    (void)json_object_set_new(arguments, name, json);
    return ST_OK;
}

/* Prints the result; EXIT_FAILED for a tool error. */
static int print_result(const json_t *root, bool as_json)
{
    const json_t *result = json_object_get(root, "result");
    const json_t *error = json_object_get(root, "error");
    const json_t *structured = json_object_get(result, "structuredContent");
    bool failed = json_is_true(json_object_get(result, "isError"));
    size_t i;
    json_t *block;

    if (error) {
        (void)fprintf(stderr, "mal: %s\n", json_string_value(json_object_get(error, "message")));
        return EXIT_FAILED;
    }
    if (as_json && structured && !failed) {
        (void)json_dumpf(structured, stdout, JSON_INDENT(2));
        (void)putchar('\n');
        return EXIT_DONE;
    }
    json_array_foreach(json_object_get(result, "content"), i, block)
    {
        const char *text = json_string_value(json_object_get(block, "text"));

        if (text)
            (void)fprintf(failed ? stderr : stdout, "%s\n", text);
    }
    return failed ? EXIT_FAILED : EXIT_DONE;
}

static enum status call_run(struct arena *arena, const struct call_options *options, int *ret_code,
                            struct error *err)
{
    json_auto_t *schema = NULL;
    json_auto_t *root = NULL;
    json_auto_t *params = json_object();
    json_t *arguments = json_object();
    struct hub_address hub;

    (void)json_object_set_new(params, "name", json_string(options->tool));
    (void)json_object_set_new(params, "arguments", arguments);
    TRY(hub_address(arena, options->dir, options->url, options->key, &hub, err));
    TRY(tool_schema(arena, &hub, options->tool, &schema, err));
    for (int i = 0; i < options->n_words; i++)
        TRY(add_argument(arena, arguments, schema, options->words[i], err));
    TRY(rpc(arena, &hub, "tools/call", params, &root, err));
    *ret_code = print_result(root, options->json);
    return ST_OK;
}

int cmd_call(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct call_options options = {0};
    struct error err = {0};
    int code = EXIT_FAILED;

    options.words = arena_alloc(&arena, (size_t)argc * sizeof *options.words);
    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--dir")))
            options.dir = value;
        else if ((value = cli_option(argc, argv, &i, "--url")))
            options.url = value;
        else if ((value = cli_option(argc, argv, &i, "--key")))
            options.key = value;
        else if (cli_flag(argv[i], "--json"))
            options.json = true;
        else if (cli_flag(argv[i], "--help"))
            return fputs(call_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else if (!options.tool)
            options.tool = argv[i];
        else
            options.words[options.n_words++] = argv[i];
    }
    if (!options.tool)
        return cli_usage("call needs the name of a tool");
    if (call_run(&arena, &options, &code, &err) != ST_OK)
        return cli_fail(&err);
    return code;
}
