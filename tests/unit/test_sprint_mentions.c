/* SPDX-License-Identifier: Apache-2.0 */
/* Mentions of work items and sprints in texts. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "link_scan.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct mentions mentions;

static void set_up(void)
{
    arena_init(&arena);
    mentions_init(&mentions, &arena);
}

static void tear_down(void)
{
    arena_done(&arena);
}

static const char *joined(const struct mention_set *set)
{
    const char *text = "";

    for (size_t i = 0; i < set->n; i++)
        text = arena_printf(&arena, "%s%s%s", text, i ? " " : "", set->items[i]);
    return text;
}

static const char *items_of(const char *text)
{
    mentions_init(&mentions, &arena);
    mentions_scan(&mentions, text);
    return joined(&mentions.items);
}

static const char *sprints_of(const char *text)
{
    mentions_init(&mentions, &arena);
    mentions_scan(&mentions, text);
    return joined(&mentions.sprints);
}

START_TEST(items_stand_between_signs_that_are_no_letters)
{
    ck_assert_str_eq(items_of("MAL-42"), "MAL-42");
    ck_assert_str_eq(items_of("(MAL-42), see MAL-43; MAL-44. MAL-45/MAL-46"),
                     "MAL-42 MAL-43 MAL-44 MAL-45 MAL-46");
    ck_assert_str_eq(items_of("API-login1 AB-0x7F"), "API-login1 AB-0x7F");
    ck_assert_str_eq(items_of("xMAL-1 _MAL-2 MAL-3_ 7MAL-4 MAL-5_b"), "");
    ck_assert_str_eq(items_of("mal-1 Mal-2 M-3 TOOLONGKEYS-4 MAL- MAL -5 MAL-!"), "");
    ck_assert_str_eq(items_of("ABCDEFGHIJ-1 AB-1"), "ABCDEFGHIJ-1 AB-1");
    /* Each pair of neighbours is one. */
    ck_assert_str_eq(items_of("FOO-BAR-7"), "FOO-BAR BAR-7");
}
END_TEST

START_TEST(signs_and_scripts_beyond_ascii_hide_nothing)
{
    ck_assert_str_eq(items_of("“MAL-1”—MAL-2… →MAL-3 MAL-4×MAL-5"),
                     "MAL-1 MAL-2 MAL-3 MAL-4 MAL-5");
    ck_assert_str_eq(items_of("修复MAL-1问题 🐛MAL-2🐛"), "MAL-1 MAL-2");
    ck_assert_str_eq(items_of("éMAL-1 MAL-2é яMAL-3 MAL-4\xcc\x81"), "");
    ck_assert_str_eq(sprints_of("Übersprint 7, im „Sprint 8“"), "8");
}
END_TEST

START_TEST(bytes_that_are_no_text_do_no_harm)
{
    ck_assert_str_eq(items_of("\xff\xc3MAL-1\xc3"), "MAL-1");
    ck_assert_str_eq(items_of("\xc3"), "");
    ck_assert_str_eq(sprints_of("sprint\xc3 7 sprint \xc3"), "");
}
END_TEST

START_TEST(sprints_are_named_in_any_case_with_one_sign_between)
{
    ck_assert_str_eq(sprints_of("sprint 7"), "7");
    ck_assert_str_eq(sprints_of("Sprint-7 SPRINT#8 sprint9 sPrInT #10"), "7 8 9 10");
    ck_assert_str_eq(sprints_of("the sprint ALPHA."), "alpha");
    ck_assert_str_eq(sprints_of("sprint 07"), "07");
    ck_assert_str_eq(sprints_of("sprint-7-2 and sprint 7-day"), "7-2 7-day");
    ck_assert_str_eq(sprints_of("sprint  7 sprint\t7 sprint -7 sprint - 7 sprint: 7 sprint--7"),
                     "");
    ck_assert_str_eq(sprints_of("mysprint 7 my_sprint 7 sprin 7"), "");
    ck_assert_str_eq(sprints_of("my-sprint 7"), "7");
    ck_assert_str_eq(sprints_of("sprint a_b sprint é"), "");
    ck_assert_str_eq(sprints_of("sprint"), "");
    ck_assert_str_eq(sprints_of("sprint "), "");
    ck_assert_str_eq(sprints_of("sprint sprint 7"), "sprint 7");
}
END_TEST

START_TEST(the_same_mention_counts_once_and_order_is_kept)
{
    ck_assert_str_eq(items_of("MAL-3 MAL-1 MAL-3 MAL-2 MAL-1"), "MAL-3 MAL-1 MAL-2");
    ck_assert_str_eq(sprints_of("Sprint 7 sprint-7 sprint #7"), "7");
}
END_TEST

START_TEST(several_texts_add_up)
{
    mentions_scan(&mentions, "MAL-1 sprint 7");
    mentions_scan(&mentions, "");
    mentions_scan(&mentions, "MAL-2 sprint 6");
    ck_assert_str_eq(joined(&mentions.items), "MAL-1 MAL-2");
    ck_assert_str_eq(joined(&mentions.sprints), "7 6");
}
END_TEST

START_TEST(zeros_before_a_number_are_ignored)
{
    ck_assert_str_eq(mention_plain(&arena, "MAL-042"), "MAL-42");
    ck_assert_str_eq(mention_plain(&arena, "MAL-42"), "MAL-42");
    ck_assert_str_eq(mention_plain(&arena, "MAL-000"), "MAL-0");
    ck_assert_str_eq(mention_plain(&arena, "MAL-007b"), "MAL-007b");
    ck_assert_str_eq(mention_number(&arena, "007"), "7");
    ck_assert_str_eq(mention_number(&arena, "0"), "0");
    ck_assert_str_eq(mention_number(&arena, "7-2"), "7");
    ck_assert_str_eq(mention_number(&arena, "0000000000000000012"), "12");
    ck_assert_ptr_null(mention_number(&arena, "7b"));
    ck_assert_ptr_null(mention_number(&arena, "alpha"));
    ck_assert_ptr_null(mention_number(&arena, "1234567890"));
}
END_TEST

START_TEST(ids_longer_than_any_are_none)
{
    char text[200];

    memset(text, '1', sizeof(text));
    memcpy(text, "MAL-", 4);
    text[64] = '\0';
    ck_assert_str_eq(items_of(text), text);
    text[64] = '1';
    text[65] = '\0';
    ck_assert_str_eq(items_of(text), "");
    memset(text, 'a', sizeof(text));
    memcpy(text, "sprint ", 7);
    text[7 + 65] = '\0';
    ck_assert_str_eq(sprints_of(text), "");
    text[7 + 64] = '\0';
    ck_assert_str_eq(sprints_of(text), text + 7);
}
END_TEST

/* ---- hostile texts ---- */

enum { MESSAGE = 100000, MESSAGES = 500 };

/* A message of that pattern over and over. */
static char *message_of(const char *pattern)
{
    char *text = arena_alloc(&arena, MESSAGE + 1);
    size_t len = strlen(pattern);

    for (size_t i = 0; i < MESSAGE; i++)
        text[i] = pattern[i % len];
    return text;
}

START_TEST(fifty_million_hostile_characters_take_seconds_not_hours)
{
    static const char *const patterns[] = {
        "a",       "AB-",
        "sprint-", "sprint",
        "AB-1 ",   "sprint-sprint-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "-",       "sprint #",
        "\xc3\xa9"};
    int64_t start = clock_mono_ms();

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        char *text = message_of(patterns[i]);

        for (int n = 0; n < MESSAGES / (int)ARRAY_SIZE(patterns); n++)
            mentions_scan(&mentions, text);
    }
    /* Half a second without sanitizers; squared it would be days. */
    ck_assert_int_lt((int)(clock_mono_ms() - start), 30000);
}
END_TEST

START_TEST(countless_mentions_are_kept_up_to_a_bound)
{
    char text[32];
    size_t used;

    mentions_scan(&mentions, "MAL-1 sprint 1");
    used = arena.used_bytes;
    for (int i = 1; i < 500000; i++) {
        (void)snprintf(text, sizeof(text), "MAL-%d sprint %d", i, i);
        mentions_scan(&mentions, text);
    }
    ck_assert_uint_eq(mentions.items.n, MENTIONS_MAX);
    ck_assert_uint_eq(mentions.sprints.n, MENTIONS_MAX);
    ck_assert_str_eq(mentions.items.items[0], "MAL-1");
    ck_assert_uint_lt(arena.used_bytes - used, (size_t)2 * MENTIONS_MAX * 64);
}
END_TEST

/* Whatever the bytes: each mention is a piece of the text. */
START_TEST(a_mention_is_a_piece_of_its_text)
{
    static const char alphabet[] = "sSpPrRiInNtT-# 07AB_\xc3\xa9.";
    unsigned state = (unsigned)clock_wall_ms(), seed = state;
    char text[64];

    for (int round = 0; round < 20000; round++) {
        size_t len = state % (sizeof(text) - 1);

        for (size_t i = 0; i < len; i++) {
            state = state * 1664525U + 1013904223U;
            text[i] = alphabet[(state >> 8) % (sizeof(alphabet) - 1)];
        }
        text[len] = '\0';
        arena_reset(&arena);
        mentions_init(&mentions, &arena);
        mentions_scan(&mentions, text);
        for (size_t i = 0; i < mentions.items.n; i++)
            ck_assert_msg(strstr(text, mentions.items.items[i]), "seed %u: %s", seed, text);
        for (char *p = text; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        for (size_t i = 0; i < mentions.sprints.n; i++)
            ck_assert_msg(strstr(text, mentions.sprints.items[i]), "seed %u: %s", seed, text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_mentions");
    TCase *tcase = tcase_create("mentions");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, items_stand_between_signs_that_are_no_letters);
    tcase_add_test(tcase, signs_and_scripts_beyond_ascii_hide_nothing);
    tcase_add_test(tcase, bytes_that_are_no_text_do_no_harm);
    tcase_add_test(tcase, sprints_are_named_in_any_case_with_one_sign_between);
    tcase_add_test(tcase, the_same_mention_counts_once_and_order_is_kept);
    tcase_add_test(tcase, several_texts_add_up);
    tcase_add_test(tcase, zeros_before_a_number_are_ignored);
    tcase_add_test(tcase, ids_longer_than_any_are_none);
    tcase_add_test(tcase, fifty_million_hostile_characters_take_seconds_not_hours);
    tcase_add_test(tcase, countless_mentions_are_kept_up_to_a_bound);
    tcase_add_test(tcase, a_mention_is_a_piece_of_its_text);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
