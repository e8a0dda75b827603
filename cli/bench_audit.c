/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit costs: the same call through the stack's gateway and through one
 * whose build leaves the audit out, both on the same bus, in turn. */
#include "bench.h"
#include "port.h"
#include "stack.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    ENVIRONMENT_MAX = 256 * 1024,
    VARIABLES_MAX = 1024,
    START_S = 10,
    WARM_UP_S = 1,
    ROUNDS = 5
};

/* The environment that a process of ours was started with. */
static enum status read_environment(struct arena *arena, pid_t pid, char **out, size_t *ret_n,
                                    struct error *err)
{
    char *text = arena_alloc(arena, ENVIRONMENT_MAX);
    const char *path = arena_printf(arena, "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    while (fd >= 0 && len < ENVIRONMENT_MAX - 1 &&
           (n = read(fd, text + len, ENVIRONMENT_MAX - 1 - len)) > 0)
        len += (size_t)n;
    if (fd >= 0)
        (void)close(fd);
    if (len == 0)
        return error_set(err, ST_INTERNAL, "cannot read %s", path);
    *ret_n = 0;
    for (char *p = text; p < text + len && *ret_n < VARIABLES_MAX; p += strlen(p) + 1)
        if (strncmp(p, "MAL_BIND=", 9) != 0 && strncmp(p, "MAL_ADMIN_BIND=", 15) != 0)
            out[(*ret_n)++] = p;
    return ST_OK;
}

static pid_t run(const char *binary, char **env)
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)dup2(null, STDERR_FILENO);
        (void)execve(binary, (char *[]){(char *)(uintptr_t)binary, NULL}, env);
        _exit(127);
    }
    return pid;
}

enum status bench_unaudited_start(struct arena *arena, const struct bench_stack *stack,
                                  struct bench_target *target, pid_t *ret_pid, struct error *err)
{
    const char *binary = cli_binary(arena, "mal-bench-gateway");
    char **env = arena_alloc(arena, (VARIABLES_MAX + 3) * sizeof *env);
    int port = stack_free_port();
    enum status status = ST_UNAVAILABLE;
    size_t n = 0;

    if (!binary)
        return error_set(err, ST_NOT_FOUND, "mal-bench-gateway is not beside mal (make build)");
    TRY(read_environment(arena, bench_pid(stack, "gateway"), env, &n, err));
    env[n++] = arena_printf(arena, "MAL_BIND=127.0.0.1:%d", port);
    env[n++] = arena_printf(arena, "MAL_ADMIN_BIND=127.0.0.1:0");
    target->url = arena_printf(arena, "http://127.0.0.1:%d/mcp", port);
    *ret_pid = run(binary, env);
    for (int i = 0; i < START_S * 10 && status != ST_OK; i++) {
        (void)usleep(100000);
        error_clear(err);
        status = bench_check(arena, target, err);
    }
    return status;
}

/* Warm: the audit is as far behind at the beginning as it is at the end. */
static enum status measure(struct arena *arena, const struct bench_target *target, int clients,
                           int seconds, double *ret_rps, struct error *err)
{
    struct bench_load load = {0};

    TRY(bench_call(arena, target, clients, WARM_UP_S, &load, err));
    TRY(bench_call(arena, target, clients, seconds, &load, err));
    *ret_rps = load.rps;
    return ST_OK;
}

enum status bench_audit(struct arena *arena, const struct bench_stack *stack, int clients,
                        int seconds, double *ret_share, struct error *err)
{
    struct bench_target audited = bench_get_skill(stack->url, stack->key, "\"isError\":false");
    struct bench_target unaudited = audited;
    double with, without, share[ROUNDS];
    pid_t pid = 0;
    enum status status = bench_unaudited_start(arena, stack, &unaudited, &pid, err);

    for (int round = 0; round < ROUNDS && status == ST_OK; round++) {
        status = measure(arena, &audited, clients, seconds, &with, err);
        if (status == ST_OK)
            status = measure(arena, &unaudited, clients, seconds, &without, err);
        if (status == ST_OK)
            share[round] = 1 - with / without;
    }
    bench_server_stop(pid);
    if (status == ST_OK)
        *ret_share = bench_median(share, ROUNDS);
    return status;
}
