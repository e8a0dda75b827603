/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of servers to callers, and how their answers go back. */
#include "bridge_fixture.h"

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
    {"{\"elicitation\":{}}", "tasks/get", "{}", false},
    {"{\"tasks\":{}}", "tasks/get", "{}", true},
    {"{\"tasks\":{}}", "tasks/result", "{}", true},
    {"{\"tasks\":{}}", "tasks/list", "{}", false},
    {"{\"tasks\":{\"list\":{}}}", "tasks/list", "{}", true},
    {"{\"tasks\":{\"list\":{}}}", "tasks/cancel", "{}", false},
    {"{\"tasks\":{\"cancel\":{}}}", "tasks/cancel", "{}", true},
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

#define META "\"_meta\":{\"progressToken\":7,\"acme.org/x\":{}}"

static const struct {
    int server;
    const char *entry, *told;
} older[] = {
    {V11, "{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\",\"task\":{}," META "}}",
     "{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\"," META "}}"},
    {V11, "{\"method\":\"sampling/createMessage\",\"params\":{" META ",\"messages\":[]}}",
     "{\"method\":\"sampling/createMessage\",\"params\":{" META ",\"messages\":[]}}"},
    {OLDEST, "{\"method\":\"roots/list\",\"params\":{\"x\":1," META "}}",
     "{\"method\":\"roots/list\",\"params\":{" META "}}"},
    {NEW, "{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\"," META "}}",
     "{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\"}}"},
    {NEW, "{\"method\":\"roots/list\",\"params\":{" META "}}",
     "{\"method\":\"roots/list\",\"params\":{}}"},
};

START_TEST(questions_between_older_revisions_keep_their_meta)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json *json = parse(older[_i].entry);
    struct bridge b = between(older[_i].server, V06);

    strbuf_char(&out, '{');
    ck_assert(bridge_put_question(&out, &b, json, json->nodes, ""));
    strbuf_char(&out, '}');
    ck_assert_str_eq(out.data, older[_i].told);
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
    strbuf_clear(&out);
    bridge_put_retry(&out, json, json->nodes, NULL, "\"s\"", 3);
    ck_assert_str_eq(out.data, "{\"requestState\":\"s\",\"name\":\"t\",\"arguments\":{}}");
}
END_TEST

static void fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, only_what_was_declared_may_be_asked, 0, (int)ARRAY_SIZE(asked));
    tcase_add_test(tcase, requests_of_legacy_servers_become_input_requests);
    tcase_add_test(tcase, urls_of_an_error_become_input_requests);
    tcase_add_loop_test(tcase, input_requests_become_requests_to_legacy_callers, 0,
                        (int)ARRAY_SIZE(questions));
    tcase_add_loop_test(tcase, questions_between_older_revisions_keep_their_meta, 0,
                        (int)ARRAY_SIZE(older));
    tcase_add_test(tcase, a_retry_has_the_first_params_with_answers_and_state);
}

int main(void)
{
    return run_bridge_tests("mcp_bridge_ask", fill);
}
