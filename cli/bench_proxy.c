/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench proxy: a tool that echoes, called directly, through the hub and
 * through other gateways, all in turn. */
#include "bench_proxy.h"

#include "base/clock.h"
#include "bench_findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { READY_MS = 60000 };

static const char proxy_help[] =
    "Usage: mal bench proxy [--seconds N] [--rounds N] [--no-peers] [--json]\n\n"
    "Starts a throw-away hub and measures calls of an echo tool behind it, over HTTP\n"
    "and over pipes, beside direct calls and beside supergateway and mcp-proxy, which\n"
    "npm installs into the build folder: throughput, latency, resident memory.\n\n"
    "  --seconds N   length of each measurement (default 3)\n"
    "  --rounds N    how often each is made, 1 to 9; medians are printed (default 3)\n"
    "  --no-peers    only direct calls and the hub\n"
    "  --json        print one JSON object\n";

struct run {
    struct arena *arena;
    const struct bench_stack *stack;
    const struct bench_proxy_options *options;
    const char *server;   /* mal-bench-server */
    const char *stdio[3]; /* its command line as a stdio server */
    struct findings found;
    pid_t pids[4]; /* to be ended */
    int n_pids;
};

/* ---- rows ------------------------------------------------------------------------- */

/* Half a kilobyte of text, which makes messages of 0.6 and 0.7 kB. */
static const char *arguments(struct arena *arena)
{
    char text[481];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    return arena_printf(arena, "{\"message\":\"%s\"}", text);
}

static const char *params(struct arena *arena)
{
    return arena_printf(arena, "\"name\":\"echo\",\"arguments\":%s", arguments(arena));
}

static struct row *add_row(struct run *run, const char *name, const char *label, const char *url,
                           int base)
{
    struct row *row = &run->found.rows[run->found.n_rows++];

    *row = (struct row){.name = name, .label = label, .base = base};
    row->target = (struct bench_target){.url = url,
                                        .key = "",
                                        .method = "tools/call",
                                        .name = "echo",
                                        .params = params(run->arena),
                                        .words = "\"text\":\"xxx"};
    return row;
}

static struct row *add_hub_row(struct run *run, const char *name, const char *label,
                               const char *path, int base)
{
    const char *url = arena_printf(run->arena, "%s%s", run->stack->base, path);
    struct row *row = add_row(run, name, label, url, base);

    row->target.key = run->stack->key;
    return row;
}

static void add_tool_row(struct run *run, int base)
{
    struct row *row = add_hub_row(run, "hub_tool", "  hub, mal_proxy_mcp_call", "/mcp", base);

    row->target.name = "mal_proxy_mcp_call";
    row->target.params =
        arena_printf(run->arena,
                     "\"name\":\"mal_proxy_mcp_call\",\"arguments\":{\"mcp_id\":\"bench-http\","
                     "\"tool_name\":\"echo\",\"arguments\":%s}",
                     arguments(run->arena));
}

static void add_memory(struct run *run, const char *name, pid_t pid)
{
    run->found.memory[run->found.n_memory++] =
        (struct memory){.name = name, .pid = pid, .idle_kib = bench_rss_kib(pid)};
}

/* ---- servers ---------------------------------------------------------------------- */

static enum status register_server(struct run *run, const char *id, const char *fields,
                                   struct error *err)
{
    struct bench_target target = {
        .url = run->stack->url,
        .key = run->stack->key,
        .method = "tools/call",
        .name = "mal_register_mcp",
        .words = "\"isError\":false",
        .params = arena_printf(
            run->arena,
            "\"name\":\"mal_register_mcp\",\"arguments\":{\"id\":\"%s\",\"name\":\"Echo\","
            "\"description\":\"Says it again.\",\"author\":\"bench\",%s}",
            id, fields)};

    return bench_check(run->arena, &target, err);
}

/* Until the hub has looked at the server and serves it. */
static enum status wait_served(struct run *run, const struct row *row, struct error *err)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    int64_t until = clock_mono_ms() + READY_MS;
    enum status status;

    do {
        error_clear(err);
        status = bench_check(run->arena, &row->target, err);
        if (status != ST_OK)
            (void)nanosleep(&pause, NULL);
    } while (status != ST_OK && clock_mono_ms() < until);
    return status;
}

/* What the call costs without what the hub writes down about it. */
static enum status add_unaudited(struct run *run, int base, struct error *err)
{
    struct bench_target hub = {.url = "",
                               .key = run->stack->key,
                               .method = "tools/list",
                               .name = "",
                               .params = "\"cursor\":\"\"",
                               .words = "\"tools\""};
    struct row *row = add_hub_row(run, "hub_http_unaudited", "  hub without its audit", "", base);

    TRY(bench_unaudited_start(run->arena, run->stack, &hub, &run->pids[run->n_pids], err));
    run->n_pids++;
    row->target.url = arena_printf(run->arena, "%s/bench-http", hub.url);
    return wait_served(run, row, err);
}

static enum status add_http(struct run *run, struct error *err)
{
    const char *argv[] = {run->server, "127.0.0.1:0", "--mcp", NULL};
    int port, base = run->found.n_rows;
    const char *url;

    TRY(bench_server_start(run->arena, argv, &run->pids[run->n_pids], &port, NULL, err));
    run->n_pids++;
    url = arena_printf(run->arena, "http://127.0.0.1:%d/mcp", port);
    (void)add_row(run, "http_direct", "HTTP server, directly", url, base);
    (void)add_hub_row(run, "hub_http", "  hub, /mcp/{server}", "/mcp/bench-http", base);
    add_tool_row(run, base);
    TRY(register_server(
        run, "bench-http",
        arena_printf(run->arena, "\"transport\":\"streamable-http\",\"endpoint_url\":\"%s\"", url),
        err));
    TRY(wait_served(run, &run->found.rows[base + 1], err));
    return add_unaudited(run, base, err);
}

static enum status add_stdio(struct run *run, struct error *err)
{
    int base = run->found.n_rows;

    add_row(run, "stdio_direct", "stdio server, directly", NULL, base)->target.argv = run->stdio;
    (void)add_hub_row(run, "hub_stdio", "  hub, /mcp/{server}", "/mcp/bench-stdio", base);
    TRY(register_server(
        run, "bench-stdio",
        arena_printf(run->arena,
                     "\"transport\":\"stdio\",\"command\":\"%s\",\"args\":[\"--stdio\"]",
                     run->server),
        err));
    return wait_served(run, &run->found.rows[base + 1], err);
}

static enum status add_peers(struct run *run, struct error *err)
{
    static const char *const names[][2] = {{"supergateway", "  supergateway"},
                                           {"mcp-proxy", "  mcp-proxy"}};
    const char *why = NULL, *folder = bench_peers_install(run->arena, &why);
    int base = run->found.n_rows - 2;

    if (!folder) {
        run->found.missing = why;
        return ST_OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct bench_peer peer;
        struct row *row;

        TRY(bench_peer_start(run->arena, folder, names[i][0], run->stdio, &peer, err));
        run->pids[run->n_pids++] = peer.pid;
        row = add_row(run, names[i][0], names[i][1], peer.url, base);
        row->target.sessions = peer.sessions;
        add_memory(run, names[i][0], peer.gateway);
        TRY(bench_check(run->arena, &row->target, err));
    }
    return ST_OK;
}

/* ---- measuring ---------------------------------------------------------------------- */

static enum status measure_row(struct run *run, struct row *row, int load, int round,
                               struct error *err)
{
    if (row->target.argv)
        return bench_pipe(run->arena, &row->target, bench_connections[load], run->options->seconds,
                          &row->loads[load][round], err);
    return bench_call(run->arena, &row->target, bench_connections[load], run->options->seconds,
                      &row->loads[load][round], err);
}

/* Every way in turn, so that a slow phase of the machine strikes all of them. */
static enum status measure(struct run *run, struct error *err)
{
    for (int i = 0; i < run->found.n_rows; i++)
        if (!run->found.rows[i].target.argv)
            TRY(bench_verify(run->arena, &run->found.rows[i].target,
                             bench_connections[BENCH_LOADS - 1], err));
    for (int load = 0; load < BENCH_LOADS; load++)
        for (int round = 0; round < run->found.rounds; round++)
            for (int i = 0; i < run->found.n_rows; i++)
                TRY(measure_row(run, &run->found.rows[i], load, round, err));
    for (int i = 0; i < run->found.n_memory; i++)
        run->found.memory[i].after_kib = bench_rss_kib(run->found.memory[i].pid);
    findings_summarize(&run->found);
    return ST_OK;
}

/* ---- the command ------------------------------------------------------------------------ */

static enum status prepare(struct run *run, struct error *err)
{
    if (!run->server)
        return error_set(err, ST_NOT_FOUND, "mal-bench-server is not beside mal (make build)");
    TRY(add_http(run, err));
    TRY(add_stdio(run, err));
    add_memory(run, "gateway", bench_pid(run->stack, "gateway"));
    add_memory(run, "mcp-runner", bench_pid(run->stack, "mcp-runner"));
    return run->options->peers ? add_peers(run, err) : ST_OK;
}

enum status bench_proxy(struct arena *arena, const struct bench_stack *stack,
                        const struct bench_proxy_options *options, struct error *err)
{
    struct run *run = arena_alloc(arena, sizeof(*run));
    enum status status;

    *run = (struct run){.arena = arena,
                        .stack = stack,
                        .options = options,
                        .found.rounds = options->rounds,
                        .server = cli_binary(arena, "mal-bench-server")};
    run->stdio[0] = run->server;
    run->stdio[1] = "--stdio";
    status = prepare(run, err);
    if (status == ST_OK)
        status = measure(run, err);
    for (int i = 0; i < run->n_pids; i++)
        bench_server_stop(run->pids[i]);
    if (status == ST_OK && options->json)
        findings_print_json(&run->found);
    else if (status == ST_OK)
        findings_print(&run->found);
    return status;
}

int cmd_bench_proxy(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct bench_proxy_options options = {.seconds = 3, .rounds = 3, .peers = true};
    struct bench_stack stack = {0};
    struct error err = {0};
    enum status status;

    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--seconds")))
            options.seconds = (int)strtol(value, NULL, 10);
        else if ((value = cli_option(argc, argv, &i, "--rounds")))
            options.rounds = (int)strtol(value, NULL, 10);
        else if (cli_flag(argv[i], "--no-peers"))
            options.peers = false;
        else if (cli_flag(argv[i], "--json"))
            options.json = true;
        else if (cli_flag(argv[i], "--help"))
            return fputs(proxy_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            return cli_usage("bench proxy: '%s' is one word too many", argv[i]);
    }
    if (options.seconds < 1 || options.seconds > 60 || options.rounds < 1 ||
        options.rounds > ROUNDS_MAX)
        return cli_usage("--seconds takes a number from 1 to 60, --rounds one from 1 to 9");
    status = bench_stack_start(&arena, &stack, &err);
    if (status == ST_OK)
        status = bench_proxy(&arena, &stack, &options, &err);
    bench_stack_stop(&stack);
    return status == ST_OK ? EXIT_DONE : cli_fail(&err);
}
