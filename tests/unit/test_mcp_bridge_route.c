/* SPDX-License-Identifier: Apache-2.0 */
/* Which way methods take, and what goes with requests. */
#include "bridge_fixture.h"

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

START_TEST(what_a_modern_caller_can_be_asked_has_one_form)
{
    static const struct {
        const char *given, *told;
    } cases[] = {
        {"{}", "{}"},
        {"{\"sampling\":{\"tools\":{\"n\":1},\"context\":{}},\"elicitation\":{\"url\":{},\"x\":5}}",
         "{\"elicitation\":{\"url\":{}},\"sampling\":{\"context\":{},\"tools\":{}}}"},
        {"{\"roots\":{\"listChanged\":true},\"experimental\":{\"n\":7},\"elicitation\":{}}",
         "{\"elicitation\":{},\"roots\":{}}"},
        {"{\"elicitation\":true,\"sampling\":[1,2]}", "{\"elicitation\":{},\"sampling\":{}}"}};
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct json *json = parse(cases[i].given);

        strbuf_clear(&out);
        bridge_put_askable(&out, json, json->nodes);
        ck_assert_str_eq(out.data, cases[i].told);
    }
    strbuf_clear(&out);
    bridge_put_askable(&out, NULL, NULL);
    ck_assert_str_eq(out.data, "{}");
}
END_TEST

static void fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, methods_take_their_way_by_both_eras, 0, (int)ARRAY_SIZE(routes));
    tcase_add_loop_test(tcase, params_take_the_servers_form, 0, (int)ARRAY_SIZE(params));
    tcase_add_loop_test(tcase, capabilities_take_the_other_sides_form, 0,
                        (int)ARRAY_SIZE(capabilities));
    tcase_add_test(tcase, what_a_modern_caller_can_be_asked_has_one_form);
}

int main(void)
{
    return run_bridge_tests("mcp_bridge_route", fill);
}
