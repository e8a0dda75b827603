/* SPDX-License-Identifier: Apache-2.0 */
/* Names of downstream tools in /mcp. */
#include "naming.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LONG_NAME "a_tool_with_a_name_that_goes_on_and_on_until_it_is_longer_than_any_client_takes"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

struct want {
    const char *server, *tool;
    enum naming naming;
    const char *name; /* NULL = none */
};

static void choose(struct named_tool *tools, const struct want *wants, size_t n,
                   const struct given_name *given, size_t n_given)
{
    for (size_t i = 0; i < n; i++)
        tools[i] = (struct named_tool){.server = wants[i].server,
                                       .tool = wants[i].tool,
                                       .naming = wants[i].naming,
                                       .prefix = wants[i].server};
    names_choose(&arena, tools, n, given, n_given);
}

static void expect(const struct want *wants, size_t n, const struct given_name *given,
                   size_t n_given)
{
    struct named_tool tools[8];

    choose(tools, wants, n, given, n_given);
    for (size_t i = 0; i < n; i++) {
        if (wants[i].name)
            ck_assert_str_eq(tools[i].name ? tools[i].name : "(none)", wants[i].name);
        else
            ck_assert_ptr_null(tools[i].name);
    }
}

#define EXPECT(...)                                                                                \
    expect((const struct want[]){__VA_ARGS__},                                                     \
           sizeof((const struct want[]){__VA_ARGS__}) / sizeof(struct want), NULL, 0)

START_TEST(a_prefix_comes_where_two_names_are_equal_only)
{
    EXPECT({"a", "echo", NAMING_ON_CONFLICT, "a_echo"}, {"b", "echo", NAMING_ON_CONFLICT, "b_echo"},
           {"b", "sum", NAMING_ON_CONFLICT, "sum"});
}
END_TEST

START_TEST(with_always_every_name_has_its_prefix)
{
    EXPECT({"a", "echo", NAMING_ALWAYS, "a_echo"}, {"b", "sum", NAMING_ALWAYS, "b_sum"});
}
END_TEST

START_TEST(with_never_the_first_of_two_equal_names_stays)
{
    EXPECT({"a", "echo", NAMING_NEVER, "echo"}, {"b", "echo", NAMING_NEVER, NULL},
           {"c", "echo", NAMING_ON_CONFLICT, "c_echo"});
}
END_TEST

START_TEST(no_tool_gets_a_name_of_the_hubs_own)
{
    EXPECT({"a", "mal_get_skill", NAMING_ON_CONFLICT, "a_mal_get_skill"},
           {"a", "call-tool", NAMING_ON_CONFLICT, "a_call-tool"},
           {"b", "mal_get_skill", NAMING_NEVER, NULL}, {"mal", "x", NAMING_ALWAYS, "mcp_mal_x"});
}
END_TEST

START_TEST(what_no_client_takes_becomes_an_underscore)
{
    EXPECT({"a", "get file/Größe", NAMING_ON_CONFLICT, "get_file_Gr__e"},
           {"a", "x.y-z_1", NAMING_ON_CONFLICT, "x.y-z_1"});
}
END_TEST

START_TEST(names_that_become_equal_are_told_apart)
{
    const struct want wants[] = {{"a", "x y", NAMING_ON_CONFLICT, NULL},
                                 {"a", "x_y", NAMING_ON_CONFLICT, NULL},
                                 {"a", "x/y", NAMING_ALWAYS, NULL}};
    struct named_tool tools[3];

    choose(tools, wants, 3, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(tools[i].name);
        ck_assert_int_eq(strncmp(tools[i].name, "a_x_y", 5), 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(tools[i].name, tools[j].name);
    }
}
END_TEST

START_TEST(a_long_name_is_cut_to_64_characters_with_a_hash_that_stays)
{
    const struct want wants[] = {{"a", LONG_NAME "_1", NAMING_ON_CONFLICT, NULL},
                                 {"a", LONG_NAME "_2", NAMING_ON_CONFLICT, NULL},
                                 {"b", LONG_NAME "_1", NAMING_ALWAYS, NULL}};
    struct named_tool all[3], alone[1];

    choose(all, wants, 3, NULL, 0);
    choose(alone, wants + 1, 1, NULL, 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(strlen(all[i].name), SHOWN_NAME_MAX);
    ck_assert_str_ne(all[0].name, all[1].name);
    ck_assert_str_ne(all[0].name, all[2].name);
    ck_assert_str_eq(all[1].name, alone[0].name);
    ck_assert_int_eq(strncmp(all[1].name, LONG_NAME, 55), 0);
}
END_TEST

START_TEST(a_name_that_was_given_never_means_another_tool)
{
    const struct given_name given[] = {{"echo", "gone", "echo"}, {"sum", "b", "sum"}};
    const struct want wants[] = {{"a", "echo", NAMING_ON_CONFLICT, "a_echo"},
                                 {"b", "echo", NAMING_NEVER, NULL},
                                 {"b", "sum", NAMING_ON_CONFLICT, "sum"}};

    expect(wants, 3, given, 2);
}
END_TEST

START_TEST(names_do_not_depend_on_the_order_of_servers)
{
    const struct want wants[] = {{"a", "echo", NAMING_ON_CONFLICT, NULL},
                                 {"b", "echo", NAMING_ALWAYS, NULL},
                                 {"c", "echo", NAMING_ON_CONFLICT, NULL},
                                 {"d", "b_echo", NAMING_ON_CONFLICT, NULL}};
    struct named_tool there[4], back[4];
    struct want reversed[4];

    for (size_t i = 0; i < 4; i++)
        reversed[3 - i] = wants[i];
    choose(there, wants, 4, NULL, 0);
    choose(back, reversed, 4, NULL, 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(there[i].name, back[3 - i].name);
    ck_assert_str_eq(there[1].name, "b_echo");
    ck_assert_str_eq(there[3].name, "d_b_echo");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health_naming");
    TCase *tcase = tcase_create("naming");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_prefix_comes_where_two_names_are_equal_only);
    tcase_add_test(tcase, with_always_every_name_has_its_prefix);
    tcase_add_test(tcase, with_never_the_first_of_two_equal_names_stays);
    tcase_add_test(tcase, no_tool_gets_a_name_of_the_hubs_own);
    tcase_add_test(tcase, what_no_client_takes_becomes_an_underscore);
    tcase_add_test(tcase, names_that_become_equal_are_told_apart);
    tcase_add_test(tcase, a_long_name_is_cut_to_64_characters_with_a_hash_that_stays);
    tcase_add_test(tcase, a_name_that_was_given_never_means_another_tool);
    tcase_add_test(tcase, names_do_not_depend_on_the_order_of_servers);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
