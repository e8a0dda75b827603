/* SPDX-License-Identifier: Apache-2.0 */
/* The reference servers from npm as children of a runner; skipped where they are
 * not installed (npm ci in tests/e2e). */
#include "runner_fixture.h"

#include <limits.h>

#define MODULES "tests/e2e/node_modules/@modelcontextprotocol/server-"

enum { SKIPPED = 77 };

static const char *script_of; /* name of the package */
static const char *folder;    /* a further argument */

static void node(McpHealth__Server *server, McpHealth__Policy *policy)
{
    static char path[PATH_MAX];
    static const char *args[2] = {path};
    static Mal__Pair memory = MAL__PAIR__INIT, *env[] = {&memory};

    (void)policy;
    ck_assert_ptr_nonnull(
        realpath(arena_printf(&arena, MODULES "%s/dist/index.js", script_of), path));
    args[1] = folder;
    server->command = "node";
    server->args = args;
    server->n_args = folder ? 2 : 1;
    memory.key = "MEMORY_FILE_PATH";
    memory.value = arena_printf(&arena, "%s/%s/memory.json", homes, server->id);
    server->env_vars = env;
    server->n_env_vars = 1;
}

static void install(const char *id, const char *package, const char *argument)
{
    script_of = package;
    folder = argument;
    tell(id, "", node);
}

/* The request's result as JSON, once the server is known. */
static const char *ask(const char *server, const char *method, const char *params)
{
    struct remote_request request = {.server = server,
                                     .method = method,
                                     .params = params,
                                     .deadline_ms = clock_mono_ms() + WAIT_MS};
    struct remote_exchange *x = NULL;
    struct downstream_message msg = {0};
    struct error err = {0};
    const char *text = NULL;
    size_t len;

    ck_assert_msg(remote_begin(bus, &request, &x, &err) == ST_OK, "%s", err.message);
    do
        ck_assert_msg(remote_next(x, -1, &msg, &err) == ST_OK, "%s; log: %s", err.message,
                      logged(0));
    while (msg.kind == DOWNSTREAM_NOTIFICATION);
    const char *raw = json_raw(&msg.json, msg.result ? msg.result : msg.error, &len);
    text = arena_memdup(&arena, raw, len);
    remote_end(x);
    return text;
}

#define SAYS(server, method, params, words)                                                        \
    do {                                                                                           \
        const char *says_ = ask(server, method, params);                                           \
        ck_assert_msg(strstr(says_, words) != NULL, "%s is not in %s", words, says_);              \
    } while (0)

static void known(const char *id)
{
    AWAIT(call(id, "none", "{}").err.reason == NULL);
}

START_TEST(everything_answers_reports_progress_and_hears_of_a_cancel)
{
    struct outcome out = {0};
    struct remote_exchange *x = NULL;

    install("all", "everything", NULL);
    known("all");
    SAYS("all", "tools/list", "{}", "\"trigger-long-running-operation\"");
    SAYS("all", "tools/call", "{\"name\":\"echo\",\"arguments\":{\"message\":\"hej\"}}",
         "Echo: hej");
    SAYS("all", "resources/list", "{}", "\"resources\"");
    SAYS("all", "prompts/list", "{}", "\"prompts\"");
    struct remote_request request =
        tool("all", "trigger-long-running-operation", "{\"duration\":1,\"steps\":4}");
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    pull(x, &out, NULL);
    remote_end(x);
    ck_assert_msg(out.status == ST_OK, "%s", out.err.message);
    ck_assert_int_eq(out.notifications, 4);
    request = tool("all", "trigger-long-running-operation", "{\"duration\":15,\"steps\":4}");
    ck_assert_int_eq(remote_begin(bus, &request, &x, &out.err), ST_OK);
    remote_cancel(x);
    pull(x, &out, NULL);
    remote_end(x);
    ck_assert_str_eq(out.err.reason, "MCP_CANCELLED");
    SAYS("all", "tools/call", "{\"name\":\"get-sum\",\"arguments\":{\"a\":20,\"b\":22}}", "42");
}
END_TEST

START_TEST(memory_keeps_its_graph_when_its_child_is_started_anew)
{
    install("mem", "memory", NULL);
    known("mem");
    SAYS("mem", "tools/call",
         "{\"name\":\"create_entities\",\"arguments\":{\"entities\":[{\"name\":\"ana\","
         "\"entityType\":\"person\",\"observations\":[\"likes C\"]}]}}",
         "ana");
    stop_runner(0, SIGKILL);
    start_runner(0);
    SAYS("mem", "tools/call", "{\"name\":\"read_graph\",\"arguments\":{}}", "likes C");
}
END_TEST

START_TEST(filesystem_serves_its_folder_and_nothing_beside_it)
{
    const char *home = arena_printf(&arena, "%s/files", homes);

    install("files", "filesystem", home);
    known("files");
    SAYS("files", "tools/call",
         arena_printf(&arena,
                      "{\"name\":\"write_file\",\"arguments\":{\"path\":\"%s/a.txt\","
                      "\"content\":\"written\"}}",
                      home),
         "Successfully");
    SAYS("files", "tools/call",
         arena_printf(&arena, "{\"name\":\"read_text_file\",\"arguments\":{\"path\":\"%s/a.txt\"}}",
                      home),
         "written");
    SAYS("files", "tools/call",
         "{\"name\":\"read_text_file\",\"arguments\":{\"path\":\"/etc/passwd\"}}", "isError");
}
END_TEST

START_TEST(sequential_thinking_thinks_on_in_one_child)
{
    install("think", "sequential-thinking", NULL);
    known("think");
    for (int i = 1; i <= 3; i++)
        SAYS("think", "tools/call",
             arena_printf(&arena,
                          "{\"name\":\"sequentialthinking\",\"arguments\":{\"thought\":\"t\","
                          "\"thoughtNumber\":%d,\"totalThoughts\":3,"
                          "\"nextThoughtNeeded\":%s}}",
                          i, i < 3 ? "true" : "false"),
             arena_printf(&arena, "\\\"thoughtHistoryLength\\\": %d", i));
    ck_assert_int_eq(children_of(runners[0].pid), 1);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("runner_npm");
    TCase *tcase = tcase_create("npm");

    if (argc == 1 &&
        (access(MODULES "everything", R_OK) != 0 || access("/usr/bin/node", X_OK) != 0))
        return SKIPPED;
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, everything_answers_reports_progress_and_hears_of_a_cancel);
    tcase_add_test(tcase, memory_keeps_its_graph_when_its_child_is_started_anew);
    tcase_add_test(tcase, filesystem_serves_its_folder_and_nothing_beside_it);
    tcase_add_test(tcase, sequential_thinking_thinks_on_in_one_child);
    suite_add_tcase(suite, tcase);
    return runner_tests(argc, argv, suite);
}
