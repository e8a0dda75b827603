/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a script: starting it in bubblewrap, gathering what it writes, and
 * ending it in time. */
#include "sandbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KILL_AFTER_MS = 2000, /* from TERM to KILL */
    DRAIN_MS = 1000,      /* for what is in the pipes after the end */
    ANSWER_MS = 2500,     /* kept of the caller's time */
    STATUS_MAX = 1024,
};

static const rlim_t memory_bytes = 1024L * 1024 * 1024;
static const rlim_t file_bytes = 64L * 1024 * 1024;

/* What a pipe brought. */
struct stream {
    int fd; /* read end, -1 when closed */
    char *data;
    size_t len, max;
    bool truncated;
};

struct run {
    struct stream out, err, status;
    int in, out_w, err_w, status_w, script; /* the child's ends */
    int pid, pidfd;
    int64_t started_ms, stop_ms, kill_ms;
    int cancel_fd;
    bool stopping, cancelled, ended;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_child_ends(struct run *run)
{
    close_fd(&run->in);
    close_fd(&run->out_w);
    close_fd(&run->err_w);
    close_fd(&run->status_w);
    close_fd(&run->script);
}

/* Ends what still runs; no process and no descriptor stays behind. */
static void run_done(struct run *run)
{
    if (run->pid > 0 && !run->ended) {
        kill(run->pid, SIGKILL);
        while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close_child_ends(run);
    close_fd(&run->pidfd);
    close_fd(&run->out.fd);
    close_fd(&run->err.fd);
    close_fd(&run->status.fd);
}

static bool open_pipe(struct arena *arena, struct stream *stream, int *ret_write, size_t max)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    stream->fd = ends[0];
    *ret_write = ends[1];
    stream->data = arena_alloc(arena, max + 1);
    stream->max = max;
    return stream->fd >= 0 && *ret_write >= 0 && fcntl(stream->fd, F_SETFL, O_NONBLOCK) == 0;
}

static bool write_script(int fd, const char *text)
{
    size_t len = strlen(text), done = 0;

    while (done < len) {
        ssize_t n = write(fd, text + done, len - done);

        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static bool open_all(struct run *run, struct arena *arena, const char *script)
{
    run->script = memfd_create("script", MFD_CLOEXEC);
    run->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return run->script >= 0 && run->in >= 0 && write_script(run->script, script) &&
           open_pipe(arena, &run->out, &run->out_w, SANDBOX_OUTPUT_MAX) &&
           open_pipe(arena, &run->err, &run->err_w, SANDBOX_OUTPUT_MAX) &&
           open_pipe(arena, &run->status, &run->status_w, STATUS_MAX);
}

/* Reads what is there; what goes beyond the limit is thrown away, so that the
 * script does not wait for a reader. */
static void stream_read(struct stream *stream)
{
    char rest[4096];

    while (stream->fd >= 0) {
        size_t room = stream->max - stream->len;
        ssize_t n =
            read(stream->fd, room ? stream->data + stream->len : rest, room ? room : sizeof(rest));

        if (n > 0 && room)
            stream->len += (size_t)n;
        else if (n > 0)
            stream->truncated = true;
        else if (n == 0)
            close_fd(&stream->fd);
        else if (errno != EINTR)
            return;
    }
}

/* A number of bwrap's report: {"child-pid": 42, …} and {"exit-code": 0}. */
static bool report_number(const struct run *run, const char *key, int *ret_value)
{
    const char *report = run->status.data ? run->status.data : "";
    const char *found = strstr(report, key), *colon = found ? strchr(found, ':') : NULL;

    if (!colon)
        return false;
    *ret_value = (int)strtol(colon + 1, NULL, 10);
    return true;
}

/* The sandbox's first process leads the group of the script; from outside it
 * ignores TERM and takes everything with it on KILL. */
static void signal_script(const struct run *run, int signum)
{
    int child;

    if (report_number(run, "\"child-pid\"", &child) && child > 1) {
        kill(-child, signum);
        if (signum == SIGKILL)
            kill(child, signum);
    } else {
        kill(run->pid, SIGKILL); /* not that far yet */
    }
}

/* TERM, then KILL for what is still there. */
static void check_time(struct run *run, int64_t now)
{
    if (!run->stopping && (run->cancelled || now >= run->stop_ms)) {
        run->stopping = true;
        run->kill_ms = now + KILL_AFTER_MS;
        signal_script(run, SIGTERM);
    } else if (run->stopping && now >= run->kill_ms) {
        signal_script(run, SIGKILL);
        kill(run->pid, SIGKILL);
        run->kill_ms = INT64_MAX;
    }
}

static int wait_ms(const struct run *run, int64_t now)
{
    int64_t until = run->stopping ? run->kill_ms : run->stop_ms;

    if (until - now > 1000)
        return 1000;
    return until > now ? (int)(until - now) : 0;
}

static void poll_once(struct run *run, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = run->ended ? -1 : run->pidfd, .events = POLLIN},
                           {.fd = run->out.fd, .events = POLLIN},
                           {.fd = run->err.fd, .events = POLLIN},
                           {.fd = run->status.fd, .events = POLLIN},
                           {.fd = run->cancelled ? -1 : run->cancel_fd, .events = POLLIN}};

    if (poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0)
        return;
    run->cancelled = run->cancelled || fds[4].revents != 0;
    stream_read(&run->status);
    stream_read(&run->out);
    stream_read(&run->err);
    if (fds[0].revents && waitpid(run->pid, NULL, WNOHANG) == run->pid)
        run->ended = true;
}

static void watch(struct run *run)
{
    int64_t now, drained_ms;

    while (!run->ended) {
        now = clock_mono_ms();
        check_time(run, now);
        poll_once(run, wait_ms(run, now));
    }
    /* What is left ends with the sandbox; its descriptors close one by one. */
    drained_ms = clock_mono_ms() + DRAIN_MS;
    while ((run->out.fd >= 0 || run->err.fd >= 0) && (now = clock_mono_ms()) < drained_ms)
        poll_once(run, (int)(drained_ms - now));
    stream_read(&run->status);
}

/* Valid UTF-8; a character that the limit cut in two is left out. */
static const char *stream_text(struct arena *arena, const struct stream *stream)
{
    size_t len = stream->len;
    char *text;

    for (int i = 0; stream->truncated && i < 3 && len > 0; i++) {
        unsigned char last = (unsigned char)stream->data[len - 1];

        if (last < 0x80)
            break;
        len--;
        if (last >= 0xc0)
            break;
    }
    text = arena_alloc(arena, 3 * len + 1);
    text[utf8_repair(stream->data, len, text)] = '\0';
    return text;
}

static const char *const *environment(struct arena *arena, const struct sandbox_job *job)
{
    const char **env = arena_alloc(arena, (job->n_variables + 4) * sizeof(*env));
    size_t n = 0;

    env[n++] = "PATH=" CHILD_PATH;
    env[n++] = "HOME=" SANDBOX_DIR;
    env[n++] = "LANG=C.UTF-8";
    for (size_t i = 0; i < job->n_variables; i++)
        env[n++] = arena_printf(arena, "%s=%s", job->names[i], job->values[i]);
    return env;
}

static const char *interpreter_of(Catalog__Shell shell)
{
    switch (shell) {
    case CATALOG__SHELL__SHELL_PYTHON:
        return "python3";
    case CATALOG__SHELL__SHELL_NODE:
        return "node";
    default:
        return "bash";
    }
}

static enum status unavailable(struct call *call, const char *what)
{
    call_hint(call, "mode render, and run the script yourself; or ask the operator of this hub.");
    return call_fail(call, ST_UNAVAILABLE, "The script cannot be run: %s.", what);
}

/* RLIMIT_DATA counts memory that is really written; address space is reserved by
 * the gigabyte by node and says nothing. */
static bool start_child(struct run *run, struct arena *arena, const char *bwrap,
                        const char *interpreter, const struct sandbox_job *job)
{
    const rlim_t cpu_s = (rlim_t)job->timeout_s;
    const struct child_limit limits[] = {{RLIMIT_DATA, memory_bytes, memory_bytes},
                                         {RLIMIT_FSIZE, file_bytes, file_bytes},
                                         {RLIMIT_CPU, cpu_s, cpu_s + 2},
                                         {RLIMIT_CORE, 0, 0}};
    const int fds[] = {run->in, run->out_w, run->err_w, run->status_w, run->script};
    struct child child;
    struct error err = {0};

    if (child_start(&(struct child_options){.path = bwrap,
                                            .argv = sandbox_argv(arena, interpreter),
                                            .envp = environment(arena, job),
                                            .limits = limits,
                                            .n_limits = ARRAY_SIZE(limits),
                                            .fds = fds,
                                            .n_fds = ARRAY_SIZE(fds)},
                    &child, &err) != ST_OK)
        return false;
    run->pid = child.pid;
    run->pidfd = child.pidfd;
    return true;
}

static enum status start(struct call *call, struct run *run, const struct sandbox_job *job)
{
    const char *interpreter = child_find(call->arena, interpreter_of(job->shell));
    const char *bwrap = child_find(call->arena, "bwrap");

    if (!bwrap || !child_find(call->arena, "prlimit"))
        return unavailable(call, "this hub has no sandbox (bubblewrap and util-linux)");
    if (!interpreter)
        return unavailable(
            call, arena_printf(call->arena, "this hub has no %s", interpreter_of(job->shell)));
    if (!open_all(run, call->arena, job->script))
        return unavailable(call, "the hub is out of descriptors");
    run->started_ms = clock_mono_ms();
    run->stop_ms = run->started_ms + (int64_t)job->timeout_s * 1000;
    if (call->deadline_ms > 0 && call->deadline_ms - ANSWER_MS < run->stop_ms)
        run->stop_ms = call->deadline_ms - ANSWER_MS;
    if (!start_child(run, call->arena, bwrap, interpreter, job))
        return unavailable(call, "the hub has too many processes");
    close_child_ends(run);
    return ST_OK;
}

enum status sandbox_run(struct call *call, const struct sandbox_job *job,
                        struct sandbox_result *ret_result)
{
    CLEANUP(run_done)
    struct run run = {.cancel_fd = job->cancel_fd,
                      .out.fd = -1,
                      .err.fd = -1,
                      .status.fd = -1,
                      .in = -1,
                      .out_w = -1,
                      .err_w = -1,
                      .status_w = -1,
                      .script = -1,
                      .pidfd = -1};
    int code = 0;

    TRY(start(call, &run, job));
    watch(&run);
    *ret_result = (struct sandbox_result){
        .timed_out = run.stopping && !run.cancelled,
        .duration_ms = (int)(clock_mono_ms() - run.started_ms),
        .out = stream_text(call->arena, &run.out),
        .err = stream_text(call->arena, &run.err),
        .out_truncated = run.out.truncated,
        .err_truncated = run.err.truncated,
    };
    if (!report_number(&run, "\"exit-code\"", &code)) {
        /* Without this line the script never began, or was killed. */
        if (!run.stopping) {
            log_warn("bubblewrap cannot isolate here: %.200s", ret_result->err);
            return unavailable(call, "this machine does not let the hub isolate it");
        }
        code = 128 + SIGKILL;
    }
    ret_result->exit_code = code;
    ret_result->signal = code > 128 && code < 128 + NSIG ? code - 128 : 0;
    if (run.cancelled)
        return call_fail(call, ST_CANCELLED, "The call was cancelled and the script stopped.");
    return ST_OK;
}
