/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of stdio servers over the bus: what comes back, in which order, and what a
 * server may do to nobody. */
#include "runner_fixture.h"

START_TEST(a_call_is_answered_by_a_child_that_all_share)
{
    CALL_IS("child", "echo", "{\"text\":\"hej\"}", "hej");
    ck_assert_int_eq(fact("child", "born"), fact("child", "born"));
    ck_assert_int_eq(children_of(runners[0].pid), 1);
}
END_TEST

START_TEST(a_child_sees_its_own_environment_and_nothing_else)
{
    struct outcome out = call("child", "env", "{}");

    ck_assert_int_eq(out.status, ST_OK);
    ck_assert_ptr_nonnull(strstr(out.text, "\"HOME\": \"/tmp/mal-test-"));
    ck_assert_ptr_nonnull(strstr(out.text, "\"LANG\": \"C.UTF-8\""));
    ck_assert_ptr_null(strstr(out.text, "HIDDEN"));
    ck_assert_ptr_null(strstr(out.text, "MAL_"));
    ck_assert_int_eq(fact("child", "fds"), 3);
    if (geteuid() == 0)
        ck_assert_int_eq(fact("child", "uid"), 65534);
}
END_TEST

static const char *sealed;

static void with_secrets(McpHealth__Server *server, McpHealth__Policy *policy)
{
    static Mal__Pair pairs[3] = {MAL__PAIR__INIT, MAL__PAIR__INIT, MAL__PAIR__INIT}, *env[3];

    (void)policy;
    pairs[0].key = "TOKEN";
    pairs[0].value = sealed;
    pairs[1].key = "FROM_HUB";
    pairs[1].value = "${env:VISIBLE}";
    pairs[2].key = "LANG";
    pairs[2].value = "C";
    for (int i = 0; i < 3; i++)
        env[i] = &pairs[i];
    server->env_vars = env;
    server->n_env_vars = 3;
    server->revision = 2;
}

START_TEST(configured_variables_are_opened_for_the_child_alone)
{
    struct secret_keys keys;
    struct error err = {0};

    ck_assert_int_eq(
        secret_keys_read("k:0000000000000000000000000000000000000000000000000000000000000001",
                         &keys, &err),
        ST_OK);
    sealed = secret_seal(&arena, &keys, "hunter2");
    tell("secret", "", with_secrets);
    AWAIT(call("secret", "echo", "{}").status == ST_OK);
    struct outcome out = call("secret", "env", "{}");
    ck_assert_ptr_nonnull(strstr(out.text, "\"TOKEN\": \"hunter2\""));
    ck_assert_ptr_nonnull(strstr(out.text, "\"FROM_HUB\": \"seen\""));
    ck_assert_ptr_nonnull(strstr(out.text, "\"LANG\": \"C\""));
    ck_assert_ptr_null(strstr(logged(0), "hunter2"));
}
END_TEST

static int last_progress;
static bool in_order;

static void watch(struct remote_exchange *x, const struct downstream_message *msg)
{
    int64_t n;

    (void)x;
    if (msg->kind != DOWNSTREAM_NOTIFICATION)
        return;
    in_order = in_order && msg->own_progress &&
               json_int(&msg->json, json_get(&msg->json, msg->params, "progress"), &n) &&
               n == ++last_progress;
}

START_TEST(every_notification_comes_in_order_before_the_result)
{
    struct remote_request request = tool("child", "flood", "{\"n\":400}");
    struct remote_exchange *x = NULL;
    struct outcome out = {0};

    in_order = true;
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    pull(x, &out, watch);
    remote_end(x);
    ck_assert_msg(out.status == ST_OK, "%s", out.err.message);
    ck_assert_str_eq(out.text, "flooded");
    ck_assert_int_eq(out.notifications, 400);
    ck_assert(in_order);
}
END_TEST

START_TEST(a_reader_that_does_not_read_loses_its_own_call_only)
{
    struct remote_request request = tool("child", "flood", "{\"n\":5000}");
    struct remote_exchange *x = NULL;
    struct outcome out = {0};

    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    for (int i = 0; i < 20; i++)
        CALL_IS("child", "echo", "{\"text\":\"still here\"}", "still here");
    (void)sleep(1);
    pull(x, &out, NULL);
    remote_end(x);
    ck_assert_int_eq(out.status, ST_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(out.err.reason, "MCP_TOO_LARGE");
    CALL_IS("child", "echo", "{\"text\":\"still here\"}", "still here");
}
END_TEST

START_TEST(a_long_answer_comes_whole_and_one_too_long_is_refused)
{
    struct outcome out = call("child", "big", "{\"n\":9000000}");

    ck_assert_msg(out.status == ST_OK, "%s", out.err.message);
    ck_assert_uint_eq(strlen(out.text), 9000000);
    out = call("child", "big", "{\"n\":12000000}");
    ck_assert_int_eq(out.status, ST_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(out.err.reason, "MCP_TOO_LARGE");
    CALL_IS("child", "echo", "{\"text\":\"still here\"}", "still here");
}
END_TEST

START_TEST(rubbish_and_a_flood_of_stderr_harm_nobody)
{
    CALL_IS("child", "rubbish", "{}", "after it");
    CALL_IS("child", "stderr", "{\"n\":20000}", "printed");
    CALL_IS("child", "echo", "{\"text\":\"still here\"}", "still here");
}
END_TEST

static void answer(struct remote_exchange *x, const struct downstream_message *msg)
{
    size_t len;

    if (msg->kind != DOWNSTREAM_REQUEST)
        return;
    ck_assert_str_eq(msg->method, "elicitation/create");
    const char *id = json_raw(&msg->json, msg->id, &len);
    ck_assert_int_eq(remote_answer(x, id, len, "{\"action\":\"accept\"}", NULL), ST_OK);
}

START_TEST(a_question_of_the_server_is_answered_by_its_caller)
{
    struct remote_request request = tool("child", "ask", "{}");
    struct remote_exchange *x = NULL;
    struct outcome out = {0};

    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    pull(x, &out, answer);
    remote_end(x);
    ck_assert_msg(out.status == ST_OK, "%s", out.err.message);
    ck_assert_str_eq(out.text, "{\"action\": \"accept\"}");
}
END_TEST

START_TEST(a_cancelled_call_reaches_the_child)
{
    struct remote_request request = tool("child", "sleep", "{\"n\":15000}");
    struct remote_exchange *x = NULL;
    struct outcome out = {0};
    struct downstream_message msg;

    CALL_IS("child", "cancelled", "{}", "[]");
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    ck_assert_int_eq(remote_next(x, 300, &msg, &out.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_NOTHING);
    remote_cancel(x);
    pull(x, &out, NULL);
    ck_assert_str_eq(out.err.reason, "MCP_CANCELLED");
    remote_end(x);
    AWAIT(strcmp(call("child", "cancelled", "{}").text, "[]") != 0);
}
END_TEST

START_TEST(a_call_that_takes_too_long_ends_with_a_timeout)
{
    struct remote_request request = tool("child", "sleep", "{\"n\":15000}");
    struct remote_exchange *x = NULL;
    struct outcome out = {0};
    int64_t began = clock_mono_ms();

    CALL_IS("child", "echo", "{\"text\":\"up\"}", "up");
    request.deadline_ms = clock_mono_ms() + 400;
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    pull(x, &out, NULL);
    remote_end(x);
    ck_assert_int_eq(out.status, ST_DEADLINE_EXCEEDED);
    ck_assert_str_eq(out.err.reason, "MCP_TIMEOUT");
    ck_assert_int_lt(clock_mono_ms() - began, 5000);
}
END_TEST

START_TEST(a_program_that_is_not_allowed_is_never_started)
{
    struct outcome out;

    tell("shell", "", NULL);
    ck_assert_int_eq(setenv("X", "1", 1), 0);
    out = call("nobody-registered-this", "echo", "{}");
    ck_assert_int_ne(out.status, ST_OK);
    ck_assert_str_eq(out.err.reason, "MCP_UNREACHABLE");
}
END_TEST

static void other_program(McpHealth__Server *server, McpHealth__Policy *policy)
{
    (void)policy;
    server->command = "/bin/sh";
}

START_TEST(a_program_outside_of_the_list_is_refused_by_name)
{
    struct outcome out;

    tell("shell", "", other_program);
    AWAIT((out = call("shell", "echo", "{}")).err.status != ST_OK &&
          strstr(out.err.message, "MAL_STDIO_ALLOW"));
    ck_assert_str_eq(out.err.reason, "MCP_UNREACHABLE");
}
END_TEST

START_TEST(a_thousand_calls_leave_nothing_behind)
{
    CALL_IS("child", "echo", "{\"text\":\"warm\"}", "warm");
    for (int i = 0; i < 300; i++)
        CALL_IS("child", "echo", "{\"text\":\"again\"}", "again");
    int descriptors = descriptors_of(runners[0].pid), ours = descriptors_of(getpid());
    long resident = resident_kib(runners[0].pid);

    for (int i = 0; i < 1500; i++)
        CALL_IS("child", "echo", "{\"text\":\"again\"}", "again");
    ck_assert_int_le(descriptors_of(runners[0].pid), descriptors);
    ck_assert_int_le(descriptors_of(getpid()), ours);
    ck_assert_int_eq(children_of(runners[0].pid), 1);
#ifdef __SANITIZE_ADDRESS__
    (void)resident; /* keeps what is freed for a while */
#else
    ck_assert_int_lt(resident_kib(runners[0].pid) - resident, 2048);
#endif
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("runner_calls");
    TCase *tcase = tcase_create("calls");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_call_is_answered_by_a_child_that_all_share);
    tcase_add_test(tcase, a_child_sees_its_own_environment_and_nothing_else);
    tcase_add_test(tcase, configured_variables_are_opened_for_the_child_alone);
    tcase_add_test(tcase, every_notification_comes_in_order_before_the_result);
    tcase_add_test(tcase, a_reader_that_does_not_read_loses_its_own_call_only);
    tcase_add_test(tcase, a_long_answer_comes_whole_and_one_too_long_is_refused);
    tcase_add_test(tcase, rubbish_and_a_flood_of_stderr_harm_nobody);
    tcase_add_test(tcase, a_question_of_the_server_is_answered_by_its_caller);
    tcase_add_test(tcase, a_cancelled_call_reaches_the_child);
    tcase_add_test(tcase, a_call_that_takes_too_long_ends_with_a_timeout);
    tcase_add_test(tcase, a_program_that_is_not_allowed_is_never_started);
    tcase_add_test(tcase, a_program_outside_of_the_list_is_refused_by_name);
    tcase_add_test(tcase, a_thousand_calls_leave_nothing_behind);
    suite_add_tcase(suite, tcase);
    return runner_tests(argc, argv, suite);
}
