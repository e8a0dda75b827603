/* SPDX-License-Identifier: Apache-2.0 */
/* When a failing server is left alone, and which headers could reach one. */
#include "breaker.h"
#include "mcp/header.h"
#include "suite.h"

#include <check.h>

static const struct breaker_limits limits = {.faults = 3, .pause_ms = 1000, .pause_max_ms = 3000};

/* One call at that time; false: it was not let through. */
static bool call_at(struct breaker *b, int64_t now_ms, enum breaker_outcome outcome)
{
    bool trial;

    if (!breaker_ask(b, now_ms, &trial))
        return false;
    (void)breaker_tell(b, &limits, outcome, trial, now_ms, 0);
    return true;
}

START_TEST(faults_in_a_row_open_it_and_an_answer_between_them_does_not)
{
    struct breaker b = {0};

    for (int i = 0; i < 10; i++) {
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
        ck_assert(call_at(&b, 0, BREAKER_NOTHING));
        ck_assert(call_at(&b, 0, BREAKER_ANSWERED));
    }
    for (int i = 0; i < 3; i++)
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
    ck_assert(!call_at(&b, 0, BREAKER_ANSWERED));
    ck_assert(!call_at(&b, 999, BREAKER_ANSWERED));
}
END_TEST

START_TEST(after_the_pause_one_call_is_tried_while_the_others_wait)
{
    struct breaker b = {0};
    bool trial, other;

    for (int i = 0; i < 3; i++)
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
    ck_assert(breaker_ask(&b, 1000, &trial));
    ck_assert(trial);
    ck_assert(!breaker_ask(&b, 1000, &other));
    (void)breaker_tell(&b, &limits, BREAKER_ANSWERED, trial, 1000, 0);
    ck_assert(breaker_ask(&b, 1000, &trial) && breaker_ask(&b, 1000, &other));
    ck_assert(!trial && !other);
}
END_TEST

START_TEST(each_failed_trial_doubles_the_pause_up_to_the_longest)
{
    static const int64_t pauses[] = {2000, 3000, 3000};
    struct breaker b = {0};
    int64_t now = 1000;

    for (int i = 0; i < 3; i++)
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
    for (unsigned i = 0; i < ARRAY_SIZE(pauses); i++) {
        ck_assert(call_at(&b, now, BREAKER_FAULT));
        ck_assert(!call_at(&b, now + pauses[i] - 1, BREAKER_FAULT));
        now += pauses[i];
    }
    ck_assert(call_at(&b, now, BREAKER_ANSWERED));
    ck_assert_int_eq(b.faults, 0);
}
END_TEST

START_TEST(a_trial_that_says_nothing_lets_the_next_one_try)
{
    struct breaker b = {0};

    for (int i = 0; i < 3; i++)
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
    ck_assert(call_at(&b, 1000, BREAKER_NOTHING));
    ck_assert(call_at(&b, 1000, BREAKER_ANSWERED));
}
END_TEST

START_TEST(a_call_from_before_does_not_make_the_pause_longer)
{
    struct breaker b = {0};
    bool late;

    ck_assert(breaker_ask(&b, 0, &late));
    for (int i = 0; i < 3; i++)
        ck_assert(call_at(&b, 0, BREAKER_FAULT));
    (void)breaker_tell(&b, &limits, BREAKER_FAULT, late, 900, 0);
    ck_assert(call_at(&b, 1000, BREAKER_ANSWERED));
}
END_TEST

START_TEST(a_trial_that_fails_after_the_breaker_was_reset_does_not_open_it)
{
    struct breaker b = {.faults = 3, .pause_ms = 1000, .resume_ms = 1000};
    bool trial;

    ck_assert(breaker_ask(&b, 1000, &trial));
    ck_assert(trial);
    b = (struct breaker){.trying = b.trying}; /* as gate_reset does */
    ck_assert(!breaker_tell(&b, &limits, BREAKER_FAULT, trial, 1100, 0));
    ck_assert_int_eq(b.faults, 1);
    ck_assert(breaker_ask(&b, 1100, &trial));
    ck_assert(!trial);
}
END_TEST

START_TEST(copies_do_not_try_again_at_the_same_moment)
{
    struct breaker b = {0};

    for (int i = 0; i < 3; i++)
        (void)breaker_tell(&b, &limits, BREAKER_FAULT, false, 0, 0.999);
    ck_assert(!call_at(&b, 740, BREAKER_ANSWERED));
    ck_assert(call_at(&b, 760, BREAKER_ANSWERED));
}
END_TEST

START_TEST(zero_faults_never_open_it)
{
    static const struct breaker_limits off = {.faults = 0, .pause_ms = 1000};
    struct breaker b = {0};

    for (int i = 0; i < 100; i++)
        ck_assert(!breaker_tell(&b, &off, BREAKER_FAULT, false, 0, 0));
}
END_TEST

static const char *const kept[] = {"Authorization",
                                   "X-API-Key",
                                   "cookie",
                                   "Proxy-Authorization",
                                   "Mcp-Session-Id",
                                   "MCP-Anything",
                                   "Content-Length",
                                   "accept-encoding",
                                   "Connection",
                                   "TE",
                                   "Upgrade",
                                   "Sec-Fetch-Site",
                                   "Host",
                                   "Origin",
                                   "Last-Event-ID",
                                   "",
                                   "Transfer-Encoding"};

START_TEST(credentials_and_the_connections_own_headers_are_never_passed_on)
{
    ck_assert_msg(!mcp_header_may_pass(kept[_i]), "%s", kept[_i]);
    ck_assert(mcp_header_may_pass("X-Tenant"));
    ck_assert(mcp_header_may_pass("traceparent"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_gate");
    TCase *tcase = tcase_create("gate");

    tcase_add_test(tcase, faults_in_a_row_open_it_and_an_answer_between_them_does_not);
    tcase_add_test(tcase, after_the_pause_one_call_is_tried_while_the_others_wait);
    tcase_add_test(tcase, each_failed_trial_doubles_the_pause_up_to_the_longest);
    tcase_add_test(tcase, a_trial_that_says_nothing_lets_the_next_one_try);
    tcase_add_test(tcase, a_call_from_before_does_not_make_the_pause_longer);
    tcase_add_test(tcase, a_trial_that_fails_after_the_breaker_was_reset_does_not_open_it);
    tcase_add_test(tcase, copies_do_not_try_again_at_the_same_moment);
    tcase_add_test(tcase, zero_faults_never_open_it);
    tcase_add_loop_test(tcase, credentials_and_the_connections_own_headers_are_never_passed_on, 0,
                        ARRAY_SIZE(kept));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
