/* SPDX-License-Identifier: Apache-2.0 */
/* The git history of a repository: which repositories may be read, running git,
 * reading what it writes. */
#pragma once

#include "base/settings.h"
#include "wire/call.h"

#include <stdatomic.h>

/* Written by settings_load before threads start; tests write it themselves. */
struct git_settings {
    const char *repo_path; /* read when a call names none */
    const char *roots;     /* comma list of folders; "" = the repository above */
    const char *url_allow; /* comma list of hosts and beginnings of URLs; "" = none */
    const char *cache_dir; /* clones; "" = <data_dir>/git, and without that none */
    const char *data_dir;
    const char *ca_file; /* authorities for https; "" = the system's */
    int64_t cache_mib, fetch_timeout_s, max;
};
extern struct git_settings git_config;

/* ---- git_area.c: what a file is about, for the radar ------------------- */

enum area { AREA_FRONTEND, AREA_BACKEND, AREA_DEVOPS, AREA_DATA, AREA_DOCUMENTATION, AREAS };
extern const char *const area_names[AREAS];
/* By path, with / between its parts; case does not matter. */
enum area git_area(const char *path);

/* ---- git_log.c: reads `git log` ---------------------------------------- */

/* One record per commit: a record separator before the hash, NUL between the
 * fields, which none of them can hold; then the files as --numstat -z. */
#define GIT_LOG_FORMAT "--format=%x1e%H%x00%an%x00%ae%x00%at%x00%s"

enum { GIT_HASH_MAX = 64, GIT_NAME_MAX = 400, GIT_SUBJECT_MAX = 2000, GIT_PATH_MAX = 4096 };

/* Texts are valid UTF-8 in one line, cut where they are longer than anyone
 * shows. */
struct git_commit {
    char hash[GIT_HASH_MAX + 1];
    char name[3 * GIT_NAME_MAX + 1], email[3 * GIT_NAME_MAX + 1]; /* of the author */
    char subject[3 * GIT_SUBJECT_MAX + 1];
    int64_t at; /* author date, seconds since 1970 */
    int64_t insertions, deletions;
    int files, areas[AREAS];
};

struct git_log {
    /* Called for each commit as soon as it is whole; the commit is gone after. */
    void (*on_commit)(void *arg, const struct git_commit *commit);
    void *arg;
    int state; /* which token comes next */
    bool open; /* whether commit holds one that was not passed on */
    size_t len;
    char token[GIT_PATH_MAX + 1];
    struct git_commit commit;
};
void git_log_init(struct git_log *log, void (*on_commit)(void *, const struct git_commit *),
                  void *arg);
/* In pieces of any size. False: that is not what git writes; stop. */
bool git_log_feed(struct git_log *log, const char *bytes, size_t len) MUST_CHECK;
/* The last commit; false when the output ends within one. */
bool git_log_end(struct git_log *log) MUST_CHECK;

/* ---- git_run.c: one run of git ----------------------------------------- */

enum git_outcome {
    GIT_DONE,       /* exit code 0 */
    GIT_REFUSED,    /* another exit code or a signal */
    GIT_MISSING,    /* no git, or no way to start it */
    GIT_LATE,       /* stopped at the deadline */
    GIT_TOO_LONG,   /* stopped after output_max */
    GIT_UNREADABLE, /* stopped because on_output said so */
};

struct git_job {
    const char *dir; /* -C; absolute */
    const char *const *args;
    bool network;            /* https to url_allow; else no transport at all */
    int64_t deadline_ms;     /* clock_mono_ms() */
    const atomic_bool *stop; /* stopped as if late when that becomes true; may be NULL */
    size_t output_max;
    int64_t file_max; /* bytes of a file that git writes; 0 = it may write none */
    bool (*on_output)(void *arg, const char *bytes, size_t len); /* NULL: not wanted */
    void *arg;
    int exit_code;       /* set by git_run when git ended by itself, else -1 */
    char complaint[512]; /* set by git_run: what git said on stderr; for the log only */
};
/* Leaves no process of the run behind. */
enum git_outcome git_run(struct git_job *job);

/* ---- git_repo.c: which repository -------------------------------------- */

struct git_repo {
    const char *dir;  /* absolute, without links */
    const char *name; /* as callers may see it */
    const char *branch;
    bool empty;          /* no commit yet */
    int64_t deadline_ms; /* when git must have ended: 15 s after the first run, or less */
};
/* The repository of a call, "" = the configured one; https addresses are cloned
 * or brought up to date. Lives in the call's arena. */
enum status git_repo_open(struct call *call, const char *repo_path,
                          struct git_repo *ret_repo) MUST_CHECK;
/* What a run printed as one short line, "" when nothing, in the arena. */
enum git_outcome git_line(struct call *call, struct git_job *job, const char **ret_line);
/* Says why a run was of no use; git's own words go to the log. */
enum status git_fail(struct call *call, const struct git_job *job, enum git_outcome outcome);

/* ---- git_clone.c: clones of https repositories ------------------------- */

/* Brings the clone of an allowed address up to date and names its folder. */
enum status git_clone(struct call *call, const char *url, struct git_repo *ret_repo) MUST_CHECK;
/* Whether url_allow lists it, and the form is one that git cannot take for
 * something else. */
enum status git_url_check(struct call *call, const char *url) MUST_CHECK;
/* Waits for what still fetches. */
void git_clone_stop(void);
