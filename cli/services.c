/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's own processes in the private stack. */
#include "port.h"
#include "stack.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { READY_MS = 60000, START_TRIES = 5 };

/* Services in the order in which they start. */
static const char *const services[] = {"catalog", "sprint", "gamify", "mcp-health", "mcp-runner"};

extern char **environ;

enum status stack_env_check(struct stack *stack, struct error *err)
{
    for (char **entry = environ; *entry; entry++) {
        bool found = strncmp(*entry, "MAL_", 4) != 0 || strncmp(*entry, "MAL_DIR=", 8) == 0 ||
                     strncmp(*entry, "MAL_KEY=", 8) == 0 || strncmp(*entry, "MAL_URL=", 8) == 0;

        for (size_t i = 0; !found && i <= ARRAY_SIZE(services); i++) {
            const char *name = i < ARRAY_SIZE(services) ? services[i] : "gateway";
            const char *binary =
                cli_binary(&stack->arena, arena_printf(&stack->arena, "mal-%s", name));

            found = binary && stack_binary_knows(stack, binary, *entry);
        }
        if (!found)
            return error_set(err, ST_INVALID_ARGUMENT, "%.*s: no process has such a setting",
                             (int)strcspn(*entry, "="), *entry);
    }
    return ST_OK;
}

/* Waits until GET url answers 200, the child ends too often, or time is up. */
static enum status wait_ready(struct stack *stack, struct child *child, const char *url,
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

/* The setting of a process: prefix and its name in capitals, "mcp-health" as MCP_HEALTH. */
static const char *setting_of(struct stack *stack, const char *prefix, const char *process)
{
    char *name = arena_printf(&stack->arena, "%s%s", prefix, process);

    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c == '-' ? '_' : *c);
    return name;
}

/* Settings that every process gets. */
static size_t common_env(struct stack *stack, const struct child *child, const char *user,
                         const char **extra)
{
    struct arena *arena = &stack->arena;
    const char *password = secret_get(stack, setting_of(stack, "MAL_NATS_PASSWORD_", user));
    size_t count = 0;

    extra[count++] = arena_printf(arena, "MAL_NATS_URL=%s", stack_nats_url(stack));
    extra[count++] = arena_printf(arena, "MAL_NATS_USER=%s", user);
    extra[count++] = arena_printf(arena, "MAL_NATS_PASSWORD=%s", password);
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

static const char *pg_url(struct stack *stack, const char *service)
{
    const char *password = secret_get(stack, setting_of(stack, "MAL_PG_PASSWORD_", service));
    char *role = arena_strdup(&stack->arena, service);

    for (char *c = role; *c; c++)
        if (*c == '-')
            *c = '_';
    return stack_pg_url(stack, role, password);
}

static enum status service_start(struct stack *stack, const char *name, int copy,
                                 const char *binary, struct error *err)
{
    struct child *child = stack_add(stack, copy_name(stack, name, copy));
    const char *extra[16] = {NULL};
    size_t n;

    child->admin_port = stack_free_port();
    n = common_env(stack, child, name, extra);
    if (strcmp(name, "mcp-runner") != 0)
        extra[n++] = arena_printf(&stack->arena, "MAL_PG_URL=%s", pg_url(stack, name));
    if (stack_binary_knows(stack, binary, "MAL_DIR="))
        extra[n++] = arena_printf(&stack->arena, "MAL_DIR=%s", stack->dir);
    if (stack_binary_knows(stack, binary, "MAL_SECRET_KEYS="))
        extra[n++] = arena_printf(&stack->arena, "MAL_SECRET_KEYS=%s", secret_sealing_key(stack));
    if (stack_binary_knows(stack, binary, "MAL_RUNNER_DIR=") && !getenv("MAL_RUNNER_DIR"))
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
        TRY(wait_ready(stack, &stack->children[i], ready_url(stack, &stack->children[i]), READY_MS,
                       err));
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

        child->admin_port = stack_free_port();
        child->port = stack->ephemeral || stack->port == 0 ? stack_free_port() : stack->port + i;
        n = common_env(stack, child, "gateway", extra);
        extra[n++] = arena_printf(&stack->arena, "MAL_BIND=127.0.0.1:%d", child->port);
        extra[n++] = arena_printf(&stack->arena, "MAL_DIR=%s", stack->dir);
        extra[n++] = arena_printf(&stack->arena, "MAL_SECRET_KEYS=%s", secret_sealing_key(stack));
        TRY(start_process(stack, child, binary, extra, err));
    }
    for (size_t i = first; i < stack->n_children; i++)
        TRY(wait_ready(stack, &stack->children[i], ready_url(stack, &stack->children[i]), READY_MS,
                       err));
    return ST_OK;
}
