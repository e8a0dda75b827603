/* SPDX-License-Identifier: Apache-2.0 */
/* Tools, resources and prompts for callers of another revision. */
#include "bridge_fixture.h"
#include "mcp/mirror.h"

#include <pthread.h>

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

START_TEST(a_servers_name_takes_the_callers_form)
{
    static const char name[] = "{\"name\":\"d\",\"title\":\"T\",\"version\":\"2\",\"description\":"
                               "\"words\",\"icons\":[],\"websiteUrl\":\"https://d\",\"own\":1}";
    static const struct {
        int caller;
        const char *told;
    } cases[] = {
        {V11, name},
        {V06, "{\"name\":\"d\",\"title\":\"T\",\"version\":\"2\",\"own\":1}"},
        {V03, "{\"name\":\"d\",\"version\":\"2\",\"own\":1}"},
        {OLDEST, "{\"name\":\"d\",\"version\":\"2\",\"own\":1}"},
    };
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(name);
    struct bridge b = between(V11, cases[_i].caller);

    bridge_put_implementation(&out, &b, json, json->nodes);
    ck_assert_str_eq(out.data, cases[_i].told);
}
END_TEST

static void fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, tools_take_the_callers_form_or_are_hidden, 0,
                        (int)ARRAY_SIZE(tools));
    tcase_add_test(tcase, annotations_of_headers_can_be_taken_out);
    tcase_add_test(tcase, deep_schemas_fit_the_stack_of_a_worker);
    tcase_add_test(tcase, hidden_tools_leave_no_gap_in_the_list);
    tcase_add_loop_test(tcase, other_items_take_the_callers_form, 0, 4);
    tcase_add_loop_test(tcase, a_servers_name_takes_the_callers_form, 0, 4);
}

int main(void)
{
    return run_bridge_tests("mcp_bridge_item", fill);
}
