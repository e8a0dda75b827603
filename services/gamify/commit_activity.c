/* SPDX-License-Identifier: Apache-2.0 */
/* mal_get_commit_activity: reads a history, reports it, and credits what is new
 * once git is known to have told it all. */
#include "git_activity.h"
#include "git_people.sql.h"

#include "base/clock.h"
#include "wire/handler.h"

#include <stdatomic.h>

enum { OUTPUT_MAX = 64 << 20 };

/* Histories being read, of all workers. */
static atomic_int reading;

static void slot_free(const bool *taken)
{
    if (*taken)
        atomic_fetch_sub(&reading, 1);
}

static bool slot_take(void)
{
    if (atomic_fetch_add(&reading, 1) < git_config.max)
        return true;
    atomic_fetch_sub(&reading, 1);
    return false;
}

static bool on_output(void *arg, const char *bytes, size_t len)
{
    return git_log_feed(arg, bytes, len);
}

/* Dates of committing choose what git walks through; dates of writing, which are
 * hardly ever later, what of it counts. */
static enum status read_log(struct call *call, const struct git_repo *repo,
                            struct git_activity *activity)
{
    struct git_log *log = arena_alloc(call->arena, sizeof(*log));
    char since[TIMESTAMP_SIZE];
    const char *args[] = {"log",
                          "--no-merges",
                          NULL,
                          "--numstat",
                          "-z",
                          GIT_LOG_FORMAT,
                          "--encoding=UTF-8",
                          "--no-color",
                          "--no-ext-diff",
                          "--no-textconv",
                          "--no-show-signature",
                          "--no-notes",
                          "--find-renames",
                          "HEAD",
                          "--",
                          NULL};
    struct git_job job = {.dir = repo->dir,
                          .args = args,
                          .deadline_ms = repo->deadline_ms,
                          .output_max = OUTPUT_MAX,
                          .on_output = on_output,
                          .arg = log};
    enum git_outcome outcome;

    clock_format(activity->since * 1000, since);
    args[2] = arena_printf(call->arena, "--since-as-filter=%s", since);
    git_log_init(log, git_activity_add, activity);
    outcome = git_run(&job);
    if (outcome == GIT_DONE && !git_log_end(log))
        outcome = GIT_UNREADABLE;
    return outcome == GIT_DONE ? ST_OK : git_fail(call, &job, outcome);
}

static enum status check_member(struct call *call, const char *user_id)
{
    Gamify__Member member = GAMIFY__MEMBER__INIT;

    return fail_missing(call, pg_one(call, &member.base, sql_git_people_one, "s", user_id),
                        "Member", user_id);
}

enum status gamify_get_commit_activity(struct call *call,
                                       const Gamify__GetCommitActivityRequest *req,
                                       Gamify__GetCommitActivityResponse *rsp)
{
    CLEANUP(slot_free) bool taken = slot_take();
    CLEANUP(git_activity_done) struct git_activity activity = {0};
    struct git_repo repo;

    if (!taken) {
        call_hint(call, "again in a moment.");
        return call_fail(call, ST_RESOURCE_EXHAUSTED, "%d histories are being read already.",
                         (int)git_config.max);
    }
    if (*req->user_id)
        TRY(check_member(call, req->user_id));
    git_activity_init(&activity, call, req);
    TRY(git_people_load(call, &activity.people));
    TRY(git_repo_open(call, req->repo_path, &repo));
    if (!repo.empty)
        TRY(read_log(call, &repo, &activity));
    rsp->repo = repo.name;
    rsp->branch = repo.branch;
    git_activity_reply(&activity, rsp);
    if (req->sync)
        TRY(git_activity_credit(&activity, rsp));
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = git_activity_text(call, req, rsp);
    return ST_OK;
}
