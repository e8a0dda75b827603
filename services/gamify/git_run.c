/* SPDX-License-Identifier: Apache-2.0 */
/* One run of git: without a shell, and with nothing in its way that somebody
 * else could have put there. What it writes is passed on as it comes. */
#include "git.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 80, ENV_MAX = 24, CHUNK = 65536, TICK_MS = 200 };

#define SAFE_PATH "/usr/local/bin:/usr/bin:/bin"

static const rlim_t git_memory = 1024L * 1024 * 1024;

/* A repository's own configuration can name programs to run and servers to ask;
 * these come after it and win. */
static const char *const common[] = {
    "--no-pager", "--no-replace-objects",
    "-c",         "core.hooksPath=/dev/null",
    "-c",         "core.fsmonitor=false",
    "-c",         "core.askPass=",
    "-c",         "core.sshCommand=false",
    "-c",         "core.alternateRefsCommand=false",
    "-c",         "core.attributesFile=/dev/null",
    "-c",         "core.packedGitWindowSize=16m",
    "-c",         "core.packedGitLimit=128m",
    "-c",         "core.deltaBaseCacheLimit=32m",
    "-c",         "core.bigFileThreshold=32m",
    "-c",         "log.showSignature=false",
    "-c",         "gpg.program=false",
    "-c",         "credential.helper=",
    "-c",         "gc.auto=0",
    "-c",         "maintenance.auto=false",
};

static const char *const networked[] = {
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "http.followRedirects=false",
    "-c", "http.sslVerify=true",
    "-c", "http.proxy=",
    "-c", "http.cookieFile=",
    "-c", "http.lowSpeedLimit=1000",
    "-c", "http.lowSpeedTime=20",
    "-c", "fetch.recurseSubmodules=no",
    "-c", "transfer.unpackLimit=1",
};

struct words {
    const char *items[ARGS_MAX];
    size_t n;
};

static void add(struct words *words, const char *word)
{
    if (words->n + 1 == ARGS_MAX)
        abort();
    words->items[words->n++] = word;
}

static void add_setting(struct words *words, struct arena *arena, const char *name,
                        const char *value)
{
    add(words, "-c");
    add(words, arena_printf(arena, "%s=%s", name, value));
}

static void command_line(struct words *words, struct arena *arena, const struct git_job *job)
{
    add(words, "git");
    for (size_t i = 0; i < ARRAY_SIZE(common); i++)
        add(words, common[i]);
    for (size_t i = 0; job->network && i < ARRAY_SIZE(networked); i++)
        add(words, networked[i]);
    if (job->network && *git_config.ca_file)
        add_setting(words, arena, "http.sslCAInfo", git_config.ca_file);
    add_setting(words, arena, "safe.directory", job->dir);
    add(words, "-C");
    add(words, job->dir);
    for (const char *const *arg = job->args; *arg; arg++)
        add(words, *arg);
}

static void environment(struct words *words, struct arena *arena, const struct git_job *job)
{
    const char *path = getenv("PATH"), *slash = strrchr(job->dir, '/');

    add(words, arena_printf(arena, "PATH=%s", path && *path ? path : SAFE_PATH));
    add(words, "HOME=/nonexistent");
    add(words, "LC_ALL=C");
    add(words, "GIT_CONFIG_NOSYSTEM=1");
    add(words, "GIT_CONFIG_SYSTEM=/dev/null");
    add(words, "GIT_CONFIG_GLOBAL=/dev/null");
    add(words, "GIT_ATTR_NOSYSTEM=1");
    add(words, "GIT_OPTIONAL_LOCKS=0");
    add(words, "GIT_TERMINAL_PROMPT=0");
    add(words, "GIT_ASKPASS=false");
    add(words, "GIT_PAGER=cat");
    /* A partial clone would fetch what it lacks from whatever it names. */
    add(words, job->network ? "GIT_ALLOW_PROTOCOL=https" : "GIT_ALLOW_PROTOCOL=none");
    /* Not a repository above the folder that was asked for. */
    add(words, arena_printf(arena, "GIT_CEILING_DIRECTORIES=%.*s",
                            slash && slash > job->dir ? (int)(slash - job->dir) : 1, job->dir));
}

struct run {
    struct git_job *job;
    pid_t pid;    /* leader of its group; 0 = not running */
    int out, err; /* read ends, -1 when closed */
    size_t total, complained;
    bool cut; /* on_output or output_max ended it */
    enum git_outcome why;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void run_done(struct run *run)
{
    close_fd(&run->out);
    close_fd(&run->err);
    if (run->pid <= 0)
        return;
    (void)kill(-run->pid, SIGKILL);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int spawn(pid_t *ret_pid, const struct words *argv, const struct words *envp, int out,
                 int err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int failed;

    sigemptyset(&none);
    sigfillset(&all);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attr);
    failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) ||
             posix_spawn_file_actions_adddup2(&actions, out, 1) ||
             posix_spawn_file_actions_adddup2(&actions, err, 2) ||
             posix_spawn_file_actions_addclosefrom_np(&actions, 3) ||
             posix_spawnattr_setpgroup(&attr, 0) || posix_spawnattr_setsigmask(&attr, &none) ||
             posix_spawnattr_setsigdefault(&attr, &all) ||
             posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSIGDEF) ||
             posix_spawnp(ret_pid, "git", &actions, &attr, (char *const *)(uintptr_t)argv->items,
                          (char *const *)(uintptr_t)envp->items);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return failed;
}

/* Descriptors 1 and 2 of the child must not be among the ends that it gets them
 * from. */
static bool open_pipe(int *ret_read, int *ret_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *ret_read = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
    *ret_write = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return *ret_read >= 0 && *ret_write >= 0 && fcntl(*ret_read, F_SETFL, O_NONBLOCK) == 0;
}

/* Of git itself and of what it starts. */
static void limit(pid_t pid, int64_t file_max)
{
    const struct rlimit memory = {git_memory, git_memory};
    const struct rlimit file = {(rlim_t)file_max, (rlim_t)file_max};
    const struct rlimit core = {0, 0};

    (void)prlimit(pid, RLIMIT_DATA, &memory, NULL);
    (void)prlimit(pid, RLIMIT_FSIZE, &file, NULL);
    (void)prlimit(pid, RLIMIT_CORE, &core, NULL);
}

static bool start(struct run *run)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct words argv = {.n = 0}, envp = {.n = 0};
    int out = -1, err = -1;
    bool started;

    arena_init(&arena);
    command_line(&argv, &arena, run->job);
    environment(&envp, &arena, run->job);
    started = open_pipe(&run->out, &out) && open_pipe(&run->err, &err) &&
              spawn(&run->pid, &argv, &envp, out, err) == 0;
    if (!started)
        run->pid = 0;
    else
        limit(run->pid, run->job->file_max);
    close_fd(&out);
    close_fd(&err);
    return started;
}

static void cut(struct run *run, enum git_outcome why)
{
    run->cut = true;
    run->why = why;
}

/* One read of at most a chunk, so that the clock is looked at in between. */
static void read_out(struct run *run, char *chunk)
{
    struct git_job *job = run->job;
    ssize_t n = read(run->out, chunk, CHUNK);

    if (n == 0)
        close_fd(&run->out);
    if (n <= 0)
        return;
    run->total += (size_t)n;
    if (run->total > job->output_max)
        cut(run, GIT_TOO_LONG);
    else if (job->on_output && !job->on_output(job->arg, chunk, (size_t)n))
        cut(run, GIT_UNREADABLE);
}

static void read_err(struct run *run, char *chunk)
{
    struct git_job *job = run->job;
    ssize_t n = read(run->err, chunk, CHUNK);
    size_t room = sizeof(job->complaint) - 1 - run->complained;

    if (n == 0)
        close_fd(&run->err);
    if (n <= 0)
        return;
    if ((size_t)n < room)
        room = (size_t)n;
    memcpy(job->complaint + run->complained, chunk, room);
    run->complained += room;
}

/* Until both ends are closed, which a killed group does too. */
static void watch(struct run *run, char *chunk)
{
    while (!run->cut && (run->out >= 0 || run->err >= 0)) {
        struct pollfd fds[] = {{.fd = run->out, .events = POLLIN},
                               {.fd = run->err, .events = POLLIN}};
        int64_t left = run->job->deadline_ms - clock_mono_ms();

        if (left <= 0 || (run->job->stop && *run->job->stop)) {
            cut(run, GIT_LATE);
            break;
        }
        if (poll(fds, ARRAY_SIZE(fds), (int)(left < TICK_MS ? left : TICK_MS)) <= 0)
            continue;
        if (fds[0].revents)
            read_out(run, chunk);
        if (fds[1].revents)
            read_err(run, chunk);
    }
}

/* git closed its ends, so it is about to go. What it may have left in its group
 * is ended before the number of the group can become another's. */
static enum git_outcome finish(struct run *run)
{
    int status = 0;

    for (;;) {
        siginfo_t info = {0};

        if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == run->pid)
            break;
        if (clock_mono_ms() > run->job->deadline_ms)
            return GIT_LATE;
        (void)poll(NULL, 0, 1);
    }
    (void)kill(-run->pid, SIGKILL);
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    run->pid = 0;
    if (WIFEXITED(status))
        run->job->exit_code = WEXITSTATUS(status);
    return run->job->exit_code == 0 ? GIT_DONE : GIT_REFUSED;
}

enum git_outcome git_run(struct git_job *job)
{
    CLEANUP(run_done) struct run run = {.job = job, .out = -1, .err = -1};
    char *chunk;

    job->exit_code = -1;
    memset(job->complaint, 0, sizeof(job->complaint));
    if (clock_mono_ms() >= job->deadline_ms)
        return GIT_LATE;
    if (!start(&run))
        return GIT_MISSING;
    chunk = malloc(CHUNK);
    if (!chunk)
        abort();
    watch(&run, chunk);
    free(chunk);
    return run.cut ? run.why : finish(&run);
}
