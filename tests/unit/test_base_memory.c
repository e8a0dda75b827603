/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas and growing strings. */
#include "base/arena.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "suite.h"

#include <check.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(memory_is_zeroed_and_aligned)
{
    CLEANUP(arena_done) struct arena arena = {0};

    for (size_t size = 0; size < 100; size++) {
        char *p = arena_alloc(&arena, size);

        ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_int_eq(p[i], 0);
        memset(p, 0xff, size);
    }
}
END_TEST

START_TEST(memory_is_zeroed_again_after_a_reset)
{
    CLEANUP(arena_done) struct arena arena = {0};

    memset(arena_alloc(&arena, 1000), 0xff, 1000);
    arena_reset(&arena);
    ck_assert_uint_eq(arena.used_bytes, 0);
    ck_assert_int_eq(*(char *)arena_alloc(&arena, 1000), 0);
}
END_TEST

START_TEST(a_big_piece_does_not_end_the_block_being_filled)
{
    CLEANUP(arena_done) struct arena arena = {0};
    char *small = arena_alloc(&arena, 16);
    char *big = arena_alloc(&arena, 1 << 20);
    char *next = arena_alloc(&arena, 16);

    memset(big, 1, 1 << 20);
    ck_assert_ptr_eq(next, small + 16);
}
END_TEST

static void note(void *arg)
{
    char **end = arg;

    *(*end)++ = 'x';
}

static void note_letter(void *arg)
{
    char *letter = arg;

    *letter = 'r';
}

START_TEST(hooks_run_once_at_reset_and_at_done)
{
    struct arena arena = {0};
    char calls[8] = "", *end = calls, letter = '-';

    arena_defer(&arena, note, &end);
    arena_reset(&arena);
    ck_assert_str_eq(calls, "x");
    arena_defer(&arena, note_letter, &letter);
    arena_done(&arena);
    ck_assert_str_eq(calls, "x");
    ck_assert_int_eq(letter, 'r');
    arena_done(&arena);
}
END_TEST

START_TEST(printed_text_of_any_length_is_whole)
{
    CLEANUP(arena_done) struct arena arena = {0};
    char *text = arena_printf(&arena, "%0*d", 40000, 7);

    ck_assert_uint_eq(strlen(text), 40000);
    ck_assert_int_eq(text[39999], '7');
    for (int len = 510; len <= 514; len++) /* about the size of its buffer */
        ck_assert_uint_eq(strlen(arena_printf(&arena, "%0*d", len, 7)), (size_t)len);
    ck_assert_str_eq(arena_memdup(&arena, "abc", 2), "ab");
}
END_TEST

START_TEST(texts_are_joined_in_their_order)
{
    CLEANUP(arena_done) struct arena arena = {0};

    ck_assert_str_eq(arena_join(&arena, "a", "", "bc", "d", NULL), "abcd");
    ck_assert_str_eq(arena_join(&arena, "", NULL), "");
}
END_TEST

START_TEST(a_string_grows_and_stays_terminated)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    ck_assert_str_eq(strbuf_cstr(&buf), "");
    for (int i = 0; i < 1000; i++)
        strbuf_printf(&buf, "%d,", i);
    ck_assert_uint_eq(buf.len, strlen(buf.data));
    ck_assert_str_eq(buf.data + buf.len - 4, "999,");
    strbuf_clear(&buf);
    ck_assert_str_eq(strbuf_cstr(&buf), "");
}
END_TEST

START_TEST(numbers_of_the_whole_range_are_written_in_decimal)
{
    static const uint64_t values[] = {0, 9, 10, 4294967296, UINT64_MAX};
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        strbuf_uint(&buf, values[i]);
        strbuf_char(&buf, ' ');
    }
    ck_assert_str_eq(buf.data, "0 9 10 4294967296 18446744073709551615 ");
}
END_TEST

START_TEST(a_long_format_is_not_cut)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "head");
    strbuf_printf(&buf, "%0*d", 5000, 1);
    ck_assert_uint_eq(buf.len, 5004);
}
END_TEST

START_TEST(taking_an_empty_string_gives_an_empty_text)
{
    struct strbuf buf = STRBUF_INIT;
    char *text = strbuf_take(&buf);

    ck_assert_str_eq(text, "");
    ck_assert_ptr_null(buf.data);
    free(text);
}
END_TEST

static long resident_file_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "RssFile:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    (void)fclose(file);
    return kib;
}

static char changed[64] = "as it was built";

START_TEST(giving_memory_back_loses_nothing)
{
    static const char constant[] = "never written";
    CLEANUP(arena_done) struct arena arena = {0};
    const char *text = arena_strdup(&arena, "on the heap");
    long before;

    memcpy(changed, "as it was changed", 18);
    before = resident_file_kib();
    memory_give_back();
    ck_assert_int_lt(resident_file_kib(), before);
    ck_assert_str_eq(text, "on the heap");
    ck_assert_str_eq(changed, "as it was changed");
    ck_assert_str_eq(constant, "never written");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base memory");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, memory_is_zeroed_and_aligned);
    tcase_add_test(tests, memory_is_zeroed_again_after_a_reset);
    tcase_add_test(tests, a_big_piece_does_not_end_the_block_being_filled);
    tcase_add_test(tests, hooks_run_once_at_reset_and_at_done);
    tcase_add_test(tests, printed_text_of_any_length_is_whole);
    tcase_add_test(tests, texts_are_joined_in_their_order);
    tcase_add_test(tests, a_string_grows_and_stays_terminated);
    tcase_add_test(tests, numbers_of_the_whole_range_are_written_in_decimal);
    tcase_add_test(tests, a_long_format_is_not_cut);
    tcase_add_test(tests, taking_an_empty_string_gives_an_empty_text);
    tcase_add_test(tests, giving_memory_back_loses_nothing);
    return suite_run(suite);
}
