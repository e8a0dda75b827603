/* SPDX-License-Identifier: Apache-2.0 */
/* Clones of https repositories, from a local server with a certificate of its
 * own and git's http-backend behind it. */
#include "git_fixture.h"
#include "suite.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static struct git_fixture git_dirs;
static struct git_fixture *const g = &git_dirs;
static struct arena arena;
static struct call call;
static struct git_repo repo;
static char ca_file[128], allow[128], cache_dir[128];
static pid_t server;
static int port;

static void start_server(void)
{
    char line[32] = "", script[PATH_MAX];
    int ends[2];
    FILE *in;

    /* Tests run in the top folder. */
    ck_assert_ptr_nonnull(realpath("tests/integration/git_https.py", script));
    ck_assert_int_eq(pipe(ends), 0);
    server = fork();
    if (server == 0) {
        (void)dup2(ends[1], 1);
        ck_assert_int_eq(chdir(g->dir), 0);
        (void)execlp("python3", "python3", script, "served", "cert.pem", "key.pem", "log", NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    in = fdopen(ends[0], "re");
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), in));
    (void)fclose(in);
    port = (int)strtol(line, NULL, 10);
    ck_assert_int_gt(port, 0);
}

static void set_up(void)
{
    git_fixture_init(g);
    arena_init(&arena);
    SHELL(g, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem "
             "2>/dev/null");
    SHELL(g, "git init -q served/app && cd served/app && for i in 1 2 3; do echo $i > a; "
             "git add a; git commit -qm $i; done");
    start_server();
    (void)snprintf(ca_file, sizeof(ca_file), "%s/cert.pem", g->dir);
    (void)snprintf(cache_dir, sizeof(cache_dir), "%s/cache", g->dir);
    (void)snprintf(allow, sizeof(allow), "github.com, https://127.0.0.1:%d/", port);
    git_config.ca_file = ca_file;
    git_config.cache_dir = cache_dir;
    git_config.url_allow = allow;
}

static void tear_down(void)
{
    git_clone_stop();
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    arena_done(&arena);
    git_fixture_done(g);
}

static const char *url_of(const char *path)
{
    return arena_printf(&arena, "https://127.0.0.1:%d/%s", port, path);
}

static enum status open_url(const char *url, int ms)
{
    call = (struct call){.arena = &arena, .deadline_ms = clock_mono_ms() + ms};
    return git_repo_open(&call, url, &repo);
}

#define OPENS(path)                                                                                \
    do {                                                                                           \
        enum status opens_ = open_url(url_of(path), 30000);                                        \
        ck_assert_msg(opens_ == ST_OK, "%s: %s: %s", path, status_name(opens_),                    \
                      call.error.message);                                                         \
    } while (0)
#define REFUSES(path, status_)                                                                     \
    do {                                                                                           \
        enum status refuses_ = open_url(url_of(path), 30000);                                      \
        ck_assert_msg(refuses_ == (status_), "%s: %s instead of %s: %s", path,                     \
                      status_name(refuses_), status_name(status_), call.error.message);            \
    } while (0)

static int commits(void)
{
    static const char *const args[] = {"rev-list", "--count", "HEAD", NULL};
    struct git_job job = {.dir = repo.dir, .args = args, .deadline_ms = clock_mono_ms() + 5000};
    const char *line;

    ck_assert_int_eq(git_line(&call, &job, &line), GIT_DONE);
    return (int)strtol(line, NULL, 10);
}

static int requests(const char *words)
{
    char line[300];
    int n = 0;
    FILE *in = fopen(in_fixture(g, "log"), "re");

    while (in && fgets(line, sizeof(line), in))
        n += strstr(line, words) != NULL;
    if (in)
        (void)fclose(in);
    return n;
}

START_TEST(an_allowed_address_is_cloned_and_kept_up_to_date)
{
    OPENS("good/app");
    ck_assert_str_eq(repo.branch, "main");
    ck_assert_str_eq(repo.name, url_of("good/app"));
    ck_assert_int_eq(strncmp(repo.dir, cache_dir, strlen(cache_dir)), 0);
    ck_assert_int_eq(commits(), 3);
    SHELL(g, "cd served/app && git checkout -q -b next && git commit -q --allow-empty -m 4");
    OPENS("good/app");
    ck_assert_str_eq(repo.branch, "next");
    ck_assert_int_eq(commits(), 4);
    /* History that was written anew. */
    SHELL(g, "cd served/app && git reset -q --hard HEAD~3 && git commit -q --allow-empty -m x");
    OPENS("good/app");
    ck_assert_int_eq(commits(), 2);
}
END_TEST

START_TEST(an_empty_server_side_is_an_empty_repository)
{
    SHELL(g, "git init -q served/new");
    OPENS("good/new");
    ck_assert(repo.empty);
}
END_TEST

static const char *const unlisted[] = {
    "http://127.0.0.1:%d/good/app",
    "https://127.0.0.1/good/app",
    "https://localhost:%d/good/app",
    "https://user@127.0.0.1:%d/good/app",
    "https://github.com@127.0.0.1:%d/good/app",
    "https://127.0.0.1:%d/good/../good/app",
    "https://127.0.0.1:%d//good/app",
    "https://127.0.0.1:%d/good/app?x",
    "https://127.0.0.1:%d/good/app#x",
    "https://127.0.0.1:%d/good%%2fapp",
    "https://127.0.0.1:%d/good/ app",
    "https://127.0.0.1:%d/",
    "https://127.0.0.1:%d",
    "https://127.0.0.1:%d0/good/app",
    "https://github.com.evil.org/x/y",
    "https://-oProxyCommand=x/y",
    "HTTPS://127.0.0.1:%d/good/app",
    "ext::https://127.0.0.1:%d/good/app",
    "file:///etc",
};

START_TEST(no_other_address_is_asked)
{
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): the list above */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const char *url = arena_printf(&arena, unlisted[_i], port);
#pragma GCC diagnostic error "-Wformat-nonliteral"
    enum status status = open_url(url, 5000);

    ck_assert_msg(status == ST_PERMISSION_DENIED, "%s: %s", url, status_name(status));
    ck_assert_int_eq(requests("/"), 0);
    ck_assert(!exists(g, "cache"));
}
END_TEST

START_TEST(an_entry_of_the_list_ends_at_a_part_of_the_path)
{
    (void)snprintf(allow, sizeof(allow), "127.0.0.1:%d/good/ap,127.0.0.1:%d/slow/app/", port, port);
    REFUSES("good/app", ST_PERMISSION_DENIED);
    REFUSES("good/a", ST_PERMISSION_DENIED);
    (void)snprintf(allow, sizeof(allow), "127.0.0.1:%d/good/app", port);
    OPENS("good/app");
    git_config.url_allow = "";
    REFUSES("good/app", ST_PERMISSION_DENIED);
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    REFUSES("moved/app", ST_UNAVAILABLE);
    ck_assert_int_eq(requests("/good/"), 0);
    ck_assert_int_gt(requests("/moved/"), 0);
}
END_TEST

START_TEST(nobody_is_asked_for_a_password)
{
    REFUSES("secret/app", ST_NOT_FOUND);
    REFUSES("good/none", ST_NOT_FOUND);
    ck_assert_ptr_null(strstr(call.error.message, "127.0.0.1"));
}
END_TEST

START_TEST(an_unknown_certificate_is_refused)
{
    git_config.ca_file = "";
    REFUSES("good/app", ST_UNAVAILABLE);
    ck_assert_int_eq(requests("/"), 0);
}
END_TEST

static void *open_good(void *arg)
{
    struct arena own;
    struct call mine = {.arena = &own, .deadline_ms = clock_mono_ms() + 30000};
    struct git_repo found;

    arena_init(&own);
    *(enum status *)arg =
        git_repo_open(&mine, arena_printf(&own, "https://127.0.0.1:%d/slow/app", port), &found);
    arena_done(&own);
    return NULL;
}

START_TEST(calls_at_once_share_one_fetch)
{
    pthread_t threads[4];
    enum status statuses[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_good, &statuses[i]), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(statuses[i], ST_OK);
    }
    /* One question for the branch, one for what to fetch, one transfer. */
    ck_assert_int_le(requests("POST"), 3);
}
END_TEST

START_TEST(a_slow_fetch_goes_on_behind_the_call)
{
    int64_t start = clock_mono_ms();

    ck_assert_int_eq(open_url(url_of("slow/app"), 1500), ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 2500);
    ck_assert_ptr_nonnull(strstr(call.error.message, "still fetching"));
    OPENS("slow/app");
    ck_assert_int_eq(commits(), 3);
}
END_TEST

START_TEST(stopping_ends_a_fetch)
{
    int64_t start;

    ck_assert_int_eq(open_url(url_of("slow/app"), 1500), ST_UNAVAILABLE);
    start = clock_mono_ms();
    git_clone_stop();
    ck_assert_int_lt(clock_mono_ms() - start, 2000);
}
END_TEST

START_TEST(a_fetch_has_a_time_limit)
{
    git_config.fetch_timeout_s = 1;
    REFUSES("slow/app", ST_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(call.error.message, "within 1 s"));
}
END_TEST

START_TEST(a_repository_that_is_too_large_is_not_kept)
{
    git_config.cache_mib = 1;
    SHELL(g, "cd served/app && head -c 3000000 /dev/urandom > big && git add big && "
             "git commit -qm Big");
    REFUSES("good/app", ST_UNAVAILABLE);
    SHELL(g, "test $(du -sk cache | cut -f1) -lt 500");
    SHELL(g, "cd served/app && git reset -q --hard HEAD~1 && git reflog expire --expire=now --all "
             "&& git gc -q --prune=now");
    OPENS("good/app");
}
END_TEST

START_TEST(what_a_broken_transfer_left_is_mended)
{
    REFUSES("broken/app", ST_UNAVAILABLE);
    OPENS("good/app");
    /* As a killed git leaves it. */
    SHELL(g,
          "cd cache/*.git && touch refs/heads/main.lock HEAD.lock && "
          "cd %s/served/app && git commit -q --allow-empty -m 4",
          g->dir);
    REFUSES("good/app", ST_UNAVAILABLE);
    OPENS("good/app");
    ck_assert_int_eq(commits(), 4);
}
END_TEST

START_TEST(the_longest_unused_clone_makes_room)
{
    SHELL(g, "for i in 1 2 3; do git init -q served/r$i && cd served/r$i && "
             "head -c 400000 /dev/urandom > big && git add big && git commit -qm Big && cd ../..; "
             "done");
    git_config.cache_mib = 1;
    OPENS("good/r1");
    OPENS("good/r2");
    SHELL(g, "test $(ls -d cache/*.git | wc -l) = 2");
    OPENS("good/r3"); /* over the limit, but all were used just now */
    SHELL(g, "test $(ls -d cache/*.git | wc -l) = 3 && touch -d '1 hour ago' cache/*.lock");
    OPENS("good/r3");
    SHELL(g, "test $(ls -d cache/*.git | wc -l) = 2");
    OPENS("good/r1");
    OPENS("good/r2");
}
END_TEST

START_TEST(a_folder_that_others_can_write_is_not_used)
{
    SHELL(g, "mkdir cache && chmod 777 cache");
    REFUSES("good/app", ST_UNAVAILABLE);
    SHELL(g, "rmdir cache && mkdir other && ln -s other cache");
    REFUSES("good/app", ST_UNAVAILABLE);
    git_config.cache_dir = "";
    REFUSES("good/app", ST_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(call.error.hint, "MAL_GIT_CACHE_DIR"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify clones");
    TCase *tcase = tcase_create("clones");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_allowed_address_is_cloned_and_kept_up_to_date);
    tcase_add_test(tcase, an_empty_server_side_is_an_empty_repository);
    tcase_add_loop_test(tcase, no_other_address_is_asked, 0, (int)ARRAY_SIZE(unlisted));
    tcase_add_test(tcase, an_entry_of_the_list_ends_at_a_part_of_the_path);
    tcase_add_test(tcase, a_redirect_is_not_followed);
    tcase_add_test(tcase, nobody_is_asked_for_a_password);
    tcase_add_test(tcase, an_unknown_certificate_is_refused);
    tcase_add_test(tcase, calls_at_once_share_one_fetch);
    tcase_add_test(tcase, a_slow_fetch_goes_on_behind_the_call);
    tcase_add_test(tcase, stopping_ends_a_fetch);
    tcase_add_test(tcase, a_fetch_has_a_time_limit);
    tcase_add_test(tcase, a_repository_that_is_too_large_is_not_kept);
    tcase_add_test(tcase, what_a_broken_transfer_left_is_mended);
    tcase_add_test(tcase, the_longest_unused_clone_makes_room);
    tcase_add_test(tcase, a_folder_that_others_can_write_is_not_used);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
