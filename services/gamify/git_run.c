/* SPDX-License-Identifier: Apache-2.0 */
/* One run of git: without a shell, and with nothing in its way that somebody
 * else could have put there. What it writes is passed on as it comes. */
#include "git.h"

#include "base/clock.h"
#include "child/child.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGS_MAX = 80, CHUNK = 65536, TICK_MS = 200 };

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
    const char *items[ARGS_MAX]; /* NULL-terminated */
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

static const char *search_path(void)
{
    const char *path = getenv("PATH");

    return path && *path ? path : SAFE_PATH;
}

static void environment(struct words *words, struct arena *arena, const struct git_job *job)
{
    const char *slash = strrchr(job->dir, '/');

    add(words, arena_printf(arena, "PATH=%s", search_path()));
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

static void close_fd(int *fd)
{
    (void)close(*fd);
    *fd = -1;
}

struct run {
    struct git_job *job;
    struct child git;
    size_t total, complained;
    bool cut; /* on_output, output_max or the clock ended it */
    enum git_outcome why;
};

/* Of git itself and of what it starts; it reads what the hub's user may read. */
static bool start(struct run *run, struct arena *arena)
{
    const rlim_t file = (rlim_t)run->job->file_max;
    const struct child_limit limits[] = {
        {RLIMIT_DATA, git_memory, git_memory}, {RLIMIT_FSIZE, file, file}, {RLIMIT_CORE, 0, 0}};
    const char *path = child_find_on(arena, search_path(), "git");
    struct words argv = {.n = 0}, envp = {.n = 0};
    struct error err = {0};

    command_line(&argv, arena, run->job);
    environment(&envp, arena, run->job);
    if (!path || child_start(&(struct child_options){.path = path,
                                                     .argv = argv.items,
                                                     .envp = envp.items,
                                                     .limits = limits,
                                                     .n_limits = ARRAY_SIZE(limits),
                                                     .keep_user = true},
                             &run->git, &err) != ST_OK)
        return false;
    close_fd(&run->git.in);
    return true;
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
    ssize_t n = read(run->git.out, chunk, CHUNK);

    if (n == 0)
        close_fd(&run->git.out);
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
    ssize_t n = read(run->git.err, chunk, CHUNK);
    size_t room = sizeof(job->complaint) - 1 - run->complained;

    if (n == 0)
        close_fd(&run->git.err);
    if (n <= 0)
        return;
    if ((size_t)n < room)
        room = (size_t)n;
    memcpy(job->complaint + run->complained, chunk, room);
    run->complained += room;
}

/* Until both ends are closed, which a killed group does too, and git has ended. */
static void watch(struct run *run, char *chunk)
{
    const struct child *git = &run->git;

    while (!run->cut) {
        bool closed = git->out < 0 && git->err < 0;
        struct pollfd fds[] = {{.fd = git->out, .events = POLLIN},
                               {.fd = git->err, .events = POLLIN},
                               {.fd = closed ? git->pidfd : -1, .events = POLLIN}};
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
        if (fds[2].revents)
            break;
    }
}

static enum git_outcome outcome_of(struct git_job *job, const struct child_end *end)
{
    if (end->signal == 0)
        job->exit_code = end->exit_code;
    if (job->exit_code == CHILD_CANNOT_RUN || job->exit_code == CHILD_NOT_FOUND)
        return GIT_MISSING;
    return job->exit_code == 0 ? GIT_DONE : GIT_REFUSED;
}

enum git_outcome git_run(struct git_job *job)
{
    CLEANUP(arena_done) struct arena arena;
    struct run run = {.job = job};
    struct child_end end = {0};

    job->exit_code = -1;
    memset(job->complaint, 0, sizeof(job->complaint));
    arena_init(&arena);
    if (clock_mono_ms() >= job->deadline_ms)
        return GIT_LATE;
    if (!start(&run, &arena))
        return GIT_MISSING;
    watch(&run, arena_alloc(&arena, CHUNK));
    child_stop(&run.git, 0, 0, &end);
    return run.cut ? run.why : outcome_of(job, &end);
}
