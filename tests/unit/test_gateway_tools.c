/* SPDX-License-Identifier: Apache-2.0 */
/* The table of tools, REST paths, answers to questions. */
#include "answer.h"
#include "rest_match.h"
#include "servers.h"
#include "skill_uri.h"
#include "suite.h"

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { ALL = 0x1f };

static struct arena arena;
static struct tools *tools;
static struct toolset *set;
static const struct picture no_servers;

static void setup(void)
{
    struct package packages[4];

    ck_assert_int_ge(sodium_init(), 0);
    arena_init(&arena);
    tools = tools_new(packages, packages_all(packages, 4), "mal_delete_skill,mal_update_skill");
    set = toolset_hub(tools, &no_servers);
}

static void teardown(void)
{
    toolset_free(set);
    tools_free(tools);
    arena_done(&arena);
}

static const struct {
    const char *tool;
    unsigned scopes;
    bool seen;
} sights[] = {
    {"mal_get_skill", SCOPE_READ, true},
    {"mal_get_skill", SCOPE_WRITE, false},
    {"mal_register_skill", SCOPE_WRITE, true},
    {"mal_register_skill", SCOPE_READ | SCOPE_DESTRUCTIVE, false},
    {"mal_delete_skill", SCOPE_WRITE, false},
    {"mal_delete_skill", SCOPE_WRITE | SCOPE_DESTRUCTIVE, true},
    {"mal_execute_command", SCOPE_READ | SCOPE_WRITE | SCOPE_DESTRUCTIVE, false},
    {"mal_execute_command", SCOPE_EXECUTE, true},
    {"mal_get_sprint", SCOPE_READ, true},
    {"mal_get_commit_activity", SCOPE_READ, false},
    {"mal_log_interaction", SCOPE_WRITE, true},
    {"mal_delete_project", SCOPE_WRITE, false},
    {"mal_register_team_member", SCOPE_READ | SCOPE_DESTRUCTIVE, false},
    {"mal_no_such", ALL, false},
    {"", ALL, false},
};

START_TEST(a_tool_is_seen_with_its_scopes_only)
{
    ck_assert_int_eq(tools_find(tools, sights[_i].tool, sights[_i].scopes) != NULL,
                     sights[_i].seen);
}
END_TEST

/* Names on all pages, in order, joined by blanks. */
static const char *walk(size_t page, size_t *ret_pages)
{
    const struct principal who = {.scopes = ALL};
    CLEANUP(strbuf_done) struct strbuf names = STRBUF_INIT;
    const char *cursor = NULL;

    *ret_pages = 0;
    config.list_page = (int64_t)page;
    do {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
        struct json json;
        const struct json_node *list;

        strbuf_char(&out, '{');
        ck_assert(toolset_list(set, &out, &who, MCP_2025_11_25, cursor));
        strbuf_char(&out, '}');
        ck_assert_int_eq(json_parse(&arena, out.data, out.len, NULL, &json, NULL), ST_OK);
        list = json_get(&json, json.nodes, "tools");
        ck_assert_uint_le(list->count, page);
        for (const struct json_node *item = json_first(list); item < list + list->span;
             item = json_next(item))
            strbuf_printf(&names, "%s ", json_text(&arena, &json, json_get(&json, item, "name")));
        cursor = json_text(&arena, &json, json_get(&json, json.nodes, "nextCursor"));
        ++*ret_pages;
    } while (cursor != NULL);
    return arena_strdup(&arena, strbuf_cstr(&names));
}

START_TEST(pages_of_any_size_give_the_same_list)
{
    size_t pages;
    const char *whole = walk(1000, &pages);

    ck_assert_uint_eq(pages, 1);
    ck_assert_str_eq(walk(5, &pages), whole);
    ck_assert_uint_ge(pages, 5);
    ck_assert_str_eq(walk(1, &pages), whole);
    ck_assert(strncmp(whole, "mal_list_skills ", 16) == 0);
}
END_TEST

START_TEST(a_cursor_that_is_none_is_refused)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct principal who = {.scopes = ALL};

    ck_assert(!toolset_list(set, &out, &who, MCP_2025_11_25, "rubbish"));
}
END_TEST

START_TEST(older_revisions_are_not_shown_what_they_do_not_know)
{
    const struct tool *tool = tools_find(tools, "mal_get_skill", ALL);

    ck_assert_ptr_nonnull(strstr(tool->shown[TOOL_FULL].data, "\"outputSchema\""));
    ck_assert_ptr_null(strstr(tool->shown[TOOL_ANNOTATED].data, "\"outputSchema\""));
    ck_assert_ptr_nonnull(strstr(tool->shown[TOOL_ANNOTATED].data, "\"annotations\""));
    ck_assert_ptr_null(strstr(tool->shown[TOOL_OLDEST].data, "\"annotations\""));
    ck_assert_int_eq(tools_form(MCP_2024_11_05), TOOL_OLDEST);
    ck_assert_int_eq(tools_form(MCP_2025_03_26), TOOL_ANNOTATED);
    ck_assert_int_eq(tools_form(MCP_2026_07_28), TOOL_FULL);
}
END_TEST

START_TEST(a_listed_tool_without_confirm_gets_one)
{
    const struct tool *added = tools_find(tools, "mal_update_skill", ALL);
    const struct tool *own = tools_find(tools, "mal_delete_skill", ALL);
    const struct tool *other = tools_find(tools, "mal_register_skill", ALL);
    struct json json;

    ck_assert(added->guarded && !own->guarded && own->own_confirm && !other->guarded);
    ck_assert_int_eq(
        json_parse(&arena, added->input_schema, strlen(added->input_schema), NULL, &json, NULL),
        ST_OK);
    ck_assert_ptr_nonnull(json_path(&json, json.nodes, "properties", "confirm", "type", NULL));
    ck_assert_ptr_nonnull(json_path(&json, json.nodes, "properties", "id", NULL));
    ck_assert_ptr_null(strstr(other->input_schema, "\"confirm\""));
}
END_TEST

static const struct {
    const char *tool;
    bool large;
} sizes[] = {
    {"mal_import_catalog", true},          {"mal_log_interaction", true},
    {"mal_bulk_update_work_items", false}, {"mal_register_skill", false},
    {"mal_register_command", false},
};

START_TEST(only_requests_whose_texts_add_up_to_more_get_the_large_limit)
{
    const struct tool *tool = tools_find(tools, sizes[_i].tool, ALL);

    ck_assert_int_eq(tools_text_bytes(tool->rpc->request) > 1048576, sizes[_i].large);
}
END_TEST

static const struct {
    const char *template, *path, *vars; /* NULL: no match */
} paths[] = {
    {"/api/v1/skills", "/api/v1/skills", ""},
    {"/api/v1/skills", "/api/v1/skills/", NULL},
    {"/api/v1/skills", "/api/v1/skill", NULL},
    {"/api/v1/skills/{id}", "/api/v1/skills/x", "id=x;"},
    {"/api/v1/skills/{id}", "/api/v1/skills/", NULL},
    {"/api/v1/skills/{id}", "/api/v1/skills/x/y", NULL},
    {"/api/v1/skills/{id}/content", "/api/v1/skills/x/content", "id=x;"},
    {"/a/{b}/{c}", "/a/1/2", "b=1;c=2;"},
};

START_TEST(paths_match_their_templates)
{
    struct wire_param vars[REST_VARS_MAX];
    CLEANUP(strbuf_done) struct strbuf got = STRBUF_INIT;
    size_t n;
    bool matches = rest_match(&arena, paths[_i].template, paths[_i].path, vars, &n);

    ck_assert_int_eq(matches, paths[_i].vars != NULL);
    if (!matches)
        return;
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&got, "%s=%s;", vars[i].name, vars[i].value);
    ck_assert_str_eq(strbuf_cstr(&got), paths[_i].vars);
}
END_TEST

START_TEST(queries_are_decoded_and_bounded)
{
    struct wire_param params[4];
    size_t n = 0;

    ck_assert(rest_query(&arena, "a=1&b=x%20y+z&&c", params, 4, &n));
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(params[1].value, "x y z");
    ck_assert_str_eq(params[2].value, "");
    n = 0;
    ck_assert(!rest_query(&arena, "a=%2", params, 4, &n));
    n = 0;
    ck_assert(!rest_query(&arena, "a=%00", params, 4, &n));
    n = 0;
    ck_assert(!rest_query(&arena, "a=%zz", params, 4, &n));
    n = 0;
    ck_assert(!rest_query(&arena, "a&b&c&d&e", params, 4, &n));
}
END_TEST

static const struct {
    const char *uri, *id;
} uris[] = {
    {"skill://docker-x/SKILL.md", "docker-x"},
    {"skill:///SKILL.md", NULL},
    {"skill://a/b/SKILL.md", NULL},
    {"skill://../SKILL.md", NULL},
    {"skill://a/SKILL.mdx", NULL},
    {"file://a/SKILL.md", NULL},
    {"skill://A/SKILL.md", NULL},
    {"", NULL},
};

START_TEST(only_uris_of_skills_name_one)
{
    const char *id = skill_uri_id(&arena, uris[_i].uri);

    if (uris[_i].id == NULL)
        ck_assert_ptr_null(id);
    else
        ck_assert_str_eq(id, uris[_i].id);
}
END_TEST

static const struct {
    const char *result;
    bool read;
    enum answer answer;
} answers[] = {
    {"{\"action\":\"accept\",\"content\":{\"confirm\":true}}", true, ANSWER_YES},
    {"{\"action\":\"accept\",\"content\":{\"confirm\":false}}", true, ANSWER_NO},
    {"{\"action\":\"accept\",\"content\":{}}", true, ANSWER_NONE},
    {"{\"action\":\"accept\",\"content\":{\"confirm\":\"true\"}}", true, ANSWER_NONE},
    {"{\"action\":\"accept\"}", true, ANSWER_NONE},
    {"{\"action\":\"decline\",\"content\":{\"confirm\":true}}", true, ANSWER_NO},
    {"{\"action\":\"cancel\"}", true, ANSWER_NO},
    {"{\"action\":\"ok\"}", false, ANSWER_NONE},
    {"{}", false, ANSWER_NONE},
    {"5", false, ANSWER_NONE},
};

START_TEST(only_a_clear_yes_is_one)
{
    struct json json;
    enum answer answer = ANSWER_NONE;

    ck_assert_int_eq(
        json_parse(&arena, answers[_i].result, strlen(answers[_i].result), NULL, &json, NULL),
        ST_OK);
    ck_assert_int_eq(answer_read(&json, json.nodes, &answer), answers[_i].read);
    if (answers[_i].read)
        ck_assert_int_eq(answer, answers[_i].answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_tools");
    TCase *tcase = tcase_create("tools");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_tool_is_seen_with_its_scopes_only, 0, (int)ARRAY_SIZE(sights));
    tcase_add_test(tcase, pages_of_any_size_give_the_same_list);
    tcase_add_test(tcase, a_cursor_that_is_none_is_refused);
    tcase_add_test(tcase, older_revisions_are_not_shown_what_they_do_not_know);
    tcase_add_test(tcase, a_listed_tool_without_confirm_gets_one);
    tcase_add_loop_test(tcase, only_requests_whose_texts_add_up_to_more_get_the_large_limit, 0,
                        (int)ARRAY_SIZE(sizes));
    tcase_add_loop_test(tcase, paths_match_their_templates, 0, (int)ARRAY_SIZE(paths));
    tcase_add_test(tcase, queries_are_decoded_and_bounded);
    tcase_add_loop_test(tcase, only_uris_of_skills_name_one, 0, (int)ARRAY_SIZE(uris));
    tcase_add_loop_test(tcase, only_a_clear_yes_is_one, 0, (int)ARRAY_SIZE(answers));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
