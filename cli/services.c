/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's own processes in the private stack. */
#include "stack.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READY_MS = 60000, KNOWN_MAX = 16, START_TRIES = 5 };

/* Services in the order in which they start. */
static const char *const services[] = {"catalog", "sprint", "gamify", "mcp-health", "mcp-runner"};

extern char **environ;

/* What --print-config of a binary printed, kept for the run. */
static struct known {
    const char *binary, *config;
} known[KNOWN_MAX];
static size_t n_known;

int free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = 0;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
        getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
        port = ntohs(addr.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

static const char *binary_config(struct stack *stack, const char *binary)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    char line[1024];
    FILE *pipe;

    for (size_t i = 0; i < n_known; i++)
        if (strcmp(known[i].binary, binary) == 0)
            return known[i].config;
    strbuf_str(&out, "\n");
    /* The path is our own folder's; quoted for blanks in it. */
    pipe = popen(arena_printf(&stack->arena, "'%s' --print-config 2>/dev/null", binary), "r");
    while (pipe && fgets(line, sizeof line, pipe))
        strbuf_str(&out, line);
    if (pipe)
        (void)pclose(pipe);
    if (n_known < KNOWN_MAX)
        known[n_known++] = (struct known){arena_strdup(&stack->arena, binary),
                                          arena_strdup(&stack->arena, strbuf_cstr(&out))};
    return known[n_known - 1].config;
}

static bool binary_knows(struct stack *stack, const char *binary, const char *entry)
{
    const char *key = arena_printf(&stack->arena, "\n%.*s=", (int)strcspn(entry, "="), entry);

    return strstr(binary_config(stack, binary), key) != NULL;
}

const char **stack_env(struct stack *stack, const char *binary, const char *const *extra)
{
    size_t n = 0, count = 0, n_extra = 0;
    const char **env;

    while (environ[count])
        count++;
    while (extra && extra[n_extra])
        n_extra++;
    env = arena_alloc(&stack->arena, (count + n_extra + 1) * sizeof *env);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "MAL_", 4) != 0 ||
            (binary && binary_knows(stack, binary, environ[i])))
            env[n++] = environ[i];
    /* Ours come last and win: the first of doubled names would be read. */
    for (size_t i = 0; i < n_extra; i++) {
        size_t len = strcspn(extra[i], "=");

        for (size_t j = 0; j < n; j++)
            if (strncmp(env[j], extra[i], len + 1) == 0)
                env[j] = env[--n];
        env[n++] = extra[i];
    }
    return env;
}

enum status stack_env_check(struct stack *stack, struct error *err)
{
    for (char **entry = environ; *entry; entry++) {
        bool found = strncmp(*entry, "MAL_", 4) != 0 || strncmp(*entry, "MAL_DIR=", 8) == 0 ||
                     strncmp(*entry, "MAL_KEY=", 8) == 0 || strncmp(*entry, "MAL_URL=", 8) == 0;

        for (size_t i = 0; !found && i <= ARRAY_SIZE(services); i++) {
            const char *name = i < ARRAY_SIZE(services) ? services[i] : "gateway";
            const char *binary =
                cli_binary(&stack->arena, arena_printf(&stack->arena, "mal-%s", name));

            found = binary && binary_knows(stack, binary, *entry);
        }
        if (!found)
            return error_set(err, ST_INVALID_ARGUMENT, "%.*s: no process has such a setting",
                             (int)strcspn(*entry, "="), *entry);
    }
    return ST_OK;
}

enum status stack_wait_ready(struct stack *stack, struct child *child, const char *url,
                             int timeout_ms, struct error *err)
{
    int64_t deadline = clock_mono_ms() + timeout_ms;
    struct timespec tick = {.tv_nsec = 20000000};
    struct cli_request request = {.method = "GET", .url = url, .timeout_ms = 1000};
    int ended = 0;

    for (;;) {
        struct cli_reply reply;
        struct error ignored = {0};

        if (child->pid != 0 && cli_http(&stack->arena, &request, &reply, &ignored) == ST_OK &&
            reply.status == 200)
            return ST_OK;
        if (stack_reap(stack) && child->pid == 0)
            ended++;
        (void)stack_restart_due(stack);
        if (ended >= START_TRIES || clock_mono_ms() > deadline)
            return error_set(err, ST_UNAVAILABLE, "%s does not start; see %s", child->name,
                             child->log);
        (void)nanosleep(&tick, NULL);
    }
}

/* Settings that every process gets. */
static size_t common_env(struct stack *stack, const struct child *child, const char *user,
                         const char **extra)
{
    struct arena *arena = &stack->arena;
    char upper[64] = "MAL_NATS_PASSWORD_";
    size_t n = strlen(upper), count = 0;

    for (const char *p = user; *p && n + 1 < sizeof upper; p++)
        upper[n++] = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p == '-' ? '_' : *p);
    upper[n] = '\0';
    extra[count++] = arena_printf(arena, "MAL_NATS_URL=%s", stack_nats_url(stack));
    extra[count++] = arena_printf(arena, "MAL_NATS_USER=%s", user);
    extra[count++] = arena_printf(arena, "MAL_NATS_PASSWORD=%s", secret_get(stack, upper));
    extra[count++] = arena_printf(arena, "MAL_ADMIN_BIND=127.0.0.1:%d", child->admin_port);
    return count;
}

static enum status start_process(struct stack *stack, struct child *child, const char *binary,
                                 const char *const *extra, struct error *err)
{
    child->argv = arena_alloc(&stack->arena, 2 * sizeof *child->argv);
    child->argv[0] = binary;
    child->env = stack_env(stack, binary, extra);
    return child_start(child, err);
}

/* "sprint", "sprint-2" */
static const char *copy_name(struct stack *stack, const char *name, int copy)
{
    return copy == 1 ? name : arena_printf(&stack->arena, "%s-%d", name, copy);
}

static const char *ready_url(struct stack *stack, const struct child *child)
{
    return arena_printf(&stack->arena, "http://127.0.0.1:%d/readyz", child->admin_port);
}

static enum status service_start(struct stack *stack, const char *name, int copy,
                                 const char *binary, struct error *err)
{
    struct child *child = stack_add(stack, copy_name(stack, name, copy));
    const char *extra[16] = {NULL};
    const char *password = NULL;
    size_t n;

    child->admin_port = free_port();
    n = common_env(stack, child, name, extra);
    if (strcmp(name, "mcp-runner") != 0) {
        char upper[64] = "MAL_PG_PASSWORD_", role[64] = "";
        size_t len = strlen(upper);

        for (size_t i = 0; name[i] && len + 1 < sizeof upper; i++) {
            role[i] = name[i];
            if (role[i] == '-')
                role[i] = '_';
            upper[len++] = (char)(role[i] >= 'a' && role[i] <= 'z' ? role[i] - 32 : role[i]);
        }
        password = secret_get(stack, upper);
        extra[n++] =
            arena_printf(&stack->arena, "MAL_PG_URL=%s", stack_pg_url(stack, role, password));
    }
    if (binary_knows(stack, binary, "MAL_DIR="))
        extra[n++] = arena_printf(&stack->arena, "MAL_DIR=%s", stack->dir);
    if (binary_knows(stack, binary, "MAL_SECRET_KEYS="))
        extra[n++] = arena_printf(&stack->arena, "MAL_SECRET_KEYS=%s", secret_sealing_key(stack));
    if (binary_knows(stack, binary, "MAL_RUNNER_DIR=") && !getenv("MAL_RUNNER_DIR"))
        extra[n++] = arena_printf(&stack->arena, "MAL_RUNNER_DIR=%s", stack->homes);
    TRY(secrets_save(stack, err));
    return start_process(stack, child, binary, extra, err);
}

enum status stack_services(struct stack *stack, struct error *err)
{
    size_t first = stack->n_children;

    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        const char *binary =
            cli_binary(&stack->arena, arena_printf(&stack->arena, "mal-%s", services[i]));

        for (int copy = 1; binary && copy <= stack->n_replicas; copy++)
            TRY(service_start(stack, services[i], copy, binary, err));
    }
    for (size_t i = first; i < stack->n_children; i++)
        TRY(stack_wait_ready(stack, &stack->children[i], ready_url(stack, &stack->children[i]),
                             READY_MS, err));
    return ST_OK;
}

enum status stack_gateways(struct stack *stack, struct error *err)
{
    const char *binary = cli_binary(&stack->arena, "mal-gateway");
    size_t first = stack->n_children;

    if (!binary)
        return error_set(err, ST_FAILED_PRECONDITION, "mal-gateway is missing beside this binary");
    for (int i = 0; i < stack->n_gateways; i++) {
        struct child *child = stack_add(stack, copy_name(stack, "gateway", i + 1));
        const char *extra[16] = {NULL};
        size_t n;

        child->admin_port = free_port();
        child->port = stack->ephemeral || stack->port == 0 ? free_port() : stack->port + i;
        n = common_env(stack, child, "gateway", extra);
        extra[n++] = arena_printf(&stack->arena, "MAL_BIND=127.0.0.1:%d", child->port);
        extra[n++] = arena_printf(&stack->arena, "MAL_DIR=%s", stack->dir);
        extra[n++] = arena_printf(&stack->arena, "MAL_SECRET_KEYS=%s", secret_sealing_key(stack));
        TRY(start_process(stack, child, binary, extra, err));
    }
    for (size_t i = first; i < stack->n_children; i++)
        TRY(stack_wait_ready(stack, &stack->children[i], ready_url(stack, &stack->children[i]),
                             READY_MS, err));
    return ST_OK;
}
