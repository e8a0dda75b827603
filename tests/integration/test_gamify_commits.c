/* SPDX-License-Identifier: Apache-2.0 */
/* mal_get_commit_activity on repositories made by git itself. */
#include "gamify_fixture.h"
#include "git_fixture.h"

#include <sys/resource.h>
#include <sys/wait.h>

static struct git_fixture git_dirs;
static struct git_fixture *const g = &git_dirs;

#define SYNC "GetCommitActivity"
#define APP "{'repo_path':'app'}"
#define LEDGER "select count(*) || ' ' || coalesce(sum(points), 0) from gamify.contribution"

static void begin(void)
{
    set_up();
    git_fixture_init(g);
    SHELL(g, "git init -q roots/app");
    pg_server_sql(f->url, "insert into gamify.member (id, name, email) values "
                          "('ana', 'Ana', 'ana@x.org'), ('bob', 'Bob Stone', 'bob@x.org')");
}

static void end(void)
{
    git_fixture_done(g);
    tear_down();
}

/* A commit by name <email> so many days ago, after the shell line. */
static void commit_as(const char *author, int days_ago, const char *line, const char *subject)
{
    int64_t at = clock_wall_ms() / 1000 - (int64_t)days_ago * 86400 - 60;

    SHELL(g,
          "cd roots/app && %s && git add -A && GIT_AUTHOR_DATE='@%lld +0000' "
          "GIT_COMMITTER_DATE='@%lld +0000' git commit -q --allow-empty --author='%s' -m '%s'",
          line, (long long)at, (long long)at, author, subject);
}

/* n commits spread evenly over the time from so many days ago until now, or, when
 * days is not above 0, at one moment that many days ago. */
static void import_commits(const char *repo, int n, int days, const char *const authors[5])
{
    int64_t now = clock_wall_ms() / 1000 - 60, span = days > 0 ? days * 86400L : 0;
    int64_t start = now - (days > 0 ? span : -days * 86400L);
    char folder[256], line[1024];
    FILE *out;

    (void)snprintf(folder, sizeof(folder), "roots/%.200s", repo);
    (void)snprintf(line, sizeof(line), "git -C '%s' fast-import --quiet", in_fixture(g, folder));
    out = popen(line, "we"); /* NOLINT(cert-env33-c) */
    ck_assert_ptr_nonnull(out);
    for (int i = 0; i < n; i++) {
        long long at = start + (int64_t)i * span / n;

        ck_assert_int_gt(fprintf(out,
                                 "commit refs/heads/main\nauthor %s %lld +0000\n"
                                 "committer %s %lld +0000\ndata 60\n%-60d\n"
                                 "M 100644 inline src/file%d.c\ndata 12\n%-12d\n",
                                 authors[i % 5], at, authors[i % 5], at, i, i % 97, i),
                         0);
    }
    ck_assert_int_eq(pclose(out), 0);
}

static const char *const ana_only[] = {"Ana <ana@x.org>", "Ana <ana@x.org>", "Ana <ana@x.org>",
                                       "Ana <ana@x.org>", "Ana <ana@x.org>"};
static const char *const eve_only[] = {"Eve <eve@x.org>", "Eve <eve@x.org>", "Eve <eve@x.org>",
                                       "Eve <eve@x.org>", "Eve <eve@x.org>"};
static const char *const mixed[] = {"Ana <ana@x.org>", "Ana <ana@x.org>", "Ana <ana@x.org>",
                                    "Bob Stone <bob@x.org>", "Eve <eve@x.org>"};

static const char *day_ago(int days)
{
    static char texts[8][TIMESTAMP_SIZE];
    static int next;
    char *text = texts[next++ % 8];

    clock_format(clock_wall_ms() - ((int64_t)days * 86400 + 60) * 1000, text);
    text[10] = '\0';
    return text;
}

START_TEST(commits_are_reported_and_credited)
{
    commit_as("ana <ANA@x.org>", 2, "seq 10 > a.c", "First");
    commit_as("Ana <ana@x.org>", 1, "seq 250 > b.sql", "Second");
    commit_as("Eve <eve@x.org>", 1, "echo 1 >> a.c", "Third");
    OK(f, SYNC, APP);
    HAS(f, "'repo':'app','branch':'main'");
    HAS(f, "'totals':{'commits':3,'insertions':261,'deletions':0,'net':261}");
    HAS(f, "{'name':'Ana','email':'ana@x.org','user_id':'ana','commits':2,'insertions':260");
    HAS(f, "{'name':'Eve','email':'eve@x.org','commits':1,'insertions':1,'deletions':0}");
    HAS(f, "'unmatched_authors':['Eve <eve@x.org>']");
    /* 10 at 110 %, 12 at 120 %. */
    HAS(f, "'synced':[{'user_id':'ana','commits':2,'points':25,'xp':25,'level':1,"
           "'new_achievements':[]}]");
    VALUE_IS(f,
             "select string_agg(base_points || ' ' || multiplier_percent || ' ' || points || ' ' "
             "|| description || ' ' || (metadata ->> 'files'), ', ' order by occurred_at) "
             "from gamify.contribution where user_id = 'ana' and type = 'commit'",
             "10 110 11 First 1, 12 120 14 Second 1");
    VALUE_IS(f, "select backend || ' ' || data || ' ' || commits from gamify.tally", "1 1 2");
    ck_assert_int_eq(events(f, "gamify.xp.awarded"), 2);
}
END_TEST

START_TEST(commits_and_tools_make_the_radar)
{
    OK(f, "GetTeamMember", "{'id':'ana'}");
    HAS(f, "'radar':{'frontend':0,'backend':0,'devops':0,'data':0,'documentation':0}");
    commit_as("Ana <ana@x.org>", 1, "echo 1 > a.c && echo 1 > b.c && echo 1 > c.sql", "First");
    commit_as("Ana <ana@x.org>", 1, "echo 1 > a.tsx", "Second");
    OK(f, SYNC, APP);
    OK(f, SYNC, APP);
    OK(f, "GetTeamMember", "{'id':'ana'}");
    HAS(f, "'radar':{'frontend':25,'backend':50,'devops':0,'data':25,'documentation':0}");
    /* By id, by key name, by name in any case; other tools and others' keys are nothing. */
    pg_server_sql(f->url, "update gamify.member set metadata = '{\"key_names\": [\"laptop\"]}' "
                          "where id = 'ana';"
                          "insert into gamify.tool_use select *, now(), now() from (values "
                          "('ana', 'mal_execute_command', 1), ('laptop', 'mal_health_check', 1), "
                          "('laptop', 'mal_get_audit_log', 1), ('ANA', 'mal_register_skill', 1), "
                          "('ana', 'mal_list_skills', 50), ('bob', 'mal_register_mcp', 50)) v");
    OK(f, "GetTeamMember", "{'id':'ana'}");
    HAS(f, "'radar':{'frontend':13,'backend':25,'devops':25,'data':25,'documentation':12}");
}
END_TEST

START_TEST(a_second_sync_awards_nothing)
{
    import_commits("app", 120, 0, ana_only);
    OK(f, SYNC, APP);
    HAS(f, "'user_id':'ana','commits':120,'points':1320,'xp':1320");
    VALUE_IS(f, LEDGER, "120 1320");
    OK(f, SYNC, APP);
    HAS(f, "'synced':[]");
    ck_assert_ptr_nonnull(strstr(f->text, "### Credited\n\nNothing new to credit."));
    VALUE_IS(f, LEDGER, "120 1320");
    VALUE_IS(f, "select xp from gamify.member where id = 'ana'", "1320");
    ck_assert_int_eq(events(f, "gamify.xp.awarded"), 120);
}
END_TEST

START_TEST(without_sync_nothing_is_written)
{
    commit_as("Ana <ana@x.org>", 1, "seq 10 > a.c", "First");
    OK(f, SYNC, "{'repo_path':'app','sync':false}");
    HAS(f, "'totals':{'commits':1");
    HAS(f, "'synced':[]");
    ck_assert_ptr_nonnull(strstr(f->text, "Not synchronised (sync is off)."));
    VALUE_IS(f, LEDGER, "0 0");
    VALUE_IS(f, "select count(*) from gamify.outbox", "0");
}
END_TEST

START_TEST(merges_renames_and_binary_files_are_handled)
{
    commit_as("Ana <ana@x.org>", 3, "seq 100 > a.c && printf '\\000\\001' > logo.png", "First");
    commit_as("Ana <ana@x.org>", 2, "mkdir web && git mv a.c web/b.c && echo x >> web/b.c", "Move");
    SHELL(g, "cd roots/app && git checkout -q -b side HEAD~1 && echo y > side.md && git add -A && "
             "git commit -qm Side && git checkout -q main && git merge -q --no-edit side");
    OK(f, SYNC, APP);
    /* 100 + 0 lines, 1 of the rename, 1 of the side branch; the merge is none. */
    HAS(f, "'totals':{'commits':3,'insertions':102,'deletions':0,'net':102}");
    HAS(f, "'subject':'Move','insertions':1,'deletions':0,'files':1");
    HAS_NOT(f, "Merge branch");
    VALUE_IS(f, "select backend || ' ' || frontend || ' ' || documentation from gamify.tally",
             "2 1 1");
}
END_TEST

START_TEST(strange_authors_break_nothing)
{
    static const char *const names[] = {"A|B",        "\"quoted\"",  "commit 0123456789",
                                        "1\t2\tpath", "x\x1e\x1f y", "\xff\xfe",
                                        "--output=x"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char author[64];

        (void)snprintf(author, sizeof(author), "%s <e%zu@x.org>", names[i], i);
        commit_as(author, 1, "date +%N > a", names[i]);
    }
    commit_as("Ana <ana@x.org>", 1, "date +%N > b", "Latest | of \"all\"");
    OK(f, SYNC, APP);
    HAS(f, "'totals':{'commits':8");
    HAS(f, "{'name':'A|B','email':'e0@x.org','commits':1");
    HAS(f, "'name':'1 2 path'");
    HAS(f, "'name':'x   y'");
    ck_assert_ptr_nonnull(strstr(f->text, "| A\\|B | 1 |"));
    VALUE_IS(f, LEDGER, "1 11");
    OK(f, SYNC, "{'repo_path':'app','author':'--output=x'}");
    HAS(f, "'totals':{'commits':1");
    ck_assert(!exists(g, "roots/app/x") && access("x", F_OK) != 0);
}
END_TEST

START_TEST(an_author_is_matched_by_address_then_name_then_beginning)
{
    static const struct {
        const char *author, *user;
    } authors[] = {
        {"Bob Stone <ANA@X.ORG>", "ana"},     {"ana <other@x.org>", "ana"},
        {"BOB STONE <other@x.org>", "bob"},   {"Ana Maria <other@x.org>", "ana"},
        {"Anastasia <other@x.org>", NULL},    {"Bob <other@x.org>", NULL},
        {"Zo\xc3\x89 <other@x.org>", "zoe"},  {"Zo\xc3\xa9 Dupont <other@x.org>", "zoe"},
        {"Kim Lee Park <other@x.org>", NULL}, {"Kim Lee <other@x.org>", "kim-lee"},
        {"Twin <other@x.org>", NULL},
    };

    pg_server_sql(f->url, "insert into gamify.member (id, name) values ('zoe', 'Zo\u00e9'), "
                          "('kim', 'Kim'), ('kim-lee', 'Kim Lee'), ('twin-1', 'Twin'), "
                          "('twin-2', 'twin')");
    for (size_t i = 0; i < ARRAY_SIZE(authors); i++) {
        char wanted[128], subject[16];

        (void)snprintf(subject, sizeof(subject), "Commit %zu", i);
        commit_as(authors[i].author, 1, "date +%N > a", subject);
        OK(f, SYNC, APP);
        (void)snprintf(wanted, sizeof(wanted),
                       "select coalesce(string_agg(user_id, ','), '') from gamify.contribution "
                       "where description = '%s'",
                       subject);
        ck_assert_msg(
            strcmp(pg_server_value(f->url, wanted), authors[i].user ? authors[i].user : "") == 0,
            "%s is %s", authors[i].author, pg_server_value(f->url, wanted));
    }
}
END_TEST

START_TEST(filters_narrow_report_and_credit)
{
    commit_as("Ana <ana@x.org>", 2, "date +%N > a", "One");
    commit_as("Bob Stone <bob@x.org>", 2, "date +%N > a", "Two");
    commit_as("Bob <bob@x.org>", 40, "date +%N > a", "Old");
    OK(f, SYNC, "{'repo_path':'app','user_id':'bob','sync':false}");
    HAS(f, "'totals':{'commits':1");
    OK(f, SYNC, "{'repo_path':'app','days':50,'author':'BOB@'}");
    HAS(f, "'totals':{'commits':2");
    HAS(f, "'authors':[{'name':'Bob Stone','email':'bob@x.org','user_id':'bob','commits':2");
    VALUE_IS(f, "select string_agg(distinct user_id, ',') from gamify.contribution", "bob");
    OK(f, SYNC, "{'repo_path':'app','author':'nobody'}");
    HAS(f, "'totals':{'commits':0,'insertions':0,'deletions':0,'net':0},'authors':[],'days':[],"
           "'recent':[]");
    FAILS(f, SYNC, "{'repo_path':'app','user_id':'eve'}", ST_NOT_FOUND);
    MENTIONS(f, "eve");
}
END_TEST

START_TEST(the_window_goes_by_the_authors_date)
{
    int64_t now = clock_wall_ms() / 1000;

    commit_as("Ana <ana@x.org>", 1, "date +%N > a", "Inside");
    SHELL(g,
          "cd roots/app && for at in %lld %lld; do date +%%N > a && git add -A && "
          "GIT_AUTHOR_DATE=\"@$at +0000\" git commit -qm Outside; done",
          (long long)(now - 31 * 86400L), (long long)(now + 3600));
    OK(f, SYNC, APP);
    HAS(f, "'totals':{'commits':1");
    HAS_NOT(f, "Outside");
    VALUE_IS(f, LEDGER, "1 11");
}
END_TEST

START_TEST(a_later_project_is_taken_over_without_points)
{
    commit_as("Ana <ana@x.org>", 1, "date +%N > a", "One");
    OK(f, SYNC, APP);
    OK(f, SYNC, "{'repo_path':'app','project_id':'apollo'}");
    HAS(f, "'synced':[]");
    VALUE_IS(f, "select project_id || ' ' || points from gamify.contribution", "apollo 11");
    OK(f, SYNC, "{'repo_path':'app','project_id':'other'}");
    VALUE_IS(f, "select project_id || ' ' || points from gamify.contribution", "apollo 11");
    VALUE_IS(f, "select xp from gamify.member where id = 'ana'", "11");
}
END_TEST

START_TEST(an_empty_repository_is_no_failure)
{
    OK(f, SYNC, APP);
    HAS(f, "'branch':'main'");
    HAS(f, "'totals':{'commits':0");
    ck_assert_str_eq(f->text, "## Commit activity — 30 days (main)\n**commits**: 0 · **added**: 0 "
                              "· **removed**: 0 · **net**: +0\n\n### Credited\n\n"
                              "Nothing new to credit.");
}
END_TEST

START_TEST(the_text_is_the_contracts)
{
    char text[2048], hashes[2][16];
    FILE *in;

    import_commits("app", 60, -3, eve_only);
    SHELL(g, "cd roots/app && git reset -q --hard");
    commit_as("Ana <ana@x.org>", 1, "seq 10 > b.c", "First | b");
    commit_as("Ana <ana@x.org>", 0, "seq 3 > b.c", "Second");
    SHELL(g, "cd roots/app && git log -2 --format=%%h --abbrev=7 > ../../hashes");
    in = fopen(in_fixture(g, "hashes"), "re");
    ck_assert_int_eq(fscanf(in, "%15s %15s", hashes[0], hashes[1]), 2);
    (void)fclose(in);
    pg_server_sql(f->url, "update gamify.member set name = 'Ana|M' where id = 'ana'");
    OK(f, SYNC, "{'repo_path':'app','days':7,'author':'ana'}");
    (void)snprintf(text, sizeof(text),
                   "## Commit activity — 7 days (main)\n"
                   "**commits**: 2 · **added**: 10 · **removed**: 7 · **net**: +3\n\n"
                   "### By author\n\n| Author | Commits | Added | Removed |\n|---|--:|--:|--:|\n"
                   "| Ana\\|M | 2 | 10 | 7 |\n\n"
                   "### By day\n\n`%s █ 1`\n`%s █ 1`\n\n"
                   "### Latest\n\n"
                   "- `%s` %s Ana|M: Second (+0 −7)\n- `%s` %s Ana|M: First | b (+10 −0)\n\n"
                   "### Credited\n\n- Ana|M: 2 commits, 23 XP, now 23 XP, level 1",
                   day_ago(1), day_ago(0), hashes[0], day_ago(0), hashes[1], day_ago(1));
    ck_assert_str_eq(f->text, text);
    /* Bars are scaled together: 60 are 30, 1 is still one. */
    OK(f, SYNC, "{'repo_path':'app','sync':false}");
    (void)snprintf(text, sizeof(text), "`%s ██████████████████████████████ 60`", day_ago(3));
    ck_assert_msg(strstr(f->text, text) != NULL, "no %s in %s", text, f->text);
    (void)snprintf(text, sizeof(text), "`%s █ 1`", day_ago(1));
    ck_assert_ptr_nonnull(strstr(f->text, text));
    OK(f, SYNC, "{'repo_path':'app','sync':false,'format':'json'}");
    ck_assert_str_eq(f->text, "");
}
END_TEST

/* Runs git, but fails in the given way after its output. */
static void bad_git(const char *log_line)
{
    char path[1024];

    SHELL(g,
          "mkdir bin && printf '%%s\\n' '#!/bin/sh' 'case \"$*\" in *\" log \"*) "
          "/usr/bin/git \"$@\" | %s;; *) exec /usr/bin/git \"$@\";; esac' > bin/git && "
          "chmod +x bin/git",
          log_line);
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", in_fixture(g, "bin"));
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
}

static const struct {
    const char *log_line;
    enum status status;
} bad_ends[] = {
    {"cat; exit 1", ST_UNAVAILABLE},
    {"cat; kill -9 $$", ST_UNAVAILABLE},
    {"head -c 200", ST_UNAVAILABLE},
    {"cat; echo fatal", ST_UNAVAILABLE},
};

START_TEST(a_failing_git_changes_nothing)
{
    for (int i = 0; i < 3; i++)
        commit_as("Ana <ana@x.org>", 1, "date +%N > a", "One");
    bad_git(bad_ends[_i].log_line);
    FAILS(f, SYNC, APP, bad_ends[_i].status);
    VALUE_IS(f, LEDGER, "0 0");
    VALUE_IS(f, "select count(*) from gamify.outbox", "0");
    VALUE_IS(f, "select sum(xp) from gamify.member", "0");
}
END_TEST

START_TEST(a_git_that_does_not_end_in_time_changes_nothing)
{
    struct arena arena;
    struct call call = {.arena = &arena,
                        .deadline_ms = clock_mono_ms() + 2000,
                        .now_ms = clock_wall_ms(),
                        .pg = f->conn};
    Gamify__GetCommitActivityRequest req = GAMIFY__GET_COMMIT_ACTIVITY_REQUEST__INIT;
    Gamify__GetCommitActivityResponse rsp = GAMIFY__GET_COMMIT_ACTIVITY_RESPONSE__INIT;

    arena_init(&arena);
    commit_as("Ana <ana@x.org>", 1, "date +%N > a", "One");
    bad_git("cat; sleep 100");
    req.repo_path = "app";
    req.days = 30;
    req.sync = true;
    ck_assert_int_eq(gamify_get_commit_activity(&call, &req, &rsp), ST_DEADLINE_EXCEEDED);
    ck_assert_int_lt(clock_mono_ms(), call.deadline_ms);
    VALUE_IS(f, LEDGER, "0 0");
    arena_done(&arena);
}
END_TEST

START_TEST(a_path_out_of_the_roots_is_refused)
{
    FAILS(f, SYNC, "{'repo_path':'../outside'}", ST_PERMISSION_DENIED);
    FAILS(f, SYNC, "{'repo_path':'none'}", ST_NOT_FOUND);
    FAILS(f, SYNC, "{'repo_path':'https://example.com/a/b.git'}", ST_PERMISSION_DENIED);
}
END_TEST

/* The connection breaks at each exchange in turn; what was not written then is
 * written by the next call, and nothing twice. */
START_TEST(a_broken_connection_loses_and_doubles_nothing)
{
    int broken = 0;

    for (int i = 0; i < 3; i++)
        commit_as("Ana <ana@x.org>", 3 - i, "date +%N > a", "One");
    commit_as("Bob <bob@x.org>", 1, "date +%N > a", "Two");
    for (int reply = 0; reply < 2; reply++)
        for (int n = 1;; n++) {
            enum status status;

            pg_server_sql(f->url, "truncate gamify.contribution, gamify.day_points, gamify.tally, "
                                  "gamify.outbox; update gamify.member set xp = 0, level = 1, "
                                  "streak_days = 0, streak_last_date = null");
            pg_conn_break(f->conn, n, reply);
            status = run(f, SYNC, APP);
            pg_conn_break(f->conn, 0, false);
            if (status == ST_OK)
                break;
            broken++;
            ck_assert_int_eq(status, ST_UNAVAILABLE);
            OK(f, SYNC, APP);
            VALUE_IS(f, LEDGER, "4 47");
            VALUE_IS(f,
                     "select string_agg(xp || ' ' || streak_days, ', ' order by id) from "
                     "gamify.member",
                     "36 3, 11 1");
            ck_assert_int_eq(events(f, "gamify.xp.awarded"), 4);
        }
    ck_assert_int_gt(broken, 10);
}
END_TEST

START_TEST(two_syncs_at_once_award_once)
{
    pid_t pid;
    int status;

    import_commits("app", 60, 0, ana_only);
    pid = fork();
    if (pid == 0) {
        f->conn = open_conn(f->url);
        _exit(run(f, SYNC, APP) == ST_OK ? 0 : 1);
    }
    OK(f, SYNC, APP);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    VALUE_IS(f, LEDGER, "60 660");
    VALUE_IS(f, "select xp from gamify.member where id = 'ana'", "660");
    ck_assert_int_eq(events(f, "gamify.xp.awarded"), 60);
}
END_TEST

/* ---- a large repository -------------------------------------------------- */

enum { LARGE = 50000, LARGE_DAYS = 300, GROWTH_MIB = 24 };

static long peak_kib(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

START_TEST(fifty_thousand_commits_take_bounded_memory)
{
    long before, after;
    int64_t start;
    int calls = 0;

    SHELL(g, "git init -q roots/large");
    import_commits("large", LARGE, LARGE_DAYS, mixed);
    before = peak_kib();
    start = clock_mono_ms();
    do {
        OK(f, SYNC, "{'repo_path':'large','days':365}");
        HAS(f, "'totals':{'commits':50000,'insertions':50000,'deletions':49903");
        calls++;
    } while (strstr(f->reply, "call again"));
    after = peak_kib();
    (void)fprintf(stderr, "%d commits in %lld ms and %d calls, peak %ld KiB more\n", LARGE,
                  (long long)(clock_mono_ms() - start), calls, after - before);
    VALUE_IS(f, "select count(*) || ' ' || count(distinct reference_id) from gamify.contribution",
             "40000 40000");
    VALUE_IS(f,
             "select string_agg((xp = (select sum(points) from gamify.contribution c where "
             "c.user_id = m.id))::text || ' ' || streak_days, ', ' order by id) from "
             "gamify.member m",
             "true 301, true 301");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ck_assert_int_lt(after - before, GROWTH_MIB * 1024L);
#endif
    OK(f, SYNC, "{'repo_path':'large','days':365}");
    HAS(f, "'synced':[]");
    VALUE_IS(f, "select count(*) from gamify.contribution", "40000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify commits");
    TCase *tcase = tcase_create("commits"), *large = tcase_create("large");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, commits_are_reported_and_credited);
    tcase_add_test(tcase, commits_and_tools_make_the_radar);
    tcase_add_test(tcase, a_second_sync_awards_nothing);
    tcase_add_test(tcase, without_sync_nothing_is_written);
    tcase_add_test(tcase, merges_renames_and_binary_files_are_handled);
    tcase_add_test(tcase, strange_authors_break_nothing);
    tcase_add_test(tcase, an_author_is_matched_by_address_then_name_then_beginning);
    tcase_add_test(tcase, filters_narrow_report_and_credit);
    tcase_add_test(tcase, the_window_goes_by_the_authors_date);
    tcase_add_test(tcase, a_later_project_is_taken_over_without_points);
    tcase_add_test(tcase, an_empty_repository_is_no_failure);
    tcase_add_test(tcase, the_text_is_the_contracts);
    tcase_add_loop_test(tcase, a_failing_git_changes_nothing, 0, (int)ARRAY_SIZE(bad_ends));
    tcase_add_test(tcase, a_git_that_does_not_end_in_time_changes_nothing);
    tcase_add_test(tcase, a_path_out_of_the_roots_is_refused);
    tcase_add_test(tcase, a_broken_connection_loses_and_doubles_nothing);
    tcase_add_test(tcase, two_syncs_at_once_award_once);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(large, begin, end);
    tcase_set_timeout(large, 100);
    tcase_add_test(large, fifty_thousand_commits_take_bounded_memory);
    suite_add_tcase(suite, large);
    return run_suite(suite);
}
