/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench proxy: a tool that echoes, called directly, through the hub and
 * through other gateways, all in turn. */
#include "bench_proxy.h"

#include "base/clock.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOADS = 3, ROWS_MAX = 8, ROUNDS_MAX = 9, READY_MS = 60000 };

static const int connections[LOADS] = {1, 16, 64};

static const char proxy_help[] =
    "Usage: mal bench proxy [--seconds N] [--rounds N] [--no-peers] [--json]\n\n"
    "Starts a throw-away hub and measures calls of an echo tool behind it, over HTTP\n"
    "and over pipes, beside direct calls and beside supergateway and mcp-proxy, which\n"
    "npm installs into the build folder: throughput, latency, resident memory.\n\n"
    "  --seconds N   length of each measurement (default 3)\n"
    "  --rounds N    how often each is made, 1 to 9; medians are printed (default 3)\n"
    "  --no-peers    only direct calls and the hub\n"
    "  --json        print one JSON object\n";

/* Medians over the rounds; a ratio is taken within its round. */
struct figures {
    double rps, ratio, p50, p99, added_p50, added_p99;
};

/* One way of calling the tool. */
struct row {
    const char *name, *label;
    struct bench_target target;
    int base; /* the row with the direct calls */
    struct bench_load loads[LOADS][ROUNDS_MAX];
    struct figures figures[LOADS];
};

struct memory {
    const char *name;
    pid_t pid;
    long idle_kib, after_kib;
};

struct run {
    struct arena *arena;
    const struct bench_stack *stack;
    const struct bench_proxy_options *options;
    const char *server;   /* mal-bench-server */
    const char *stdio[3]; /* its command line as a stdio server */
    struct row rows[ROWS_MAX];
    int n_rows;
    struct memory memory[4];
    int n_memory;
    pid_t pids[4]; /* to be ended */
    int n_pids;
    const char *missing; /* why there are no peers */
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
    struct row *row = &run->rows[run->n_rows++];

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
    run->memory[run->n_memory++] =
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
    int port, base = run->n_rows;
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
    TRY(wait_served(run, &run->rows[base + 1], err));
    return add_unaudited(run, base, err);
}

static enum status add_stdio(struct run *run, struct error *err)
{
    int base = run->n_rows;

    add_row(run, "stdio_direct", "stdio server, directly", NULL, base)->target.argv = run->stdio;
    (void)add_hub_row(run, "hub_stdio", "  hub, /mcp/{server}", "/mcp/bench-stdio", base);
    TRY(register_server(
        run, "bench-stdio",
        arena_printf(run->arena,
                     "\"transport\":\"stdio\",\"command\":\"%s\",\"args\":[\"--stdio\"]",
                     run->server),
        err));
    return wait_served(run, &run->rows[base + 1], err);
}

static enum status add_peers(struct run *run, struct error *err)
{
    static const char *const names[][2] = {{"supergateway", "  supergateway"},
                                           {"mcp-proxy", "  mcp-proxy"}};
    const char *why = NULL, *folder = bench_peers_install(run->arena, &why);
    int base = run->n_rows - 2;

    if (!folder) {
        run->missing = why;
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
        return bench_pipe(run->arena, &row->target, connections[load], run->options->seconds,
                          &row->loads[load][round], err);
    return bench_call(run->arena, &row->target, connections[load], run->options->seconds,
                      &row->loads[load][round], err);
}

static double over_rounds(const struct run *run, const struct row *row, int load,
                          double (*value)(const struct bench_load *, const struct bench_load *))
{
    double values[ROUNDS_MAX];

    for (int i = 0; i < run->options->rounds; i++)
        values[i] = value(&row->loads[load][i], &run->rows[row->base].loads[load][i]);
    return bench_median(values, run->options->rounds);
}

#define VALUE(name, expression)                                                                    \
    static double name(const struct bench_load *own, const struct bench_load *direct)              \
    {                                                                                              \
        (void)direct;                                                                              \
        return (expression);                                                                       \
    }
VALUE(rps_of, own->rps)
VALUE(ratio_of, own->rps / direct->rps)
VALUE(p50_of, (double)own->p50_us)
VALUE(p99_of, (double)own->p99_us)
VALUE(added_p50_of, (double)(own->p50_us - direct->p50_us))
VALUE(added_p99_of, (double)(own->p99_us - direct->p99_us))

static void summarize(struct run *run)
{
    for (int i = 0; i < run->n_rows; i++)
        for (int load = 0; load < LOADS; load++)
            run->rows[i].figures[load] =
                (struct figures){.rps = over_rounds(run, &run->rows[i], load, rps_of),
                                 .ratio = over_rounds(run, &run->rows[i], load, ratio_of),
                                 .p50 = over_rounds(run, &run->rows[i], load, p50_of),
                                 .p99 = over_rounds(run, &run->rows[i], load, p99_of),
                                 .added_p50 = over_rounds(run, &run->rows[i], load, added_p50_of),
                                 .added_p99 = over_rounds(run, &run->rows[i], load, added_p99_of)};
}

/* Every way in turn, so that a slow phase of the machine strikes all of them. */
static enum status measure(struct run *run, struct error *err)
{
    for (int i = 0; i < run->n_rows; i++)
        if (!run->rows[i].target.argv)
            TRY(bench_verify(run->arena, &run->rows[i].target, connections[LOADS - 1], err));
    for (int load = 0; load < LOADS; load++)
        for (int round = 0; round < run->options->rounds; round++)
            for (int i = 0; i < run->n_rows; i++)
                TRY(measure_row(run, &run->rows[i], load, round, err));
    for (int i = 0; i < run->n_memory; i++)
        run->memory[i].after_kib = bench_rss_kib(run->memory[i].pid);
    summarize(run);
    return ST_OK;
}

/* ---- printing ------------------------------------------------------------------------- */

static const struct figures *figures(const struct run *run, const char *name, int load)
{
    for (int i = 0; i < run->n_rows; i++)
        if (strcmp(run->rows[i].name, name) == 0)
            return &run->rows[i].figures[load];
    return NULL;
}

struct goal {
    const char *name, *what, *row, *unit;
    int load; /* index of connections */
    double first, bar;
};

static const struct goal goals[] = {
    {"http_ratio_16", "HTTP server through the hub / directly, c=16", "hub_http", "", 1, 0.40,
     0.52},
    {"http_added_p50_1", "p50 added, HTTP server, c=1", "hub_http", "us", 0, 60, 25},
    {"stdio_added_p50_1", "p50 added, stdio server, c=1", "hub_stdio", "us", 0, 250, 150},
};

static double reached(const struct run *run, const struct goal *goal)
{
    const struct figures *f = figures(run, goal->row, goal->load);

    return goal->first < 1 ? f->ratio : f->added_p50;
}

static const char *verdict(const struct goal *goal, double value)
{
    bool more = goal->first < 1; /* is better */

    if (more ? value >= goal->bar : value <= goal->bar)
        return "bar reached";
    return (more ? value >= goal->first : value <= goal->first) ? "reached" : "missed";
}

static void print_table(const struct run *run)
{
    (void)puts("\nA tool that echoes half a kilobyte\n"
               "                              c    calls/s  / direct   p50 us   p99 us"
               "   added p50   added p99");
    for (int i = 0; i < run->n_rows; i++)
        for (int load = 0; load < LOADS; load++) {
            const struct row *row = &run->rows[i];
            const struct figures *f = &row->figures[load];

            (void)printf("  %-27s %-3d %8.0f", load == 0 ? row->label : "", connections[load],
                         f->rps);
            if (row->base == i)
                (void)printf("  %8s %8.0f %8.0f\n", "", f->p50, f->p99);
            else
                (void)printf("  %8.3f %8.0f %8.0f %11.0f %11.0f\n", f->ratio, f->p50, f->p99,
                             f->added_p50, f->added_p99);
        }
    if (run->missing)
        (void)printf("  supergateway, mcp-proxy: not measured (%s)\n", run->missing);
    (void)puts("\nResident memory (MiB)      idle   after the load");
    for (int i = 0; i < run->n_memory; i++)
        (void)printf("  %-20s %8.1f %16.1f\n", run->memory[i].name,
                     (double)run->memory[i].idle_kib / 1024,
                     (double)run->memory[i].after_kib / 1024);
    (void)puts("\nGoals                                             value      first      bar");
    for (size_t i = 0; i < ARRAY_SIZE(goals); i++) {
        double value = reached(run, &goals[i]);

        (void)printf("  %-44s %8.2f %10.2f %8.2f %-2s  %s\n", goals[i].what, value, goals[i].first,
                     goals[i].bar, goals[i].unit, verdict(&goals[i], value));
    }
}

static void put_row(struct strbuf *out, const struct row *row, int load)
{
    const struct figures *f = &row->figures[load];

    strbuf_printf(out,
                  "{\"name\":\"%s\",\"connections\":%d,\"calls_per_second\":%.1f,"
                  "\"ratio\":%.4f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"added_p50_us\":%.0f,"
                  "\"added_p99_us\":%.0f}",
                  row->name, connections[load], f->rps, f->ratio, f->p50, f->p99, f->added_p50,
                  f->added_p99);
}

static void print_json(const struct run *run)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_str(&out, "{\"rows\":[");
    for (int i = 0; i < run->n_rows * LOADS; i++) {
        strbuf_str(&out, i > 0 ? "," : "");
        put_row(&out, &run->rows[i / LOADS], i % LOADS);
    }
    strbuf_str(&out, "],\"memory\":[");
    for (int i = 0; i < run->n_memory; i++)
        strbuf_printf(&out, "%s{\"name\":\"%s\",\"idle_kib\":%ld,\"after_kib\":%ld}",
                      i > 0 ? "," : "", run->memory[i].name, run->memory[i].idle_kib,
                      run->memory[i].after_kib);
    strbuf_str(&out, "],\"goals\":[");
    for (size_t i = 0; i < ARRAY_SIZE(goals); i++) {
        double value = reached(run, &goals[i]);

        strbuf_printf(&out,
                      "%s{\"name\":\"%s\",\"value\":%.4f,\"first\":%.2f,\"bar\":%.2f,"
                      "\"verdict\":\"%s\"}",
                      i > 0 ? "," : "", goals[i].name, value, goals[i].first, goals[i].bar,
                      verdict(&goals[i], value));
    }
    strbuf_str(&out, "],\"missing\":");
    json_put_string(&out, run->missing ? run->missing : "");
    strbuf_char(&out, '}');
    (void)puts(strbuf_cstr(&out));
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
                        .server = cli_binary(arena, "mal-bench-server")};
    run->stdio[0] = run->server;
    run->stdio[1] = "--stdio";
    status = prepare(run, err);
    if (status == ST_OK)
        status = measure(run, err);
    for (int i = 0; i < run->n_pids; i++)
        bench_server_stop(run->pids[i]);
    if (status == ST_OK && options->json)
        print_json(run);
    else if (status == ST_OK)
        print_table(run);
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
