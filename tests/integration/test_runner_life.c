/* SPDX-License-Identifier: Apache-2.0 */
/* Children that crash, never start, idle, and runners that die. */
#include "runner_fixture.h"

START_TEST(a_child_that_crashed_fails_its_own_call_and_is_started_again)
{
    long before = fact("child", "born");
    struct outcome out = call("child", "crash", "{}");

    ck_assert_int_eq(out.status, ST_UNAVAILABLE);
    ck_assert_str_eq(out.err.reason, "MCP_LOST");
    CALL_IS("child", "echo", "{\"text\":\"back\"}", "back");
    ck_assert_int_ne(fact("child", "born"), before);
    ck_assert_int_eq(children_of(runners[0].pid), 1);
}
END_TEST

START_TEST(a_child_that_crashes_without_end_is_started_ever_more_rarely)
{
    int64_t until = clock_mono_ms() + 6000;
    int calls = 0, starts = 0;

    while (clock_mono_ms() < until) {
        struct remote_request request = tool("child", "crash", "{}");
        struct remote_exchange *x = NULL;
        struct outcome out = {0};

        out.status = remote_begin(bus, &request, &x, &out.err);
        if (out.status == ST_OK)
            pull(x, &out, NULL);
        remote_end(x);
        ck_assert_int_ne(out.status, ST_OK);
        calls++;
    }
    for (const char *p = logged(0); (p = strstr(p, "times in a row")) != NULL; p++)
        starts++;
    ck_assert_int_gt(calls, starts);
    ck_assert_int_ge(starts, 2);
    ck_assert_int_le(starts, 8);
    ck_assert_int_le(children_of(runners[0].pid), 1);
}
END_TEST

START_TEST(a_program_that_ends_at_once_is_tried_again_and_then_named)
{
    struct outcome out;

    tell("dead", "die", NULL);
    AWAIT((out = call("dead", "echo", "{}")).status != ST_OK &&
          strstr(logged(0), "the child of dead ended with 7, 2 times"));
    ck_assert(downstream_fault_blames(downstream_fault_of(&out.err)));
    ck_assert_ptr_nonnull(strstr(logged(0), "last words: cannot find my module"));
    ck_assert_ptr_nonnull(strstr(out.err.message, "dead"));
}
END_TEST

START_TEST(a_first_start_that_failed_is_tried_again_within_the_call)
{
    tell("late", "once", NULL);
    AWAIT(call("late", "echo", "{\"text\":\"hej\"}").status == ST_OK);
    AWAIT(strstr(logged(0), "the child of late ended with 9, 1 times"));
}
END_TEST

static void idle_soon(McpHealth__Server *server, McpHealth__Policy *policy)
{
    (void)server;
    policy->idle_stop_s = 1;
}

START_TEST(a_child_that_nobody_needs_is_stopped_and_started_when_somebody_does)
{
    tell("idle", "", idle_soon);
    AWAIT(call("idle", "echo", "{}").status == ST_OK);
    ck_assert_int_eq(children_of(runners[0].pid), 1);
    AWAIT(children_of(runners[0].pid) == 0);
    CALL_IS("idle", "echo", "{\"text\":\"again\"}", "again");
    AWAIT(children_of(runners[0].pid) == 0);
}
END_TEST

static void each_their_own(McpHealth__Server *server, McpHealth__Policy *policy)
{
    (void)server;
    policy->per_caller = true;
}

static long born_for(const char *caller)
{
    struct remote_request request = tool("own", "facts", "{}");
    struct remote_exchange *x = NULL;
    struct outcome out = {0};

    request.caller = caller;
    if (remote_begin(bus, &request, &x, &out.err) != ST_OK)
        return 0;
    pull(x, &out, NULL);
    remote_end(x);
    return out.status == ST_OK ? strtol(strstr(out.text, "\"born\": ") + 8, NULL, 10) : 0;
}

START_TEST(callers_have_a_child_each_where_the_policy_says_so)
{
    long ana;

    tell("own", "", each_their_own);
    AWAIT((ana = born_for("ana")) != 0);
    ck_assert_int_ne(born_for("bo"), ana);
    ck_assert_int_eq(born_for("ana"), ana);
    ck_assert_int_eq(children_of(runners[0].pid), 2);
}
END_TEST

static void second(McpHealth__Server *server, McpHealth__Policy *policy)
{
    (void)policy;
    server->revision = 7;
}

START_TEST(a_server_that_was_registered_anew_gets_a_new_child)
{
    long before = fact("child", "born");

    tell("child", "", second);
    /* The one that runs meanwhile may be cut off. */
    AWAIT(call("child", "echo", "{}").status != ST_OK || fact("child", "born") != before);
    AWAIT(call("child", "echo", "{}").status == ST_OK);
    ck_assert_int_ne(fact("child", "born"), before);
    AWAIT(children_of(runners[0].pid) == 1);
}
END_TEST

START_TEST(a_server_that_was_taken_away_has_no_child_any_more)
{
    CALL_IS("child", "echo", "{\"text\":\"hej\"}", "hej");
    ck_assert_int_eq(bus_kv_delete(told, "s.child"), ST_OK);
    AWAIT(children_of(runners[0].pid) == 0);
    ck_assert_int_ne(call("child", "echo", "{}").status, ST_OK);
}
END_TEST

START_TEST(nobody_is_left_when_the_runner_stops_or_is_killed)
{
    CALL_IS("child", "echo", "{\"text\":\"hej\"}", "hej");
    ck_assert_int_gt(scripts(), 0);
    stop_runner(0, SIGTERM);
    ck_assert_int_eq(scripts(), 0);
    start_runner(0);
    CALL_IS("child", "echo", "{\"text\":\"hej\"}", "hej");
    stop_runner(0, SIGKILL);
    AWAIT(scripts() == 0);
    start_runner(0);
    CALL_IS("child", "echo", "{\"text\":\"again\"}", "again");
}
END_TEST

/* The runner that holds the one child. */
static int holder(void)
{
    for (int i = 0; i < RUNNERS; i++)
        if (runners[i].pid != 0 && children_of(runners[i].pid) == 1)
            return i;
    ck_abort_msg("nobody holds it");
}

START_TEST(one_of_two_runners_holds_the_child_and_the_other_takes_over)
{
    struct remote_request request;
    struct remote_exchange *x = NULL;
    struct outcome out = {0};
    struct downstream_message msg;
    int64_t began;

    start_runner(1);
    for (int i = 0; i < 20; i++)
        CALL_IS("child", "echo", "{\"text\":\"hej\"}", "hej");
    ck_assert_int_eq(children_of(runners[0].pid) + children_of(runners[1].pid), 1);
    request = tool("child", "sleep", "{\"n\":15000}");
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    ck_assert_int_eq(remote_next(x, 200, &msg, &out.err), ST_OK);
    stop_runner(holder(), SIGKILL);
    began = clock_mono_ms();
    pull(x, &out, NULL);
    ck_assert_str_eq(out.err.reason, "MCP_LOST");
    ck_assert_int_lt(clock_mono_ms() - began, 2500);
    /* Whoever still believes in the dead one is led on. */
    request = tool("child", "echo", "{\"text\":\"over\"}");
    request.owner = arena_strdup(&arena, remote_owner(x));
    remote_end(x);
    began = clock_mono_ms();
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    pull(x, &out, NULL);
    ck_assert_msg(out.status == ST_OK, "%s", out.err.message);
    ck_assert_str_eq(out.text, "over");
    remote_end(x);
    ck_assert_int_lt(clock_mono_ms() - began, 5000);
}
END_TEST

static void *open_one(void *arg)
{
    struct arena own;
    struct call ask = {.arena = &own, .deadline_ms = clock_mono_ms() + WAIT_MS, .bus = bus};
    struct remote_facts facts;

    arena_init(&own);
    *(enum status *)arg = remote_open(bus, &ask, "child", NULL, NULL, &facts);
    arena_done(&own);
    return NULL;
}

/* As machines do that are busy elsewhere. */
START_TEST(a_runner_that_stands_still_for_two_seconds_keeps_its_child)
{
    enum { ASKED = 12, STILL_MS = 2200 };
    enum status statuses[ASKED];
    pthread_t threads[ASKED];
    long born = fact("child", "born");
    int i;

    start_runner(1);
    i = holder();
    ck_assert_int_eq(kill(runners[i].pid, SIGSTOP), 0);
    /* Some of them ask the other one. */
    for (int n = 0; n < ASKED; n++)
        ck_assert_int_eq(pthread_create(&threads[n], NULL, open_one, &statuses[n]), 0);
    /* The time that it stands still is what is tested: nothing happens to be waited for. */
    (void)usleep(STILL_MS * 1000);
    ck_assert_int_eq(kill(runners[i].pid, SIGCONT), 0);
    for (int n = 0; n < ASKED; n++) {
        ck_assert_int_eq(pthread_join(threads[n], NULL), 0);
        ck_assert_int_eq(statuses[n], ST_OK);
    }
    ck_assert_ptr_null(strstr(logged(1 - i), "taking over"));
    ck_assert_int_eq(fact("child", "born"), born);
}
END_TEST

START_TEST(a_runner_that_stops_hands_its_servers_on)
{
    start_runner(1);
    CALL_IS("child", "echo", "{\"text\":\"hej\"}", "hej");
    stop_runner(holder(), SIGTERM);
    CALL_IS("child", "echo", "{\"text\":\"over\"}", "over");
}
END_TEST

static enum status describe(bool lists, McpRunner__DescribeResponse **ret)
{
    McpRunner__DescribeRequest request = MCP_RUNNER__DESCRIBE_REQUEST__INIT;
    static struct call ask;

    request.server = "idle";
    request.lists = lists;
    ask = (struct call){.arena = &arena, .deadline_ms = clock_mono_ms() + WAIT_MS, .bus = bus};
    return mcp_runner_describe_call(bus, &ask, &request, 0, ret);
}

static void *describe_late(void *arg)
{
    struct call ask = {.bus = bus, .deadline_ms = clock_mono_ms() + WAIT_MS};
    McpRunner__DescribeRequest request = MCP_RUNNER__DESCRIBE_REQUEST__INIT;
    McpRunner__DescribeResponse *rsp = NULL;
    struct arena own;

    arena_init(&own);
    ask.arena = &own;
    request.server = "late";
    request.lists = true;
    *(enum status *)arg = mcp_runner_describe_call(bus, &ask, &request, 0, &rsp);
    arena_done(&own);
    return NULL;
}

START_TEST(a_server_that_is_registered_anew_while_it_starts_is_described_as_it_is_now)
{
    enum status status = ST_INTERNAL;
    pthread_t thread;

    tell("late", "hang", NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, describe_late, &status), 0);
    AWAIT(children_of(runners[0].pid) == 1);
    tell("late", "", second);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(status == ST_OK, "%d; %s", (int)status, logged(0));
}
END_TEST

START_TEST(a_server_is_described_without_keeping_its_child_awake)
{
    McpRunner__DescribeResponse *rsp = NULL;
    int64_t until;

    tell("idle", "", idle_soon);
    AWAIT(describe(true, &rsp) == ST_OK);
    ck_assert(rsp->running);
    ck_assert_str_eq(rsp->protocol_version, "2025-11-25");
    ck_assert_str_eq(rsp->instructions, "Be brief.");
    ck_assert_uint_eq(rsp->n_tools, 1);
    ck_assert_ptr_nonnull(strstr(rsp->tools[0], "Says it again."));
    ck_assert_str_eq(rsp->prompts, "[]");
    until = clock_mono_ms() + WAIT_MS;
    do {
        ck_assert_int_eq(describe(false, &rsp), ST_OK);
        (void)usleep(100000);
    } while (rsp->running && clock_mono_ms() < until);
    ck_assert(!rsp->running);
    AWAIT(children_of(runners[0].pid) == 0);
    CALL_IS("idle", "changed", "{}", "told");
    ck_assert_int_eq(describe(false, &rsp), ST_OK);
    ck_assert_int_eq(rsp->changes, 1);
}
END_TEST

START_TEST(a_thousand_sessions_leave_no_child_behind)
{
    struct call ask;

    CALL_IS("child", "echo", "{\"text\":\"warm\"}", "warm");
    int descriptors = descriptors_of(runners[0].pid);
    for (int i = 0; i < 1000; i++) {
        struct remote_facts facts;
        struct arena scratch;

        arena_init(&scratch);
        ask =
            (struct call){.arena = &scratch, .deadline_ms = clock_mono_ms() + WAIT_MS, .bus = bus};
        ck_assert_int_eq(remote_open(bus, &ask, "child", NULL, NULL, &facts), ST_OK);
        arena_done(&scratch);
    }
    ck_assert_int_eq(children_of(runners[0].pid), 1);
    ck_assert_int_le(descriptors_of(runners[0].pid), descriptors);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("runner_life");
    TCase *tcase = tcase_create("life");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_child_that_crashed_fails_its_own_call_and_is_started_again);
    tcase_add_test(tcase, a_child_that_crashes_without_end_is_started_ever_more_rarely);
    tcase_add_test(tcase, a_program_that_ends_at_once_is_tried_again_and_then_named);
    tcase_add_test(tcase, a_first_start_that_failed_is_tried_again_within_the_call);
    tcase_add_test(tcase, a_child_that_nobody_needs_is_stopped_and_started_when_somebody_does);
    tcase_add_test(tcase, callers_have_a_child_each_where_the_policy_says_so);
    tcase_add_test(tcase, a_server_that_was_registered_anew_gets_a_new_child);
    tcase_add_test(tcase, a_server_that_was_taken_away_has_no_child_any_more);
    tcase_add_test(tcase, nobody_is_left_when_the_runner_stops_or_is_killed);
    tcase_add_test(tcase, one_of_two_runners_holds_the_child_and_the_other_takes_over);
    tcase_add_test(tcase, a_runner_that_stands_still_for_two_seconds_keeps_its_child);
    tcase_add_test(tcase, a_runner_that_stops_hands_its_servers_on);
    tcase_add_test(tcase,
                   a_server_that_is_registered_anew_while_it_starts_is_described_as_it_is_now);
    tcase_add_test(tcase, a_server_is_described_without_keeping_its_child_awake);
    tcase_add_test(tcase, a_thousand_sessions_leave_no_child_behind);
    suite_add_tcase(suite, tcase);
    return runner_tests(argc, argv, suite);
}
