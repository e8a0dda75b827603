/* SPDX-License-Identifier: Apache-2.0 */
/* Running commands: who may, what comes back, and what a script cannot do. */
#include "catalog_fixture.h"

#include "isolation.h"
#include "sandbox.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(const char *id, const char *shell, const char *script, const char *more)
{
    struct strbuf buf = STRBUF_INIT;

    strbuf_printf(&buf,
                  "{\"id\":\"%s\",\"name\":\"Name\",\"description\":\"d\",\"author\":\"ana\","
                  "\"category\":\"test\",\"shell\":\"%s\",\"script_template\":",
                  id, shell);
    json_put_string(&buf, script);
    strbuf_printf(&buf, "%s}", more);
    ck_assert_msg(run_json(f, "RegisterCommand", strbuf_cstr(&buf), true) == ST_OK, "%s",
                  f->call.error.message);
    strbuf_done(&buf);
}

/* Runs a script that was not there before. */
static void run_script(const char *shell, const char *script, int timeout_s)
{
    static int n;
    char id[16], request[200];

    (void)snprintf(id, sizeof(id), "c-%d", n++);
    add(id, shell, script, "");
    (void)snprintf(request, sizeof(request),
                   "{'id':'%s','mode':'run','timeout_s':%d,'confirm':true}", id, timeout_s);
    OK(f, "ExecuteCommand", request);
    HAS(f, "'executed':true");
}

static void set_up_execution(void)
{
    catalog_config.exec_enabled = true;
    set_up();
}

START_TEST(with_execution_off_a_run_is_denied)
{
    catalog_config.exec_enabled = false;
    add("c", "bash", "touch ran", "");
    FAILS(f, "ExecuteCommand", "{'id':'c','mode':'run','confirm':true}", ST_PERMISSION_DENIED);
    MENTIONS(f, "MAL_EXEC_ENABLED");
    ck_assert_int_eq(events(f, "catalog.command.executed"), 0);
}
END_TEST

START_TEST(a_run_asks_first_and_says_what_it_does)
{
    add("c", "bash", "echo {{v}}",
        ",\"parameters\":[{\"name\":\"v\",\"type\":\"string\",\"description\":\"d\"}]");
    FAILS(f, "ExecuteCommand", "{'id':'c','mode':'run','params':{'v':'w'},'timeout_s':7}",
          ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CONFIRMATION_REQUIRED");
    MENTIONS(f, "'c'");
    MENTIONS(f, "v = \"w\"");
    MENTIONS(f, "7 s");
    MENTIONS(f, "mal_execute_command");
}
END_TEST

START_TEST(a_command_that_needs_confirmation_is_always_guarded)
{
    catalog_config.confirm_tools = "";
    add("free", "bash", "true", "");
    add("kept", "bash", "true", ",\"requires_confirmation\":true");
    OK(f, "ExecuteCommand", "{'id':'free','mode':'run'}");
    FAILS(f, "ExecuteCommand", "{'id':'kept','mode':'run'}", ST_FAILED_PRECONDITION);
    OK(f, "ExecuteCommand", "{'id':'kept','mode':'run','confirm':true}");
}
END_TEST

START_TEST(exit_code_and_outputs_come_back)
{
    run_script("bash", "echo out; echo err >&2; exit 3", 20);
    HAS(f, "'exit_code':3,'stdout':'out\\n','stderr':'err\\n'");
    HAS(f, "'stdout_truncated':false,'stderr_truncated':false,'timed_out':false,'duration_ms':");
    HAS_NOT(f, "'signal'");
    ck_assert_int_eq(events(f, "catalog.command.executed"), 1);
    run_script("bash", "kill -9 $$", 20);
    HAS(f, "'exit_code':137,'signal':9,'stdout':'','stderr':''");
}
END_TEST

START_TEST(values_reach_every_language_as_variables)
{
    static const char parameters[] =
        ",\"parameters\":[{\"name\":\"v\",\"type\":\"string\",\"description\":\"d\"}]";

    add("b", "bash", "printf %s \"{{v}}\"", parameters);
    add("p", "python", "print({{v}}, end='')", parameters);
    add("n", "node", "process.stdout.write({{v}})", parameters);
    OK(f, "ExecuteCommand", "{'id':'b','mode':'run','confirm':true,'params':{'v':'$(id) `x`'}}");
    HAS(f, "'stdout':'$(id) `x`'");
    OK(f, "ExecuteCommand", "{'id':'p','mode':'run','confirm':true,'params':{'v':'$(id) é'}}");
    HAS(f, "'stdout':'$(id) é'");
    OK(f, "ExecuteCommand", "{'id':'n','mode':'run','confirm':true,'params':{'v':'${x} é'}}");
    HAS(f, "'stdout':'${x} é'");
}
END_TEST

/* Whether a process of this machine has the argument in its command line. */
static bool is_running(const char *argument)
{
    DIR *proc = opendir("/proc");
    bool found = false;

    for (struct dirent *entry; (entry = readdir(proc)) && !found;) {
        char path[300], line[1000];
        FILE *file;
        size_t n;

        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        file = fopen(path, "r");
        if (!file)
            continue;
        n = fread(line, 1, sizeof(line) - 1, file);
        line[n] = '\0';
        for (size_t i = 0; i < n; i += strlen(line + i) + 1)
            found = found || strcmp(line + i, argument) == 0;
        (void)fclose(file);
    }
    closedir(proc);
    return found;
}

static void wait_gone(const char *argument)
{
    int64_t until = clock_mono_ms() + 5000;

    while (is_running(argument) && clock_mono_ms() < until)
        usleep(1000);
    ck_assert(!is_running(argument));
}

START_TEST(a_timeout_ends_the_script_and_all_it_started)
{
    int64_t start = clock_mono_ms();

    run_script("bash", "(setsid sleep 99.125 &); sleep 99.125 & sleep 99.125", 1);
    HAS(f, "'timed_out':true");
    HAS(f, "'exit_code':143,'signal':15");
    ck_assert_int_lt(clock_mono_ms() - start, 4000);
    wait_gone("99.125");
}
END_TEST

START_TEST(a_script_that_ignores_term_is_killed)
{
    int64_t start = clock_mono_ms();

    run_script("bash", "trap '' TERM; while :; do sleep 99.25; done", 1);
    HAS(f, "'timed_out':true");
    HAS(f, "'exit_code':137,'signal':9");
    ck_assert_int_lt(clock_mono_ms() - start, 4000);
    wait_gone("99.25");
}
END_TEST

START_TEST(what_is_left_running_ends_with_the_script)
{
    run_script("bash", "sleep 99.375 & setsid sleep 99.375 & echo done", 20);
    HAS(f, "'exit_code':0,'stdout':'done\\n'");
    HAS(f, "'timed_out':false");
    wait_gone("99.375");
}
END_TEST

START_TEST(output_is_cut_and_mended)
{
    run_script("bash", "head -c 1000000 /dev/zero | tr '\\0' x; echo few >&2", 20);
    HAS(f, "'stdout_truncated':true,'stderr_truncated':false");
    HAS(f, "'stderr':'few\\n'");
    ck_assert_uint_lt(strlen(f->reply), SANDBOX_OUTPUT_MAX + 1000);
    ck_assert_uint_gt(strlen(f->reply), SANDBOX_OUTPUT_MAX);
    run_script("bash", "printf 'a\\377b\\0c'", 20);
    HAS(f, "'stdout':'a\xef\xbf\xbd"
           "b\xef\xbf\xbd"
           "c'");
}
END_TEST

START_TEST(the_sandbox_has_no_network_and_a_read_only_file_system)
{
    run_script("bash", "echo > /dev/tcp/127.0.0.1/22", 20);
    HAS(f, "'exit_code':1");
    HAS(f, "/dev/tcp");
    run_script("python", "import socket\nprint([n for _, n in socket.if_nameindex()])", 20);
    ck_assert_ptr_nonnull(strstr(f->reply, "['lo']"));
    run_script("bash", "touch /etc/x /tmp/x /usr/x /var/tmp/x; echo kept > here && cat here", 20);
    HAS(f, "'stdout':'kept\\n'");
    HAS(f, "/etc/x");
    HAS(f, "/tmp/x");
    HAS(f, "/usr/x");
    HAS(f, "/var/tmp/x");
}
END_TEST

START_TEST(the_environment_and_the_descriptors_are_clean)
{
    (void)setenv("MAL_SECRET_OF_THE_HUB", "hunter2", 1);
    run_script("bash", "env | sed 's/=.*//' | sort | tr '\\n' ' '; ls /proc/self/fd | tr '\\n' ' '",
               20);
    HAS(f, "'stdout':'HOME LANG PATH PWD SHLVL _ 0 1 2 3 '"); /* 3 is ls reading the folder */
    run_script("bash", "cat /proc/*/environ 2>/dev/null | tr '\\0' ' '", 20);
    HAS_NOT(f, "hunter2");
}
END_TEST

START_TEST(the_hub_s_own_files_are_hidden)
{
    char dir[4096], file[4200], script[4300];

    /* A place that is not hidden anyway: root's own, else where the tests run. */
    ck_assert_ptr_nonnull(geteuid() == 0 ? memcpy(dir, "/var/lib", 9) : getcwd(dir, 4000));
    (void)strncat(dir, "/mal-test-XXXXXX", 20);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)chmod(dir, 0755);
    (void)snprintf(file, sizeof(file), "%s/secret", dir);
    (void)fclose(fopen(file, "w"));
    (void)snprintf(script, sizeof(script), "ls -A %s /run /tmp; id -u; cat /etc/shadow", dir);
    catalog_config.data_dir = dir;
    run_script("bash", script, 20);
    (void)unlink(file);
    (void)rmdir(dir);
    HAS_NOT(f, "secret");
    HAS(f, "work");
    HAS(f, "/etc/shadow: Permission denied");
}
END_TEST

START_TEST(a_script_gets_no_more_than_its_limits)
{
    run_script("python", "x = bytearray(1 << 31)", 20);
    HAS(f, "MemoryError");
    run_script("bash", "head -c 100000000 /dev/zero > big; stat -c %s big", 20);
    HAS(f, "67108864");
    run_script("bash", "for i in $(seq 200); do sleep 5 & done 2>&1 | grep -c fork; kill 0", 20);
    HAS_NOT(f, "'timed_out':true");
    run_script("bash", "ulimit -u; ulimit -c", 20);
    HAS(f, "'stdout':'128\\n0\\n'");
}
END_TEST

static void *run_long(void *arg)
{
    struct fixture own = {0};

    (void)arg;
    arena_init(&own.arena);
    own.conn = open_conn(f->url);
    OK(&own, "ExecuteCommand", "{'id':'long','mode':'run','confirm':true,'timeout_s':2}");
    fixture_done(&own);
    return NULL;
}

START_TEST(no_more_than_the_allowed_number_runs_at_once)
{
    int64_t until = clock_mono_ms() + 10000;
    pthread_t thread;

    catalog_config.exec_max = 1;
    add("long", "bash", "sleep 99.5", "");
    add("short", "bash", "true", "");
    ck_assert_int_eq(pthread_create(&thread, NULL, run_long, NULL), 0);
    while (!is_running("99.5") && clock_mono_ms() < until)
        usleep(1000);
    FAILS(f, "ExecuteCommand", "{'id':'short','mode':'run','confirm':true}", ST_RESOURCE_EXHAUSTED);
    pthread_join(thread, NULL);
    OK(f, "ExecuteCommand", "{'id':'short','mode':'run','confirm':true}");
}
END_TEST

int main(void)
{
    Suite *suite;
    TCase *tcase;

    if (!can_isolate()) {
        (void)puts("skipped: " NO_ISOLATION);
        return TEST_SKIPPED;
    }
    suite = suite_create("catalog_execute");
    tcase = tcase_create("execute");
    tcase_add_checked_fixture(tcase, set_up_execution, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, with_execution_off_a_run_is_denied);
    tcase_add_test(tcase, a_run_asks_first_and_says_what_it_does);
    tcase_add_test(tcase, a_command_that_needs_confirmation_is_always_guarded);
    tcase_add_test(tcase, exit_code_and_outputs_come_back);
    tcase_add_test(tcase, values_reach_every_language_as_variables);
    tcase_add_test(tcase, a_timeout_ends_the_script_and_all_it_started);
    tcase_add_test(tcase, a_script_that_ignores_term_is_killed);
    tcase_add_test(tcase, what_is_left_running_ends_with_the_script);
    tcase_add_test(tcase, output_is_cut_and_mended);
    tcase_add_test(tcase, the_sandbox_has_no_network_and_a_read_only_file_system);
    tcase_add_test(tcase, the_environment_and_the_descriptors_are_clean);
    tcase_add_test(tcase, the_hub_s_own_files_are_hidden);
    tcase_add_test(tcase, a_script_gets_no_more_than_its_limits);
    tcase_add_test(tcase, no_more_than_the_allowed_number_runs_at_once);
    return run_suite(suite);
}
