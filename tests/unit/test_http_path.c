/* SPDX-License-Identifier: Apache-2.0 */
/* Which request paths are decoded and which are refused. */
#include "http/internal.h"
#include "suite.h"

#include <check.h>
#include <string.h>

static void decodes_to(const char *raw, const char *want)
{
    char out[256];

    ck_assert_msg(path_decode(raw, strlen(raw), out), "refused %s", raw);
    ck_assert_str_eq(out, want);
}

static void is_refused(const char *raw)
{
    char out[256];

    ck_assert_msg(!path_decode(raw, strlen(raw), out), "took %s as %s", raw, out);
}

START_TEST(plain_paths_stay_as_they_are)
{
    decodes_to("/", "/");
    decodes_to("/mcp", "/mcp");
    decodes_to("/api/v1/skills/", "/api/v1/skills/");
    decodes_to("/a.b/..c/...", "/a.b/..c/...");
    decodes_to("/a+b;c=d", "/a+b;c=d");
}
END_TEST

START_TEST(escapes_are_decoded_once)
{
    decodes_to("/%61%20b", "/a b");
    decodes_to("/%2541", "/%41");
    decodes_to("/%c3%A4", "/\xc3\xa4");
    decodes_to("/%252e%252e", "/%2e%2e");
}
END_TEST

START_TEST(dot_and_empty_segments_are_refused)
{
    is_refused("/..");
    is_refused("/.");
    is_refused("/a/../b");
    is_refused("/a/./b");
    is_refused("/a/%2E%2e");
    is_refused("/a//b");
    is_refused("//");
}
END_TEST

START_TEST(what_is_no_path_is_refused)
{
    is_refused("");
    is_refused("a");
    is_refused("*");
    is_refused("%2fa");
    is_refused("http://h/a");
}
END_TEST

START_TEST(bad_escapes_and_bytes_are_refused)
{
    is_refused("/%");
    is_refused("/%4");
    is_refused("/%zz");
    is_refused("/%-1");
    is_refused("/a%00");
    is_refused("/a%0d%0a");
    is_refused("/a%7f");
    is_refused("/a%2fb");
    is_refused("/a\\b");
    is_refused("/a%5Cb");
    is_refused("/%ff");
    is_refused("/%c0%af");
    is_refused("/%ed%a0%80");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http path");
    TCase *tcase = tcase_create("path");

    tcase_add_test(tcase, plain_paths_stay_as_they_are);
    tcase_add_test(tcase, escapes_are_decoded_once);
    tcase_add_test(tcase, dot_and_empty_segments_are_refused);
    tcase_add_test(tcase, what_is_no_path_is_refused);
    tcase_add_test(tcase, bad_escapes_and_bytes_are_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
