/* SPDX-License-Identifier: Apache-2.0 */
/* Git histories: reading the log of a repository, and what its bytes may be. */
#include "git.h"

#include "base/utf8.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"
/* A record up to and including the subject. The literals are cut so that hex
 * letters after an escape do not belong to it. */
#define HEAD(hash, name, email, at, subject)                                                       \
    "\x1e" hash "\0" name "\0" email "\0" at "\0" subject "\0"
#define BYTES(text) text, sizeof(text) - 1

struct seen {
    int n;
    struct git_commit first, last;
};

static void see(void *arg, const struct git_commit *commit)
{
    struct seen *seen = arg;

    if (seen->n++ == 0)
        seen->first = *commit;
    seen->last = *commit;
}

/* False when the reader refused it. */
static bool read_log(struct seen *seen, const char *bytes, size_t len, size_t piece)
{
    struct git_log *log = malloc(sizeof(*log));
    bool good = true;

    ck_assert_ptr_nonnull(log);
    memset(seen, 0, sizeof(*seen));
    git_log_init(log, see, seen);
    for (size_t i = 0; i < len && good; i += piece)
        good = git_log_feed(log, bytes + i, len - i < piece ? len - i : piece);
    good = good && git_log_end(log);
    free(log);
    return good;
}

static struct seen *seen;

static void set_up(void)
{
    seen = malloc(sizeof(*seen));
    ck_assert_ptr_nonnull(seen);
}

static void tear_down(void)
{
    free(seen);
}

START_TEST(no_output_is_no_commit)
{
    ck_assert(read_log(seen, "", 0, 1));
    ck_assert_int_eq(seen->n, 0);
}
END_TEST

static const char two[] =
    HEAD(HASH, "Ana", "ana@x.org", "1772443800",
         "Second") "\n"
                   "10\t2\tsrc/a.c\0"
                   "5\t0\tREADME.md\0" HEAD(OTHER, "Bob", "bob@x.org", "1772443700", "First");

START_TEST(lines_and_files_are_added_up)
{
    ck_assert(read_log(seen, two, sizeof(two) - 1, sizeof(two)));
    ck_assert_int_eq(seen->n, 2);
    ck_assert_str_eq(seen->first.hash, HASH);
    ck_assert_str_eq(seen->first.name, "Ana");
    ck_assert_str_eq(seen->first.email, "ana@x.org");
    ck_assert_str_eq(seen->first.subject, "Second");
    ck_assert_int_eq(seen->first.at, 1772443800);
    ck_assert_int_eq(seen->first.insertions, 15);
    ck_assert_int_eq(seen->first.deletions, 2);
    ck_assert_int_eq(seen->first.files, 2);
    ck_assert_int_eq(seen->first.areas[AREA_BACKEND], 1);
    ck_assert_int_eq(seen->first.areas[AREA_DOCUMENTATION], 1);
    ck_assert_str_eq(seen->last.hash, OTHER);
    ck_assert_int_eq(seen->last.files, 0);
}
END_TEST

START_TEST(the_size_of_the_pieces_does_not_matter)
{
    for (size_t piece = 1; piece < sizeof(two); piece++) {
        ck_assert(read_log(seen, two, sizeof(two) - 1, piece));
        ck_assert_int_eq(seen->n, 2);
        ck_assert_int_eq(seen->first.insertions, 15);
        ck_assert_str_eq(seen->last.name, "Bob");
    }
}
END_TEST

START_TEST(a_rename_counts_once_by_its_new_path)
{
    static const char log[] = HEAD(HASH, "Ana", "a", "1", "Move") "\n"
                                                                  "3\t1\t\0old/a.md\0new/a.sql\0"
                                                                  "1\t1\tb.css\0";

    ck_assert(read_log(seen, BYTES(log), 7));
    ck_assert_int_eq(seen->first.files, 2);
    ck_assert_int_eq(seen->first.insertions, 4);
    ck_assert_int_eq(seen->first.areas[AREA_DATA], 1);
    ck_assert_int_eq(seen->first.areas[AREA_FRONTEND], 1);
    ck_assert_int_eq(seen->first.areas[AREA_DOCUMENTATION], 0);
}
END_TEST

START_TEST(a_binary_file_has_no_lines)
{
    static const char log[] = HEAD(HASH, "Ana", "a", "1", "Logo") "\n"
                                                                  "-\t-\tlogo.png\0";

    ck_assert(read_log(seen, BYTES(log), 64));
    ck_assert_int_eq(seen->first.files, 1);
    ck_assert_int_eq(seen->first.insertions + seen->first.deletions, 0);
}
END_TEST

START_TEST(names_may_look_like_anything)
{
    static const char log[] =
        HEAD(HASH, "A|\"b'\x1e" HASH, "1\t1\ta.c", "1", "\x1f|10\t2\tx \x1e" OTHER);

    ck_assert(read_log(seen, BYTES(log), 5));
    ck_assert_int_eq(seen->n, 1);
    ck_assert_str_eq(seen->first.name, "A|\"b' " HASH);
    ck_assert_str_eq(seen->first.email, "1 1 a.c");
    ck_assert_str_eq(seen->first.subject, "|10 2 x  " OTHER);
    ck_assert_int_eq(seen->first.files, 0);
}
END_TEST

START_TEST(paths_may_look_like_anything)
{
    static const char log[] = HEAD(HASH, "Ana", "a", "1", "s") "\n"
                                                               "1\t0\t\x1e" OTHER "\0"
                                                               "1\t0\t\n2\t2\ta.sql\0"
                                                               "1\t0\t\0\x1e" OTHER "\0"
                                                               "9\t9\tb.md\0";

    ck_assert(read_log(seen, BYTES(log), 3));
    ck_assert_int_eq(seen->n, 1);
    ck_assert_int_eq(seen->first.files, 3);
    ck_assert_int_eq(seen->first.insertions, 3);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_replaced)
{
    static const char log[] = HEAD(HASH, "M\xfcller", "m@x", "1",
                                   "gr\xfc\xdf"
                                   "e\x01") "\n"
                                            "1\t0\t\xff\0";

    ck_assert(read_log(seen, BYTES(log), 64));
    ck_assert_str_eq(seen->first.name, "M\xef\xbf\xbdller");
    ck_assert(utf8_valid(seen->first.subject, strlen(seen->first.subject)));
    ck_assert_ptr_null(strchr(seen->first.subject, '\x01'));
}
END_TEST

START_TEST(long_names_are_cut_between_characters)
{
    char log[9000] = "\x1e" HASH;
    size_t len = strlen(log) + 1;

    for (int i = 0; i < 3000; i++, len += 2)
        (void)snprintf(log + len, 3, "\xc3\xa9");
    memcpy(log + len, "\0a\0001\0s", 7);
    ck_assert(read_log(seen, log, len + 7, 1000));
    ck_assert_uint_eq(strlen(seen->first.name), GIT_NAME_MAX);
    ck_assert(utf8_valid(seen->first.name, strlen(seen->first.name)));
    ck_assert_str_eq(seen->first.subject, "s");
}
END_TEST

START_TEST(huge_numbers_are_bounded)
{
    static const char log[] = HEAD(HASH, "Ana", "a", "99999999999999999999999",
                                   "s") "\n"
                                        "99999999999999999999\t4294967296\ta\0";

    ck_assert(read_log(seen, BYTES(log), 64));
    ck_assert_int_eq(seen->first.insertions, INT32_MAX);
    ck_assert_int_eq(seen->first.deletions, INT32_MAX);
    ck_assert_int_eq(seen->first.at, INT64_MAX);
}
END_TEST

START_TEST(a_long_hash_is_read)
{
    static const char log[] = HEAD(HASH "0123456789abcdef01234567", "Ana", "a", "-5", "s");

    ck_assert(read_log(seen, BYTES(log), 64));
    ck_assert_uint_eq(strlen(seen->first.hash), 64);
    ck_assert_int_eq(seen->first.at, -5);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
} broken[] = {
    {BYTES("fatal: bad object\0")},
    {BYTES("\x1e"
           "0123\0Ana\0a\0"
           "1\0s\0")},
    {BYTES("\x1e" HASH)},
    {BYTES("\x1e" HASH "\0Ana\0a\0")},
    {BYTES(HEAD(HASH, "Ana", "a", "1", "s") "\n1\t2\ta")},
    {BYTES(HEAD(HASH, "Ana", "a", "1", "s") "\n1\t2\0")},
    {BYTES(HEAD(HASH, "Ana", "a", "1", "s") "\nx\t2\ta\0")},
    {BYTES(HEAD(HASH, "Ana", "a", "1", "s") "\n\t2\ta\0")},
    {BYTES(HEAD(HASH, "Ana", "a", "1", "s") "\n1\t2\t\0old\0")},
    {BYTES(HEAD(HASH, "Ana", "a", "1", "s") "\n1\t2\t\0old\0\0")},
};

START_TEST(what_git_does_not_write_is_refused)
{
    ck_assert_msg(!read_log(seen, broken[_i].bytes, broken[_i].len, 4), "broken output %d", _i);
}
END_TEST

static const struct {
    const char *path;
    enum area area;
} paths[] = {
    {"README.md", AREA_DOCUMENTATION},
    {"a/b.RST", AREA_DOCUMENTATION},
    {"notes.txt", AREA_DOCUMENTATION},
    {"guide.adoc", AREA_DOCUMENTATION},
    {"docs/logo.png", AREA_DOCUMENTATION},
    {"a/docs/x.html", AREA_DOCUMENTATION},
    {"Dockerfile", AREA_DEVOPS},
    {"deploy/Dockerfile.dev", AREA_DEVOPS},
    {"compose.yaml", AREA_DEVOPS},
    {"docker-compose.override.yml", AREA_DEVOPS},
    {".github/workflows/ci.yml", AREA_DEVOPS},
    {".gitlab-ci.yml", AREA_DEVOPS},
    {"deploy/k8s/app.yaml", AREA_DEVOPS},
    {"helm/app/values.yaml", AREA_DEVOPS},
    {"infra/main.tf", AREA_DEVOPS},
    {"Makefile", AREA_DEVOPS},
    {"lib/CMakeLists.txt", AREA_DEVOPS},
    {"x/mal.cmake", AREA_DEVOPS},
    {"a.sql", AREA_DATA},
    {"d/e.csv", AREA_DATA},
    {"n.ipynb", AREA_DATA},
    {"p.parquet", AREA_DATA},
    {"app/migrations/0001.py", AREA_DATA},
    {"index.html", AREA_FRONTEND},
    {"a.css", AREA_FRONTEND},
    {"a.scss", AREA_FRONTEND},
    {"App.tsx", AREA_FRONTEND},
    {"App.jsx", AREA_FRONTEND},
    {"App.vue", AREA_FRONTEND},
    {"App.svelte", AREA_FRONTEND},
    {"web/main.ts", AREA_FRONTEND},
    {"frontend/x.js", AREA_FRONTEND},
    {"src/ui/x.js", AREA_FRONTEND},
    {"src/main.c", AREA_BACKEND},
    {"webby/main.ts", AREA_BACKEND},
    {"web", AREA_BACKEND},
    {".md", AREA_BACKEND},
    {"md", AREA_BACKEND},
    {"a.md/x", AREA_BACKEND},
    {"/", AREA_BACKEND},
    {"", AREA_BACKEND},
};

START_TEST(a_path_tells_its_area)
{
    enum area area = git_area(paths[_i].path);

    ck_assert_msg(area == paths[_i].area, "%s is %s", paths[_i].path, area_names[area]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify history");
    TCase *tcase = tcase_create("history");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, no_output_is_no_commit);
    tcase_add_test(tcase, lines_and_files_are_added_up);
    tcase_add_test(tcase, the_size_of_the_pieces_does_not_matter);
    tcase_add_test(tcase, a_rename_counts_once_by_its_new_path);
    tcase_add_test(tcase, a_binary_file_has_no_lines);
    tcase_add_test(tcase, names_may_look_like_anything);
    tcase_add_test(tcase, paths_may_look_like_anything);
    tcase_add_test(tcase, bytes_that_are_no_text_are_replaced);
    tcase_add_test(tcase, long_names_are_cut_between_characters);
    tcase_add_test(tcase, huge_numbers_are_bounded);
    tcase_add_test(tcase, a_long_hash_is_read);
    tcase_add_loop_test(tcase, what_git_does_not_write_is_refused, 0, (int)ARRAY_SIZE(broken));
    tcase_add_loop_test(tcase, a_path_tells_its_area, 0, (int)ARRAY_SIZE(paths));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
