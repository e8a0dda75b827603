/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the listeners: what stands without them and with them. */
#include "http/internal.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct setting *const tables[] = {http_settings, NULL};

START_TEST(defaults_are_those_in_force_before_loading)
{
    struct http_limits before = http_limits;
    struct error err = {0};

    ck_assert_int_eq(settings_load(tables, NULL, &err), ST_OK);
    ck_assert_int_eq(http_limits.workers, before.workers);
    ck_assert_int_eq(http_limits.keepalive_ms, before.keepalive_ms);
    ck_assert_int_eq(http_limits.request_timeout_ms, before.request_timeout_ms);
    ck_assert_int_eq(http_limits.body_timeout_ms, before.body_timeout_ms);
    ck_assert_int_eq(http_limits.sse_keepalive_ms, before.sse_keepalive_ms);
    ck_assert_int_eq(http_limits.max_streams, before.max_streams);
    ck_assert_str_eq(http_limits.trusted_proxies, before.trusted_proxies);
}
END_TEST

START_TEST(values_come_from_the_environment)
{
    struct error err = {0};

    ck_assert_int_eq(setenv("MAL_HTTP_WORKERS", "17", 1), 0);
    ck_assert_int_eq(setenv("MAL_SSE_KEEPALIVE_MS", "250", 1), 0);
    ck_assert_int_eq(setenv("MAL_TRUSTED_PROXIES", "10.0.0.1", 1), 0);
    ck_assert_int_eq(settings_load(tables, NULL, &err), ST_OK);
    ck_assert_int_eq(http_limits.workers, 17);
    ck_assert_int_eq(http_limits.sse_keepalive_ms, 250);
    ck_assert_str_eq(http_limits.trusted_proxies, "10.0.0.1");
}
END_TEST

START_TEST(numbers_out_of_range_are_mistakes)
{
    struct error err = {0};

    ck_assert_int_eq(setenv("MAL_HTTP_WORKERS", "1", 1), 0);
    ck_assert_int_ne(settings_load(tables, NULL, &err), ST_OK);
    ck_assert_ptr_nonnull(strstr(err.message, "MAL_HTTP_WORKERS"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http settings");
    TCase *tcase = tcase_create("settings");

    tcase_add_test(tcase, defaults_are_those_in_force_before_loading);
    tcase_add_test(tcase, values_come_from_the_environment);
    tcase_add_test(tcase, numbers_out_of_range_are_mistakes);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
