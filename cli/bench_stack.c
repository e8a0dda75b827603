/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of a bench run: the stack, servers to compare with, tools. */
#include "bench.h"

#include "wire/json.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 20 };

/* Starts argv with its stdout, and its stderr when both is set, on a pipe. */
static pid_t start(const char *const *argv, bool both, int *ret_fd)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)dup2(fds[1], STDOUT_FILENO);
        if (both)
            (void)dup2(fds[1], STDERR_FILENO);
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

/* Reads to the end, or to the first line when line is set. */
static char *read_output(struct arena *arena, int fd, bool line)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    char chunk[4096];
    ssize_t n;

    while (out.len < OUTPUT_MAX && (n = read(fd, chunk, sizeof chunk)) > 0) {
        strbuf_add(&out, chunk, (size_t)n);
        if (line && memchr(chunk, '\n', (size_t)n))
            break;
    }
    return arena_strdup(arena, strbuf_cstr(&out));
}

enum status bench_run(struct arena *arena, const char *const *argv, char **ret_out,
                      struct error *err)
{
    int fd = -1, code = 0;
    pid_t pid = start(argv, true, &fd);

    if (pid < 0)
        return error_set(err, ST_INTERNAL, "cannot start %s", argv[0]);
    *ret_out = read_output(arena, fd, false);
    (void)close(fd);
    (void)waitpid(pid, &code, 0);
    if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
        return error_set(err, ST_INTERNAL, "%s failed: %.300s", argv[0], *ret_out);
    return ST_OK;
}

enum status bench_server_start(struct arena *arena, const char *const *argv, pid_t *ret_pid,
                               int *ret_port, const char **ret_more, struct error *err)
{
    int fd = -1;
    char *line, *more;

    *ret_pid = start(argv, false, &fd);
    if (*ret_pid < 0)
        return error_set(err, ST_INTERNAL, "cannot start %s", argv[0]);
    line = read_output(arena, fd, true);
    (void)close(fd);
    line[strcspn(line, "\n")] = '\0';
    *ret_port = (int)strtol(line, &more, 10);
    if (ret_more)
        *ret_more = more + strspn(more, " ");
    if (*ret_port <= 0) {
        bench_server_stop(*ret_pid);
        return error_set(err, ST_UNAVAILABLE, "%s did not start", argv[0]);
    }
    return ST_OK;
}

void bench_server_stop(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
}

static void learn_processes(struct arena *arena, struct bench_stack *stack, const struct json *json)
{
    const struct json_node *pids = json_get(json, json->nodes, "pids");
    const struct json_node *node = pids ? json_first(pids) : NULL;

    for (uint32_t i = 0; pids && i < pids->count && i < BENCH_PROCESSES_MAX; i++) {
        const struct json_node *value = json_next(node);
        int64_t pid = 0;

        (void)json_int(json, value, &pid);
        stack->processes[stack->n_processes].name = json_text(arena, json, node);
        stack->processes[stack->n_processes++].pid = (pid_t)pid;
        node = json_next(value);
    }
}

enum status bench_stack_start(struct arena *arena, struct bench_stack *stack, struct error *err)
{
    const char *argv[] = {cli_binary(arena, "mal"), "up", "--ephemeral", "--json", NULL};
    struct json json;
    int fd = -1;
    const char *server = cli_binary(arena, "mal-bench-server");
    char *line;

    /* The limits on calls are there for clients, not for this. */
    (void)setenv("MAL_RATE_LIMIT", "0", 1);
    (void)setenv("MAL_PROXY_MAX_INFLIGHT", "256", 1);
    if (server)
        (void)setenv("MAL_STDIO_ALLOW", server, 1);
    stack->pid = start(argv, false, &fd);
    if (stack->pid < 0)
        return error_set(err, ST_INTERNAL, "cannot start mal up");
    line = read_output(arena, fd, true);
    (void)close(fd);
    if (json_parse(arena, line, strlen(line), NULL, &json, err) != ST_OK) {
        bench_stack_stop(stack);
        return error_set(err, ST_UNAVAILABLE, "the stack did not start");
    }
    stack->url = json_text(arena, &json, json_get(&json, json.nodes, "url"));
    stack->key = json_text(arena, &json, json_get(&json, json.nodes, "key"));
    stack->pg_url = json_text(arena, &json, json_get(&json, json.nodes, "pg_url"));
    stack->base = arena_memdup(arena, stack->url, strlen(stack->url) - strlen("/mcp"));
    stack->port = (int)strtol(strrchr(stack->base, ':') + 1, NULL, 10);
    learn_processes(arena, stack, &json);
    return ST_OK;
}

void bench_stack_stop(struct bench_stack *stack)
{
    if (stack->pid <= 0)
        return;
    (void)kill(stack->pid, SIGINT);
    (void)waitpid(stack->pid, NULL, 0);
    stack->pid = 0;
}

pid_t bench_pid(const struct bench_stack *stack, const char *process)
{
    for (size_t i = 0; i < stack->n_processes; i++)
        if (strcmp(stack->processes[i].name, process) == 0)
            return stack->processes[i].pid;
    return 0;
}

long bench_rss_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (file)
        (void)fclose(file);
    return kib;
}
