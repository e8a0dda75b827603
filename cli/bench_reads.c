/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench team: the tools that read, on the data set of a large team. */
#include "bench_reads.h"

#include "base/clock.h"
#include "bench_data.h"
#include "bench_plans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct read {
    const char *tool, *arguments;
} reads[] = {
    {"mal_list_projects", "{}"},
    {"mal_get_project", "{\"id\":\"bench-001\"}"},
    {"mal_list_sprints", "{}"},
    {"mal_list_sprints", "{\"project_id\":\"bench-001\",\"status\":\"completed\"}"},
    {"mal_get_sprint", "{\"id\":\"bench-001-sprint-19\"}"},
    {"mal_list_work_items", "{}"},
    {"mal_list_work_items", "{\"limit\":100,\"offset\":1000}"},
    {"mal_list_work_items", "{\"sprint_id\":\"bench-001-sprint-19\"}"},
    {"mal_list_work_items", "{\"project_id\":\"bench-001\",\"status\":\"todo\"}"},
    {"mal_list_work_items", "{\"assignee\":\"bench-008\",\"type\":\"bug\"}"},
    {"mal_list_work_items", "{\"status\":\"in_progress\",\"priority\":\"critical\"}"},
    {"mal_list_work_items", "{\"labels\":\"blocked\"}"},
    {"mal_get_work_item", "{\"id\":\"BABX-51\"}"},
    {"mal_list_interactions", "{}"},
    {"mal_list_interactions", "{\"user_id\":\"bench-008\"}"},
    {"mal_list_interactions", "{\"sprint_id\":\"bench-001-sprint-9\"}"},
    {"mal_list_interactions", "{\"tags\":\"planning\",\"source\":\"api\"}"},
    {"mal_get_interaction", "{\"id\":\"bench-17\"}"},
    {"mal_search_interactions", "{\"query\":\"kernel8 quota\"}"},
    {"mal_search_interactions", "{\"query\":\"\\\"account alert\\\"\"}"},
    {"mal_search_interactions", "{\"query\":\"account\",\"user_id\":\"bench-008\"}"},
    {"mal_get_sprint_report", "{\"sprint_id\":\"bench-001-sprint-19\"}"},
    {"mal_run_retrospective", "{\"sprint_id\":\"bench-001-sprint-18\"}"},
    {"mal_get_team_member", "{\"id\":\"bench-008\"}"},
    {"mal_list_team_members", "{}"},
    {"mal_get_leaderboard", "{}"},
    {"mal_get_leaderboard", "{\"period\":\"week\"}"},
    {"mal_get_leaderboard", "{\"project_id\":\"bench-001\"}"},
    {"mal_get_leaderboard", "{\"project_id\":\"bench-001\",\"period\":\"sprint\"}"},
    {"mal_get_achievements", "{\"user_id\":\"bench-008\"}"},
    {"mal_list_skills", "{}"},
    {"mal_search_skills", "{\"query\":\"deploy\"}"},
    {"mal_search_catalog", "{\"query\":\"git\"}"},
    {"mal_list_commands", "{}"},
    {"mal_list_mcps", "{}"},
    {"mal_list_subagents", "{}"},
    {"mal_get_usage_stats", "{}"},
    {"mal_get_audit_log", "{}"},
    {"mal_get_audit_log", "{\"tool_name\":\"mal_get_sprint\",\"user_key\":\"key-8\"}"},
    {"mal_get_audit_log", "{\"success\":false}"},
    {"mal_get_audit_log", "{\"resource_id\":\"bench-skill-7\"}"},
    {"mal_get_tool_usage_stats", "{\"days\":7}"},
    {"mal_get_tool_usage_stats", "{\"days\":365}"},
};

static enum status measure(struct arena *arena, const struct bench_stack *stack,
                           const struct read *read, int seconds, struct bench_load *ret_load,
                           struct error *err)
{
    struct bench_target target = {
        .url = stack->url,
        .key = stack->key,
        .method = "tools/call",
        .name = read->tool,
        .params =
            arena_printf(arena, "\"name\":\"%s\",\"arguments\":%s", read->tool, read->arguments),
        .words = "\"isError\":false",
    };

    TRY(bench_check(arena, &target, err));
    return bench_call(arena, &target, 1, seconds, ret_load, err);
}

/* Every read-only tool of sprint, gamify and catalog through the gateway, one
 * caller, that many seconds each. */
static enum status read_all(struct arena *arena, const struct bench_stack *stack, int seconds,
                            struct strbuf *report, struct error *err)
{
    strbuf_str(report, "\nTools that read, on the work of a large team, one caller\n"
                       "   calls/s    p50 us    p99 us\n");
    for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
        struct bench_load load = {0};

        TRY(measure(arena, stack, &reads[i], seconds, &load, err));
        strbuf_printf(report, "  %8.0f  %8ld  %8ld  %s %s\n", load.rps, load.p50_us, load.p99_us,
                      reads[i].tool + strlen("mal_"), reads[i].arguments);
    }
    return ST_OK;
}

static const char team_help[] =
    "Usage: mal bench team [--scale F] [--seconds N]\n\n"
    "Starts a throw-away hub with the data set of mal bench data, measures every tool\n"
    "that reads, and looks at the plans of the queries behind them.\n\n"
    "  --scale F     so many times the usual data, 0.01 to 4 (default 1)\n"
    "  --seconds N   length of each measurement (default 1)\n";

static enum status run(struct arena *arena, const struct bench_data *data, int seconds,
                       struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf report = STRBUF_INIT;
    struct bench_stack stack = {0};
    enum status status = bench_stack_start(arena, &stack, err);

    if (status == ST_OK)
        status = bench_team(arena, &stack, data, seconds, &report, err);
    bench_stack_stop(&stack);
    (void)fputs(strbuf_cstr(&report), stdout);
    return status;
}

enum status bench_team(struct arena *arena, const struct bench_stack *stack,
                       const struct bench_data *data, int seconds, struct strbuf *report,
                       struct error *err)
{
    TRY(bench_data_load(arena, stack->pg_url, data, report, err));
    TRY(read_all(arena, stack, seconds, report, err));
    strbuf_char(report, '\n');
    return bench_plans(arena, stack->pg_url, report, err);
}

int cmd_bench_team(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct bench_data data = {.scale = 1, .seed = "1", .today = bench_today(&arena)};
    struct error err = {0};
    const char *value;
    int seconds = 1;

    for (int i = 1; i < argc; i++) {
        if ((value = cli_option(argc, argv, &i, "--scale")))
            data.scale = strtod(value, NULL);
        else if ((value = cli_option(argc, argv, &i, "--seconds")))
            seconds = (int)strtol(value, NULL, 10);
        else if (cli_flag(argv[i], "--help"))
            return fputs(team_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            return cli_usage("bench team: '%s' is one word too many", argv[i]);
    }
    if (!(data.scale >= 0.01 && data.scale <= 4) || seconds < 1 || seconds > 60)
        return cli_usage("--scale takes a number from 0.01 to 4, --seconds one from 1 to 60");
    return run(&arena, &data, seconds, &err) == ST_OK ? EXIT_DONE : cli_fail(&err);
}
