/* SPDX-License-Identifier: Apache-2.0 */
/* A child's life in its parent: pipes, the wait for its end, the end itself. */
#include "child/internal.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STDIO = 3 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void close_ours(struct child *child)
{
    close_fd(&child->in);
    close_fd(&child->out);
    close_fd(&child->err);
    close_fd(&child->pidfd);
}

/* Our end of one pipe to *ours, the child's to *theirs. */
static bool open_pipe(int *ours, int *theirs, bool we_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *ours = ends[we_write];
    *theirs = ends[!we_write];
    return true;
}

static enum status image_of(struct arena *arena, const struct child_options *options,
                            struct image *ret_image, struct error *err)
{
    bool isolate = options->isolation == CHILD_SANDBOX ||
                   (options->isolation == CHILD_BEST && child_can_isolate());

    if (isolate)
        return sandbox_image(arena, options, ret_image, err);
    *ret_image = (struct image){options->path, options->argv};
    return ST_OK;
}

enum status child_start(const struct child_options *options, struct child *ret_child,
                        struct error *err)
{
    CLEANUP(arena_done) struct arena arena;
    struct child child = {.pidfd = -1, .in = -1, .out = -1, .err = -1};
    int theirs[STDIO] = {-1, -1, -1};
    struct image image;
    bool piped = true;

    arena_init(&arena);
    *ret_child = child;
    TRY(image_of(&arena, options, &image, err));
    if (!options->fds)
        piped = open_pipe(&child.in, &theirs[0], true) &&
                open_pipe(&child.out, &theirs[1], false) &&
                open_pipe(&child.err, &theirs[2], false);
    if (piped) {
        child.pid = spawn(&image, options, options->fds ? options->fds : theirs,
                          options->fds ? options->n_fds : STDIO);
        if (child.pid > 0)
            child.pidfd = pidfd_open(child.pid, 0);
    }
    for (size_t i = 0; i < STDIO; i++)
        close_fd(&theirs[i]);
    if (child.pid > 0 && child.pidfd >= 0) {
        *ret_child = child;
        return ST_OK;
    }
    child_stop(&child, 0, 0, NULL);
    return error_set(err, ST_UNAVAILABLE, "the machine has no room for another process");
}

/* Signals the whole group. */
static void signal_group(const struct child *child, int signum)
{
    if (child->pid <= 0)
        return;
    /* It may not have made its group yet. */
    if (kill(-child->pid, signum) != 0)
        (void)kill(child->pid, signum);
}

/* The group may outlive its leader; it is killed before its number is free again. */
static void reap(struct child *child, struct child_end *ret_end, int options)
{
    siginfo_t info = {0};
    int status = 0;

    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | options) < 0 &&
           errno == EINTR)
        ;
    if ((options & WNOHANG) && info.si_pid == 0)
        return;
    (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ret_end) {
        ret_end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        ret_end->exit_code = ret_end->signal ? 128 + ret_end->signal : WEXITSTATUS(status);
    }
    child->pid = 0;
    close_ours(child);
}

bool child_ended(struct child *child, struct child_end *ret_end)
{
    if (child->pid > 0)
        reap(child, ret_end, WNOHANG);
    return child->pid <= 0;
}

/* Whether it ended within the time. */
static bool ends_within(struct child *child, int timeout_ms)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    struct pollfd fd = {.fd = child->pidfd, .events = POLLIN};

    if (child->pidfd < 0)
        return false;
    do {
        int64_t left = until - clock_mono_ms();

        if (poll(&fd, 1, left > 0 ? (int)left : 0) > 0)
            return true;
    } while (clock_mono_ms() < until);
    return false;
}

void child_stop(struct child *child, int eof_ms, int term_ms, struct child_end *ret_end)
{
    close_fd(&child->in);
    if (child->pid <= 0) {
        close_ours(child);
        return;
    }
    if (!ends_within(child, eof_ms)) {
        signal_group(child, SIGTERM);
        if (!ends_within(child, term_ms))
            signal_group(child, SIGKILL);
    }
    reap(child, ret_end, 0);
}
