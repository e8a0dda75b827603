/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of XP, levels and streaks: every row of the contract's tables, and
 * what holds for all numbers. */
#include "days.h"
#include "rules.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

static struct arena arena;
static unsigned seed;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

static int below(int n)
{
    return rand_r(&seed) % n;
}

START_TEST(commits_give_10_to_50_by_lines)
{
    static const int rows[][2] = {{0, 10},    {99, 10},   {100, 11}, {250, 12},
                                  {3999, 49}, {4000, 50}, {9999, 50}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_int_eq(base_commit(rows[i][0], 100), rows[i][1]);
    ck_assert_int_eq(base_commit(INT64_MAX, 1), 50);
}
END_TEST

START_TEST(interactions_give_5_to_30_by_tools_and_decisions)
{
    static const struct {
        int tools, decided, base;
    } rows[] = {{0, 0, 5},  {0, 1, 10}, {5, 0, 20}, {5, 1, 25},
                {7, 1, 30}, {9, 0, 30}, {9, 1, 30}, {INT32_MAX, 1, 30}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_int_eq(base_interaction(rows[i].tools, rows[i].decided), rows[i].base);
}
END_TEST

START_TEST(work_items_give_10_a_point_without_cap)
{
    ck_assert_int_eq(base_work_item(0), 0);
    ck_assert_int_eq(base_work_item(3), 30);
    ck_assert_int_eq(base_work_item(100), 1000);
}
END_TEST

START_TEST(sprints_give_50_on_time_only)
{
    ck_assert_int_eq(base_sprint(true), 50);
    ck_assert_int_eq(base_sprint(false), 0);
}
END_TEST

START_TEST(reviews_give_10_to_30_by_comments)
{
    static const int rows[][2] = {{0, 10}, {3, 16}, {10, 30}, {25, 30}, {INT32_MAX, 30}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_int_eq(base_review(rows[i][0]), rows[i][1]);
}
END_TEST

START_TEST(the_multiplier_grows_to_170_on_the_seventh_day)
{
    static const struct {
        int streak, percent, of_10, of_5, of_50;
    } rows[] = {{1, 110, 11, 5, 55}, {2, 120, 12, 6, 60}, {3, 130, 13, 6, 65},
                {4, 140, 14, 7, 70}, {5, 150, 15, 7, 75}, {6, 160, 16, 8, 80},
                {7, 170, 17, 8, 85}, {8, 170, 17, 8, 85}, {30, 170, 17, 8, 85}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int percent = multiplier_at(rows[i].streak);

        ck_assert_int_eq(percent, rows[i].percent);
        ck_assert_int_eq(award_of(10, percent), rows[i].of_10);
        ck_assert_int_eq(award_of(5, percent), rows[i].of_5);
        ck_assert_int_eq(award_of(50, percent), rows[i].of_50);
    }
}
END_TEST

START_TEST(levels_change_at_the_xp_of_the_table)
{
    static const int rows[][2] = {{0, 1},      {100, 1},    {101, 2},    {200, 2},   {500, 5},
                                  {501, 6},    {800, 6},    {801, 7},    {1847, 10}, {2000, 10},
                                  {2001, 11},  {2600, 11},  {2601, 12},  {5000, 15}, {5001, 16},
                                  {10000, 20}, {10001, 21}, {12000, 21}, {12001, 22}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(level_of(rows[i][0]) == rows[i][1], "%d XP are level %d, not %d", rows[i][0],
                      level_of(rows[i][0]), rows[i][1]);
}
END_TEST

START_TEST(titles_change_after_5_10_15_and_20)
{
    static const struct {
        int level;
        const char *title;
    } rows[] = {{1, "Apprentice"}, {5, "Apprentice"}, {6, "Developer"},  {10, "Developer"},
                {11, "Senior"},    {15, "Senior"},    {16, "Lead"},      {20, "Lead"},
                {21, "Architect"}, {22, "Architect"}, {400, "Architect"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_str_eq(level_title(rows[i].level), rows[i].title);
}
END_TEST

START_TEST(progress_is_between_two_levels)
{
    ck_assert_int_eq(level_of(1847), 10);
    ck_assert_int_eq(level_begin(10), 1701);
    ck_assert_int_eq(level_begin(11), 2001);
    ck_assert_int_eq(level_progress(1847), 48);
    ck_assert_int_eq(level_begin(1), 0);
    ck_assert_int_eq(level_begin(2), 101);
    ck_assert_int_eq(level_progress(0), 0);
    ck_assert_int_eq(level_progress(100), 99);
    ck_assert_int_eq(level_progress(101), 0);
    ck_assert_int_eq(level_progress(INT32_MAX), 99);
}
END_TEST

/* The contract's formula, written down a second time. */
static int formula(int xp)
{
    if (xp <= 500)
        return xp > 100 ? (xp + 99) / 100 : 1;
    if (xp <= 2000)
        return 5 + (xp - 500 + 299) / 300;
    if (xp <= 5000)
        return 10 + (xp - 2000 + 599) / 600;
    if (xp <= 10000)
        return 15 + (xp - 5000 + 999) / 1000;
    return 20 + (xp - 10000 + 1999) / 2000;
}

START_TEST(more_xp_is_never_a_lower_level)
{
    for (int xp = 0; xp < 30000; xp++) {
        int level = level_of(xp);

        ck_assert_int_eq(level, formula(xp));
        ck_assert_int_le(level, level_of(xp + 1));
        ck_assert_int_le(level_begin(level), xp);
        ck_assert_int_gt(level_begin(level + 1), xp);
        ck_assert_int_ge(level_progress(xp), 0);
        ck_assert_int_le(level_progress(xp), 99);
    }
    for (int i = 0; i < 100000; i++) {
        int xp = below(INT32_MAX - 2000), more = xp + below(2000);

        ck_assert_int_le(level_of(xp), level_of(more));
        ck_assert_int_le(level_begin(level_of(xp)), xp);
    }
}
END_TEST

static int march(int day)
{
    char text[TIMESTAMP_SIZE + 16];
    int64_t ms;

    (void)snprintf(text, sizeof(text), "2026-03-%02dT23:59:59.999Z", day);
    ck_assert(clock_parse(text, &ms));
    return day_of_ms(ms);
}

START_TEST(a_late_day_joins_two_runs)
{
    static const int order[][2] = {{1, 1}, {1, 1}, {2, 2}, {4, 1}, {3, 3}};
    struct days days = {0};

    ck_assert_int_eq(days_last(&days), -1);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        days_add(&days, &arena, march(order[i][0]));
        ck_assert_int_eq(days_streak(&days, march(order[i][0])), order[i][1]);
    }
    ck_assert_int_eq(days_last(&days), march(4));
    ck_assert_int_eq(days_streak(&days, days_last(&days)), 4);
    ck_assert_int_eq(days.longest, 4);
    ck_assert_int_eq(days_streak(&days, march(5)), 0);
    ck_assert_str_eq(day_text(&arena, days_last(&days)), "2026-03-04");
}
END_TEST

START_TEST(days_are_those_of_utc_also_before_1970)
{
    ck_assert_int_eq(day_of_ms(0), 0);
    ck_assert_int_eq(day_of_ms(86399999), 0);
    ck_assert_int_eq(day_of_ms(86400000), 1);
    ck_assert_int_eq(day_of_ms(-1), -1);
    ck_assert_int_eq(day_of_ms(-86400000), -1);
    ck_assert_int_eq(day_of_ms(-86400001), -2);
}
END_TEST

enum { SPAN = 120 };

static int run_before(const bool *worked, int day)
{
    int n = 0;

    while (day >= 0 && worked[day--])
        n++;
    return n;
}

START_TEST(runs_are_those_of_a_calendar_in_any_order)
{
    for (int round = 0; round < 60; round++) {
        bool worked[SPAN] = {0};
        struct days days = {0};

        for (int i = 0, n = below(2 * SPAN); i < n; i++) {
            int day = below(SPAN), longest = 0, last = -1;

            worked[day] = true;
            days_add(&days, &arena, day);
            for (int k = 0; k < SPAN; k++) {
                int run = run_before(worked, k);

                ck_assert_int_eq(days_streak(&days, k), run);
                longest = run > longest ? run : longest;
                last = worked[k] ? k : last;
            }
            ck_assert_int_eq(days.longest, longest);
            ck_assert_int_eq(days_last(&days), last);
        }
        arena_reset(&arena);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_rules");
    TCase *tcase = tcase_create("rules");
    const char *given = getenv("MAL_TEST_SEED");

    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    (void)printf("seed %u (MAL_TEST_SEED repeats it)\n", seed);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, commits_give_10_to_50_by_lines);
    tcase_add_test(tcase, interactions_give_5_to_30_by_tools_and_decisions);
    tcase_add_test(tcase, work_items_give_10_a_point_without_cap);
    tcase_add_test(tcase, sprints_give_50_on_time_only);
    tcase_add_test(tcase, reviews_give_10_to_30_by_comments);
    tcase_add_test(tcase, the_multiplier_grows_to_170_on_the_seventh_day);
    tcase_add_test(tcase, levels_change_at_the_xp_of_the_table);
    tcase_add_test(tcase, titles_change_after_5_10_15_and_20);
    tcase_add_test(tcase, progress_is_between_two_levels);
    tcase_add_test(tcase, more_xp_is_never_a_lower_level);
    tcase_add_test(tcase, a_late_day_joins_two_runs);
    tcase_add_test(tcase, days_are_those_of_utc_also_before_1970);
    tcase_add_test(tcase, runs_are_those_of_a_calendar_in_any_order);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
