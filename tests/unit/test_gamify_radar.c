/* SPDX-License-Identifier: Apache-2.0 */
/* The radar: areas of paths, and percentages that sum to 100. */
#include "radar.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    int counts[5], percent[5];
} cases[] = {
    {{0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}},
    {{7, 0, 0, 0, 0}, {100, 0, 0, 0, 0}},
    {{1, 1, 0, 0, 0}, {50, 50, 0, 0, 0}},
    /* Thirds: the first of equals gets what is missing. */
    {{1, 1, 1, 0, 0}, {34, 33, 33, 0, 0}},
    {{1, 1, 1, 1, 2}, {17, 17, 17, 16, 33}},
    {{1, 0, 0, 0, 999}, {0, 0, 0, 0, 100}},
    {{1, 1, 1, 1, 1}, {20, 20, 20, 20, 20}},
    {{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}, {20, 20, 20, 20, 20}},
};

START_TEST(shares_are_whole_and_sum_to_a_hundred)
{
    const int *counts = cases[_i].counts, *percent = cases[_i].percent;
    Gamify__Radar radar = GAMIFY__RADAR__INIT;

    radar.frontend = counts[0];
    radar.backend = counts[1];
    radar.devops = counts[2];
    radar.data = counts[3];
    radar.documentation = counts[4];
    radar_percent(&radar);
    ck_assert_int_eq(radar.frontend, percent[0]);
    ck_assert_int_eq(radar.backend, percent[1]);
    ck_assert_int_eq(radar.devops, percent[2]);
    ck_assert_int_eq(radar.data, percent[3]);
    ck_assert_int_eq(radar.documentation, percent[4]);
}
END_TEST

START_TEST(any_counts_sum_to_a_hundred)
{
    unsigned state = 1;

    for (int i = 0; i < 20000; i++) {
        Gamify__Radar radar = GAMIFY__RADAR__INIT;
        int32_t *axes[] = {&radar.frontend, &radar.backend, &radar.devops, &radar.data,
                           &radar.documentation};
        int64_t total = 0;

        for (size_t k = 0; k < ARRAY_SIZE(axes); k++) {
            state = state * 1103515245 + 12345;
            *axes[k] = (int32_t)((state >> 8) % (1U << (state % 23)));
            total += *axes[k];
        }
        radar_percent(&radar);
        ck_assert_int_eq(radar.frontend + radar.backend + radar.devops + radar.data +
                             radar.documentation,
                         total ? 100 : 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify radar");
    TCase *tcase = tcase_create("radar");

    tcase_add_loop_test(tcase, shares_are_whole_and_sum_to_a_hundred, 0, (int)ARRAY_SIZE(cases));
    tcase_add_test(tcase, any_counts_sum_to_a_hundred);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
