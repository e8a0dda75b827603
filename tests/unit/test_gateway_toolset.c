/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint of the hub offers: lists, pages, names. */
#include "keylist.h"
#include "mcp/seal.h"
#include "servers.h"
#include "suite.h"

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"
#define TOOL(name) "{\"name\":\"" name "\",\"description\":\"Does " name ".\"," SCHEMA "}"

static struct arena arena;
static struct tools *tools;
static struct server server;
static struct picture picture;
static struct toolset *set;
static const struct principal everyone = {.scopes = SCOPES_ALL};

static void setup(void)
{
    struct package packages[4];

    ck_assert_int_ge(sodium_init(), 0);
    arena_init(&arena);
    tools = tools_new(packages, packages_all(packages, 4), "");
    config.list_page = 1000;
}

static void teardown(void)
{
    toolset_free(set);
    definitions_unref(server.definitions);
    tools_free(tools);
    arena_done(&arena);
}

/* A server far whose tools have these names in /mcp: tool, name, alias or NULL. */
static void serve(const char *definitions, const char *const (*names)[3], size_t n)
{
    McpHealth__Definitions *record = malloc(sizeof(*record));
    McpHealth__Server *row = arena_alloc(&arena, sizeof(*row));
    McpHealth__Policy *policy = arena_alloc(&arena, sizeof(*policy));
    McpHealth__Names *shown = arena_alloc(&arena, sizeof(*shown));

    ck_assert_ptr_nonnull(record);
    mcp_health__definitions__init(record);
    record->tools = strdup(definitions);
    record->protocol_version = strdup("2025-11-25");
    mcp_health__server__init(row);
    mcp_health__policy__init(policy);
    mcp_health__names__init(shown);
    row->id = "far";
    row->status = MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE;
    row->policy = policy;
    policy->expose = true;
    shown->tools = arena_alloc(&arena, n * sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        McpHealth__ToolName *name = arena_alloc(&arena, sizeof(*name));

        mcp_health__tool_name__init(name);
        name->tool = names[i][0];
        name->name = names[i][1];
        name->n_aliases = names[i][2] != NULL;
        name->aliases = (const char **)(void *)arena_memdup(&arena, &names[i][2], sizeof(char *));
        shown->tools[shown->n_tools++] = name;
    }
    server = (struct server){.config = row, .definitions = definitions_new(record), .names = shown};
    picture = (struct picture){.n = 1, .servers = &server};
    set = toolset_hub(tools, &picture);
}

static const char *const three[][3] = {
    {"echo", "far_echo", "echo"}, {"sum", "sum", NULL}, {"gone", "gone", NULL}};

static void serve_three(void)
{
    serve("[" TOOL("sum") "," TOOL("echo") "]", three, 3);
}

/* One page; *cursor is the next one, NULL at the end. */
static const char *page(const struct principal *who, enum mcp_version version, const char **cursor)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct json json;
    const char *text;

    strbuf_char(&out, '{');
    ck_assert(toolset_list(set, &out, who, version, *cursor));
    strbuf_char(&out, '}');
    text = arena_memdup(&arena, out.data, out.len);
    ck_assert_int_eq(json_parse(&arena, text, out.len, NULL, &json, NULL), ST_OK);
    *cursor = json_text(&arena, &json, json_get(&json, json.nodes, "nextCursor"));
    return text;
}

static const char *list(const struct principal *who, enum mcp_version version)
{
    const char *cursor = NULL;

    return page(who, version, &cursor);
}

START_TEST(exposed_tools_are_listed_under_their_names_behind_the_hubs_own)
{
    const char *text;

    serve_three();
    text = list(&everyone, MCP_2025_11_25);
    ck_assert_ptr_nonnull(strstr(text, "\"mal_list_skills\""));
    ck_assert_ptr_nonnull(strstr(text,
                                 ",{\"name\":\"far_echo\",\"description\":\"Does echo.\"," SCHEMA
                                 "},{\"name\":\"sum\",\"description\":\"Does sum.\"," SCHEMA "}]"));
    ck_assert_ptr_null(strstr(text, "\"gone\""));
}
END_TEST

START_TEST(old_names_are_found_and_not_listed)
{
    serve_three();
    ck_assert_str_eq(toolset_find(set, "echo")->tool, "echo");
    ck_assert_str_eq(toolset_find(set, "far_echo")->tool, "echo");
    ck_assert_ptr_null(toolset_find(set, "gone"));
    ck_assert_ptr_null(toolset_find(set, ""));
    ck_assert_ptr_null(strstr(list(&everyone, MCP_2025_11_25), "\"name\":\"echo\""));
}
END_TEST

START_TEST(a_tool_is_there_for_keys_that_may_execute_at_its_server_only)
{
    static const char *const servers[] = {"other"};
    const struct principal reader = {.scopes = SCOPES_ALL & ~(unsigned)SCOPE_EXECUTE};
    const struct principal narrow = {.scopes = SCOPES_ALL, .servers = servers, .n_servers = 1};

    serve_three();
    ck_assert_ptr_null(strstr(list(&reader, MCP_2025_11_25), "far_echo"));
    ck_assert_ptr_null(strstr(list(&narrow, MCP_2025_11_25), "far_echo"));
    ck_assert(!toolset_visible(set, toolset_find(set, "sum"), &narrow));
    ck_assert(toolset_visible(set, toolset_find(set, "sum"), &everyone));
}
END_TEST

START_TEST(pages_go_on_behind_a_tool_that_has_gone_meanwhile)
{
    CLEANUP(strbuf_done) struct strbuf cursor = STRBUF_INIT;
    const char *next;

    serve_three();
    mcp_cursor_put(&cursor, 't', "far_gone");
    next = cursor.data;
    ck_assert_int_eq(
        strncmp(page(&everyone, MCP_2025_11_25, &next), "{\"tools\":[{\"name\":\"sum\"", 23), 0);
    ck_assert_ptr_null(next);
}
END_TEST

START_TEST(pages_end_without_a_cursor_when_nothing_visible_follows)
{
    const struct principal reader = {.scopes = SCOPE_READ};
    const char *cursor = NULL;
    size_t pages = 0;

    serve_three();
    config.list_page = 7;
    do {
        (void)page(&reader, MCP_2025_11_25, &cursor);
        ck_assert_uint_lt(++pages, 20);
    } while (cursor != NULL);
    ck_assert_uint_ge(pages, 3);
}
END_TEST

START_TEST(a_server_that_is_switched_off_offers_nothing)
{
    McpHealth__Server *row;

    serve_three();
    row = (McpHealth__Server *)(uintptr_t)server.config;
    row->status = MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_INACTIVE;
    toolset_free(set);
    set = toolset_hub(tools, &picture);
    ck_assert_ptr_null(toolset_find(set, "sum"));
    row->status = MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR;
    toolset_free(set);
    set = toolset_hub(tools, &picture);
    ck_assert_ptr_nonnull(toolset_find(set, "sum"));
}
END_TEST

START_TEST(a_tool_with_wrong_annotations_of_headers_is_left_out)
{
    static const char *const names[][3] = {{"a", "a", NULL}, {"b", "b", NULL}};

    serve("[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
          "\"string\",\"x-mcp-header\":\"no good\"}}}}," TOOL("b") "]",
          names, 2);
    ck_assert_ptr_null(toolset_find(set, "a"));
    ck_assert_ptr_nonnull(toolset_find(set, "b"));
}
END_TEST

START_TEST(two_sets_are_the_same_when_their_lists_are)
{
    struct toolset *again, *other;

    serve_three();
    again = toolset_hub(tools, &picture);
    ck_assert(toolset_same(set, again));
    server.names->tools[1]->name = "total";
    other = toolset_hub(tools, &picture);
    ck_assert(!toolset_same(set, other));
    ck_assert(!toolset_same(set, NULL));
    toolset_free(again);
    toolset_free(other);
}
END_TEST

static McpHealth__VirtualTool *chosen(const char *from, const char *tool, const char *name,
                                      const char *description, const char *annotations)
{
    McpHealth__VirtualTool *one = arena_alloc(&arena, sizeof(*one));

    mcp_health__virtual_tool__init(one);
    one->server = from;
    one->tool = tool;
    one->name = name;
    one->description = description;
    one->annotations = annotations;
    return one;
}

START_TEST(a_virtual_server_lists_what_was_chosen_as_it_is_to_be_shown)
{
    McpHealth__VirtualTool *all[] = {
        chosen("far", "sum", "total", "Adds.", "{\"readOnlyHint\":true}"),
        chosen("", "mal_get_skill", "", "", ""), chosen("far", "nothing", "", "", ""),
        chosen("", "mal_nothing", "", "", ""), chosen("none", "x", "", "", "")};
    McpHealth__Virtual virtual = MCP_HEALTH__VIRTUAL__INIT;
    const char *text;

    serve_three();
    toolset_free(set);
    virtual.id = "mix";
    virtual.n_tools = ARRAY_SIZE(all);
    virtual.tools = all;
    set = toolset_virtual(tools, &picture, &virtual);
    ck_assert_uint_eq(set->n, 2);
    text = list(&everyone, MCP_2025_11_25);
    ck_assert_int_eq(
        strncmp(text,
                "{\"tools\":[{\"name\":\"total\",\"description\":\"Adds.\",\"annotations\":{"
                "\"readOnlyHint\":true}," SCHEMA "},{\"name\":\"mal_get_skill\"",
                120),
        0);
    ck_assert_ptr_null(strstr(list(&everyone, MCP_2024_11_05), "annotations"));
    ck_assert_str_eq(toolset_find(set, "total")->tool, "sum");
    ck_assert_ptr_null(toolset_find(set, "sum"));
    ck_assert_ptr_nonnull(toolset_find(set, "mal_get_skill")->own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_toolset");
    TCase *tcase = tcase_create("toolset");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, exposed_tools_are_listed_under_their_names_behind_the_hubs_own);
    tcase_add_test(tcase, old_names_are_found_and_not_listed);
    tcase_add_test(tcase, a_tool_is_there_for_keys_that_may_execute_at_its_server_only);
    tcase_add_test(tcase, pages_go_on_behind_a_tool_that_has_gone_meanwhile);
    tcase_add_test(tcase, pages_end_without_a_cursor_when_nothing_visible_follows);
    tcase_add_test(tcase, a_server_that_is_switched_off_offers_nothing);
    tcase_add_test(tcase, a_tool_with_wrong_annotations_of_headers_is_left_out);
    tcase_add_test(tcase, two_sets_are_the_same_when_their_lists_are);
    tcase_add_test(tcase, a_virtual_server_lists_what_was_chosen_as_it_is_to_be_shown);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
