/* SPDX-License-Identifier: Apache-2.0 */
/* From fork to exec: in the child only async-signal-safe calls are allowed, since
 * other threads' locks are as they were. */
#include "child/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534, HIGH_FD = 64 };

/* One request at a time. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool waiting, done;
    const struct image *image;
    const struct child_options *options;
    const int *fds;
    size_t n_fds;
    pid_t parent; /* process whose thread runs; 0 = none yet */
    pid_t pid;
} spawner = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void limit(const struct child_limit *wanted)
{
    struct rlimit now, set = {wanted->soft, wanted->hard};

    if (getrlimit(wanted->resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
        (set.rlim_max == RLIM_INFINITY || now.rlim_max < set.rlim_max))
        set.rlim_max = now.rlim_max;
    if (set.rlim_cur > set.rlim_max)
        set.rlim_cur = set.rlim_max;
    if (setrlimit(wanted->resource, &set) != 0)
        _exit(CHILD_CANNOT_RUN);
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

/* First out of the way of each other, then to their places. */
static bool place_fds(const int *fds, size_t n)
{
    int high[CHILD_FDS_MAX];

    for (size_t i = 0; i < n; i++) {
        high[i] = fcntl(fds[i], F_DUPFD, HIGH_FD);
        if (high[i] < 0)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (dup2(high[i], (int)i) < 0)
            return false;
    return close_range((unsigned)n, ~0U, 0) == 0;
}

/* The plain calls would also signal the threads of the parent, which are not
 * here. */
static bool drop_root(void)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0 &&
           syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0;
}

static _Noreturn void run_child(void)
{
    const struct child_options *options = spawner.options;

    reset_signals();
    (void)setpgid(0, 0);
    if (!place_fds(spawner.fds, spawner.n_fds))
        _exit(CHILD_CANNOT_RUN);
    for (size_t i = 0; i < options->n_limits; i++)
        limit(&options->limits[i]);
    if (!options->keep_user && geteuid() == 0 && !drop_root())
        _exit(CHILD_CANNOT_RUN);
    /* After the change of user, which undoes it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != spawner.parent ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(CHILD_CANNOT_RUN);
    if (chdir(options->folder ? options->folder : "/") != 0)
        _exit(CHILD_CANNOT_RUN);
    execve(spawner.image->path, (char *const *)(uintptr_t)spawner.image->argv,
           (char *const *)(uintptr_t)options->envp);
    _exit(errno == ENOENT ? CHILD_NOT_FOUND : CHILD_CANNOT_RUN);
}

static void *spawner_run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&spawner.lock);
    for (;;) {
        while (!spawner.waiting || spawner.done)
            pthread_cond_wait(&spawner.changed, &spawner.lock);
        spawner.pid = fork();
        if (spawner.pid == 0)
            run_child();
        /* Here too, so that the group is there for whoever signals it. */
        if (spawner.pid > 0)
            (void)setpgid(spawner.pid, spawner.pid);
        spawner.done = true;
        pthread_cond_broadcast(&spawner.changed);
    }
    return NULL;
}

/* A process that was forked off has no such thread. */
static bool begin(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    if (spawner.parent == getpid())
        return true;
    pthread_cond_init(&spawner.changed, NULL);
    spawner.waiting = spawner.done = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, spawner_run, NULL) == 0)
        spawner.parent = getpid();
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return spawner.parent == getpid();
}

pid_t spawn(const struct image *image, const struct child_options *options, const int *fds,
            size_t n_fds)
{
    pid_t pid = -1;

    pthread_mutex_lock(&spawner.lock);
    if (begin()) {
        while (spawner.waiting)
            pthread_cond_wait(&spawner.changed, &spawner.lock);
        spawner.waiting = true;
        spawner.done = false;
        spawner.image = image;
        spawner.options = options;
        spawner.fds = fds;
        spawner.n_fds = n_fds;
        pthread_cond_broadcast(&spawner.changed);
        while (!spawner.done)
            pthread_cond_wait(&spawner.changed, &spawner.lock);
        pid = spawner.pid;
        spawner.waiting = false;
        pthread_cond_broadcast(&spawner.changed);
    }
    pthread_mutex_unlock(&spawner.lock);
    return pid;
}
