/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of Postgres values, good and bad. */
#include "pg/internal.h"
#include "suite.h"

#include <check.h>

static struct arena arena;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

START_TEST(arrays_are_taken_apart)
{
    char **items;
    size_t n;

    ck_assert(array_parse(&arena, "{a,\"b c\",NULL,\"NULL\",\"q\\\"\\\\,{}\",\"\"}", &n, &items));
    ck_assert_uint_eq(n, 6);
    ck_assert_str_eq(items[0], "a");
    ck_assert_str_eq(items[1], "b c");
    ck_assert_ptr_null(items[2]);
    ck_assert_str_eq(items[3], "NULL");
    ck_assert_str_eq(items[4], "q\"\\,{}");
    ck_assert_str_eq(items[5], "");
    ck_assert(array_parse(&arena, "{}", &n, &items));
    ck_assert_uint_eq(n, 0);
    ck_assert(array_parse(&arena, "[0:1]={1,2}", &n, &items));
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(what_is_no_flat_array_is_refused)
{
    static const char *const bad[] = {"",      "{",    "a",      "{a",      "{a,}",
                                      "{,a}",  "{a}b", "{\"a",   "{{a}}",   "{a\"b\"}",
                                      "[0:1]", "{}}",  "{\"a\\", "{\"a\"b}"};
    char **items;
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!array_parse(&arena, bad[i], &n, &items), "'%s' was taken", bad[i]);
}
END_TEST

START_TEST(an_array_survives_there_and_back)
{
    const char *in[] = {"", "a", "NULL", "null", "q\"", "\\", "{,}", " x ", "ümlaut\n", NULL};
    char **out;
    size_t n;

    ck_assert(
        array_parse(&arena, array_format(&arena, ARRAY_SIZE(in), (char *const *)in), &n, &out));
    ck_assert_uint_eq(n, ARRAY_SIZE(in));
    for (size_t i = 0; i < n; i++)
        ck_assert(in[i] ? strcmp(in[i], out[i]) == 0 : out[i] == NULL);
    ck_assert_str_eq(array_format(&arena, 0, NULL), "{}");
}
END_TEST

START_TEST(bytes_are_read_from_hex)
{
    size_t len;
    const void *bytes = bytes_parse(&arena, "\\x00ffa0", &len);

    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(bytes, "\0\xff\xa0", 3);
    ck_assert_ptr_nonnull(bytes_parse(&arena, "\\x", &len));
    ck_assert_uint_eq(len, 0);
    ck_assert_ptr_null(bytes_parse(&arena, "", &len));
    ck_assert_ptr_null(bytes_parse(&arena, "\\x0", &len));
    ck_assert_ptr_null(bytes_parse(&arena, "\\xzz", &len));
    ck_assert_ptr_null(bytes_parse(&arena, "abcd", &len));
}
END_TEST

START_TEST(timestamps_get_three_digits_and_a_z)
{
    ck_assert_str_eq(timestamp_parse(&arena, "2026-03-02 09:30:00.12+00"),
                     "2026-03-02T09:30:00.120Z");
    ck_assert_str_eq(timestamp_parse(&arena, "2026-03-02 09:30:00+00"), "2026-03-02T09:30:00.000Z");
    ck_assert_str_eq(timestamp_parse(&arena, "2026-03-02 09:30:00.999999"),
                     "2026-03-02T09:30:00.999Z");
}
END_TEST

START_TEST(other_times_are_left_as_they_are)
{
    static const char *const odd[] = {"infinity",
                                      "-infinity",
                                      "0044-03-15 12:00:00+00 BC",
                                      "2026-03-02 09:30:00+02",
                                      "12026-03-02 09:30:00+00",
                                      "2026-03-02",
                                      ""};

    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        ck_assert_msg(!timestamp_parse(&arena, odd[i]), "'%s' was taken", odd[i]);
}
END_TEST

START_TEST(foreign_keys_fail_in_two_ways)
{
    ck_assert_int_eq(
        sqlstate_status("23503", "insert or update on table \"a\" violates", TX_READ_WRITE),
        ST_NOT_FOUND);
    ck_assert_int_eq(
        sqlstate_status("23503", "update or delete on table \"a\" violates", TX_READ_WRITE),
        ST_FAILED_PRECONDITION);
    ck_assert_int_eq(sqlstate_status(NULL, NULL, TX_READ_WRITE), ST_UNAVAILABLE);
    ck_assert_int_eq(sqlstate_status("25006", NULL, TX_SNAPSHOT), ST_INTERNAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_text");
    TCase *tcase = tcase_create("text");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, arrays_are_taken_apart);
    tcase_add_test(tcase, what_is_no_flat_array_is_refused);
    tcase_add_test(tcase, an_array_survives_there_and_back);
    tcase_add_test(tcase, bytes_are_read_from_hex);
    tcase_add_test(tcase, timestamps_get_three_digits_and_a_z);
    tcase_add_test(tcase, other_times_are_left_as_they_are);
    tcase_add_test(tcase, foreign_keys_fail_in_two_ways);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
