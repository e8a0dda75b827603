/* SPDX-License-Identifier: Apache-2.0 */
/* Load on a stdio server that is spoken to directly: what gateways add to. */
#include "bench_proxy.h"

#include "base/clock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS_MAX = 64, LONGEST_US = 100000, PIECE = 64 * 1024 };

struct load {
    pid_t pid;
    int to, from;
    const char *params;
    int64_t sent_us[SLOTS_MAX]; /* by id */
    struct strbuf in, out;
    uint32_t *times; /* how many answers took so many microseconds */
    long answers, errors;
};

static bool start(struct load *load, const char *const *argv)
{
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        return false;
    load->pid = fork();
    if (load->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(to[0], STDIN_FILENO);
        (void)dup2(from[1], STDOUT_FILENO);
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    load->to = to[1];
    load->from = from[0];
    return load->pid > 0;
}

static void stop(struct load *load)
{
    (void)close(load->to);
    (void)close(load->from);
    if (load->pid > 0) {
        (void)kill(load->pid, SIGKILL);
        (void)waitpid(load->pid, NULL, 0);
    }
    strbuf_done(&load->in);
    strbuf_done(&load->out);
    free(load->times);
}

static void ask(struct load *load, int id)
{
    strbuf_printf(&load->out,
                  "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{%s,"
                  "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                  "\"io.modelcontextprotocol/clientCapabilities\":{}}}}\n",
                  id, load->params);
    load->sent_us[id] = clock_mono_us();
}

static bool flush(struct load *load)
{
    size_t done = 0;
    ssize_t n = 0;

    while (done < load->out.len &&
           (n = write(load->to, load->out.data + done, load->out.len - done)) > 0)
        done += (size_t)n;
    strbuf_clear(&load->out);
    return n >= 0;
}

static void note(struct load *load, const char *line)
{
    const char *text = strstr(line, "\"id\":");
    long id = text ? strtol(text + strlen("\"id\":"), NULL, 10) : -1;
    int64_t us;

    if (id < 0 || id >= SLOTS_MAX || !strstr(line, "\"isError\":false")) {
        load->errors++;
        return;
    }
    us = clock_mono_us() - load->sent_us[id];
    load->times[us < LONGEST_US ? us : LONGEST_US]++;
    load->answers++;
    ask(load, (int)id);
}

/* What is there now; a request for each answer. */
static bool turn(struct load *load)
{
    size_t done = 0;
    char *end;
    ssize_t n;

    strbuf_reserve(&load->in, PIECE);
    n = read(load->from, load->in.data + load->in.len, PIECE);
    if (n <= 0)
        return false;
    load->in.len += (size_t)n;
    while ((end = memchr(load->in.data + done, '\n', load->in.len - done))) {
        *end = '\0';
        note(load, load->in.data + done);
        done = (size_t)(end - load->in.data) + 1;
    }
    memmove(load->in.data, load->in.data + done, load->in.len - done);
    load->in.len -= done;
    return flush(load);
}

static long percentile(const struct load *load, double share)
{
    long left = (long)((double)load->answers * share), us = 0;

    while (us < LONGEST_US && (left -= load->times[us]) >= 0)
        us++;
    return us;
}

enum status bench_pipe(struct arena *arena, const struct bench_target *target, int requests,
                       int seconds, struct bench_load *ret_load, struct error *err)
{
    struct load *load = arena_alloc(arena, sizeof(*load));
    int64_t began, us;
    bool ok;

    *load = (struct load){.to = -1, .from = -1, .params = target->params};
    load->times = calloc(LONGEST_US + 1, sizeof(*load->times));
    if (!load->times)
        abort();
    ok = start(load, target->argv);
    for (int i = 0; i < requests && i < SLOTS_MAX; i++)
        ask(load, i);
    began = clock_mono_us();
    ok = ok && flush(load);
    while (ok && load->errors == 0 && clock_mono_us() - began < seconds * INT64_C(1000000))
        ok = turn(load);
    us = clock_mono_us() - began;
    *ret_load = (struct bench_load){.rps = (double)load->answers * 1e6 / (double)us,
                                    .requests = load->answers,
                                    .p50_us = percentile(load, 0.5),
                                    .p99_us = percentile(load, 0.99),
                                    .errors = load->errors};
    stop(load);
    if (ok && ret_load->errors == 0 && ret_load->requests > 0)
        return ST_OK;
    return error_set(err, ST_INTERNAL, "%s does not answer as it should", target->argv[0]);
}
