/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, watching and stopping the processes of the stack. */
#include "stack.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 5000,
    SETTLED_MS = 10000,
    LOG_MAX_BYTES = 16 << 20,
    STOP_GRACE_MS = 35000, /* a service takes up to 30 s to finish what runs */
};

/* Between fork and exec: only async-signal-safe calls. */
static void child_become(const struct child *child, int log_fd, pid_t parent)
{
    sigset_t none;

    (void)setpgid(0, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (child->uid != 0 &&
        (setgroups(0, NULL) != 0 || setgid(child->gid) != 0 || setuid(child->uid) != 0))
        _exit(126);
    /* If mal dies without a word, its children do not stay behind. */
    (void)prctl(PR_SET_PDEATHSIG, child->stop_signal);
    if (getppid() != parent)
        _exit(126);
    if (dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        _exit(126);
    (void)execve(child->argv[0], (char *const *)(uintptr_t)child->argv,
                 (char *const *)(uintptr_t)child->env);
    _exit(127);
}

enum status child_start(struct child *child, struct error *err)
{
    pid_t parent = getpid();
    struct stat st;
    int null_fd;
    int log_fd;

    if (stat(child->log, &st) == 0 && st.st_size > LOG_MAX_BYTES) {
        char old[4096];

        (void)snprintf(old, sizeof old, "%s.1", child->log);
        (void)rename(child->log, old);
    }
    log_fd = open(child->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        return error_set(err, ST_INTERNAL, "cannot open %s: %s", child->log, strerror(errno));
    child->pid = fork();
    if (child->pid == 0) {
        null_fd = open("/dev/null", O_RDONLY);
        (void)dup2(null_fd, STDIN_FILENO);
        child_become(child, log_fd, parent);
    }
    (void)close(log_fd);
    if (child->pid < 0) {
        child->pid = 0;
        return error_set(err, ST_INTERNAL, "cannot start %s: %s", child->name, strerror(errno));
    }
    child->started_ms = clock_mono_ms();
    child->restart_at_ms = 0;
    return ST_OK;
}

struct child *stack_child(struct stack *stack, const char *name)
{
    for (size_t i = 0; i < stack->n_children; i++)
        if (strcmp(stack->children[i].name, name) == 0)
            return &stack->children[i];
    return NULL;
}

struct child *stack_add(struct stack *stack, const char *name)
{
    struct child *child = &stack->children[stack->n_children++];

    *child = (struct child){.stop_signal = SIGTERM};
    child->name = arena_strdup(&stack->arena, name);
    child->log = arena_printf(&stack->arena, "%s/log/%s.log", stack->dir, name);
    return child;
}

bool stack_reap(struct stack *stack)
{
    bool changed = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < stack->n_children; i++) {
            struct child *child = &stack->children[i];
            int64_t now = clock_mono_ms();

            if (child->pid != pid)
                continue;
            if (child->backoff_ms == 0 || now - child->started_ms > SETTLED_MS)
                child->backoff_ms = BACKOFF_FIRST_MS;
            else if (child->backoff_ms < BACKOFF_MAX_MS)
                child->backoff_ms *= 2;
            child->pid = 0;
            child->restart_at_ms = now + child->backoff_ms;
            changed = true;
            if (!stack->json)
                (void)fprintf(stderr, "mal: %s ended (%s %d), starting it again; log: %s\n",
                              child->name, WIFSIGNALED(status) ? "signal" : "exit code",
                              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                              child->log);
        }
    }
    return changed;
}

bool stack_restart_due(struct stack *stack)
{
    int64_t now = clock_mono_ms();
    bool changed = false;

    for (size_t i = 0; i < stack->n_children; i++) {
        struct child *child = &stack->children[i];
        struct error err = {0};

        if (child->pid != 0 || child->restart_at_ms == 0 || child->restart_at_ms > now)
            continue;
        if (child_start(child, &err) == ST_OK)
            changed = true;
        else
            child->restart_at_ms = now + BACKOFF_MAX_MS;
    }
    return changed;
}

/* Waits until the child has ended, at most until the deadline. */
static bool child_wait(struct child *child, int64_t deadline_ms)
{
    sigset_t set;
    struct timespec tick = {.tv_nsec = 50000000};

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    for (;;) {
        pid_t pid = waitpid(child->pid, NULL, WNOHANG);

        if (pid == child->pid || (pid < 0 && errno == ECHILD)) {
            child->pid = 0;
            return true;
        }
        if (clock_mono_ms() >= deadline_ms)
            return false;
        (void)sigtimedwait(&set, NULL, &tick);
    }
}

static void child_stop(struct child *child)
{
    pid_t group = child->pid;

    child->restart_at_ms = 0;
    if (group == 0)
        return;
    (void)kill(child->pid, child->stop_signal);
    if (!child_wait(child, clock_mono_ms() + STOP_GRACE_MS)) {
        (void)kill(child->pid, SIGKILL);
        (void)child_wait(child, clock_mono_ms() + STOP_GRACE_MS);
    }
    /* What the process left in its group (a command's child) goes with it. */
    (void)kill(-group, SIGKILL);
}

/* Gateways need services until they end, and all need Postgres and the bus. */
static bool stops_with(const struct child *child, bool gateways)
{
    if (strcmp(child->name, "postgres") == 0 || strcmp(child->name, "nats") == 0)
        return false;
    return (strncmp(child->name, "gateway", 7) == 0) == gateways;
}

/* Those of a kind are told together: they drain side by side. */
static void stop_together(struct stack *stack, bool gateways)
{
    for (size_t i = stack->n_children; i-- > 0;) {
        struct child *child = &stack->children[i];

        if (child->pid != 0 && stops_with(child, gateways))
            (void)kill(child->pid, child->stop_signal);
    }
    for (size_t i = stack->n_children; i-- > 0;)
        if (stops_with(&stack->children[i], gateways))
            child_stop(&stack->children[i]);
}

void stack_stop(struct stack *stack)
{
    stop_together(stack, true);
    stop_together(stack, false);
    for (size_t i = stack->n_children; i-- > 0;)
        child_stop(&stack->children[i]);
}
