/* SPDX-License-Identifier: Apache-2.0 */
/* Runners as processes beside a private nats-server, with servers told through
 * MAL_MCPS, for test_runner_*. The test program itself, run with "serve", is a
 * runner. */
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "bus/bus.h"
#include "downstream/downstream.h"
#include "nats_server.h"
#include "remote/remote.h"
#include "runner.h"
#include "suite.h"
#include "wire/codec.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000, RUNNERS = 3 };

static struct nats_server nats;
static struct bus *bus;
static struct bus_kv *told;
static struct arena arena;
static char homes[64];
static char script[16384];
static struct {
    pid_t pid;
    int log;
} runners[RUNNERS];

static inline const char *logged(int i)
{
    static char text[1 << 18];
    ssize_t n = pread(runners[i].log, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t await_until_ = clock_mono_ms() + WAIT_MS;                                          \
        bool await_yes_;                                                                           \
        while (!(await_yes_ = (condition)) && clock_mono_ms() < await_until_)                      \
            usleep(5000);                                                                          \
        ck_assert_msg(await_yes_, "not in time: %s; log: %s", #condition, logged(0));              \
    } while (0)

static inline void start_runner(int i)
{
    runners[i].log = memfd_create("log", 0);
    runners[i].pid = fork();
    ck_assert_int_ge(runners[i].pid, 0);
    if (runners[i].pid == 0) {
        (void)setenv("MAL_NATS_URL", nats.url, 1);
        (void)setenv("MAL_STDIO_ALLOW", "python3,node", 1);
        (void)setenv("MAL_RUNNER_DIR", homes, 1);
        (void)setenv("MAL_SECRET_KEYS",
                     "k:0000000000000000000000000000000000000000000000000000000000000001", 1);
        (void)setenv("MAL_ENV_ALLOW", "VISIBLE", 1);
        (void)setenv("VISIBLE", "seen", 1);
        (void)setenv("HIDDEN", "never", 1);
        (void)dup2(runners[i].log, STDERR_FILENO);
        (void)execl("/proc/self/exe", "mal-mcp-runner", "serve", (char *)NULL);
        _exit(127);
    }
    AWAIT(strstr(logged(i), "msg=\"ready\""));
}

static inline void stop_runner(int i, int signum)
{
    int status = 0;

    if (runners[i].pid == 0)
        return;
    ck_assert_int_eq(kill(runners[i].pid, signum), 0);
    ck_assert_int_eq(waitpid(runners[i].pid, &status, 0), runners[i].pid);
    if (signum == SIGTERM)
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d: %s", status, logged(i));
    runners[i].pid = 0;
    (void)close(runners[i].log);
}

/* Tells the server as mcp-health does; change may alter it before. */
static inline void tell(const char *id, const char *mode,
                        void (*change)(McpHealth__Server *server, McpHealth__Policy *policy))
{
    McpHealth__Server server = MCP_HEALTH__SERVER__INIT;
    McpHealth__Policy policy = MCP_HEALTH__POLICY__INIT;
    const char *args[] = {"-c", script, mode, homes};
    struct arena scratch;
    char key[80];
    size_t len;

    arena_init(&scratch);
    server.id = server.name = id;
    server.transport = MCP_HEALTH__SERVER_TRANSPORT__SERVER_TRANSPORT_STDIO;
    server.command = "python3";
    server.args = args;
    server.n_args = 4;
    server.status = MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE;
    server.policy = &policy;
    if (change)
        change(&server, &policy);
    const void *data = wire_pack(&scratch, &server.base, &len);
    (void)snprintf(key, sizeof(key), "s.%s", id);
    ck_assert_int_eq(bus_kv_put(told, key, data, len), ST_OK);
    arena_done(&scratch);
}

static inline void set_up(void)
{
    struct error err = {0};
    int fd = open("tests/integration/runner_child.py", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, script, sizeof(script) - 1);

    ck_assert_int_gt(n, 0);
    ck_assert_int_lt(n, (ssize_t)sizeof(script) - 1);
    (void)close(fd);
    arena_init(&arena);
    (void)snprintf(homes, sizeof(homes), "/tmp/mal-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(homes));
    ck_assert_int_eq(chmod(homes, S_IRWXU | S_IXGRP | S_IXOTH), 0);
    nats_server_start(&nats);
    ck_assert_msg(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err) ==
                      ST_OK,
                  "%s", err.message);
    ck_assert_int_eq(bus_kv_open(bus, "MAL_MCPS", 0, &told, &err), ST_OK);
    tell("child", "", NULL);
    start_runner(0);
}

static inline void tear_down(void)
{
    char command[128];

    for (int i = 0; i < RUNNERS; i++)
        stop_runner(i, SIGTERM);
    bus_kv_free(told);
    bus_free(bus);
    nats_server_done(&nats);
    arena_done(&arena);
    (void)snprintf(command, sizeof(command), "rm -rf %s", homes);
    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): a folder of ours */
}

/* What came of a call. */
struct outcome {
    enum status status;
    struct error err;
    const char *text; /* result.content[0].text, or the error as JSON */
    int notifications, largest;
};

typedef void each_fn(struct remote_exchange *x, const struct downstream_message *msg);

static inline const char *text_of(const struct downstream_message *msg)
{
    const struct json_node *content = json_get(&msg->json, msg->result, "content");
    size_t len;

    if (msg->kind == DOWNSTREAM_ERROR) {
        const char *raw = json_raw(&msg->json, msg->error, &len);
        return arena_memdup(&arena, raw, len);
    }
    return content
               ? json_text(&arena, &msg->json, json_get(&msg->json, json_first(content), "text"))
               : "";
}

static inline void pull(struct remote_exchange *x, struct outcome *out, each_fn *each)
{
    struct downstream_message msg;

    do {
        out->status = remote_next(x, -1, &msg, &out->err);
        if (out->status != ST_OK)
            return;
        if (each)
            each(x, &msg);
        out->notifications += msg.kind == DOWNSTREAM_NOTIFICATION;
    } while (msg.kind != DOWNSTREAM_RESULT && msg.kind != DOWNSTREAM_ERROR);
    out->text = text_of(&msg);
}

static inline struct remote_request tool(const char *server, const char *name,
                                         const char *arguments)
{
    return (struct remote_request){
        .server = server,
        .method = "tools/call",
        .params = arena_printf(&arena, "{\"name\":\"%s\",\"arguments\":%s}", name, arguments),
        .progress = true,
        .deadline_ms = clock_mono_ms() + WAIT_MS};
}

static inline struct outcome call(const char *server, const char *name, const char *arguments)
{
    struct remote_request request = tool(server, name, arguments);
    struct remote_exchange *x = NULL;
    struct outcome out = {0};

    out.status = remote_begin(bus, &request, &x, &out.err);
    if (out.status == ST_OK)
        pull(x, &out, NULL);
    remote_end(x);
    return out;
}

#define CALL_IS(server, name, arguments, wanted)                                                   \
    do {                                                                                           \
        struct outcome is_ = call(server, name, arguments);                                        \
        ck_assert_msg(is_.status == ST_OK, "%s; log: %s", is_.err.message, logged(0));             \
        ck_assert_str_eq(is_.text, wanted);                                                        \
    } while (0)

/* A number that the child told. */
static inline long fact(const char *server, const char *name)
{
    struct outcome out = call(server, "facts", "{}");
    char key[32];

    ck_assert_msg(out.status == ST_OK, "%s", out.err.message);
    (void)snprintf(key, sizeof(key), "\"%s\": ", name);
    const char *found = strstr(out.text, key);
    ck_assert_ptr_nonnull(found);
    return strtol(found + strlen(key), NULL, 10);
}

/* Of that parent, zombies too. */
static inline int children_of(pid_t parent)
{
    char path[64], line[512];
    int n = 0;
    DIR *dir = opendir("/proc");

    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", e->d_name);
        FILE *file = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (!file)
            continue;
        const char *end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
        n += end && strtol(end + 4, NULL, 10) == parent;
        (void)fclose(file);
    }
    (void)closedir(dir);
    return n;
}

/* Processes of any parent that run our script. */
static inline int scripts(void)
{
    static char text[1 << 16];
    char path[64];
    int n = 0;
    DIR *dir = opendir("/proc");

    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : 0;
        n += len > 0 && memmem(text, (size_t)len, homes, strlen(homes)) != NULL;
        if (fd >= 0)
            (void)close(fd);
    }
    (void)closedir(dir);
    return n;
}

static inline int descriptors_of(pid_t pid)
{
    char path[64];
    int n = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        n++;
    if (dir)
        (void)closedir(dir);
    return n;
}

static inline long resident_kib(pid_t pid)
{
    char path[64];
    long pages = 0, total;

    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%ld %ld", &total, &pages) != 2) /* NOLINT(cert-err34-c) */
        pages = 0;
    if (file)
        (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* main() of a test program: a runner, or the tests. */
static inline int runner_tests(int argc, char **argv, Suite *suite)
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        suite_free(suite);
        return runner_main(1, argv);
    }
    return suite_run(suite);
}
