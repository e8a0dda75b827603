/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics and the page they make. */
#include "suite.h"
#include "svc/metrics.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>

static struct strbuf page;

static void setup(void)
{
    page = (struct strbuf){0};
}

static void teardown(void)
{
    strbuf_done(&page);
}

static bool shows(const char *line)
{
    strbuf_clear(&page);
    metrics_render(&page);
    return strstr(strbuf_cstr(&page), line) != NULL;
}

START_TEST(series_are_kept_apart_by_their_labels)
{
    struct metric *metric = metric_new(METRIC_COUNTER, "t_total", "Things.");

    metric_add(metric, "a=\"1\"", 2);
    metric_add(metric, "a=\"1\"", 3);
    metric_add(metric, "a=\"2\"", 1);
    metric_add(metric, NULL, 7);
    ck_assert(shows("# HELP t_total Things.\n# TYPE t_total counter\n"));
    ck_assert(shows("\nt_total{a=\"1\"} 5\n"));
    ck_assert(shows("\nt_total{a=\"2\"} 1\n"));
    ck_assert(shows("\nt_total 7\n"));
}
END_TEST

START_TEST(a_series_that_was_looked_up_is_the_one_on_the_page)
{
    struct metric *metric = metric_new(METRIC_GAUGE, "t_held", "Held.");
    struct series *series = metric_series(metric, "a=\"1\"");

    series_set(series, 4);
    series_add(series, 1);
    metric_add(metric, "a=\"1\"", 2);
    ck_assert(shows("\nt_held{a=\"1\"} 7\n"));
}
END_TEST

START_TEST(a_gauge_goes_up_and_down)
{
    struct metric *metric = metric_new(METRIC_GAUGE, "t_level", "Level.");

    metric_set(metric, "", 5);
    metric_add(metric, "", -7);
    ck_assert(shows("# TYPE t_level gauge\nt_level -2\n"));
}
END_TEST

START_TEST(histogram_buckets_are_cumulative_and_in_seconds)
{
    struct metric *metric = metric_new(METRIC_HISTOGRAM, "t_seconds", "Time.");

    metric_observe_us(metric, "a=\"1\"", 500);
    metric_observe_us(metric, "a=\"1\"", 501);
    metric_observe_us(metric, "a=\"1\"", 90000000);
    ck_assert(shows("\nt_seconds_bucket{a=\"1\",le=\"0.0005\"} 1\n"));
    ck_assert(shows("\nt_seconds_bucket{a=\"1\",le=\"0.001\"} 2\n"));
    ck_assert(shows("\nt_seconds_bucket{a=\"1\",le=\"60\"} 2\n"));
    ck_assert(shows("\nt_seconds_bucket{a=\"1\",le=\"+Inf\"} 3\n"));
    ck_assert(shows("\nt_seconds_sum{a=\"1\"} 90.001001\n"));
    ck_assert(shows("\nt_seconds_count{a=\"1\"} 3\n"));
    metric_observe_us(metric, NULL, 1);
    ck_assert(shows("\nt_seconds_bucket{le=\"0.0005\"} 1\n"));
    ck_assert(shows("\nt_seconds_count 1\n"));
}
END_TEST

static int64_t answer(void *arg)
{
    return *(int *)arg;
}

START_TEST(a_callback_is_asked_when_the_page_is_made)
{
    int value = 41;

    metric_callback("t_asked", "Asked.", answer, &value);
    value = 42;
    ck_assert(shows("# TYPE t_asked gauge\nt_asked 42\n"));
}
END_TEST

START_TEST(a_callback_that_is_not_live_is_not_asked)
{
    int value = 43;

    metric_callback("t_while_it_runs", "While it runs.", answer, &value);
    metric_callbacks_live(&value, false);
    ck_assert(!shows("t_while_it_runs"));
    metric_callbacks_live(&value, true);
    ck_assert(shows("\nt_while_it_runs 43\n"));
    metric_callbacks_live(&value, false);
}
END_TEST

static void set_late(void *arg)
{
    metric_set(arg, "late=\"yes\"", 9);
}

START_TEST(a_hook_sets_values_before_the_page_is_made)
{
    struct metric *metric = metric_new(METRIC_COUNTER, "t_hooked", "Hooked.");

    metrics_on_render(set_late, metric);
    ck_assert(shows("\nt_hooked{late=\"yes\"} 9\n"));
}
END_TEST

static void *count(void *arg)
{
    char labels[32];

    for (int i = 0; i < 20000; i++) {
        (void)snprintf(labels, sizeof(labels), "n=\"%d\"", i % 40);
        metric_add(arg, labels, 1);
    }
    return NULL;
}

START_TEST(threads_lose_no_count)
{
    struct metric *metric = metric_new(METRIC_COUNTER, "t_many", "Many.");
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, metric), 0);
    ck_assert(shows("# TYPE t_many counter\n"));
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert(shows("\nt_many{n=\"0\"} 2000\n"));
    ck_assert(shows("\nt_many{n=\"39\"} 2000\n"));
}
END_TEST

START_TEST(series_are_bounded)
{
    struct metric *metric = metric_new(METRIC_COUNTER, "t_bounded", "Bounded.");
    char labels[32];

    for (int i = 0; i < 6000; i++) {
        (void)snprintf(labels, sizeof(labels), "n=\"%d\"", i);
        metric_add(metric, labels, 1);
    }
    ck_assert(shows("\nt_bounded{n=\"4095\"} 1\n"));
    ck_assert(!shows("\nt_bounded{n=\"4096\"}"));
    ck_assert(shows("\nt_bounded{overflow=\"true\"} 1904\n"));
}
END_TEST

/* Every line is a comment or name[{labels}] value. */
START_TEST(the_page_is_well_formed)
{
    (void)shows("");
    ck_assert_uint_gt(page.len, 0);
    ck_assert_int_eq(page.data[page.len - 1], '\n');
    for (char *line = page.data; *line; line = strchr(line, '\n') + 1) {
        char *end = strchr(line, '\n'), *space, *rest;

        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            continue;
        space = memrchr(line, ' ', (size_t)(end - line));
        ck_assert_ptr_nonnull(space);
        (void)strtod(space + 1, &rest);
        ck_assert_msg(rest == end, "%.*s", (int)(end - line), line);
    }
    ck_assert(shows("\nprocess_resident_memory_bytes "));
    ck_assert(shows("\nprocess_cpu_seconds_total "));
    ck_assert(shows("\nprocess_max_fds "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("svc_metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, series_are_kept_apart_by_their_labels);
    tcase_add_test(tcase, a_gauge_goes_up_and_down);
    tcase_add_test(tcase, a_series_that_was_looked_up_is_the_one_on_the_page);
    tcase_add_test(tcase, histogram_buckets_are_cumulative_and_in_seconds);
    tcase_add_test(tcase, a_callback_is_asked_when_the_page_is_made);
    tcase_add_test(tcase, a_callback_that_is_not_live_is_not_asked);
    tcase_add_test(tcase, a_hook_sets_values_before_the_page_is_made);
    tcase_add_test(tcase, threads_lose_no_count);
    tcase_add_test(tcase, series_are_bounded);
    tcase_add_test(tcase, the_page_is_well_formed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
