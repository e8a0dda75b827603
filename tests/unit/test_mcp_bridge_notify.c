/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications: whom they reach, and in which form. */
#include "bridge_fixture.h"

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

static void fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, notifications_reach_whom_they_concern, 0, (int)ARRAY_SIZE(notes));
}

int main(void)
{
    return run_bridge_tests("mcp_bridge_notify", fill);
}
