/* SPDX-License-Identifier: Apache-2.0 */
/* An echo service for the tests of lib/bus: three rpcs on mal.v1.Pair whose
 * request's key says what shall happen, and the fixture they share. */
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "bus/bus.h"
#include "mal/v1/tool.pb-c.h"
#include "nats_server.h"
#include "suite.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct field_rule pair_fields[] = {
    {.name = "key", .flags = RULE_REQUIRED, .min_len = 1, .max_len = 64},
    {.name = "value"},
};
static const struct message_rule pair_rule = {
    .descriptor = &mal__pair__descriptor,
    .fields = pair_fields,
    .unset_field = -1,
    .text_field = -1,
};
static const struct rpc echo_rpc = {.package = "echo",
                                    .name = "Echo",
                                    .subject = "mal.echo.v1.echo",
                                    .read_only = true,
                                    .request = &pair_rule,
                                    .response = &pair_rule};
static const struct rpc echo_write_rpc = {.package = "echo",
                                          .name = "Write",
                                          .tool_name = "mal_write",
                                          .subject = "mal.echo.v1.write",
                                          .request = &pair_rule,
                                          .response = &pair_rule};
__attribute__((unused)) static const struct rpc echo_absent_rpc = {.package = "echo",
                                                                   .name = "Absent",
                                                                   .subject = "mal.echo.v1.absent",
                                                                   .request = &pair_rule,
                                                                   .response = &pair_rule};

static atomic_int echo_calls;
static atomic_int echo_hold; /* "hold" blocks while it is set */

static enum status echo_run(struct call *call, const ProtobufCMessage *request,
                            ProtobufCMessage *reply)
{
    const Mal__Pair *in = (const Mal__Pair *)request;
    Mal__Pair *out = (Mal__Pair *)reply;

    atomic_fetch_add(&echo_calls, 1);
    out->key = in->key;
    out->value = in->value;
    if (strcmp(in->key, "fail") == 0) {
        call_hint(call, "another key.");
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "NO_LUCK", "No luck with '%s'.",
                                in->value);
    }
    if (strcmp(in->key, "fields") == 0) {
        call_field(call, "value", "must be %d", 42);
        return call_invalid(call);
    }
    if (strcmp(in->key, "who") == 0)
        out->value = arena_printf(call->arena, "%s|%s|%s|%d|%u|%s", call->actor, call->channel,
                                  call->request_id, call->trusted, call->scopes,
                                  call->traceparent ? call->traceparent : "");
    if (strcmp(in->key, "left") == 0)
        out->value =
            arena_printf(call->arena, "%lld", (long long)(call->deadline_ms - clock_mono_ms()));
    if (strcmp(in->key, "hold") == 0)
        while (atomic_load(&echo_hold))
            usleep(1000);
    if (strcmp(in->key, "big") == 0) {
        size_t len = (size_t)strtoul(in->value, NULL, 10);
        char *text = arena_alloc(call->arena, len + 1);
        memset(text, 'x', len);
        out->value = text;
    }
    return ST_OK;
}

static const struct endpoint echo_endpoints[] = {{&echo_rpc, echo_run},
                                                 {&echo_write_rpc, echo_run}};

static struct nats_server nats;
static struct bus *bus; /* of the side that asks */

static struct bus *connect_bus(const char *name)
{
    struct bus *made = NULL;
    struct error err = {0};
    struct bus_options options = {.url = nats.url, .name = name};

    ck_assert_msg(bus_new(&made, &options, &err) == ST_OK, "%s", err.message);
    return made;
}

__attribute__((unused)) static struct bus_server *serve(struct bus *on, int workers)
{
    struct bus_server *server = NULL;
    struct error err = {0};
    struct bus_service service = {.name = "echo",
                                  .version = "0.1.0",
                                  .description = "Echo for tests",
                                  .endpoints = echo_endpoints,
                                  .n_endpoints = 2,
                                  .workers = workers};

    ck_assert_msg(bus_serve(on, &service, &server, &err) == ST_OK, "%s", err.message);
    return server;
}

__attribute__((unused)) static void set_up(void)
{
    nats_server_start(&nats);
    bus = connect_bus("test");
}

__attribute__((unused)) static void tear_down(void)
{
    bus_free(bus);
    nats_server_done(&nats);
}

/* Waits for a condition with a deadline. */
#define AWAIT(condition, ms)                                                                       \
    do {                                                                                           \
        int64_t await_until_ = clock_mono_ms() + (ms);                                             \
        bool await_yes_;                                                                           \
        while (!(await_yes_ = (condition)) && clock_mono_ms() < await_until_)                      \
            usleep(1000);                                                                          \
        ck_assert_msg(await_yes_, "not within %d ms: %s", (int)(ms), #condition);                  \
    } while (0)

/* One call with an arena of its own. */
struct asked {
    struct arena arena;
    struct call call;
    const Mal__Pair *reply;
    enum status status;
};

__attribute__((unused)) static void ask_as(struct asked *asked, const struct rpc *rpc,
                                           const char *key, const char *value, int timeout_ms)
{
    Mal__Pair request = MAL__PAIR__INIT;
    ProtobufCMessage *reply = NULL;

    request.key = key;
    request.value = value;
    asked->call.arena = &asked->arena;
    asked->status = bus_call(bus, &asked->call, rpc, &request.base, timeout_ms, &reply);
    asked->reply = (const Mal__Pair *)reply;
}

__attribute__((unused)) static void ask(struct asked *asked, const char *key, const char *value,
                                        int timeout_ms)
{
    memset(asked, 0, sizeof(*asked));
    arena_init(&asked->arena);
    ask_as(asked, &echo_rpc, key, value, timeout_ms);
}

__attribute__((unused)) static void asked_done(struct asked *asked)
{
    arena_done(&asked->arena);
}

/* MAL_TEST=name runs that test alone. */
__attribute__((unused)) static bool wanted(const char *name)
{
    const char *only = getenv("MAL_TEST");

    return !only || !*only || strcmp(only, name) == 0;
}
#define ADD_TEST(tests, name)                                                                      \
    do {                                                                                           \
        if (wanted(#name))                                                                         \
            tcase_add_test(tests, name);                                                           \
    } while (0)

/* main() of a test program with one case. */
#define RUN_TESTS(name, add)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *suite = suite_create(name);                                                         \
        TCase *tests = tcase_create(name);                                                         \
        tcase_add_checked_fixture(tests, set_up, tear_down);                                       \
        tcase_set_timeout(tests, 60);                                                              \
        add(tests);                                                                                \
        suite_add_tcase(suite, tests);                                                             \
        return suite_run(suite);                                                                   \
    }
