/* SPDX-License-Identifier: Apache-2.0 */
/* Translation between revisions: a case for each row of the tables. */
#include "mcp/bridge.h"
#include "mcp/mirror.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define OURS "{\"name\":\"hub\",\"version\":\"1\"}"
#define LABEL "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" OURS "}"
#define THEIRS                                                                                     \
    "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"d\",\"version\":\"2\"}}"
#define COMPLETE "\"resultType\":\"complete\""
#define STALE ",\"ttlMs\":0,\"cacheScope\":\"private\""

enum {
    OLDEST = MCP_2024_11_05,
    V03 = MCP_2025_03_26,
    V06 = MCP_2025_06_18,
    V11 = MCP_2025_11_25,
    NEW = MCP_2026_07_28
};

static struct arena arena;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

static const struct json *parse(const char *text)
{
    struct json *json = arena_alloc(&arena, sizeof(*json));
    struct error err = {0};

    ck_assert_msg(json_parse(&arena, text, strlen(text), NULL, json, &err) == ST_OK, "%s: %s", text,
                  err.message);
    return json;
}

static struct bridge between(int server, int caller)
{
    return (struct bridge){.server = (enum mcp_version)server,
                           .caller = (enum mcp_version)caller,
                           .server_info = OURS};
}

/* ---- routes -------------------------------------------------------------------------- */

static const struct {
    const char *method;
    enum bridge_route routes[4]; /* caller-server: old-old, old-new, new-old, new-new */
} routes[] = {
    {"initialize", {BRIDGE_OWN, BRIDGE_OWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"ping", {BRIDGE_OWN, BRIDGE_OWN, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"server/discover", {BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_OWN, BRIDGE_OWN}},
    {"tools/call", {BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS, BRIDGE_PASS}},
    {"logging/setLevel", {BRIDGE_PASS, BRIDGE_LEVEL, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"resources/subscribe", {BRIDGE_PASS, BRIDGE_WATCH, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN}},
    {"subscriptions/listen", {BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_WATCH, BRIDGE_WATCH}},
    {"tasks/get", {BRIDGE_PASS, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_PASS}},
    {"skills/list", {BRIDGE_PASS, BRIDGE_UNKNOWN, BRIDGE_UNKNOWN, BRIDGE_PASS}},
};

START_TEST(methods_take_their_way_by_both_eras)
{
    for (int i = 0; i < 4; i++) {
        struct bridge b = between(i & 1 ? NEW : V11, i & 2 ? NEW : V11);

        ck_assert_msg(bridge_route(&b, routes[_i].method) == routes[_i].routes[i], "%s, pair %d",
                      routes[_i].method, i);
    }
}
END_TEST

/* ---- results -------------------------------------------------------------------------- */

static const struct {
    int server, caller;
    const char *method, *given, *told;
} results[] = {
    /* Between equals only the label changes. */
    {V11, V11, "tools/call", "{\"content\":[],\"x\":1}", "{\"content\":[],\"x\":1}"},
    {V11, V11, "ping", "{}", "{}"},
    {NEW, NEW, "tools/call", "{" COMPLETE ",\"content\":[]," THEIRS "}",
     "{\"content\":[]," COMPLETE "," LABEL "}"},
    {NEW, NEW, "tools/list",
     "{" COMPLETE ",\"tools\":[],\"ttlMs\":5,\"cacheScope\":\"public\",\"nextCursor\":\"\"}",
     "{\"tools\":[],\"nextCursor\":\"\"," COMPLETE ",\"ttlMs\":5,\"cacheScope\":\"public\"," LABEL
     "}"},
    {NEW, NEW, "tools/call", "{\"content\":[],\"_meta\":{\"a.b/c\":1}}",
     "{\"content\":[]," COMPLETE
     ",\"_meta\":{\"a.b/c\":1,\"io.modelcontextprotocol/serverInfo\":" OURS "}}"},
    /* 14.1: every result gets a type and our label, lists and reads their hints. */
    {V11, NEW, "tools/call", "{\"content\":[],\"isError\":true}",
     "{\"content\":[],\"isError\":true," COMPLETE "," LABEL "}"},
    {V11, NEW, "tools/list", "{\"tools\":[]}", "{\"tools\":[]," COMPLETE STALE "," LABEL "}"},
    {V11, NEW, "resources/list", "{\"resources\":[]}",
     "{\"resources\":[]," COMPLETE STALE "," LABEL "}"},
    {V11, NEW, "resources/templates/list", "{\"resourceTemplates\":[]}",
     "{\"resourceTemplates\":[]," COMPLETE STALE "," LABEL "}"},
    {V11, NEW, "prompts/list", "{\"prompts\":[]}", "{\"prompts\":[]," COMPLETE STALE "," LABEL "}"},
    {V11, NEW, "resources/read", "{\"contents\":[]}",
     "{\"contents\":[]," COMPLETE STALE "," LABEL "}"},
    {V11, NEW, "prompts/get", "{\"messages\":[]}", "{\"messages\":[]," COMPLETE "," LABEL "}"},
    {V11, NEW, "completion/complete", "{\"completion\":{\"values\":[]}}",
     "{\"completion\":{\"values\":[]}," COMPLETE "," LABEL "}"},
    /* Hints that are none are replaced. */
    {NEW, NEW, "tools/list", "{\"tools\":[],\"ttlMs\":-1,\"cacheScope\":\"public\"}",
     "{\"tools\":[]," COMPLETE STALE "," LABEL "}"},
    {NEW, NEW, "tools/list", "{\"tools\":[],\"ttlMs\":5,\"cacheScope\":\"shared\"}",
     "{\"tools\":[]," COMPLETE STALE "," LABEL "}"},
    /* 14.2: what is of the modern era only is taken away. */
    {NEW, V11, "tools/list",
     "{" COMPLETE ",\"tools\":[],\"ttlMs\":5,\"cacheScope\":\"public\"," THEIRS "}",
     "{\"tools\":[]}"},
    {NEW, OLDEST, "resources/subscribe", "{" COMPLETE "," THEIRS "}", "{}"},
    {NEW, V11, "tools/call",
     "{" COMPLETE
     ",\"content\":[],\"_meta\":{\"a.b/c\":1,\"io.modelcontextprotocol/serverInfo\":{}}}",
     "{\"content\":[],\"_meta\":{\"a.b/c\":1}}"},
    /* Content blocks. */
    {NEW, OLDEST, "tools/call",
     "{\"content\":[{\"type\":\"audio\",\"data\":\"x\",\"mimeType\":\"audio/wav\"}]}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"[audio audio/wav, which this client cannot "
     "take]\"}]}"},
    {NEW, V03, "tools/call", "{\"content\":[{\"type\":\"audio\",\"data\":\"x\"}]}",
     "{\"content\":[{\"type\":\"audio\",\"data\":\"x\"}]}"},
    {NEW, V03, "tools/call",
     "{\"content\":[{\"type\":\"resource_link\",\"uri\":\"a://"
     "b\",\"name\":\"B\"},{\"type\":\"text\","
     "\"text\":\"t\"}]}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"B: "
     "a://b\"},{\"type\":\"text\",\"text\":\"t\"}]}"},
    {V11, V06, "tools/call", "{\"content\":[{\"type\":\"resource_link\",\"uri\":\"a://b\"}]}",
     "{\"content\":[{\"type\":\"resource_link\",\"uri\":\"a://b\"}]}"},
    {NEW, V11, "tools/call", "{\"content\":[{\"type\":\"hologram\"}]}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"[hologram, which this client cannot take]\"}]}"},
    {NEW, NEW, "tools/call", "{\"content\":[{\"type\":\"hologram\"}]}",
     "{\"content\":[{\"type\":\"hologram\"}]," COMPLETE "," LABEL "}"},
    {NEW, V03, "prompts/get",
     "{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"resource_link\",\"uri\":\"a://"
     "b\"}}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"a://b\"}}]}"},
    /* Structured content. */
    {NEW, V03, "tools/call", "{\"content\":[],\"structuredContent\":{\"a\":1}}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"a\\\":1}\"}]}"},
    {NEW, V03, "tools/call",
     "{\"content\":[{\"type\":\"text\",\"text\":\"t\"}],\"structuredContent\":{\"a\":1}}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}"},
    {NEW, V11, "tools/call", "{\"content\":[],\"structuredContent\":{\"a\":1}}",
     "{\"content\":[],\"structuredContent\":{\"a\":1}}"},
    {NEW, V06, "tools/call", "{\"content\":[],\"structuredContent\":[1, 2]}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"[1, 2]\"}],\"structuredContent\":{\"result\":[1, "
     "2]}}"},
    {NEW, NEW, "tools/call", "{\"content\":[],\"structuredContent\":[1]}",
     "{\"content\":[],\"structuredContent\":[1]," COMPLETE "," LABEL "}"},
    /* Line breaks between the parts do not survive, those within do. */
    {V11, V11, "tools/call", "{\"content\":[\n {\n\"type\": \"text\", \"text\": \"a\\nb c\"}\r\n]}",
     "{\"content\":[{\"type\":\"text\",\"text\":\"a\\nb c\"}]}"},
    /* What the server calls its own in the older era passes between old ones. */
    {V11, V06, "x/y", "{\"ttlMs\":1,\"_meta\":{\"a\":1}}", "{\"ttlMs\":1,\"_meta\":{\"a\":1}}"},
};

START_TEST(results_take_the_callers_form)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(results[_i].given);
    struct bridge b = between(results[_i].server, results[_i].caller);

    bridge_put_result(&out, &b, results[_i].method, json, json->nodes, NULL);
    ck_assert_str_eq(out.data, results[_i].told);
    (void)parse(out.data);
}
END_TEST

START_TEST(wrapped_results_are_wrapped_even_when_they_are_objects)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse("{\"content\":[],\"structuredContent\":{\"a\":1}}");
    struct bridge b = between(NEW, V11);

    bridge_put_result(&out, &b, "tools/call", json, json->nodes,
                      &(struct bridge_extra){.wrapped = true});
    ck_assert_str_eq(out.data, "{\"content\":[],\"structuredContent\":{\"result\":{\"a\":1}}}");
}
END_TEST

START_TEST(cache_hints_of_the_hub_are_given_where_the_server_gave_none)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse("{\"prompts\":[]}");
    struct bridge b = between(V11, NEW);

    b.ttl_ms = 60000;
    b.is_public = true;
    b.server_info = NULL;
    bridge_put_result(&out, &b, "prompts/list", json, json->nodes, NULL);
    ck_assert_str_eq(out.data,
                     "{\"prompts\":[]," COMPLETE ",\"ttlMs\":60000,\"cacheScope\":\"public\"}");
}
END_TEST

START_TEST(questions_pass_to_modern_callers_under_the_hubs_state)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse("{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{"
                                    "\"method\":\"roots/list\"}},\"requestState\":\"theirs\"}");
    struct bridge b = between(NEW, NEW);

    bridge_put_result(&out, &b, "tools/call", json, json->nodes,
                      &(struct bridge_extra){.state = "ours"});
    ck_assert_str_eq(out.data,
                     "{\"inputRequests\":{\"k\":{\"method\":\"roots/list\"}},"
                     "\"requestState\":\"ours\",\"resultType\":\"input_required\"," LABEL "}");
}
END_TEST

static const struct {
    enum mcp_version server;
    enum bridge_outcome outcome;
    const char *method, *result;
} outcomes[] = {
    {(enum mcp_version)V11, BRIDGE_COMPLETE, "tools/call", "{\"resultType\":\"whatever\"}"},
    {(enum mcp_version)NEW, BRIDGE_COMPLETE, "tools/call", "{}"},
    {(enum mcp_version)NEW, BRIDGE_COMPLETE, "tools/call", "{" COMPLETE "}"},
    {(enum mcp_version)NEW, BRIDGE_INPUT_REQUIRED, "tools/call",
     "{\"resultType\":\"input_required\",\"requestState\":\"x\"}"},
    {(enum mcp_version)NEW, BRIDGE_INPUT_REQUIRED, "prompts/get",
     "{\"resultType\":\"input_required\",\"inputRequests\":{}}"},
    {(enum mcp_version)NEW, BRIDGE_INPUT_REQUIRED, "resources/read",
     "{\"resultType\":\"input_required\",\"inputRequests\":{}}"},
    {(enum mcp_version)NEW, BRIDGE_INVALID, "tools/list",
     "{\"resultType\":\"input_required\",\"inputRequests\":{}}"},
    {(enum mcp_version)NEW, BRIDGE_INVALID, "tools/call", "{\"resultType\":\"input_required\"}"},
    {(enum mcp_version)NEW, BRIDGE_INVALID, "tools/call",
     "{\"resultType\":\"input_required\",\"requestState\":5}"},
    {(enum mcp_version)NEW, BRIDGE_TASK, "tools/call", "{\"resultType\":\"task\"}"},
    {(enum mcp_version)NEW, BRIDGE_INVALID, "prompts/get", "{\"resultType\":\"task\"}"},
    {(enum mcp_version)NEW, BRIDGE_INVALID, "tools/call", "{\"resultType\":\"else\"}"},
    {(enum mcp_version)NEW, BRIDGE_INVALID, "tools/call", "{\"resultType\":5}"},
};

START_TEST(outcomes_are_told_apart)
{
    const struct json *json = parse(outcomes[_i].result);
    struct bridge b = between((int)outcomes[_i].server, NEW);

    ck_assert_int_eq(bridge_outcome(&b, outcomes[_i].method, json, json->nodes),
                     outcomes[_i].outcome);
}
END_TEST

/* ---- tools and other items -------------------------------------------------------------- */

#define OBJECT "\"inputSchema\":{\"type\":\"object\"}"

static const struct {
    int server, caller;
    const char *given, *told; /* NULL: not shown */
    bool wrapped;
} tools[] = {
    {V11, V11,
     "{\"name\":\"t\"," OBJECT ",\"execution\":{\"taskSupport\":\"required\"},\"icons\":[]}",
     "{\"name\":\"t\"," OBJECT ",\"execution\":{\"taskSupport\":\"required\"},\"icons\":[]}",
     false},
    /* 14.1: execution goes; what can only run as a task is hidden. */
    {V11, NEW, "{\"name\":\"t\"," OBJECT ",\"execution\":{\"taskSupport\":\"optional\"}}",
     "{\"name\":\"t\"," OBJECT "}", false},
    {V11, NEW, "{\"name\":\"t\"," OBJECT ",\"execution\":{\"taskSupport\":\"required\"}}", NULL,
     false},
    {V11, V06, "{\"name\":\"t\"," OBJECT ",\"execution\":{\"taskSupport\":\"required\"}}", NULL,
     false},
    /* A schema without a type is an object's; one of another type is none. */
    {V03, NEW, "{\"name\":\"t\",\"inputSchema\":{\"properties\":{}}}",
     "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{}}}", false},
    {V03, NEW, "{\"name\":\"t\",\"inputSchema\":{\"type\":\"array\"}}", NULL, false},
    {V03, NEW, "{\"name\":\"t\"}", NULL, false},
    {V03, V03, "{\"name\":\"t\",\"inputSchema\":true}", NULL, false},
    /* 14.2: members by the revision that brought them. */
    {NEW, V06,
     "{\"name\":\"t\",\"title\":\"T\"," OBJECT ",\"icons\":[],\"annotations\":{},\"_meta\":{}}",
     "{\"name\":\"t\",\"title\":\"T\"," OBJECT ",\"annotations\":{},\"_meta\":{}}", false},
    {NEW, V03, "{\"name\":\"t\",\"title\":\"T\"," OBJECT ",\"annotations\":{},\"_meta\":{}}",
     "{\"name\":\"t\"," OBJECT ",\"annotations\":{}}", false},
    {NEW, OLDEST, "{\"name\":\"t\"," OBJECT ",\"annotations\":{},\"outputSchema\":{}}",
     "{\"name\":\"t\"," OBJECT "}", false},
    {NEW, V11, "{\"name\":\"t\"," OBJECT ",\"icons\":[],\"x\":1}",
     "{\"name\":\"t\"," OBJECT ",\"icons\":[],\"x\":1}", false},
    /* Output schemas. */
    {NEW, V03, "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"type\":\"object\"}}",
     "{\"name\":\"t\"," OBJECT "}", false},
    {NEW, V06, "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"type\":\"object\"}}",
     "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"type\":\"object\"}}", false},
    {NEW, V11,
     "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"type\":\"array\",\"items\":{\"$ref\":"
     "\"#/$defs/i\"},\"$defs\":{\"i\":{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#a\"},{\"$ref\":"
     "\"https://x/#/y\"}]}}}}",
     "{\"name\":\"t\"," OBJECT
     ",\"outputSchema\":{\"type\":\"object\",\"properties\":{\"result\":{\"type\":\"array\","
     "\"items\":{\"$ref\":\"#/properties/result/$defs/i\"},\"$defs\":{\"i\":{\"anyOf\":[{\"$ref\":"
     "\"#/properties/result\"},{\"$ref\":\"#a\"},{\"$ref\":\"https://x/#/y\"}]}}}},\"required\":["
     "\"result\"]}}",
     true},
    {NEW, V11,
     "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"$id\":\"a:b\",\"$ref\":\"#/$defs/i\"}}",
     "{\"name\":\"t\"," OBJECT
     ",\"outputSchema\":{\"type\":\"object\",\"properties\":{\"result\":{\"$id\":\"a:b\",\"$ref\":"
     "\"#/$defs/i\"}},\"required\":[\"result\"]}}",
     true},
    {NEW, NEW, "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"type\":\"array\"}}",
     "{\"name\":\"t\"," OBJECT ",\"outputSchema\":{\"type\":\"array\"}}", false},
    /* Boolean schemas of properties; data stay as they are. */
    {NEW, V11,
     "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":true,\"b\":false,"
     "\"properties\":{\"default\":{\"properties\":{\"c\":true}},\"additionalProperties\":true}}}}",
     "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{\"not\":"
     "{}"
     "},\"properties\":{\"default\":{\"properties\":{\"c\":true}},\"additionalProperties\":true}}}"
     "}",
     false},
    {NEW, NEW, "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":true}}}",
     "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":true}}}", false},
    {NEW, V11,
     "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"x-mcp-header\":"
     "\"A\"}}}}",
     "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"x-mcp-header\":"
     "\"A\"}}}}",
     false},
};

START_TEST(tools_take_the_callers_form_or_are_hidden)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(tools[_i].given);
    struct bridge b = between(tools[_i].server, tools[_i].caller);
    bool wrapped = false;
    bool shown = bridge_put_tool(&out, &b, json, json->nodes, &wrapped);

    ck_assert_int_eq(shown, tools[_i].told != NULL);
    ck_assert_str_eq(strbuf_cstr(&out), shown ? tools[_i].told : "");
    ck_assert_int_eq(wrapped, tools[_i].wrapped);
}
END_TEST

START_TEST(annotations_of_headers_can_be_taken_out)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(
        "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
        "\"string\",\"x-mcp-header\":\"A\"},\"x-mcp-header\":{}},\"examples\":[{"
        "\"x-mcp-header\":1}]}}");
    struct bridge b = between(NEW, NEW);

    b.strip_headers = true;
    ck_assert(bridge_put_tool(&out, &b, json, json->nodes, NULL));
    ck_assert_str_eq(
        out.data, "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{"
                  "\"type\":\"string\"},\"x-mcp-header\":{}},\"examples\":[{\"x-mcp-header\":1}]}"
                  "}");
}
END_TEST

enum { DEPTH = 60, STACK = 80 * 1024 };

/* Everything that recurses over a schema. */
static void *walk_deep(void *arg)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = arg;
    struct bridge b = between(NEW, V11);
    struct arena own = {0};
    struct mirrors mirrors;
    const char *why;
    bool fine;

    fine = bridge_put_tool(&out, &b, json, json->nodes, NULL);
    fine =
        mirror_read(&own, json, json_get(json, json->nodes, "inputSchema"), &mirrors, &why) && fine;
    arena_done(&own);
    return fine ? arg : NULL;
}

START_TEST(deep_schemas_fit_the_stack_of_a_worker)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    const struct json *json;
    pthread_attr_t attr;
    pthread_t thread;
    void *fine;

    strbuf_str(&text, "{\"name\":\"t\",\"inputSchema\":{\"description\":\"mcp-header\"");
    for (int i = 0; i < DEPTH; i += 2)
        strbuf_str(&text, ",\"properties\":{\"a\":{\"type\":\"object\"");
    for (int i = 0; i < DEPTH; i++)
        strbuf_char(&text, '}');
    strbuf_str(&text, "}}");
    json = parse(text.data);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, STACK), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, walk_deep, (void *)json), 0);
    ck_assert_int_eq(pthread_join(thread, &fine), 0);
    ck_assert_ptr_nonnull(fine);
}
END_TEST

START_TEST(hidden_tools_leave_no_gap_in_the_list)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse("{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"," OBJECT "},{},{"
                                    "\"name\":\"c\"," OBJECT "}]}");
    struct bridge b = between(V11, V11);

    bridge_put_result(&out, &b, "tools/list", json, json->nodes, NULL);
    ck_assert_str_eq(out.data,
                     "{\"tools\":[{\"name\":\"b\"," OBJECT "},{\"name\":\"c\"," OBJECT "}]}");
}
END_TEST

START_TEST(other_items_take_the_callers_form)
{
    static const char item[] = "{\"uri\":\"a://b\",\"title\":\"T\",\"icons\":[],\"annotations\":{},"
                               "\"_meta\":{}}";
    static const struct {
        int caller;
        const char *told;
    } cases[] = {
        {NEW, item},
        {V11, item},
        {V06, "{\"uri\":\"a://b\",\"title\":\"T\",\"annotations\":{},\"_meta\":{}}"},
        {OLDEST, "{\"uri\":\"a://b\",\"annotations\":{}}"},
    };
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(item);
    struct bridge b = between(NEW, cases[_i].caller);

    bridge_put_item(&out, &b, json, json->nodes);
    ck_assert_str_eq(out.data, cases[_i].told);
}
END_TEST

/* ---- errors -----------------------------------------------------------------------------------
 */

static const struct {
    int server, caller;
    const char *method, *given;
    bool takes_urls;
    enum bridge_error_kind kind;
    int code, http_status;
    const char *message, *data; /* message NULL: as given */
} errors[] = {
    {V11, V11, "tools/call", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"x\":1}}", false,
     BRIDGE_ERROR, -32602, 200, NULL, "{\"x\":1}"},
    {NEW, NEW, "tools/call", "{\"code\":-32602,\"message\":\"m\"}", false, BRIDGE_ERROR, -32602,
     200, NULL, NULL},
    {NEW, V11, "tools/call", "{\"code\":123,\"message\":\"m\"}", false, BRIDGE_ERROR, 123, 200,
     NULL, NULL},
    /* Not found, in the words of either era. */
    {V11, NEW, "resources/read", "{\"code\":-32002,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32602, 200, NULL, "{\"uri\":\"a:b\"}"},
    {NEW, V11, "resources/read", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32002, 200, NULL, "{\"uri\":\"a:b\"}"},
    {V11, V11, "resources/read", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32002, 200, NULL, "{\"uri\":\"a:b\"}"},
    {NEW, V11, "resources/read", "{\"code\":-32602,\"message\":\"m\"}", false, BRIDGE_ERROR, -32602,
     200, NULL, NULL},
    {NEW, V11, "prompts/get", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32602, 200, NULL, "{\"uri\":\"a:b\"}"},
    {V06, V11, "resources/read", "{\"code\":-32002,\"message\":\"m\"}", false, BRIDGE_ERROR, -32002,
     200, NULL, NULL},
    /* URLs that have to be opened first. */
    {V11, NEW, "tools/call", "{\"code\":-32042,\"message\":\"m\",\"data\":{}}", true,
     BRIDGE_ASK_URL, -32042, 200, NULL, "{}"},
    {V11, NEW, "tools/call",
     "{\"code\":-32042,\"message\":\"m\",\"data\":{\"elicitations\":[{\"url\":\"https://x\","
     "\"message\":\"Log in\"}]}}",
     false, BRIDGE_EXECUTION, -32603, 200, "m\nLog in: https://x", NULL},
    {V11, NEW, "prompts/list", "{\"code\":-32042,\"message\":\"m\"}", true, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {V11, V11, "tools/call", "{\"code\":-32042,\"message\":\"m\",\"data\":{}}", true, BRIDGE_ERROR,
     -32042, 200, NULL, "{}"},
    {V11, V06, "tools/call", "{\"code\":-32042,\"message\":\"m\",\"data\":{}}", false,
     BRIDGE_EXECUTION, -32603, 200, NULL, NULL},
    /* Codes without a common meaning are not emitted in the modern era. */
    {V11, NEW, "tools/call", "{\"code\":-32000,\"message\":\"m\",\"data\":1}", false, BRIDGE_ERROR,
     -32603, 200, NULL, NULL},
    {V11, NEW, "tools/call", "{\"code\":-32019,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {NEW, NEW, "tools/call", "{\"code\":-32001,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {V11, NEW, "tools/call", "{\"code\":-32021,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {V11, V11, "tools/call", "{\"code\":-32000,\"message\":\"m\"}", false, BRIDGE_ERROR, -32000,
     200, NULL, NULL},
    /* What describes our own hop is not passed on. */
    {NEW, NEW, "tools/call", "{\"code\":-32020,\"message\":\"m\",\"data\":1}", false, BRIDGE_ERROR,
     -32603, 200, "the hub and the server did not understand each other", NULL},
    {NEW, V11, "tools/call", "{\"code\":-32022,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, "the hub and the server did not understand each other", NULL},
    /* A missing capability. */
    {NEW, NEW, "tools/call",
     "{\"code\":-32021,\"message\":\"m\",\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}",
     false, BRIDGE_ERROR, -32021, 400, NULL, "{\"requiredCapabilities\":{\"sampling\":{}}}"},
    {NEW, V11, "tools/call",
     "{\"code\":-32021,\"message\":\"m\",\"data\":{\"requiredCapabilities\":{\"sampling\":{},"
     "\"roots\":{}}}}",
     false, BRIDGE_EXECUTION, -32603, 200,
     "This needs a capability that the client does not have: sampling, roots.", NULL},
    {NEW, V11, "prompts/get", "{\"code\":-32021,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, "This needs a capability that the client does not have: one that it does not name.",
     NULL},
    /* A feature that is not there. */
    {NEW, NEW, "prompts/list", "{\"code\":-32601,\"message\":\"m\"}", false, BRIDGE_EMPTY_LIST,
     -32601, 200, NULL, NULL},
    {V11, V11, "resources/templates/list", "{\"code\":-32601,\"message\":\"m\"}", false,
     BRIDGE_EMPTY_LIST, -32601, 200, NULL, NULL},
    {NEW, NEW, "completion/complete", "{\"code\":-32601,\"message\":\"m\"}", false, BRIDGE_ERROR,
     -32601, 404, NULL, NULL},
    /* Errors that are none. */
    {V11, V11, "tools/call", "{\"code\":\"x\",\"message\":\"m\"}", false, BRIDGE_ERROR, -32603, 200,
     NULL, NULL},
    {V11, V11, "tools/call", "{\"code\":99999999999,\"message\":5}", false, BRIDGE_ERROR, -32603,
     200, "the server gave no reason", NULL},
};

START_TEST(errors_are_told_in_the_callers_words)
{
    const struct json *json = parse(errors[_i].given);
    struct bridge b = between(errors[_i].server, errors[_i].caller);
    struct bridge_error told =
        bridge_error(&arena, &b, errors[_i].method, json, json->nodes, errors[_i].takes_urls);

    ck_assert_int_eq(told.kind, errors[_i].kind);
    ck_assert_int_eq(told.code, errors[_i].code);
    ck_assert_int_eq(told.http_status, errors[_i].http_status);
    ck_assert_str_eq(told.message, errors[_i].message != NULL ? errors[_i].message : "m");
    ck_assert_str_eq(told.data != NULL ? told.data : "", errors[_i].data ? errors[_i].data : "");
}
END_TEST

/* ---- questions ----------------------------------------------------------------------------------
 */

static const struct {
    const char *capabilities, *method, *params;
    bool may;
} asked[] = {
    {"{}", "roots/list", "{}", false},
    {"{\"roots\":{}}", "roots/list", "{}", true},
    {"{\"elicitation\":{}}", "elicitation/create", "{}", true},
    {"{\"elicitation\":{\"form\":{}}}", "elicitation/create", "{\"mode\":\"form\"}", true},
    {"{\"elicitation\":{\"form\":{}}}", "elicitation/create", "{\"mode\":\"url\"}", false},
    {"{\"elicitation\":{\"url\":{}}}", "elicitation/create", "{\"mode\":\"url\"}", true},
    {"{\"elicitation\":{\"url\":{}}}", "elicitation/create", "{}", false},
    {"{\"sampling\":{}}", "sampling/createMessage", "{}", true},
    {"{\"sampling\":{}}", "sampling/createMessage", "{\"tools\":[]}", false},
    {"{\"sampling\":{\"tools\":{}}}", "sampling/createMessage", "{\"toolChoice\":{}}", true},
    {"{\"sampling\":{}}", "something/else", "{}", false},
};

START_TEST(only_what_was_declared_may_be_asked)
{
    const struct json *caps = parse(asked[_i].capabilities), *params = parse(asked[_i].params);

    ck_assert_int_eq(bridge_may_ask(caps, caps->nodes, asked[_i].method, params, params->nodes),
                     asked[_i].may);
}
END_TEST

START_TEST(requests_of_legacy_servers_become_input_requests)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json =
        parse("{\"mode\":\"url\",\"elicitationId\":\"e\",\"url\":\"https://x\",\"message\":\"m\","
              "\"task\":{},\"_meta\":{\"progressToken\":1}}");

    strbuf_char(&out, '{');
    ck_assert(bridge_put_input_request(&out, "k\"", "elicitation/create", json, json->nodes));
    ck_assert(bridge_put_input_request(&out, "r", "roots/list", json, NULL));
    ck_assert(!bridge_put_input_request(&out, "x", "ping", json, NULL));
    strbuf_char(&out, '}');
    ck_assert_str_eq(out.data,
                     "{\"k\\\"\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\","
                     "\"url\":\"https://x\",\"message\":\"m\"}},\"r\":{\"method\":\"roots/list\","
                     "\"params\":{}}}");
}
END_TEST

START_TEST(urls_of_an_error_become_input_requests)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(
        "{\"code\":-32042,\"data\":{\"elicitations\":[{\"mode\":\"url\",\"elicitationId\":\"e\","
        "\"url\":\"https://x\"},5,{\"url\":\"https://y\"}]}}");

    strbuf_char(&out, '{');
    ck_assert_uint_eq(bridge_put_url_requests(&out, json, json->nodes), 2);
    strbuf_char(&out, '}');
    ck_assert_str_eq(
        out.data,
        "{\"url-0\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"url\":"
        "\"https://x\"}},\"url-1\":{\"method\":\"elicitation/create\",\"params\":{\"url\":\"https:/"
        "/"
        "y\"}}}");
}
END_TEST

#define FORM(fields)                                                                               \
    "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"m\","          \
    "\"requestedSchema\":{\"type\":\"object\",\"properties\":{" fields "}}}}"

static const struct {
    int caller;
    const char *entry, *told; /* NULL: cannot be asked */
} questions[] = {
    {V11, FORM("\"a\":{\"type\":\"string\",\"default\":\"x\"}"),
     "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"m\","
     "\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","
     "\"default\":\"x\"}}}}}"},
    {V06,
     FORM("\"a\":{\"type\":\"string\",\"default\":\"x\"},\"b\":{\"type\":\"boolean\",\"default\":"
          "true},\"c\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"1\",\"title\":\"One\"},{"
          "\"const\":\"2\"}]}"),
     "{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\",\"requestedSchema\":{"
     "\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"boolean\","
     "\"default\":true},\"c\":{\"type\":\"string\",\"enum\":[\"1\",\"2\"],\"enumNames\":[\"One\","
     "\"2\"]}}}}}"},
    {V06, FORM("\"a\":{\"type\":\"array\"}"), NULL},
    {V03, FORM(""), NULL},
    {V11,
     "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"url\":\"https://x\","
     "\"message\":\"m\"}}",
     "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"url\":\"https://x\","
     "\"message\":\"m\",\"elicitationId\":\"e-1\"}}"},
    {V06, "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"url\":\"https://x\"}}",
     NULL},
    {OLDEST,
     "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[{\"role\":\"user\","
     "\"content\":{}}],\"maxTokens\":5}}",
     "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[{\"role\":\"user\","
     "\"content\":{}}],\"maxTokens\":5}}"},
    {V06,
     "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[{\"role\":\"user\","
     "\"content\":[]}]}}",
     NULL},
    {V06, "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"tools\":[]}}",
     NULL},
    {V11, "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"tools\":[]}}",
     "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"tools\":[]}}"},
    {OLDEST, "{\"method\":\"roots/list\"}", "{\"method\":\"roots/list\",\"params\":{}}"},
    {V11, "{\"method\":\"ping\",\"params\":{}}", NULL},
    {V11, "{}", NULL},
};

START_TEST(input_requests_become_requests_to_legacy_callers)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(questions[_i].entry);
    struct bridge b = between(NEW, questions[_i].caller);
    bool can;

    strbuf_char(&out, '{');
    can = bridge_put_question(&out, &b, json, json->nodes, "e-1");
    ck_assert_int_eq(can, questions[_i].told != NULL);
    strbuf_char(&out, '}');
    ck_assert_str_eq(out.data, can ? questions[_i].told : "{}");
}
END_TEST

START_TEST(a_retry_has_the_first_params_with_answers_and_state)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse("{\"name\":\"t\",\"requestState\":\"old\",\"arguments\":{}}");

    bridge_put_retry(&out, json, json->nodes, "{\"k\":{}}", "\"a\\u00e9\"", 9);
    ck_assert_str_eq(out.data,
                     "{\"inputResponses\":{\"k\":{}},\"requestState\":\"a\\u00e9\",\"name\":"
                     "\"t\",\"arguments\":{}}");
    strbuf_clear(&out);
    bridge_put_retry(&out, json, NULL, "{}", NULL, 0);
    ck_assert_str_eq(out.data, "{\"inputResponses\":{}}");
}
END_TEST

/* ---- notifications
 * --------------------------------------------------------------------------------- */

#define NOTE(method, rest) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\"" rest "}"
#define INFO "{\"level\":\"info\",\"data\":1}"

static const struct {
    int server, caller;
    const char *method, *params; /* NULL: absent */
    struct bridge_listener listener;
    bool own;
    const char *told; /* NULL: not passed on */
} notes[] = {
    {V11,
     V11,
     "notifications/progress",
     "{\"progressToken\":9,\"progress\":0.5,\"message\":\"m\"}",
     {.token = "\"x\"", .token_len = 3},
     true,
     NOTE("progress", ",\"params\":{\"progressToken\":\"x\",\"progress\":0.5,\"message\":\"m\"}")},
    {NEW,
     OLDEST,
     "notifications/progress",
     "{\"progressToken\":9,\"progress\":1,\"message\":\"m\"}",
     {.token = "0", .token_len = 1},
     true,
     NOTE("progress", ",\"params\":{\"progressToken\":0,\"progress\":1}")},
    {NEW, NEW, "notifications/progress", "{\"progressToken\":9}", {0}, true, NULL},
    {NEW,
     NEW,
     "notifications/progress",
     "{\"progressToken\":9}",
     {.token = "0", .token_len = 1},
     false,
     NULL},
    /* Logs: modern callers ask for them, older ones for fewer. */
    {V11, NEW, "notifications/message", INFO, {0}, false, NULL},
    {V11, NEW, "notifications/message", INFO, {.log_level = "warning"}, false, NULL},
    {V11,
     NEW,
     "notifications/message",
     INFO,
     {.log_level = "info"},
     false,
     NOTE("message", ",\"params\":" INFO)},
    {NEW, V11, "notifications/message", INFO, {0}, false, NOTE("message", ",\"params\":" INFO)},
    {NEW, V11, "notifications/message", INFO, {.log_level = "error"}, false, NULL},
    /* Changes: each modern caller's own subscription. */
    {V11,
     NEW,
     "notifications/tools/list_changed",
     NULL,
     {.subscription = "\"w-3\""},
     false,
     NOTE("tools/list_changed",
          ",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"w-3\"}}")},
    {NEW,
     NEW,
     "notifications/resources/updated",
     "{\"uri\":\"a:b\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7,\"v\":1}}",
     {.subscription = "0"},
     false,
     NOTE("resources/updated", ",\"params\":{\"uri\":\"a:b\",\"_meta\":{\"v\":1,"
                               "\"io.modelcontextprotocol/subscriptionId\":0}}")},
    {V11, NEW, "notifications/prompts/list_changed", NULL, {0}, false, NULL},
    {NEW,
     V11,
     "notifications/resources/updated",
     "{\"uri\":\"a:b\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7}}",
     {0},
     false,
     NOTE("resources/updated", ",\"params\":{\"uri\":\"a:b\"}")},
    {V11,
     V06,
     "notifications/resources/list_changed",
     NULL,
     {0},
     false,
     NOTE("resources/list_changed", "")},
    /* What only one era or one hop knows. */
    {V11,
     NEW,
     "notifications/elicitation/complete",
     "{\"elicitationId\":\"e\"}",
     {.subscription = "0"},
     false,
     NULL},
    {V11,
     V11,
     "notifications/elicitation/complete",
     "{\"elicitationId\":\"e\"}",
     {0},
     false,
     NOTE("elicitation/complete", ",\"params\":{\"elicitationId\":\"e\"}")},
    {V11, V06, "notifications/tasks/status", "{}", {0}, false, NULL},
    {NEW,
     NEW,
     "notifications/tasks",
     "{\"taskId\":\"t\"}",
     {.subscription = "1"},
     false,
     NOTE("tasks", ",\"params\":{\"taskId\":\"t\",\"_meta\":{"
                   "\"io.modelcontextprotocol/subscriptionId\":1}}")},
    {NEW, V11, "notifications/tasks", "{\"taskId\":\"t\"}", {0}, false, NULL},
    {V11, V11, "notifications/cancelled", "{\"requestId\":1}", {0}, false, NULL},
    {NEW,
     NEW,
     "notifications/subscriptions/acknowledged",
     "{}",
     {.subscription = "1"},
     false,
     NULL},
    {V11,
     V11,
     "notifications/vendor",
     "{\"a\":1}",
     {0},
     false,
     NOTE("vendor", ",\"params\":{\"a\":1}")},
    {V11, NEW, "notifications/vendor", "{\"a\":1}", {0}, false, NULL},
};

START_TEST(notifications_reach_whom_they_concern)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = notes[_i].params != NULL ? parse(notes[_i].params) : NULL;
    const struct json_node *node = json != NULL ? json->nodes : NULL;
    struct bridge b = between(notes[_i].server, notes[_i].caller);
    struct bridge_listener listener = notes[_i].listener;
    bool passed;

    listener.own_progress = notes[_i].own;
    passed = bridge_put_notification(&out, &b, notes[_i].method, json, node, &listener);
    ck_assert_int_eq(passed, notes[_i].told != NULL);
    ck_assert_str_eq(strbuf_cstr(&out), passed ? notes[_i].told : "");
}
END_TEST

/* ---- params, capabilities, labels
 * ----------------------------------------------------------------------- */

static const struct {
    int server, caller;
    const char *method, *given, *told;
} params[] = {
    {V11, V11, "tools/call", "{\"name\":\"t\",\"task\":{},\"x\":1}",
     "{\"name\":\"t\",\"task\":{},\"x\":1}"},
    {NEW, V11, "tools/call", "{\"name\":\"t\",\"task\":{}}", "{\"name\":\"t\"}"},
    {V06, V11, "tools/call", "{\"name\":\"t\",\"task\":{}}", "{\"name\":\"t\"}"},
    {V11, NEW, "tools/call", "{\"name\":\"t\",\"inputResponses\":{},\"requestState\":\"s\"}",
     "{\"name\":\"t\"}"},
    {NEW, NEW, "tools/call", "{\"name\":\"t\",\"inputResponses\":{},\"requestState\":\"s\"}",
     "{\"name\":\"t\",\"inputResponses\":{},\"requestState\":\"s\"}"},
    {V03, NEW, "completion/complete", "{\"ref\":{},\"context\":{}}", "{\"ref\":{}}"},
    {V06, NEW, "completion/complete", "{\"ref\":{},\"context\":{}}", "{\"ref\":{},\"context\":{}}"},
    {V03, NEW, "prompts/get", "{\"context\":1}", "{\"context\":1}"},
};

START_TEST(params_take_the_servers_form)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(params[_i].given);
    struct bridge b = between(params[_i].server, params[_i].caller);

    bridge_put_params(&out, &b, params[_i].method, json, json->nodes);
    ck_assert_str_eq(out.data, params[_i].told);
    strbuf_clear(&out);
    bridge_put_params(&out, &b, params[_i].method, NULL, NULL);
    ck_assert_str_eq(out.data, "{}");
}
END_TEST

#define TASKS "\"io.modelcontextprotocol/tasks\":{}"

static const struct {
    int server, caller;
    const char *given, *client, *told; /* as the client's, as the server's */
} capabilities[] = {
    {NEW, NEW, "{\"extensions\":{" TASKS ",\"a/b\":{}},\"roots\":{},\"x\":{}}",
     "{\"extensions\":{" TASKS ",\"a/b\":{}},\"roots\":{},\"x\":{}}",
     "{\"extensions\":{" TASKS ",\"a/b\":{}},\"roots\":{},\"x\":{}}"},
    {NEW, V11,
     "{\"extensions\":{" TASKS ",\"a/b\":{}},\"roots\":{\"listChanged\":true},\"tasks\":{}}",
     "{\"extensions\":{\"a/b\":{}},\"roots\":{}}",
     "{\"extensions\":{\"a/b\":{}},\"roots\":{\"listChanged\":true}}"},
    {V11, NEW, "{\"tasks\":{},\"tools\":{\"listChanged\":true},\"logging\":{}}",
     "{\"tools\":{\"listChanged\":true},\"logging\":{}}",
     "{\"tools\":{\"listChanged\":true},\"logging\":{}}"},
    {V11, V11, "{\"tasks\":{},\"roots\":{\"listChanged\":true}}",
     "{\"tasks\":{},\"roots\":{\"listChanged\":true}}",
     "{\"tasks\":{},\"roots\":{\"listChanged\":true}}"},
    {V11, OLDEST, "{\"completions\":{},\"prompts\":{}}", "{\"completions\":{},\"prompts\":{}}",
     "{\"prompts\":{}}"},
};

START_TEST(capabilities_take_the_other_sides_form)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(capabilities[_i].given);
    struct bridge b = between(capabilities[_i].server, capabilities[_i].caller);

    bridge_put_client_capabilities(&out, &b, json, json->nodes);
    ck_assert_str_eq(out.data, capabilities[_i].client);
    strbuf_clear(&out);
    bridge_put_server_capabilities(&out, &b, json, json->nodes);
    ck_assert_str_eq(out.data, capabilities[_i].told);
}
END_TEST

START_TEST(labels_take_the_words_of_the_revision)
{
    static const char full[] =
        "{\"name\":\"n\",\"title\":\"t\",\"version\":\"1\",\"description\":\"d\","
        "\"websiteUrl\":\"w\",\"icons\":[]}";
    static const struct {
        int to;
        const char *told;
    } cases[] = {{NEW, full},
                 {V11, full},
                 {V06, "{\"name\":\"n\",\"title\":\"t\",\"version\":\"1\"}"},
                 {V03, "{\"name\":\"n\",\"version\":\"1\"}"}};
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(full);

    bridge_put_implementation(&out, (enum mcp_version)cases[_i].to, json, json->nodes);
    ck_assert_str_eq(out.data, cases[_i].told);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mcp_bridge");
    TCase *tcase = tcase_create("bridge");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, methods_take_their_way_by_both_eras, 0, (int)ARRAY_SIZE(routes));
    tcase_add_loop_test(tcase, results_take_the_callers_form, 0, (int)ARRAY_SIZE(results));
    tcase_add_test(tcase, wrapped_results_are_wrapped_even_when_they_are_objects);
    tcase_add_test(tcase, cache_hints_of_the_hub_are_given_where_the_server_gave_none);
    tcase_add_test(tcase, questions_pass_to_modern_callers_under_the_hubs_state);
    tcase_add_loop_test(tcase, outcomes_are_told_apart, 0, (int)ARRAY_SIZE(outcomes));
    tcase_add_loop_test(tcase, tools_take_the_callers_form_or_are_hidden, 0,
                        (int)ARRAY_SIZE(tools));
    tcase_add_test(tcase, annotations_of_headers_can_be_taken_out);
    tcase_add_test(tcase, deep_schemas_fit_the_stack_of_a_worker);
    tcase_add_test(tcase, hidden_tools_leave_no_gap_in_the_list);
    tcase_add_loop_test(tcase, other_items_take_the_callers_form, 0, 4);
    tcase_add_loop_test(tcase, errors_are_told_in_the_callers_words, 0, (int)ARRAY_SIZE(errors));
    tcase_add_loop_test(tcase, only_what_was_declared_may_be_asked, 0, (int)ARRAY_SIZE(asked));
    tcase_add_test(tcase, requests_of_legacy_servers_become_input_requests);
    tcase_add_test(tcase, urls_of_an_error_become_input_requests);
    tcase_add_loop_test(tcase, input_requests_become_requests_to_legacy_callers, 0,
                        (int)ARRAY_SIZE(questions));
    tcase_add_test(tcase, a_retry_has_the_first_params_with_answers_and_state);
    tcase_add_loop_test(tcase, notifications_reach_whom_they_concern, 0, (int)ARRAY_SIZE(notes));
    tcase_add_loop_test(tcase, params_take_the_servers_form, 0, (int)ARRAY_SIZE(params));
    tcase_add_loop_test(tcase, capabilities_take_the_other_sides_form, 0,
                        (int)ARRAY_SIZE(capabilities));
    tcase_add_loop_test(tcase, labels_take_the_words_of_the_revision, 0, 4);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
