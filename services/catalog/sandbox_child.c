/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the sandbox: bubblewrap's command line, and the child before exec,
 * where only async-signal-safe calls are allowed. */
#include "sandbox.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534, ARGV_MAX = 64, CANNOT_START = 126 };

#define WORK_BYTES "268435456" /* the script's folder is in memory */

static const rlim_t memory_bytes = 1024L * 1024 * 1024;
static const rlim_t file_bytes = 64L * 1024 * 1024;

const char *sandbox_find(struct arena *arena, const char *program)
{
    for (const char *p = SANDBOX_PATH; *p;) {
        size_t len = strcspn(p, ":");
        const char *path = arena_printf(arena, "%.*s/%s", (int)len, p, program);

        if (access(path, X_OK) == 0)
            return path;
        p += len + (p[len] == ':');
    }
    return NULL;
}

struct argv {
    const char *items[ARGV_MAX];
    size_t n;
};

static void add(struct argv *argv, const char *const *words)
{
    for (; *words; words++) {
        if (argv->n + 1 == ARGV_MAX)
            abort();
        argv->items[argv->n++] = *words;
    }
}

#define ADD(argv, ...) add(argv, (const char *const[]){__VA_ARGS__, NULL})

/* Empty read-only folders over what holds sockets, others' files and the hub's
 * own data; the script's folder lies in one of them. */
static void hide(struct argv *argv)
{
    const char *const folders[] = {"/tmp", "/var/tmp", "/run", catalog_config.data_dir};
    bool shown[ARRAY_SIZE(folders)];

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        shown[i] = folders[i][0] == '/' && access(folders[i], F_OK) == 0;
        if (shown[i])
            ADD(argv, "--tmpfs", folders[i]);
    }
    ADD(argv, "--size", WORK_BYTES, "--tmpfs", SANDBOX_DIR, "--file", "4", SANDBOX_SCRIPT);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (shown[i])
            ADD(argv, "--remount-ro", folders[i]);
}

const char *const *sandbox_argv(struct arena *arena, const char *interpreter)
{
    struct argv *argv = arena_alloc(arena, sizeof(*argv));

    ADD(argv, "bwrap", "--die-with-parent", "--new-session", "--unshare-user", "--unshare-pid",
        "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL");
    if (!catalog_config.exec_network)
        ADD(argv, "--unshare-net");
    ADD(argv, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev");
    hide(argv);
    ADD(argv, "--chdir", SANDBOX_DIR, "--json-status-fd", "3", "--");
    /* In the new user namespace, so that only the sandbox's processes count. */
    ADD(argv, "prlimit", "--nproc=128", "--", interpreter, SANDBOX_SCRIPT);
    return argv->items;
}

static void limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now, wanted = {soft, hard};

    if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
        now.rlim_max < wanted.rlim_max)
        wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max;
    if (setrlimit(resource, &wanted) != 0)
        _exit(CANNOT_START);
}

/* RLIMIT_DATA counts memory that is really written; address space is reserved by
 * the gigabyte by node and says nothing. */
static void set_limits(int timeout_s)
{
    limit(RLIMIT_DATA, memory_bytes, memory_bytes);
    limit(RLIMIT_FSIZE, file_bytes, file_bytes);
    limit(RLIMIT_CPU, (rlim_t)timeout_s, (rlim_t)timeout_s + 2);
    limit(RLIMIT_CORE, 0, 0);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        if (i != SIGKILL && i != SIGSTOP)
            (void)signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A hub that runs as root hands its scripts to nobody. The plain calls would
 * also signal the threads of the parent, which are not here. */
static bool drop_root(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0 &&
           syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0;
}

static _Noreturn void run_child(const struct sandbox_child *child)
{
    const int fds[] = {child->in, child->out, child->err, child->status, child->script};

    reset_signals();
    (void)setpgid(0, 0);
    for (int i = 0; i < (int)ARRAY_SIZE(fds); i++)
        if (dup2(fds[i], i) < 0)
            _exit(CANNOT_START);
    if (close_range(ARRAY_SIZE(fds), ~0U, 0) != 0)
        _exit(CANNOT_START);
    set_limits(child->timeout_s);
    if (geteuid() == 0 && !drop_root())
        _exit(CANNOT_START);
    execve(child->path, (char *const *)(uintptr_t)child->argv,
           (char *const *)(uintptr_t)child->envp);
    _exit(CANNOT_START);
}

int sandbox_fork(const struct sandbox_child *child)
{
    pid_t pid = fork();

    if (pid == 0)
        run_child(child);
    return pid;
}
