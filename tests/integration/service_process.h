/* SPDX-License-Identifier: Apache-2.0 */
/* A service as a process between a real NATS and a real Postgres. The test
 * program itself, run with "serve", is the process. The file that includes this
 * defines PROCESS_NAME, and PROCESS_ENV where settings are wanted. */
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "nats_server.h"
#include "pg_server.h"
#include "suite.h"
#include "svc/svc.h"

#include <check.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static struct pg_server pg;
static struct nats_server nats;
static char pg_url[PG_URL_SIZE];
static pid_t service;
static int service_log;
static struct bus *bus;
static struct arena arena;
static struct call call;

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t await_until_ = clock_mono_ms() + WAIT_MS;                                          \
        while (!(condition) && clock_mono_ms() < await_until_)                                     \
            usleep(2000);                                                                          \
        ck_assert_msg((condition), "not in time: %s; log: %s", #condition, logged());              \
    } while (0)

static inline const char *logged(void)
{
    static char text[1 << 18];
    ssize_t n = pread(service_log, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void start_service(void)
{
    service_log = memfd_create("log", 0);
    service = fork();
    ck_assert_int_ge(service, 0);
    if (service == 0) {
        (void)setenv("MAL_PG_URL", pg_url, 1);
        (void)setenv("MAL_NATS_URL", nats.url, 1);
#ifdef PROCESS_ENV
        (void)setenv(PROCESS_ENV, 1);
#endif
        (void)dup2(service_log, STDERR_FILENO);
        (void)execl("/proc/self/exe", PROCESS_NAME, "serve", (char *)NULL);
        _exit(127);
    }
    AWAIT(strstr(logged(), "msg=\"ready\""));
}

static inline void stop_service(void)
{
    int status = 0;

    ck_assert_int_eq(kill(service, SIGTERM), 0);
    ck_assert_int_eq(waitpid(service, &status, 0), service);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d: %s", status, logged());
    (void)close(service_log);
}

static inline void set_up(void)
{
    struct error err = {0};

    pg_server_clone(&pg, pg_url);
    pg_server_sql(pg_url, "create extension unaccent schema public");
    nats_server_start(&nats);
    start_service();
    ck_assert_msg(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err) ==
                      ST_OK,
                  "%s", err.message);
}

static inline void tear_down(void)
{
    stop_service();
    bus_free(bus);
    arena_done(&arena);
    nats_server_done(&nats);
}

/* A fresh call as the gateway makes it. */
static inline struct call *new_call(int timeout_ms)
{
    char *request_id;

    arena_done(&arena);
    arena_init(&arena);
    request_id = arena_alloc(&arena, UUID_SIZE);
    uuid_v4(request_id);
    call = (struct call){.arena = &arena,
                         .request_id = request_id,
                         .actor = "ana",
                         .channel = "mcp",
                         .scopes = SCOPE_READ | SCOPE_WRITE | SCOPE_EXECUTE,
                         .deadline_ms = clock_mono_ms() + timeout_ms,
                         .now_ms = clock_wall_ms()};
    return &call;
}

/* How long the stream knows an event's id, two minutes as a rule. */
static inline void set_window_ms(int ms)
{
    struct bus_message reply;
    char config[512];

    (void)snprintf(config, sizeof(config),
                   "{\"name\":\"MAL_EVT\",\"description\":\"Events of the services\","
                   "\"subjects\":[\"mal.evt.>\"],\"storage\":\"file\",\"num_replicas\":1,"
                   "\"max_age\":2592000000000000,\"allow_direct\":true,"
                   "\"duplicate_window\":%d000000}",
                   ms);
    ck_assert_int_eq(bus_request(bus, "$JS.API.STREAM.UPDATE.MAL_EVT", NULL, config, strlen(config),
                                 5000, &reply),
                     ST_OK);
    ck_assert_msg(memmem(reply.data, reply.len, "\"error\"", 7) == NULL, "%.*s", (int)reply.len,
                  (const char *)reply.data);
    bus_message_release(&reply);
}

static inline int stored_events(void)
{
    struct bus_message reply;
    const char *found;

    ck_assert_int_eq(bus_request(bus, "$JS.API.STREAM.INFO.MAL_EVT", NULL, NULL, 0, 5000, &reply),
                     ST_OK);
    found = memmem(reply.data, reply.len, "\"messages\":", 11);
    int n = found ? (int)strtol(found + 11, NULL, 10) : -1;
    bus_message_release(&reply);
    return n;
}

/* main() of a test program: the service, or the tests. */
static inline int process_tests(int argc, char **argv, Suite *suite, const struct svc *svc)
{
    int failed;

    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        suite_free(suite);
        return svc_main(1, argv, svc);
    }
    pg_server_start(&pg);
    failed = suite_run(suite);
    pg_server_stop(&pg);
    return failed;
}
