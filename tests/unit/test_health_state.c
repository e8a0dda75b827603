/* SPDX-License-Identifier: Apache-2.0 */
/* Hysteresis: when a server's status changes, and when it is looked at again. */
#include "state.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>

/* Outcomes (+ ok, s slow, f failed) and the status after each (a active, e
 * error), with 3 of the last 5. */
static const struct {
    const char *outcomes, *statuses;
} courses[] = {
    {"+++", "aaa"},         {"f", "e"},           {"+f+", "aea"},         {"ss+s", "aaae"},
    {"s+s+s", "aaaae"},     {"ss+++s", "aaaaaa"}, {"s++++ss", "aaaaaaa"}, {"sss+s", "aaeaa"},
    {"sss+sss", "aaeaaae"}, {"fff+", "eeea"},     {"sssss", "aaeee"},
};

START_TEST(a_status_changes_by_its_latest_outcomes)
{
    struct health_state state = {0};
    const char *outcomes = courses[_i].outcomes, *statuses = courses[_i].statuses;
    char before = 'a';

    for (size_t i = 0; outcomes[i]; i++) {
        enum outcome outcome = outcomes[i] == '+'   ? OUTCOME_OK
                               : outcomes[i] == 's' ? OUTCOME_SLOW
                                                    : OUTCOME_FAILED;
        bool changed = state_step(&state, outcome, 3, 5);

        ck_assert_msg(state.error == (statuses[i] == 'e'), "%s: after %zu", outcomes, i + 1);
        ck_assert_int_eq(changed, statuses[i] != before);
        before = statuses[i];
    }
}
END_TEST

START_TEST(pauses_double_up_to_the_interval)
{
    static const int64_t pauses[] = {30000, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct health_state state = {0};

    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        ck_assert_int_eq(state_pause_ms(&state, 30000, 0), pauses[i]);
        ck_assert_int_ge(state_pause_ms(&state, 30000, 0.999), pauses[i] * 4 / 5);
        ck_assert_int_lt(state_pause_ms(&state, 30000, 0.5), pauses[i]);
        (void)state_step(&state, OUTCOME_FAILED, 3, 5);
    }
    (void)state_step(&state, OUTCOME_OK, 3, 5);
    ck_assert_int_eq(state_pause_ms(&state, 30000, 0), 30000);
}
END_TEST

START_TEST(any_number_of_failures_has_a_pause)
{
    struct health_state state = {.failures = INT32_MAX};

    (void)state_step(&state, OUTCOME_FAILED, 31, 31);
    ck_assert_int_eq(state.failures, INT32_MAX);
    ck_assert_int_eq(state_pause_ms(&state, 3600000, 0), 3600000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health_state");
    TCase *tcase = tcase_create("state");

    tcase_add_loop_test(tcase, a_status_changes_by_its_latest_outcomes, 0,
                        (int)ARRAY_SIZE(courses));
    tcase_add_test(tcase, pauses_double_up_to_the_interval);
    tcase_add_test(tcase, any_number_of_failures_has_a_pause);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
