/* SPDX-License-Identifier: Apache-2.0 */
/* A service named demo for test_svc_*: the test program itself, run again with
 * the argument "serve", against a private Postgres and nats-server. */
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "http_client.h"
#include "mal/v1/tool.pb-c.h"
#include "nats_server.h"
#include "pg_server.h"
#include "suite.h"
#include "svc/svc.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

/* ---- the service ---- */

static const struct field_rule pair_fields[] = {
    {.name = "key", .flags = RULE_REQUIRED, .min_len = 1, .max_len = 64},
    {.name = "value"},
};
static const struct message_rule pair_rule = {&mal__pair__descriptor, pair_fields, -1, -1};
static const struct rpc echo_rpc = {.package = "demo",
                                    .name = "Echo",
                                    .subject = "mal.demo.v1.echo",
                                    .tool_name = "mal_echo",
                                    .read_only = true,
                                    .request = &pair_rule,
                                    .response = &pair_rule};
static const struct rpc add_rpc = {.package = "demo",
                                   .name = "Add",
                                   .subject = "mal.demo.v1.add",
                                   .request = &pair_rule,
                                   .response = &pair_rule};

static const struct query sql_sleep = {
    .name = "sleep", .sql = "select pg_sleep($1::float8)::text", .params = 1};
static const struct query sql_add = {
    .name = "add", .sql = "insert into item (id, value) values ($1, $2)", .params = 2};

/* Key "sleep" waits value seconds in Postgres, "check" asks the database,
 * "leave" leaves a transaction open. */
static enum status demo_echo(struct call *call, const ProtobufCMessage *request,
                             ProtobufCMessage *reply)
{
    const Mal__Pair *in = (const Mal__Pair *)request;
    Mal__Pair *out = (Mal__Pair *)reply;
    const char *text;

    out->key = in->key;
    out->value = in->value;
    if (strcmp(in->key, "sleep") == 0)
        TRY(pg_text(call, &sql_sleep, &text, "s", in->value));
    if (strcmp(in->key, "check") == 0) {
        protobuf_c_boolean up;
        int32_t ms;

        svc_check(call, &up, &ms, &text);
        out->value = arena_printf(call->arena, "%d %d %s", up, ms >= 0 && ms < 5000, text);
    }
    if (strcmp(in->key, "leave") == 0) {
        struct tx tx = {0};

        TRY(tx_begin(&tx, call));
        TRY(pg_exec(call, &sql_add, NULL, "ss", "left", ""));
    }
    return ST_OK;
}

static enum status demo_add(struct call *call, const ProtobufCMessage *request,
                            ProtobufCMessage *reply)
{
    const Mal__Pair *in = (const Mal__Pair *)request;
    Mal__Pair *out = (Mal__Pair *)reply;
    CLEANUP(tx_done) struct tx tx = {0};

    out->key = in->key;
    TRY(tx_begin(&tx, call));
    if (pg_exec(call, &sql_add, NULL, "ss", in->key, in->value) == ST_ALREADY_EXISTS)
        return call_fail(call, ST_ALREADY_EXISTS, "There is an item '%s' already.", in->key);
    TRY(event_add(&tx, "mal.evt.demo.item.added", request));
    return tx_commit(&tx);
}

static int serve_demo(int argc, char **argv)
{
    static const struct endpoint endpoints[] = {{&echo_rpc, demo_echo}, {&add_rpc, demo_add}};
    static const struct migration migrations[] = {
        {.number = 1,
         .name = "item",
         .sql = "create table item (id text primary key, value text not null)",
         .sha256 = "0000000000000000000000000000000000000000000000000000000000000001"},
    };

    return svc_main(argc, argv,
                    &(struct svc){.name = "demo",
                                  .description = "A service for tests.",
                                  .endpoints = endpoints,
                                  .n_endpoints = ARRAY_SIZE(endpoints),
                                  .migrations = migrations,
                                  .n_migrations = ARRAY_SIZE(migrations)});
}

/* ---- its servers ---- */

static struct pg_server pg;
static struct nats_server nats;
static char pg_url[PG_URL_SIZE];

static inline void fixture_init(void)
{
    pg_server_clone(&pg, pg_url);
    nats_server_start(&nats);
}

static inline void fixture_done(void)
{
    nats_server_done(&nats);
}

/* Waits for a condition, WAIT_MS at most. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t await_until_ = clock_mono_ms() + WAIT_MS;                                          \
        while (!(condition) && clock_mono_ms() < await_until_)                                     \
            (void)usleep(2000);                                                                    \
        ck_assert_msg((condition), "not in time: %s", #condition);                                 \
    } while (0)

/* ---- a running copy ---- */

struct child {
    pid_t pid;
    int log; /* memfd of its stderr */
    int out; /* and of its stdout */
    int admin_port;
};

/* What was written to a memfd so far; static buffer. */
static inline const char *written(int fd)
{
    static char text[1 << 20];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void child_spawn(struct child *child, const char *flag)
{
    child->log = memfd_create("log", 0);
    child->out = memfd_create("out", 0);
    child->admin_port = 0;
    child->pid = fork();
    ck_assert_int_ge(child->pid, 0);
    if (child->pid == 0) {
        (void)setenv("MAL_PG_URL", pg_url, 1);
        (void)setenv("MAL_NATS_URL", nats.url, 1);
        (void)setenv("MAL_WORKERS", "2", 1);
        (void)dup2(child->out, STDOUT_FILENO);
        (void)dup2(child->log, STDERR_FILENO);
        (void)execl("/proc/self/exe", "mal-demo", "serve", flag, (char *)NULL);
        _exit(127);
    }
}

/* Port of the admin listener once the log names it, else 0. */
static inline int admin_port(const struct child *child)
{
    const char *found = strstr(written(child->log), "admin=127.0.0.1:");

    return found ? (int)strtol(found + strlen("admin=127.0.0.1:"), NULL, 10) : 0;
}

static inline void child_start(struct child *child)
{
    child_spawn(child, NULL);
    AWAIT((child->admin_port = admin_port(child)) != 0);
}

static inline void child_ready(struct child *child)
{
    child_start(child);
    AWAIT(strstr(written(child->log), "msg=\"ready\""));
}

/* Exit code; 1000 + signal. */
static inline int child_wait(struct child *child)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
        (void)fputs(written(child->log), stderr); /* a sanitizer, or the words of a failed start */
    (void)close(child->log);
    (void)close(child->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline int child_stop(struct child *child, int signal_number)
{
    (void)kill(child->pid, signal_number);
    return child_wait(child);
}

/* Status of GET path on the admin listener; the body in a static buffer. */
static inline int get(const struct child *child, const char *path, const char **ret_body)
{
    static char body[1 << 16];
    struct client client = {.fd = -1};
    struct answer answer = {0};
    char request[256];
    int status;

    (void)snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    if (!client_open(&client, child->admin_port) || !client_send(&client, request) ||
        !client_read(&client, &answer)) {
        client_done(&client);
        return 0;
    }
    (void)snprintf(body, sizeof(body), "%.*s", (int)answer.len, answer.body ? answer.body : "");
    if (ret_body)
        *ret_body = body;
    status = answer.status;
    answer_done(&answer);
    client_done(&client);
    return status;
}

/* ---- the side that asks ---- */

static inline struct bus *connect_bus(void)
{
    struct bus *bus = NULL;
    struct error err = {0};

    ck_assert_msg(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err) ==
                      ST_OK,
                  "%s", err.message);
    return bus;
}

struct asked {
    struct arena arena;
    struct call call;
    const Mal__Pair *reply;
    enum status status;
};

static inline enum status ask(struct asked *asked, struct bus *bus, const struct rpc *rpc,
                              const char *key, const char *value)
{
    static char request_id[UUID_SIZE];
    Mal__Pair request = MAL__PAIR__INIT;
    ProtobufCMessage *reply = NULL;

    *asked = (struct asked){0};
    arena_init(&asked->arena);
    uuid_v4(request_id);
    request.key = key;
    request.value = value;
    asked->call = (struct call){
        .arena = &asked->arena, .request_id = request_id, .actor = "ana", .channel = "mcp"};
    asked->status = bus_call(bus, &asked->call, rpc, &request.base, 10000, &reply);
    asked->reply = (const Mal__Pair *)reply;
    return asked->status;
}

static inline enum status ask_once(struct bus *bus, const struct rpc *rpc, const char *key,
                                   const char *value)
{
    struct asked asked;
    enum status status = ask(&asked, bus, rpc, key, value);

    arena_done(&asked.arena);
    return status;
}

/* main() of a test program: the service, or the tests. */
static inline int svc_tests(int argc, char **argv, Suite *suite)
{
    int failed;

    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        argv[1] = argv[0];
        suite_free(suite);
        return serve_demo(argc - 1, argv + 1);
    }
    pg_server_start(&pg);
    failed = suite_run(suite);
    pg_server_stop(&pg);
    return failed;
}
