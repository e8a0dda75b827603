/* SPDX-License-Identifier: Apache-2.0 */
/* Which repository a call may read: a folder below the roots, with all links
 * followed, or the clone of an allowed address. */
#include "git.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { GIT_MS = 15000, ANSWER_MS = 500, LINE_BYTES = 4096, ROOTS_MAX = 64 };

struct git_settings git_config = {.repo_path = ".",
                                  .roots = "",
                                  .url_allow = "",
                                  .cache_dir = "",
                                  .data_dir = "",
                                  .ca_file = "",
                                  .cache_mib = 2048,
                                  .fetch_timeout_s = 120,
                                  .max = 2};

static int64_t git_deadline(const struct call *call)
{
    int64_t own = clock_mono_ms() + GIT_MS, theirs = call->deadline_ms - ANSWER_MS;

    return call->deadline_ms > 0 && theirs < own ? theirs : own;
}

enum status git_fail(struct call *call, const struct git_job *job, enum git_outcome outcome)
{
    const char *words = job->complaint;

    if (*words)
        log_warn("git %s: exit code %d: %.400s", job->args[0], job->exit_code, words);
    switch (outcome) {
    case GIT_LATE:
        call_hint(call, "fewer days; nothing was credited.");
        return call_fail(call, ST_DEADLINE_EXCEEDED,
                         "git did not finish in time, and nothing was credited.");
    case GIT_TOO_LONG:
        call_hint(call, "fewer days; nothing was credited.");
        return call_fail(call, ST_UNAVAILABLE,
                         "That is more history than the hub reads at once (64 MiB).");
    case GIT_MISSING:
        call_hint(call, "ask the operator to install git where the hub runs.");
        return call_fail(call, ST_UNAVAILABLE, "git cannot be started on the hub's machine.");
    default:
        call_hint(call, "again; if it persists, ask the operator to look at the repository.");
        return call_fail(call, ST_UNAVAILABLE, "git could not read the repository.");
    }
}

struct line {
    char text[LINE_BYTES + 1];
    size_t len;
};

static bool keep(void *arg, const char *bytes, size_t len)
{
    struct line *line = arg;
    size_t room = LINE_BYTES - line->len;

    memcpy(line->text + line->len, bytes, len < room ? len : room);
    line->len += len < room ? len : room;
    return true;
}

enum git_outcome git_line(struct call *call, struct git_job *job, const char **ret_line)
{
    struct line *line = arena_alloc(call->arena, sizeof(*line));
    enum git_outcome outcome;

    job->on_output = keep;
    job->arg = line;
    job->output_max = 1 << 20;
    outcome = git_run(job);
    while (line->len > 0 && line->text[line->len - 1] == '\n')
        line->text[--line->len] = '\0';
    *ret_line = line->text;
    return outcome;
}

/* Each root without links; what is no folder now is none. */
static size_t roots(struct call *call, const char *ret_roots[ROOTS_MAX])
{
    const char *list = *git_config.roots ? git_config.roots : git_config.repo_path;
    char path[PATH_MAX];
    size_t n = 0;

    for (size_t len; *list && n < ROOTS_MAX; list += len + (list[len] == ',')) {
        len = strcspn(list, ",");
        if (len > 0 && realpath(arena_memdup(call->arena, list, len), path))
            ret_roots[n++] = arena_strdup(call->arena, path);
    }
    return n;
}

static bool inside(const char *path, const char *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(all[i]);

        if (strncmp(path, all[i], len) == 0 &&
            (path[len] == '\0' || path[len] == '/' || (len == 1 && *all[i] == '/')))
            return true;
    }
    return false;
}

static enum status fail_outside(struct call *call)
{
    call_hint(call, "a repository below MAL_GIT_ROOTS, or leave repo_path out; the operator of "
                    "this hub sets the folders.");
    return call_fail(call, ST_PERMISSION_DENIED,
                     "repo_path lies outside the folders whose repositories this hub may read.");
}

static enum status fail_absent(struct call *call)
{
    call_hint(call, "the path of a repository on the hub's machine, or leave repo_path out for "
                    "the configured one.");
    return call_fail(call, ST_NOT_FOUND, "There is no git repository at this repo_path.");
}

/* What is not there is outside too, unless the part of it that is there lies
 * inside: nobody learns here which files exist elsewhere. */
static enum status resolve(struct call *call, char *path, const char *const *all, size_t n,
                           const char **ret_dir)
{
    char real[PATH_MAX];
    struct stat st;

    if (realpath(path, real)) {
        if (!inside(real, all, n))
            return fail_outside(call);
        if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode))
            return fail_absent(call);
        *ret_dir = arena_strdup(call->arena, real);
        return ST_OK;
    }
    for (char *slash; (slash = strrchr(path, '/')) != NULL && slash > path;) {
        *slash = '\0';
        if (realpath(path, real))
            return inside(real, all, n) ? fail_absent(call) : fail_outside(call);
    }
    return fail_outside(call);
}

/* A relative path is one of a root's, the first where it exists. */
static enum status local_dir(struct call *call, const char *repo_path, const char *const *all,
                             size_t n, const char **ret_dir)
{
    enum status status = ST_OK;
    struct error first = {0};

    if (n == 0)
        return fail_outside(call);
    if (*repo_path == '/')
        return resolve(call, arena_strdup(call->arena, repo_path), all, n, ret_dir);
    for (size_t i = 0; i < n; i++) {
        error_clear(&call->error);
        status =
            resolve(call, arena_printf(call->arena, "%s/%s", all[i], repo_path), all, n, ret_dir);
        if (status == ST_OK)
            return ST_OK;
        if (i == 0)
            first = call->error;
    }
    call->error = first;
    return first.status;
}

/* The parts of a repository may lie elsewhere: a file or link .git, a linked
 * worktree, a linked folder of objects. */
static enum status check_parts(struct call *call, const struct git_repo *repo,
                               const char *const *all, size_t n)
{
    static const char *const args[] = {"rev-parse",  "--path-format=absolute",
                                       "--git-dir",  "--git-common-dir",
                                       "--git-path", "objects",
                                       "--git-path", "refs",
                                       NULL};
    struct git_job job = {.dir = repo->dir, .args = args, .deadline_ms = repo->deadline_ms};
    const char *lines;
    char real[PATH_MAX];
    enum git_outcome outcome = git_line(call, &job, &lines);

    if (outcome == GIT_REFUSED && job.exit_code == 128)
        return fail_absent(call);
    if (outcome != GIT_DONE)
        return git_fail(call, &job, outcome);
    for (size_t len; *lines; lines += len + (lines[len] == '\n')) {
        len = strcspn(lines, "\n");
        if (!realpath(arena_memdup(call->arena, lines, len), real) || !inside(real, all, n))
            return fail_outside(call);
    }
    return ST_OK;
}

static enum status learn_branch(struct call *call, struct git_repo *repo)
{
    static const char *const branch_args[] = {"symbolic-ref", "-q", "--short", "HEAD", NULL};
    static const char *const head_args[] = {"rev-parse", "-q", "--verify", "HEAD^{commit}", NULL};
    struct git_job job = {.dir = repo->dir, .args = branch_args, .deadline_ms = repo->deadline_ms};
    enum git_outcome outcome;
    const char *line;
    char *clean;

    outcome = git_line(call, &job, &line);
    if (outcome != GIT_DONE && job.exit_code != 1)
        return git_fail(call, &job, outcome);
    clean = arena_alloc(call->arena, 3 * strlen(line) + 1);
    (void)utf8_repair(line, strlen(line), clean);
    repo->branch = *clean ? clean : "HEAD";
    job.args = head_args;
    outcome = git_line(call, &job, &line);
    if (outcome != GIT_DONE && job.exit_code != 1)
        return git_fail(call, &job, outcome);
    repo->empty = outcome != GIT_DONE;
    return ST_OK;
}

/* Its folder's name; of a .git inside it, the folder's around it. */
static const char *name_of(struct call *call, const char *dir)
{
    const char *name = strrchr(dir, '/') + 1;
    char *clean;

    if (strcmp(name, ".git") == 0 && name - 1 > dir) {
        char *outer = arena_memdup(call->arena, dir, (size_t)(name - 1 - dir));

        name = strrchr(outer, '/') + 1;
    }
    clean = arena_alloc(call->arena, 3 * strlen(name) + 1);
    (void)utf8_repair(name, strlen(name), clean);
    return clean;
}

enum status git_repo_open(struct call *call, const char *repo_path, struct git_repo *ret_repo)
{
    const char *path = *repo_path ? repo_path : git_config.repo_path;
    const char *all[ROOTS_MAX];
    size_t n;

    *ret_repo = (struct git_repo){.deadline_ms = git_deadline(call)};
    if (strstr(path, "://")) {
        TRY(git_url_check(call, path));
        TRY(git_clone(call, path, ret_repo));
        return learn_branch(call, ret_repo);
    }
    n = roots(call, all);
    if (*repo_path) {
        TRY(local_dir(call, path, all, n, &ret_repo->dir));
    } else {
        char real[PATH_MAX];

        if (!realpath(path, real))
            return fail_absent(call);
        TRY(resolve(call, arena_strdup(call->arena, real), all, n, &ret_repo->dir));
    }
    ret_repo->name = name_of(call, ret_repo->dir);
    TRY(check_parts(call, ret_repo, all, n));
    return learn_branch(call, ret_repo);
}
