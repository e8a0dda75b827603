/* SPDX-License-Identifier: Apache-2.0 */
/* Load from outside: wrk for HTTP, pgbench for the yardstick. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int bench_connections[BENCH_LOADS] = {1, 16, 64};

#define ENVELOPE                                                                                   \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct bench_target tool(const char *url, const char *key, const char *name,
                                const char *params, const char *words)
{
    return (struct bench_target){.url = url,
                                 .key = key,
                                 .method = "tools/call",
                                 .name = name,
                                 .params = params,
                                 .words = words};
}

struct bench_target bench_get_skill(const char *url, const char *key, const char *words)
{
    return tool(url, key, "mal_get_skill",
                "\"name\":\"mal_get_skill\",\"arguments\":{\"id\":\"" BENCH_SKILL "\"}", words);
}

/* The headers and the body of one request, as call.lua makes them. */
static void make_request(struct arena *arena, const struct bench_target *target,
                         const char **headers, const char **ret_body)
{
    const char *meta = target->sessions ? "" : "," ENVELOPE;

    *headers++ = "Content-Type: application/json";
    *headers++ = "Accept: application/json, text/event-stream";
    if (target->sessions) {
        *headers++ = "MCP-Protocol-Version: 2025-11-25";
        *headers++ = arena_printf(arena, "Mcp-Session-Id: %.*s",
                                  (int)strcspn(target->sessions, ","), target->sessions);
    } else {
        *headers++ = "MCP-Protocol-Version: 2026-07-28";
        *headers++ = arena_printf(arena, "Mcp-Method: %s", target->method);
        *headers++ = arena_printf(arena, "Mcp-Name: %s", target->name);
    }
    if (*target->key)
        *headers++ = arena_printf(arena, "x-api-key: %s", target->key);
    *headers = NULL;
    *ret_body =
        arena_printf(arena, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s}}",
                     target->method, target->params, meta);
}

enum status bench_check(struct arena *arena, const struct bench_target *target, struct error *err)
{
    const char *headers[8];
    struct cli_request request = {
        .method = "POST", .url = target->url, .headers = headers, .timeout_ms = 10000};
    struct cli_reply reply;

    make_request(arena, target, headers, &request.body);
    TRY(cli_http(arena, &request, &reply, err));
    if (reply.status != 200 || (target->words && !strstr(reply.body, target->words)))
        return error_set(err, ST_INTERNAL, "%s %s was answered with %ld: %.200s", target->method,
                         target->name, reply.status, reply.body);
    return ST_OK;
}

enum status bench_skill(struct arena *arena, const struct bench_stack *stack, struct error *err)
{
    static const char words[] = "A skill of the usual size that is read again and again, to see "
                                "how fast the hub finds it and hands it out to its callers. ";
    struct bench_target skill =
        tool(stack->url, stack->key, "mal_register_skill",
             arena_printf(arena,
                          "\"name\":\"mal_register_skill\",\"arguments\":{\"id\":\"" BENCH_SKILL
                          "\",\"name\":\"Bench\",\"description\":\"%s%s\","
                          "\"category\":\"custom\",\"author\":\"bench\",\"version\":\"1.0.0\","
                          "\"trigger_patterns\":[\"measure the hub\"],"
                          "\"tags\":[\"bench\",\"speed\"]}",
                          words, words),
             "\"isError\":false");

    return bench_check(arena, &skill, err);
}

enum status bench_try(struct arena *arena, const struct bench_target *target, int connections,
                      int seconds, struct bench_load *ret_load, struct error *err)
{
    const char *wrk = cli_program(arena, "wrk");
    const char *script = cli_share(arena, "tests/bench/call.lua");
    const char *argv[] = {wrk,
                          "-t1",
                          arena_printf(arena, "-c%d", connections),
                          arena_printf(arena, "-d%ds", seconds),
                          "-s",
                          script,
                          target->url,
                          "--",
                          target->key,
                          target->method,
                          target->name,
                          target->params,
                          target->sessions ? target->sessions : "",
                          target->verify ? target->words : NULL,
                          NULL};
    long duration_us;
    const char *result;
    char *out;

    if (!wrk || !script)
        return error_set(err, ST_FAILED_PRECONDITION, "%s",
                         wrk ? "tests/bench/call.lua is missing: bench runs from a checkout"
                             : "wrk is not installed (apt install wrk)");
    TRY(bench_run(arena, argv, &out, err));
    result = strstr(out, "RESULT ");
    /* NOLINTNEXTLINE(cert-err34-c): our own script's numbers */
    if (!result || sscanf(result, "RESULT %ld %ld %ld %ld %ld", &ret_load->requests, &duration_us,
                          &ret_load->p50_us, &ret_load->p99_us, &ret_load->errors) != 5)
        return error_set(err, ST_INTERNAL, "wrk printed no result: %.300s", out);
    ret_load->rps = (double)ret_load->requests * 1e6 / (double)(duration_us > 0 ? duration_us : 1);
    return ST_OK;
}

enum status bench_call(struct arena *arena, const struct bench_target *target, int connections,
                       int seconds, struct bench_load *ret_load, struct error *err)
{
    TRY(bench_try(arena, target, connections, seconds, ret_load, err));
    if (ret_load->errors > 0 || ret_load->requests == 0)
        return error_set(err, ST_INTERNAL, "%ld of %ld requests to %s failed, over %d connections",
                         ret_load->errors, ret_load->requests, target->url, connections);
    return ST_OK;
}

enum status bench_verify(struct arena *arena, const struct bench_target *target, int connections,
                         struct error *err)
{
    struct bench_target every = *target;
    struct bench_load load = {0};

    every.verify = true;
    return bench_call(arena, &every, connections, 1, &load, err);
}

double bench_median(double *values, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
            double swap = values[j];

            values[j] = values[j - 1];
            values[j - 1] = swap;
        }
    return values[n / 2];
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
    /* Its time starts before its clients are connected. */
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
                          arena_printf(arena, "%d", seconds + clients / 32),
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
