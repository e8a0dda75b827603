/* SPDX-License-Identifier: Apache-2.0 */
/* Children: what they get, what they do not get, and that they end whole. */
#include "base/clock.h"
#include "child/child.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 10000, TEXT_MAX = 4096 };

static struct arena arena;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

static const char *const no_env[] = {NULL};

/* Runs a script of sh. */
static struct child start(const char *script, enum child_isolation isolation,
                          const struct child_limit *limits, size_t n_limits)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct child child;
    struct error err = {0};
    enum status status = child_start(&(struct child_options){.path = "/bin/sh",
                                                             .argv = argv,
                                                             .envp = no_env,
                                                             .isolation = isolation,
                                                             .limits = limits,
                                                             .n_limits = n_limits},
                                     &child, &err);

    ck_assert_msg(status == ST_OK, "%s", err.message);
    return child;
}

/* All it writes until it ends. */
static const char *output(struct child *child)
{
    static char text[TEXT_MAX];
    size_t len = 0;
    ssize_t n;

    while (len + 1 < sizeof(text) &&
           (n = read(child->out, text + len, sizeof(text) - 1 - len)) != 0)
        if (n > 0)
            len += (size_t)n;
        else if (errno != EINTR)
            break;
    text[len] = '\0';
    return text;
}

static bool gone(pid_t pid)
{
    int64_t until = clock_mono_ms() + WAIT_MS;
    struct timespec tick = {.tv_nsec = 2000000};

    while (kill(pid, 0) == 0 && clock_mono_ms() < until)
        (void)nanosleep(&tick, NULL);
    return kill(pid, 0) != 0 && errno == ESRCH;
}

START_TEST(a_child_has_three_descriptors_and_an_empty_environment)
{
    int extra = open("/dev/null", O_RDONLY);
    struct child child = start("ls /proc/self/fd | wc -l; env -u PWD -u _ -u SHLVL -u OLDPWD env",
                               CHILD_PLAIN, NULL, 0);

    ck_assert_int_ge(extra, 0);
    /* ls has one more, for the folder. */
    ck_assert_str_eq(output(&child), "4\n");
    child_stop(&child, WAIT_MS, WAIT_MS, NULL);
    (void)close(extra);
}
END_TEST

START_TEST(a_child_talks_over_its_pipes_and_ends_when_they_close)
{
    struct child child = start("cat; exit 7", CHILD_PLAIN, NULL, 0);
    struct child_end end = {0};
    char text[6] = "";

    ck_assert_int_eq(write(child.in, "hello", 5), 5);
    ck_assert_int_eq(read(child.out, text, 5), 5);
    ck_assert_str_eq(text, "hello");
    ck_assert(!child_ended(&child, NULL));
    child_stop(&child, WAIT_MS, 0, &end);
    ck_assert_int_eq(end.exit_code, 7);
    ck_assert_int_eq(end.signal, 0);
    ck_assert_int_eq(child.pid, 0);
    ck_assert_int_eq(child.out, -1);
    child_stop(&child, WAIT_MS, 0, NULL);
}
END_TEST

START_TEST(a_child_that_ignores_everything_is_killed_with_its_whole_group)
{
    struct child child =
        start("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; exec sleep 1000' & wait; wait; sleep "
              "1000",
              CHILD_PLAIN, NULL, 0);
    struct child_end end = {0};
    char text[32] = "";
    pid_t grandchild;

    ck_assert_int_gt(read(child.out, text, sizeof(text) - 1), 0);
    grandchild = (pid_t)strtol(text, NULL, 10);
    ck_assert_int_gt(grandchild, 1);
    child_stop(&child, 10, 50, &end);
    ck_assert_int_eq(end.signal, SIGKILL);
    ck_assert(gone(grandchild));
}
END_TEST

START_TEST(what_a_child_leaves_behind_is_killed_when_it_ends)
{
    struct child child = start("sleep 1000 >/dev/null & echo $!", CHILD_PLAIN, NULL, 0);
    int64_t until = clock_mono_ms() + WAIT_MS;
    struct timespec tick = {.tv_nsec = 2000000};
    pid_t left = (pid_t)strtol(output(&child), NULL, 10);
    struct child_end end = {.exit_code = -1};

    ck_assert_int_gt(left, 1);
    while (!child_ended(&child, &end) && clock_mono_ms() < until)
        (void)nanosleep(&tick, NULL);
    ck_assert_int_eq(end.exit_code, 0);
    ck_assert(gone(left));
}
END_TEST

/* The process that has a child is killed. */
START_TEST(a_child_ends_with_its_parent)
{
    int ends[2];
    pid_t parent, grandchild = 0;

    ck_assert_int_eq(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        struct child child = start("exec sleep 1000", CHILD_PLAIN, NULL, 0);

        if (write(ends[1], &child.pid, sizeof(child.pid)) != sizeof(child.pid))
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    ck_assert_int_eq(kill(parent, SIGKILL), 0);
    ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
    ck_assert(gone(grandchild));
}
END_TEST

static void *start_elsewhere(void *arg)
{
    *(struct child *)arg = start("cat", CHILD_PLAIN, NULL, 0);
    return NULL;
}

START_TEST(a_child_outlives_the_thread_that_started_it)
{
    struct child child;
    struct child_end end = {0};
    pthread_t thread;
    char c = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, start_elsewhere, &child), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(write(child.in, "x", 1), 1);
    ck_assert_int_eq(read(child.out, &c, 1), 1);
    ck_assert_int_eq(c, 'x');
    child_stop(&child, WAIT_MS, 0, &end);
    ck_assert_int_eq(end.signal, 0);
}
END_TEST

START_TEST(limits_hold_and_privileges_do_not_grow)
{
    static const struct child_limit limits[] = {{RLIMIT_NOFILE, 33, 33}};
    struct child child =
        start("ulimit -n; sed -n 's/^NoNewPrivs:.//p' /proc/self/status", CHILD_PLAIN, limits, 1);

    ck_assert_str_eq(output(&child), "33\n1\n");
    child_stop(&child, WAIT_MS, WAIT_MS, NULL);
}
END_TEST

START_TEST(root_is_not_handed_on)
{
    struct child child = start("id -u", CHILD_PLAIN, NULL, 0);
    const char *uid = output(&child);

    ck_assert_str_ne(uid, "0\n");
    child_stop(&child, WAIT_MS, WAIT_MS, NULL);
}
END_TEST

START_TEST(a_child_that_keeps_the_user_runs_as_its_parent)
{
    const char *const argv[] = {"id", "-u", NULL};
    struct child child;
    struct error err = {0};

    ck_assert_int_eq(child_start(&(struct child_options){.path = child_find(&arena, "id"),
                                                         .argv = argv,
                                                         .envp = no_env,
                                                         .keep_user = true},
                                 &child, &err),
                     ST_OK);
    ck_assert_uint_eq(strtoul(output(&child), NULL, 10), geteuid());
    child_stop(&child, WAIT_MS, WAIT_MS, NULL);
}
END_TEST

START_TEST(a_program_that_is_not_there_ends_at_once)
{
    const char *const argv[] = {"none", NULL};
    struct child child;
    struct child_end end = {0};
    struct error err = {0};

    ck_assert_int_eq(
        child_start(&(struct child_options){.path = "/none/there", .argv = argv, .envp = no_env},
                    &child, &err),
        ST_OK);
    child_stop(&child, WAIT_MS, WAIT_MS, &end);
    ck_assert_int_eq(end.exit_code, 127);
    ck_assert_ptr_null(child_find(&arena, "no-such-program"));
    ck_assert_ptr_null(child_find(&arena, "bin/sh"));
    ck_assert_str_eq(child_find(&arena, "/bin/sh"), "/bin/sh");
    ck_assert_str_eq(child_find_on(&arena, "/none:/bin", "sh"), "/bin/sh");
    ck_assert_ptr_null(child_find_on(&arena, ":../../../../../bin", "sh"));
}
END_TEST

START_TEST(a_sandboxed_child_sees_no_other_process)
{
    struct child child;

    if (!child_can_isolate())
        return;
    child = start("ls /proc | grep -c '^[0-9]'", CHILD_SANDBOX, NULL, 0);
    ck_assert_int_le(strtol(output(&child), NULL, 10), 5);
    child_stop(&child, WAIT_MS, WAIT_MS, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("child_life");
    TCase *tcase = tcase_create("life");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_child_has_three_descriptors_and_an_empty_environment);
    tcase_add_test(tcase, a_child_talks_over_its_pipes_and_ends_when_they_close);
    tcase_add_test(tcase, a_child_that_ignores_everything_is_killed_with_its_whole_group);
    tcase_add_test(tcase, what_a_child_leaves_behind_is_killed_when_it_ends);
    tcase_add_test(tcase, a_child_ends_with_its_parent);
    tcase_add_test(tcase, a_child_outlives_the_thread_that_started_it);
    tcase_add_test(tcase, limits_hold_and_privileges_do_not_grow);
    tcase_add_test(tcase, root_is_not_handed_on);
    tcase_add_test(tcase, a_child_that_keeps_the_user_runs_as_its_parent);
    tcase_add_test(tcase, a_program_that_is_not_there_ends_at_once);
    tcase_add_test(tcase, a_sandboxed_child_sees_no_other_process);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
