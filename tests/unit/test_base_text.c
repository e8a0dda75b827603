/* SPDX-License-Identifier: Apache-2.0 */
/* Times, ids, UTF-8, statuses, errors and settings. */
#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/utf8.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_time_is_written_and_read_back)
{
    char text[TIMESTAMP_SIZE];
    int64_t ms;

    clock_format(1772443800120, text);
    ck_assert_str_eq(text, "2026-03-02T09:30:00.120Z");
    ck_assert(clock_parse(text, &ms));
    ck_assert_int_eq(ms, 1772443800120);
    ck_assert(clock_parse("2026-03-02T10:30:00.12+01:00", &ms));
    ck_assert_int_eq(ms, 1772443800120);
    clock_format(-1, text);
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999Z");
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    static const char *const wrong[] = {
        "",
        "2026-03-02",
        "2026-03-02T09:30:00",
        "2026-03-02T24:00:00Z",
        "2026-13-02T09:30:00Z",
        "2026-02-29T09:30:00Z",
        "2026-03-02T09:30:00.Z",
        "2026-03-02T09:30:00Zx",
        "2026-03-02 09:30:00Z",
    };
    int64_t ms;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(!clock_parse(wrong[i], &ms), "%s", wrong[i]);
}
END_TEST

START_TEST(a_date_exists_in_the_calendar)
{
    ck_assert(clock_date_valid("2024-02-29"));
    ck_assert(clock_date_valid("2000-02-29"));
    ck_assert(!clock_date_valid("1900-02-29"));
    ck_assert(!clock_date_valid("2026-04-31"));
    ck_assert(!clock_date_valid("2026-4-30"));
    ck_assert(!clock_date_valid("2026-04-30 "));
}
END_TEST

START_TEST(ids_are_well_formed_and_differ)
{
    char a[UUID_SIZE], b[UUID_SIZE], token[TOKEN_SIZE], other[TOKEN_SIZE];

    uuid_v4(a);
    uuid_v4(b);
    ck_assert(uuid_valid(a));
    ck_assert_int_eq(a[14], '4');
    ck_assert_str_ne(a, b);
    uuid_v7(a);
    ck_assert(uuid_valid(a));
    ck_assert_int_eq(a[14], '7');
    token_hex(token);
    token_hex(other);
    ck_assert_uint_eq(strlen(token), 32);
    ck_assert_str_ne(token, other);
    ck_assert(!uuid_valid("0190b0a0-0000-7000-8000-00000000000g"));
    ck_assert(!uuid_valid("0190b0a0-0000-7000-8000-0000000000000"));
    ck_assert(uuid_valid("0190B0A0-0000-7000-8000-00000000FFff"));
    for (size_t at = 0; at < strlen(a); at++) {
        char was = a[at];

        for (int c = 0; c < 256; c++) {
            a[at] = (char)c;
            ck_assert_int_eq(uuid_valid(a),
                             was == '-' ? c == '-'
                                        : c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL);
        }
        a[at] = was;
    }
}
END_TEST

/* Also across the stock that a thread keeps, and in a forked process. */
START_TEST(a_fork_makes_ids_of_its_own)
{
    char ours[TOKEN_SIZE], theirs[TOKEN_SIZE] = "";
    int fds[2];
    pid_t pid;

    token_hex(ours);
    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        token_hex(theirs);
        _exit(write(fds[1], theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
    }
    ck_assert_int_gt(pid, 0);
    for (int i = 0; i < 100; i++) {
        token_hex(ours);
        if (i == 0)
            ck_assert_int_eq(read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
        ck_assert_str_ne(ours, theirs);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    (void)close(fds[0]);
    (void)close(fds[1]);
}
END_TEST

START_TEST(only_valid_text_without_nul_passes)
{
    static const char *const wrong[] = {
        "\xc0\xaf",     "\xed\xa0\x80",     "\xf4\x90\x80\x80",
        "\xff",         "abcdefgh\x80",     "caf\xc3",
        "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x88\x80\x80\x80",
    };

    ck_assert(utf8_valid("", 0));
    ck_assert(utf8_valid("plain ascii text", 16));
    ck_assert(utf8_valid("caf\xc3\xa9 \xf0\x9f\x98\x80", 10));
    ck_assert(!utf8_valid("a\0b", 3));
    ck_assert(!utf8_valid("12345678\0", 9));
    ck_assert(!utf8_valid("1234567\0"
                          "90123456",
                          16));
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(!utf8_valid(wrong[i], strlen(wrong[i])), "%zu", i);
}
END_TEST

START_TEST(length_counts_code_points_and_repair_keeps_the_rest)
{
    char out[32];
    size_t n = utf8_repair("a\xff\xc3\xa9", 4, out);

    ck_assert_uint_eq(utf8_length("caf\xc3\xa9", 5), 4);
    ck_assert_uint_eq(n, 6);
    ck_assert_mem_eq(out, "a\xef\xbf\xbd\xc3\xa9", 6);
    ck_assert(utf8_valid(out, n));
}
END_TEST

START_TEST(a_status_has_its_http_number_and_name)
{
    ck_assert_int_eq(status_http(ST_NOT_FOUND), 404);
    ck_assert_int_eq(status_http(ST_FAILED_PRECONDITION), 409);
    ck_assert_str_eq(status_name(ST_RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED");
    ck_assert_str_eq(status_lower_name(ST_OK), "ok");
    ck_assert_str_eq(status_lower_name(ST_UNAVAILABLE), "unavailable");
    ck_assert(status_retryable(ST_UNAVAILABLE));
    ck_assert_int_eq(status_from_number(5), ST_NOT_FOUND);
    ck_assert_int_eq(status_from_number(999), ST_INTERNAL);
}
END_TEST

START_TEST(an_error_keeps_its_words_and_bounds_its_fields)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct error err = {0};

    ck_assert_int_eq(error_set(&err, ST_NOT_FOUND, "no '%s'", "x"), ST_NOT_FOUND);
    ck_assert_str_eq(err.message, "no 'x'");
    for (int i = 0; i < 2 * ERROR_FIELDS_MAX; i++)
        error_field(&err, &arena, "f", "is %d", i);
    ck_assert_uint_eq(err.n_fields, ERROR_FIELDS_MAX);
    ck_assert_int_eq(err.status, ST_INVALID_ARGUMENT);
    error_clear(&err);
    ck_assert_uint_eq(err.n_fields, 0);
    ck_assert_int_eq(error_set(NULL, ST_INTERNAL, "nobody listens"), ST_INTERNAL);
}
END_TEST

static const char *text_value;
static int64_t number_value;
static bool switch_value;
static const struct setting table[] = {
    {"MAL_TEXT", SETTING_STRING, "hello", "A text.", &text_value, 0, 0, false},
    {"MAL_NUMBER", SETTING_INT, "5", "A number.", &number_value, 1, 10, false},
    {"MAL_SWITCH", SETTING_BOOL, "false", "A switch.", &switch_value, 0, 0, false},
    {"MAL_SECRET", SETTING_STRING, "", "A secret.", &text_value, 0, 0, true},
    {0},
};
static const struct setting *const tables[] = {table, NULL};

START_TEST(an_error_that_cuts_a_character_is_still_text)
{
    CLEANUP(arena_done) struct arena arena;
    struct error err = {0};

    arena_init(&arena);
    (void)error_set(&err, ST_INTERNAL, "it says: %.4s", "nö\xc3\xb6");
    ck_assert_str_eq(err.message, "it says: nö?");
    error_hint(&err, "%.1s \xff", "ö");
    ck_assert_str_eq(err.hint, "? ?");
    error_field(&err, &arena, "f", "%.4s", "\xf0\x9f\x98\x80\xf0");
    ck_assert_str_eq(err.fields[0].message, "\xf0\x9f\x98\x80");
    error_field(&err, &arena, "g", "%.5s", "\xf0\x9f\x98\x80\xf0");
    ck_assert_str_eq(err.fields[1].message, "\xf0\x9f\x98\x80?");
}
END_TEST

START_TEST(settings_take_the_environment_over_the_default)
{
    struct error err = {0};

    (void)setenv("MAL_NUMBER", "7", 1);
    (void)setenv("MAL_SWITCH", "true", 1);
    ck_assert_int_eq(settings_load(tables, NULL, &err), ST_OK);
    ck_assert_int_eq(number_value, 7);
    ck_assert(switch_value);
}
END_TEST

START_TEST(every_mistake_in_the_settings_is_told_at_once)
{
    struct error err = {0};

    (void)setenv("MAL_NUMBER", "11", 1);
    (void)setenv("MAL_SWITCH", "perhaps", 1);
    (void)setenv("MAL_TYPO", "1", 1);
    ck_assert_int_eq(settings_load(tables, NULL, &err), ST_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "MAL_NUMBER: must be from 1 to 10"));
    ck_assert_ptr_nonnull(strstr(err.message, "MAL_SWITCH: must be true or false"));
    ck_assert_ptr_nonnull(strstr(err.message, "MAL_TYPO: no such setting"));
}
END_TEST

START_TEST(a_secret_is_never_printed)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    (void)setenv("MAL_SECRET", "hunter2", 1);
    settings_print(tables, &out);
    settings_markdown(tables, &out);
    ck_assert_ptr_null(strstr(out.data, "hunter2"));
    ck_assert_ptr_nonnull(strstr(out.data, "MAL_SECRET=***"));
}
END_TEST

START_TEST(log_levels_are_read_by_name)
{
    enum log_level level;

    ck_assert(log_level_parse("warn", &level));
    ck_assert_int_eq(level, LOG_WARN);
    ck_assert(!log_level_parse("loud", &level));
}
END_TEST

/* What fd gets is read into text, without waiting for more. */
static void read_all(int fd, char *text, size_t size)
{
    ssize_t n = read(fd, text, size - 1);

    text[n > 0 ? n : 0] = '\0';
}

START_TEST(lines_held_come_together_and_before_a_warning)
{
    static struct log_lines lines;
    char text[2 * LOG_LINES_SIZE];
    int fds[2], kept = dup(STDERR_FILENO);

    ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_ge(dup2(fds[1], STDERR_FILENO), 0);
    log_hold(&lines);
    log_info("first");
    log_info("second");
    read_all(fds[0], text, sizeof(text));
    ck_assert_str_eq(text, "");
    log_warn("third");
    read_all(fds[0], text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "first"));
    ck_assert(strstr(text, "first") < strstr(text, "second"));
    ck_assert(strstr(text, "second") < strstr(text, "third"));
    for (int i = 0; i < 200; i++) /* more than there is room for */
        log_info("many %d", i);
    log_release();
    read_all(fds[0], text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "\"many 0\""));
    ck_assert_ptr_nonnull(strstr(text, "\"many 199\""));
    log_info("after");
    read_all(fds[0], text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "after"));
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    close(kept);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base text");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, a_time_is_written_and_read_back);
    tcase_add_test(tests, what_is_no_time_is_refused);
    tcase_add_test(tests, a_date_exists_in_the_calendar);
    tcase_add_test(tests, ids_are_well_formed_and_differ);
    tcase_add_test(tests, a_fork_makes_ids_of_its_own);
    tcase_add_test(tests, only_valid_text_without_nul_passes);
    tcase_add_test(tests, length_counts_code_points_and_repair_keeps_the_rest);
    tcase_add_test(tests, a_status_has_its_http_number_and_name);
    tcase_add_test(tests, an_error_keeps_its_words_and_bounds_its_fields);
    tcase_add_test(tests, an_error_that_cuts_a_character_is_still_text);
    tcase_add_test(tests, settings_take_the_environment_over_the_default);
    tcase_add_test(tests, every_mistake_in_the_settings_is_told_at_once);
    tcase_add_test(tests, a_secret_is_never_printed);
    tcase_add_test(tests, log_levels_are_read_by_name);
    tcase_add_test(tests, lines_held_come_together_and_before_a_warning);
    return suite_run(suite);
}
