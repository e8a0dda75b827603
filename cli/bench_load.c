/* SPDX-License-Identifier: Apache-2.0 */
/* Load from outside: wrk for HTTP, pgbench for the yardstick. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_SKILL "git-workflow-mal"

enum status bench_call(struct arena *arena, const char *url, const char *key, const char *tool,
                       int connections, int seconds, struct bench_load *ret_load, struct error *err)
{
    const char *wrk = cli_program(arena, "wrk");
    const char *script = cli_share(arena, "tests/bench/call.lua");
    const char *argv[] = {wrk,
                          "-t1",
                          arena_printf(arena, "-c%d", connections),
                          arena_printf(arena, "-d%ds", seconds),
                          "-s",
                          script,
                          url,
                          "--",
                          key,
                          tool,
                          BENCH_SKILL,
                          NULL};
    long requests, duration_us;
    const char *result;
    char *out;

    if (!wrk || !script)
        return error_set(err, ST_FAILED_PRECONDITION, "%s",
                         wrk ? "tests/bench/call.lua is missing: bench runs from a checkout"
                             : "wrk is not installed (apt install wrk)");
    TRY(bench_run(arena, argv, &out, err));
    result = strstr(out, "RESULT ");
    if (!result ||
        sscanf(result, "RESULT %ld %ld %ld %ld %ld", &requests, &duration_us, /* NOLINT */
               &ret_load->p50_us, &ret_load->p99_us, &ret_load->errors) != 5)
        return error_set(err, ST_INTERNAL, "wrk printed no result: %.300s", out);
    if (ret_load->errors > 0)
        return error_set(err, ST_INTERNAL, "%ld of %ld calls to %s failed", ret_load->errors,
                         requests, url);
    ret_load->rps = (double)requests * 1e6 / (double)(duration_us > 0 ? duration_us : 1);
    return ST_OK;
}

enum status bench_pgbench_init(struct arena *arena, const struct bench_stack *stack,
                               struct error *err)
{
    const char *argv[] = {
        cli_program(arena, "pgbench"), "-i", "-q", "-s", "1", stack->pg_url, NULL};
    char *out;

    if (!argv[0])
        return error_set(err, ST_FAILED_PRECONDITION, "pgbench is not installed (postgresql-15)");
    return bench_run(arena, argv, &out, err);
}

enum status bench_pgbench(struct arena *arena, const struct bench_stack *stack, int clients,
                          int seconds, double *ret_tps, struct error *err)
{
    const char *argv[] = {cli_program(arena, "pgbench"),
                          "-n",
                          "-S",
                          "-M",
                          "prepared",
                          "-c",
                          arena_printf(arena, "%d", clients),
                          "-j",
                          "1",
                          "-T",
                          arena_printf(arena, "%d", seconds),
                          stack->pg_url,
                          NULL};
    const char *tps;
    char *out;

    TRY(bench_run(arena, argv, &out, err));
    tps = strstr(out, "tps = ");
    if (!tps)
        return error_set(err, ST_INTERNAL, "pgbench printed no tps: %.300s", out);
    *ret_tps = strtod(tps + strlen("tps = "), NULL);
    return ST_OK;
}
