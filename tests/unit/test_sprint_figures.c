/* SPDX-License-Identifier: Apache-2.0 */
/* Days, pace, health and burndown of a sprint: the tables of the contract, and
 * what holds for any sprint. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "report_figures.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t at(const char *time)
{
    int64_t ms;

    ck_assert_msg(clock_parse(time, &ms), "%s", time);
    return ms;
}

static struct sprint_days days_at(const char *time)
{
    return sprint_days("2026-03-02", "2026-03-16", at(time));
}

START_TEST(elapsed_and_remaining_days_are_those_of_the_table)
{
    static const struct {
        const char *at;
        int elapsed, remaining, day, today;
    } table[] = {
        {"2026-03-01T12:00:00Z", 0, 14, 0, -1},    {"2026-03-02T00:00:00Z", 0, 14, 0, 0},
        {"2026-03-02T00:00:00.001Z", 1, 13, 1, 0}, {"2026-03-02T09:00:00Z", 1, 13, 1, 0},
        {"2026-03-03T00:00:00Z", 1, 13, 1, 1},     {"2026-03-03T00:01:00Z", 2, 12, 2, 1},
        {"2026-03-16T00:00:00Z", 14, 0, 14, 14},   {"2026-03-20T10:00:00Z", 19, 0, 14, 18},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct sprint_days days = days_at(table[i].at);

        ck_assert_int_eq(days.total, 14);
        ck_assert_msg(days.elapsed == table[i].elapsed && days.remaining == table[i].remaining &&
                          days.day == table[i].day && days.today == table[i].today,
                      "%s: elapsed %d, remaining %d, day %d, today %d", table[i].at, days.elapsed,
                      days.remaining, days.day, days.today);
    }
}
END_TEST

START_TEST(elapsed_percent_has_one_decimal_and_ends_at_100)
{
    ck_assert_double_eq(days_at("2026-03-01T12:00:00Z").elapsed_percent, 0);
    ck_assert_double_eq(days_at("2026-03-07T12:00:00Z").elapsed_percent, 42.9);
    ck_assert_double_eq(days_at("2026-03-20T10:00:00Z").elapsed_percent, 100);
}
END_TEST

START_TEST(a_sprint_of_one_day_has_one_day)
{
    struct sprint_days days = sprint_days("2026-03-02", "2026-03-02", at("2026-03-02T10:00:00Z"));

    ck_assert_int_eq(days.total, 1);
    ck_assert_int_eq(days.elapsed, 1);
    ck_assert_int_eq(days.remaining, 0);
    ck_assert_double_eq(days.elapsed_percent, 100);
}
END_TEST

START_TEST(months_and_leap_years_have_their_days)
{
    ck_assert_int_eq(sprint_days("2028-02-28", "2028-03-01", 0).total, 2);
    ck_assert_int_eq(sprint_days("2026-02-28", "2026-03-01", 0).total, 1);
    ck_assert_int_eq(sprint_days("2025-12-31", "2026-12-31", 0).total, 365);
    /* Before 1970 too. */
    ck_assert_int_eq(sprint_days("1969-12-30", "1970-01-02", at("1969-12-31T01:00:00Z")).elapsed,
                     2);
}
END_TEST

/* e = 50 %: five days of ten. */
static enum pace pace_of(int done, int points)
{
    struct sprint_days days = sprint_days("2026-03-02", "2026-03-12", at("2026-03-07T00:00:00Z"));

    ck_assert_double_eq(days.elapsed_percent, 50);
    return sprint_pace(&days, done, points);
}

START_TEST(pace_is_that_of_the_table)
{
    ck_assert_int_eq(pace_of(50, 100), PACE_ON_TRACK);
    ck_assert_int_eq(pace_of(30, 100), PACE_ON_TRACK);
    ck_assert_int_eq(pace_of(29, 100), PACE_AT_RISK);
    ck_assert_int_eq(pace_of(10, 100), PACE_AT_RISK);
    ck_assert_int_eq(pace_of(9, 100), PACE_BEHIND);
    ck_assert_int_eq(pace_of(0, 0), PACE_BEHIND);
    ck_assert_int_eq(pace_of(60, 100), PACE_ON_TRACK);
}
END_TEST

START_TEST(pace_is_decided_before_anything_is_rounded)
{
    /* e = 300/7 = 42.857…; on track down to 22.857… %. */
    struct sprint_days days = sprint_days("2026-03-02", "2026-03-16", at("2026-03-08T00:00:00Z"));

    ck_assert_int_eq(days.day, 6);
    ck_assert_int_eq(sprint_pace(&days, 16, 70), PACE_ON_TRACK);       /* 22.857142… exactly */
    ck_assert_int_eq(sprint_pace(&days, 22857, 100000), PACE_AT_RISK); /* 22.857 */
    ck_assert_int_eq(sprint_pace(&days, 22858, 100000), PACE_ON_TRACK);
    ck_assert_int_eq(sprint_pace(&days, 2, 70), PACE_AT_RISK); /* 2.857142… exactly */
    ck_assert_int_eq(sprint_pace(&days, 2857, 100000), PACE_BEHIND);
    ck_assert_int_eq(sprint_pace(&days, 2858, 100000), PACE_AT_RISK);
}
END_TEST

START_TEST(nothing_planned_is_at_risk_only_as_time_goes_by)
{
    struct sprint_days days = days_at("2026-03-02T00:00:00Z");

    ck_assert_int_eq(sprint_pace(&days, 0, 0), PACE_ON_TRACK);
    ck_assert_int_eq(sprint_lag(&days, 0, 0), 0);
    days = days_at("2026-03-05T00:00:00Z"); /* 21.4 % */
    ck_assert_int_eq(sprint_pace(&days, 0, 0), PACE_AT_RISK);
    ck_assert_int_eq(sprint_lag(&days, 0, 0), 214);
}
END_TEST

START_TEST(the_lag_is_rounded_once)
{
    struct sprint_days days = sprint_days("2026-03-02", "2026-03-16", at("2026-03-08T00:00:00Z"));

    ck_assert_int_eq(sprint_lag(&days, 12, 60), 229); /* 42.857… - 20 */
    ck_assert_int_eq(sprint_lag(&days, 60, 60), -571);
}
END_TEST

START_TEST(blocking_counts_beyond_48_hours)
{
    int64_t since = at("2026-03-02T09:00:00Z");

    ck_assert(!blocked_too_long(since, at("2026-03-04T09:00:00Z")));
    ck_assert(blocked_too_long(since, at("2026-03-04T09:00:01Z")));
    ck_assert(!blocked_too_long(since, at("2026-03-01T09:00:00Z")));
    ck_assert_int_eq(blocked_days(since, at("2026-03-03T08:59:59Z")), 0);
    ck_assert_int_eq(blocked_days(since, at("2026-03-05T09:00:00Z")), 3);
    ck_assert_int_eq(blocked_days(since, at("2026-03-01T09:00:00Z")), 0);
}
END_TEST

START_TEST(percentages_are_rounded_half_away_from_zero)
{
    ck_assert_double_eq(percent(12, 60), 20);
    ck_assert_double_eq(percent(60, 55), 109.1);
    ck_assert_double_eq(percent(34, 60), 56.7);
    ck_assert_double_eq(percent(1, 2000), 0.1); /* 0.05 */
    ck_assert_double_eq(percent(-1, 2000), -0.1);
    ck_assert_double_eq(percent(1, 2001), 0);
    ck_assert_double_eq(percent(1, 3), 33.3);
    ck_assert_double_eq(percent(2, 3), 66.7);
    ck_assert_double_eq(percent(5, 0), 0);
    ck_assert_double_eq(percent(2000000000, 2000000000), 100);
}
END_TEST

START_TEST(a_known_burndown_matches_by_hand)
{
    struct sprint_days days = sprint_days("2026-03-02", "2026-03-06", at("2026-03-04T12:00:00Z"));
    /* One item was done before the sprint began, one will be after it. */
    const struct burn_done done[] = {{-3, 1}, {1, 3}, {1, 2}, {9, 1}};
    static const struct burn_entry wanted[] = {
        {10, true, 9}, {7.5, true, 4}, {5, true, 4}, {2.5, false, 0}, {0, false, 0}};
    struct burn_entry entries[5];

    ck_assert_int_eq(days.total + 1, (int)ARRAY_SIZE(entries));
    burndown(entries, &days, 10, done, ARRAY_SIZE(done));
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        ck_assert_double_eq(entries[i].ideal, wanted[i].ideal);
        ck_assert_int_eq(entries[i].known, wanted[i].known);
        ck_assert_int_eq(entries[i].remaining, wanted[i].remaining);
    }
}
END_TEST

START_TEST(before_its_first_day_a_sprint_has_no_remaining_points)
{
    struct sprint_days days = days_at("2026-03-01T23:59:59.999Z");
    struct burn_entry entries[15];

    burndown(entries, &days, 10, NULL, 0);
    ck_assert(!entries[0].known);
    ck_assert_double_eq(entries[0].ideal, 10);
    days = days_at("2026-03-02T00:00:00Z");
    burndown(entries, &days, 10, NULL, 0);
    ck_assert(entries[0].known && !entries[1].known);
}
END_TEST

START_TEST(ideals_have_one_decimal)
{
    struct sprint_days days = sprint_days("2026-03-02", "2026-03-05", 0);
    struct burn_entry entries[4];

    burndown(entries, &days, 10, NULL, 0);
    ck_assert_double_eq(entries[1].ideal, 6.7);
    ck_assert_double_eq(entries[2].ideal, 3.3);
}
END_TEST

/* ---- properties ---- */

enum { ROUNDS = 2000, DAYS_MAX = 60, ITEMS_MAX = 40 };

static unsigned random_state;

static int random_below(int n)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (int)((random_state >> 8) % (unsigned)n);
}

static int by_day(const void *a, const void *b)
{
    return ((const struct burn_done *)a)->day - ((const struct burn_done *)b)->day;
}

/* Whatever is done when: what remains and what was done are the points; nothing
 * is lost on the way, and the ideal goes down from all to nothing. */
static void check_burndown(unsigned seed)
{
    struct burn_entry entries[DAYS_MAX + 1];
    struct burn_done done[ITEMS_MAX];
    struct sprint_days days = {.total = 1 + random_below(DAYS_MAX)};
    size_t n = (size_t)random_below(ITEMS_MAX);
    int points = random_below(100);

    days.today = random_below(days.total + 10) - 5;
    for (size_t i = 0; i < n; i++) {
        done[i] = (struct burn_done){random_below(days.total + 10) - 5, random_below(100)};
        points += done[i].points;
    }
    qsort(done, n, sizeof(*done), by_day);
    burndown(entries, &days, points, done, n);
    for (int i = 0; i <= days.total; i++) {
        int finished = 0;

        for (size_t k = 0; k < n && done[k].day <= i; k++)
            finished += done[k].points;
        ck_assert_msg(entries[i].known == (i <= days.today), "seed %u", seed);
        ck_assert_msg(!entries[i].known || entries[i].remaining + finished == points, "seed %u",
                      seed);
        ck_assert_msg(entries[i].remaining >= 0, "seed %u", seed);
        ck_assert_msg(i == 0 || entries[i].ideal <= entries[i - 1].ideal, "seed %u", seed);
    }
    ck_assert_msg(entries[0].ideal == points && entries[days.total].ideal == 0, "seed %u", seed);
}

START_TEST(burndown_conserves_points)
{
    unsigned base = (unsigned)clock_wall_ms();

    for (unsigned i = 0; i < ROUNDS; i++) {
        random_state = base + i;
        check_burndown(base + i);
    }
}
END_TEST

START_TEST(health_only_gets_worse_as_days_pass)
{
    unsigned seed = (unsigned)clock_wall_ms();

    random_state = seed;
    for (int i = 0; i < ROUNDS; i++) {
        struct sprint_days days = {.total = 1 + random_below(400)};
        int points = random_below(200), done = random_below(points + 1);
        enum pace last = PACE_ON_TRACK;

        for (days.day = 0; days.day <= days.total; days.day++) {
            enum pace pace = sprint_pace(&days, done, points);

            ck_assert_msg(pace >= last, "seed %u", seed);
            last = pace;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_figures");
    TCase *tcase = tcase_create("figures");

    tcase_add_test(tcase, elapsed_and_remaining_days_are_those_of_the_table);
    tcase_add_test(tcase, elapsed_percent_has_one_decimal_and_ends_at_100);
    tcase_add_test(tcase, a_sprint_of_one_day_has_one_day);
    tcase_add_test(tcase, months_and_leap_years_have_their_days);
    tcase_add_test(tcase, pace_is_that_of_the_table);
    tcase_add_test(tcase, pace_is_decided_before_anything_is_rounded);
    tcase_add_test(tcase, nothing_planned_is_at_risk_only_as_time_goes_by);
    tcase_add_test(tcase, the_lag_is_rounded_once);
    tcase_add_test(tcase, blocking_counts_beyond_48_hours);
    tcase_add_test(tcase, percentages_are_rounded_half_away_from_zero);
    tcase_add_test(tcase, a_known_burndown_matches_by_hand);
    tcase_add_test(tcase, before_its_first_day_a_sprint_has_no_remaining_points);
    tcase_add_test(tcase, ideals_have_one_decimal);
    tcase_add_test(tcase, burndown_conserves_points);
    tcase_add_test(tcase, health_only_gets_worse_as_days_pass);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
