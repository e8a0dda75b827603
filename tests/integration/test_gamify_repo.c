/* SPDX-License-Identifier: Apache-2.0 */
/* Which repositories may be read, and what a run of git can and cannot do. */
#include "git_fixture.h"
#include "suite.h"

#include <sched.h>
#include <signal.h>

static struct git_fixture git_dirs;
static struct git_fixture *const g = &git_dirs;
static struct arena arena;
static struct call call;
static struct git_repo repo;

static enum status open_repo(const char *path)
{
    call = (struct call){.arena = &arena, .deadline_ms = clock_mono_ms() + 30000};
    return git_repo_open(&call, path, &repo);
}

#define OPENS(path)                                                                                \
    do {                                                                                           \
        enum status opens_ = open_repo(path);                                                      \
        ck_assert_msg(opens_ == ST_OK, "%s: %s: %s", path, status_name(opens_),                    \
                      call.error.message);                                                         \
    } while (0)
#define REFUSES(path, status_)                                                                     \
    do {                                                                                           \
        enum status refuses_ = open_repo(path);                                                    \
        ck_assert_msg(refuses_ == (status_), "%s: %s instead of %s", path, status_name(refuses_),  \
                      status_name(status_));                                                       \
        ck_assert_msg(!strstr(call.error.message, g->dir) && !strstr(call.error.hint, g->dir),     \
                      "a path in: %s", call.error.message);                                        \
    } while (0)

static void set_up(void)
{
    git_fixture_init(g);
    arena_init(&arena);
    SHELL(g, "git init -q roots/app && cd roots/app && echo 1 > a && git add a && "
             "git commit -qm One");
}

static void tear_down(void)
{
    arena_done(&arena);
    git_fixture_done(g);
}

START_TEST(a_repository_below_the_roots_is_opened)
{
    OPENS(in_fixture(g, "roots/app"));
    ck_assert_str_eq(repo.dir, in_fixture(g, "roots/app"));
    ck_assert_str_eq(repo.name, "app");
    ck_assert_str_eq(repo.branch, "main");
    ck_assert(!repo.empty);
    OPENS("app");
    ck_assert_str_eq(repo.name, "app");
    OPENS("app/.git");
    ck_assert_str_eq(repo.name, "app");
    SHELL(g, "git clone -q --bare roots/app roots/app.git");
    OPENS("app.git");
    ck_assert_str_eq(repo.branch, "main");
}
END_TEST

START_TEST(a_relative_path_is_looked_for_in_every_root)
{
    static char both[512];

    (void)snprintf(both, sizeof(both), "%s/empty,%s,%s/nowhere", g->dir, g->roots, g->dir);
    SHELL(g, "mkdir empty");
    git_config.roots = both;
    OPENS("app");
    REFUSES("none", ST_NOT_FOUND);
}
END_TEST

START_TEST(no_path_is_the_configured_repository)
{
    git_config.repo_path = arena_strdup(&arena, in_fixture(g, "roots/app"));
    OPENS("");
    git_config.roots = "";
    OPENS("");
    REFUSES("sub", ST_NOT_FOUND);
    git_config.repo_path = arena_strdup(&arena, in_fixture(g, "roots/none"));
    REFUSES("", ST_NOT_FOUND);
}
END_TEST

START_TEST(a_path_out_of_the_roots_is_refused)
{
    static const char *const paths[] = {
        "/",         "/etc",        "/etc/passwd",       "/etc/none/x",
        "..",        "../outside",  "app/../../outside", "link",
        "link/.git", "app/../link", "/proc/self/root",   "../none"};

    SHELL(g, "git init -q outside && cd outside && git commit -qm One --allow-empty && "
             "ln -s ../outside ../roots/link");
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        REFUSES(paths[i], ST_PERMISSION_DENIED);
    /* A neighbour whose name begins alike. */
    SHELL(g, "cp -r outside roots-more");
    REFUSES(in_fixture(g, "roots-more"), ST_PERMISSION_DENIED);
}
END_TEST

START_TEST(parts_of_a_repository_out_of_the_roots_are_refused)
{
    SHELL(g, "git init -q outside && cd outside && echo 1 > a && git add a && git commit -qm One");
    SHELL(g, "mkdir roots/file && echo \"gitdir: $PWD/outside/.git\" > roots/file/.git");
    REFUSES("file", ST_PERMISSION_DENIED);
    SHELL(g, "mkdir roots/linked && ln -s ../../outside/.git roots/linked/.git");
    REFUSES("linked", ST_PERMISSION_DENIED);
    SHELL(g, "cp -r outside roots/objects && rm -rf roots/objects/.git/objects && "
             "ln -s $PWD/outside/.git/objects roots/objects/.git/objects");
    REFUSES("objects", ST_PERMISSION_DENIED);
    SHELL(g, "cd outside && git worktree add -q ../roots/tree");
    REFUSES("tree", ST_PERMISSION_DENIED);
}
END_TEST

START_TEST(a_folder_without_repository_is_not_found)
{
    SHELL(g, "mkdir roots/app/sub roots/plain && echo 1 > roots/file");
    REFUSES("plain", ST_NOT_FOUND);
    REFUSES("file", ST_NOT_FOUND);
    REFUSES("none", ST_NOT_FOUND);
    /* Not the repository around it, nor one above the roots. */
    REFUSES("app/sub", ST_NOT_FOUND);
    SHELL(g, "git init -q .");
    REFUSES("plain", ST_NOT_FOUND);
}
END_TEST

START_TEST(paths_that_look_like_options_or_addresses_start_nothing)
{
    REFUSES("--output=x", ST_NOT_FOUND);
    REFUSES("-C", ST_NOT_FOUND);
    REFUSES("ext::sh -c touch% x", ST_NOT_FOUND);
    REFUSES("git@example.com:x/y.git", ST_NOT_FOUND);
    REFUSES("file:///etc", ST_PERMISSION_DENIED);
    REFUSES("ssh://example.com/x", ST_PERMISSION_DENIED);
    REFUSES("http://example.com/x", ST_PERMISSION_DENIED);
    REFUSES("https://example.com/x", ST_PERMISSION_DENIED);
    ck_assert(!exists(g, "x") && !exists(g, "roots/x"));
    ck_assert_int_ne(access("x", F_OK), 0);
    SHELL(g, "mv roots/app 'roots/--upload-pack=x'");
    OPENS("--upload-pack=x");
}
END_TEST

START_TEST(a_repository_without_commits_is_empty)
{
    SHELL(g, "git init -q -b trunk roots/new");
    OPENS("new");
    ck_assert(repo.empty);
    ck_assert_str_eq(repo.branch, "trunk");
    SHELL(g, "cd roots/app && git checkout -q --detach");
    OPENS("app");
    ck_assert_str_eq(repo.branch, "HEAD");
    ck_assert(!repo.empty);
}
END_TEST

START_TEST(another_owners_repository_is_read)
{
    if (geteuid() != 0)
        return;
    SHELL(g, "chown -R 65534:65534 roots/app");
    OPENS("app");
}
END_TEST

static bool count(void *arg, const char *bytes, size_t len)
{
    (void)bytes;
    *(size_t *)arg += len;
    return true;
}

static enum git_outcome run_log(struct git_job *job, int64_t ms, size_t max)
{
    static const char *const args[] = {"log", "--numstat", "-z", GIT_LOG_FORMAT, NULL};
    static char dir[512];
    static size_t total;

    (void)snprintf(dir, sizeof(dir), "%s", in_fixture(g, "roots/app"));
    *job = (struct git_job){.dir = dir,
                            .args = args,
                            .deadline_ms = clock_mono_ms() + ms,
                            .output_max = max,
                            .file_max = 1 << 20, /* for what the scripts below write */
                            .on_output = count,
                            .arg = &total};
    return git_run(job);
}

/* Every program that a repository's configuration can name leaves a mark. */
START_TEST(the_configuration_of_a_repository_starts_nothing)
{
    struct git_job job;

    SHELL(g,
          "printf '#!/bin/sh\\necho $0 $* >> %s/mark\\ncat\\n' > evil && chmod +x evil && "
          "cd roots/app && cp ../../evil .git/hooks/post-checkout && "
          "for key in core.pager core.fsmonitor core.sshCommand core.editor core.askPass "
          "gpg.program diff.external diff.evil.command diff.evil.textconv interactive.diffFilter "
          "pager.log core.alternateRefsCommand credential.helper; do "
          "git config $key %s/evil; done && git config log.showSignature true && "
          "echo 'a diff=evil filter=evil' > .gitattributes && git config filter.evil.clean "
          "%s/evil && git config alias.log '!%s/evil'",
          g->dir, g->dir, g->dir, g->dir);
    /* A commit that claims to be signed, and an object that only a promisor has. */
    SHELL(g, "cd roots/app && tree=$(git rev-parse HEAD^{tree}) && head=$(git rev-parse HEAD) && "
             "printf 'tree %%s\\nparent %%s\\nauthor A <a@x> 1772443800 +0000\\ncommitter A <a@x> "
             "1772443800 +0000\\ngpgsig -----BEGIN PGP SIGNATURE-----\\n \\n iQ==\\n -----END PGP "
             "SIGNATURE-----\\n\\nSigned\\n' $tree $head | git hash-object -t commit -w --stdin "
             "--literally > ../../new && git -c core.fsmonitor=false update-ref HEAD $(cat "
             "../../new)");
    SHELL(g, "rm -f mark");
    OPENS("app");
    ck_assert_int_eq(run_log(&job, 10000, 1 << 20), GIT_DONE);
    ck_assert_str_eq(job.complaint, "");
    ck_assert(!exists(g, "mark"));
    /* The same run unguarded does start them, so the mark means something. */
    (void)shell_try(g, "cd roots/app && git log -p --ext-diff >/dev/null 2>&1");
    ck_assert(exists(g, "mark"));
}
END_TEST

/* Puts a script in git's place. */
static void fake_git(const char *body)
{
    static char path[600];

    SHELL(g, "mkdir bin && printf '%%s\\n' '#!/bin/sh' '%s' > bin/git && chmod +x bin/git", body);
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", in_fixture(g, "bin"));
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
}

START_TEST(git_writes_no_file_unless_it_may)
{
    struct git_job job;

    fake_git("echo x > ../../child; echo done");
    SHELL(g, "sed -i 's,\\.\\./\\.\\.,%s,g' bin/git", g->dir);
    ck_assert_int_eq(run_log(&job, 5000, 1 << 20), GIT_DONE);
    SHELL(g, "test -s child && rm child");
    job.file_max = 0;
    job.deadline_ms = clock_mono_ms() + 5000;
    ck_assert_int_eq(git_run(&job), GIT_REFUSED);
    SHELL(g, "! test -s child");
}
END_TEST

/* One processor, and nobody who wakes takes it from who runs: git would have
 * written before somebody beside it could limit it. */
static void share_one_processor(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}), 0);
}

START_TEST(git_is_limited_before_its_first_act)
{
    static const char *const args[] = {"log", NULL};
    struct git_job job = {.dir = g->roots, .args = args};
    const char *seen;

    fake_git("ulimit -f; ulimit -c; ulimit -d");
    share_one_processor();
    call = (struct call){.arena = &arena};
    for (int i = 0; i < 100; i++) {
        job.deadline_ms = clock_mono_ms() + 5000;
        ck_assert_int_eq(git_line(&call, &job, &seen), GIT_DONE);
        ck_assert_str_eq(seen, "0\n0\n1048576");
    }
}
END_TEST

START_TEST(what_a_partial_clone_lacks_is_not_fetched)
{
    struct git_job job;

    SHELL(g,
          "cd roots/app && echo 2 > a && git commit -qam Two && "
          "git config extensions.partialClone origin && git config remote.origin.promisor true "
          "&& git config remote.origin.url ext::'touch %s/mark' && "
          "git config remote.origin.vcs evil && git config protocol.allow always && "
          "git config remote.origin.uploadpack 'touch %s/mark' && "
          "rm -f .git/objects/$(git rev-parse HEAD:a | sed 's,^..,&/,')",
          g->dir, g->dir);
    OPENS("app");
    ck_assert_int_eq(run_log(&job, 10000, 1 << 20), GIT_REFUSED);
    ck_assert(!exists(g, "mark"));
}
END_TEST

static bool gone(const char *file)
{
    int64_t deadline = clock_mono_ms() + 5000;
    int pid = 0;
    FILE *in = fopen(in_fixture(g, file), "re");

    ck_assert_ptr_nonnull(in);
    ck_assert_int_eq(fscanf(in, "%d", &pid), 1); /* NOLINT(cert-err34-c) */
    (void)fclose(in);
    while (kill(pid, 0) == 0 && clock_mono_ms() < deadline) {
        char path[64], state = 0;
        FILE *stat;

        /* A zombie of a process that nobody waits for in this container. */
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        stat = fopen(path, "re");
        if (stat && fscanf(stat, "%*d %*s %c", &state) == 1 && state == 'Z') {
            (void)fclose(stat);
            return true;
        }
        if (stat)
            (void)fclose(stat);
        (void)usleep(1000);
    }
    return kill(pid, 0) != 0;
}

START_TEST(a_slow_git_is_stopped_with_all_it_started)
{
    struct git_job job;
    int64_t start = clock_mono_ms();

    fake_git("sleep 100 & echo $! > ../../child; echo $$ > ../../self; wait");
    SHELL(g, "sed -i 's,\\.\\./\\.\\.,%s,g' bin/git", g->dir);
    ck_assert_int_eq(run_log(&job, 500, 1 << 20), GIT_LATE);
    ck_assert_int_lt(clock_mono_ms() - start, 5000);
    ck_assert(gone("self"));
    ck_assert(gone("child"));
}
END_TEST

START_TEST(what_git_leaves_behind_is_stopped)
{
    struct git_job job;

    fake_git("sleep 100 >/dev/null 2>&1 & echo $! > ../../child");
    SHELL(g, "sed -i 's,\\.\\./\\.\\.,%s,g' bin/git", g->dir);
    ck_assert_int_eq(run_log(&job, 5000, 1 << 20), GIT_DONE);
    ck_assert(gone("child"));
}
END_TEST

START_TEST(output_without_end_is_cut_off)
{
    struct git_job job;

    fake_git("exec yes");
    ck_assert_int_eq(run_log(&job, 20000, 1 << 20), GIT_TOO_LONG);
}
END_TEST

START_TEST(git_gets_only_its_own_environment)
{
    struct git_job job;
    const char *seen;
    static const char *const args[] = {"env", NULL};

    ck_assert_int_eq(setenv("SECRET_OF_THE_HUB", "x", 1), 0);
    ck_assert_int_eq(setenv("GIT_DIR", "/elsewhere", 1), 0);
    fake_git("env; ls /proc/self/fd | wc -l");
    call = (struct call){.arena = &arena};
    job = (struct git_job){.dir = g->roots, .args = args, .deadline_ms = clock_mono_ms() + 5000};
    ck_assert_int_eq(git_line(&call, &job, &seen), GIT_DONE);
    ck_assert_ptr_null(strstr(seen, "SECRET"));
    ck_assert_ptr_null(strstr(seen, "GIT_DIR="));
    ck_assert_ptr_nonnull(strstr(seen, "GIT_CONFIG_NOSYSTEM=1"));
    /* stdin, stdout, stderr and the listing's own. */
    ck_assert_str_eq(strrchr(seen, '\n') + 1, "4");
}
END_TEST

static void says_that_git_is_missing(void)
{
    REFUSES("app", ST_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(call.error.message, "git cannot be started"));
}

START_TEST(a_hub_without_git_says_so)
{
    ck_assert_int_eq(setenv("PATH", "/nonexistent", 1), 0);
    says_that_git_is_missing();
}
END_TEST

START_TEST(a_git_that_cannot_be_run_is_none)
{
    fake_git("true");
    SHELL(g, "sed -i 's,/bin/sh,/none/sh,' bin/git");
    says_that_git_is_missing();
    SHELL(g, ": > bin/git");
    says_that_git_is_missing();
}
END_TEST

START_TEST(a_broken_repository_is_unavailable)
{
    SHELL(g, "cd roots/app && chmod -R u+w .git/objects && "
             "find .git/objects -type f -exec sh -c 'echo broken > $1' x {} \\;");
    REFUSES("app", ST_UNAVAILABLE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify repositories");
    TCase *tcase = tcase_create("repositories");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_repository_below_the_roots_is_opened);
    tcase_add_test(tcase, a_relative_path_is_looked_for_in_every_root);
    tcase_add_test(tcase, no_path_is_the_configured_repository);
    tcase_add_test(tcase, a_path_out_of_the_roots_is_refused);
    tcase_add_test(tcase, parts_of_a_repository_out_of_the_roots_are_refused);
    tcase_add_test(tcase, a_folder_without_repository_is_not_found);
    tcase_add_test(tcase, paths_that_look_like_options_or_addresses_start_nothing);
    tcase_add_test(tcase, a_repository_without_commits_is_empty);
    tcase_add_test(tcase, another_owners_repository_is_read);
    tcase_add_test(tcase, the_configuration_of_a_repository_starts_nothing);
    tcase_add_test(tcase, git_writes_no_file_unless_it_may);
    tcase_add_test(tcase, git_is_limited_before_its_first_act);
    tcase_add_test(tcase, what_a_partial_clone_lacks_is_not_fetched);
    tcase_add_test(tcase, a_slow_git_is_stopped_with_all_it_started);
    tcase_add_test(tcase, what_git_leaves_behind_is_stopped);
    tcase_add_test(tcase, output_without_end_is_cut_off);
    tcase_add_test(tcase, git_gets_only_its_own_environment);
    tcase_add_test(tcase, a_hub_without_git_says_so);
    tcase_add_test(tcase, a_git_that_cannot_be_run_is_none);
    tcase_add_test(tcase, a_broken_repository_is_unavailable);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
