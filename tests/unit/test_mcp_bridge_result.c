/* SPDX-License-Identifier: Apache-2.0 */
/* Results for callers of another revision: a case for each row of the tables. */
#include "bridge_fixture.h"

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

static void fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, results_take_the_callers_form, 0, (int)ARRAY_SIZE(results));
    tcase_add_test(tcase, wrapped_results_are_wrapped_even_when_they_are_objects);
    tcase_add_test(tcase, cache_hints_of_the_hub_are_given_where_the_server_gave_none);
    tcase_add_test(tcase, questions_pass_to_modern_callers_under_the_hubs_state);
    tcase_add_loop_test(tcase, outcomes_are_told_apart, 0, (int)ARRAY_SIZE(outcomes));
}

int main(void)
{
    return run_bridge_tests("mcp_bridge_result", fill);
}
