/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of stdio servers: what the runner tells is what is known of them. */
#include "nats_server.h"
#include "prober_fixture.h"

#include "mal/mcp_runner/v1/mcp_runner.api.h"

#include <stdatomic.h>
#include <unistd.h>

static struct nats_server nats;
static struct bus *bus;
static struct bus_server *runner;

/* What the runner says, and how often it was asked. */
static struct {
    atomic_bool fails, busy, changing; /* changing: the registration, while it is asked */
    atomic_int changes, asked, lists;
    _Atomic(const char *) tool;
} world;

static enum status describe(struct call *call, const ProtobufCMessage *request,
                            ProtobufCMessage *reply)
{
    McpRunner__DescribeResponse *rsp = (McpRunner__DescribeResponse *)reply;

    world.asked++;
    if (world.busy)
        return call_fail_reason(call, ST_RESOURCE_EXHAUSTED, "MCP_BUSY",
                                "Server 'far' is not started: 64 children run and none is idle.");
    if (world.fails)
        return call_fail_reason(call, ST_UNAVAILABLE, "MCP_LOST", "Server 'far' ended at once.");
    rsp->changes = world.changes;
    if (!((const McpRunner__DescribeRequest *)request)->lists)
        return ST_OK;
    world.lists++;
    if (world.changing) {
        world.changing = false;
        pg_server_sql(f->url, "update mcp_health.server set revision = revision + 1");
    }
    rsp->running = true;
    rsp->protocol_version = "2025-11-25";
    rsp->server_info = "{\"name\":\"far\",\"version\":\"1\"}";
    rsp->capabilities = "{\"tools\":{}}";
    rsp->tools = arena_alloc(call->arena, sizeof(*rsp->tools));
    rsp->tools[0] = arena_printf(
        call->arena,
        "{\"name\":\"%s\",\"description\":\"d\",\"inputSchema\":{\"type\":\"object\"}}",
        world.tool);
    rsp->n_tools = 1;
    rsp->resources = rsp->resource_templates = rsp->prompts = "[]";
    return ST_OK;
}

static void store_child(void)
{
    Catalog__Mcp mcp = CATALOG__MCP__INIT, *rows[] = {&mcp};

    fresh_call();
    mcp.id = mcp.name = "far";
    mcp.description = "d";
    mcp.transport = CATALOG__TRANSPORT__TRANSPORT_STDIO;
    mcp.command = "node";
    mcp.status = CATALOG__MCP_STATUS__MCP_STATUS_ACTIVE;
    ck_assert_int_eq(registry_store(&f->call, 1, rows, false), ST_OK);
}

START_TEST(a_stdio_server_is_read_once_and_then_only_asked_for)
{
    store_child();
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    ck_assert_str_eq(value(STATUS), "active");
    ck_assert_str_eq(value("select protocol_version from mcp_health.mcp_state"), "2025-11-25");
    OK(f, "GetMcpTools", "{'id':'far'}");
    HAS(f, "'name':'echo'");
    due_now();
    feed_until("select count(*) from mcp_health.probe where ok", "2");
    ck_assert_int_eq(world.asked, 2);
    ck_assert_int_eq(world.lists, 1);
}
END_TEST

START_TEST(a_list_that_changed_is_read_again)
{
    store_child();
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    world.changes = 1;
    world.tool = "other";
    due_now();
    feed_until("select count(*) from mcp_health.probe where ok", "2");
    ck_assert_int_eq(world.lists, 2);
    OK(f, "GetMcpTools", "{'id':'far'}");
    HAS(f, "'name':'other'");
}
END_TEST

START_TEST(a_limit_of_the_hub_is_a_doubt_and_no_failure_of_the_server)
{
    world.busy = true;
    store_child();
    feed_until("select count(*) from mcp_health.probe where not ok", "1");
    ck_assert_str_eq(value(STATUS), "active");
    world.busy = false;
    due_now();
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    ck_assert_str_eq(value("select count(*) from mcp_health.transition"), "0");
}
END_TEST

START_TEST(what_an_earlier_registration_offered_is_not_approved_for_this_one)
{
    world.changing = true;
    world.tool = "before";
    store_child();
    feed_until("select revision from mcp_health.server", "2");
    world.tool = "after";
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    OK(f, "GetMcpTools", "{'id':'far'}");
    HAS(f, "'name':'after'");
    HAS_NOT(f, "before");
}
END_TEST

START_TEST(a_child_that_does_not_start_is_an_error_until_it_does)
{
    world.fails = true;
    store_child();
    feed_until(STATUS, "error");
    ck_assert_ptr_nonnull(
        strstr(value("select last_error from mcp_health.mcp_state"), "ended at once"));
    world.fails = false;
    due_now();
    feed_until(STATUS, "active");
    feed_until("select tools_count from mcp_health.mcp_state", "1");
}
END_TEST

START_TEST(without_a_runner_a_stdio_server_is_an_error_that_says_so)
{
    bus_server_free(TAKE(runner));
    store_child();
    feed_until(STATUS, "error");
    ck_assert_ptr_nonnull(
        strstr(value("select last_error from mcp_health.mcp_state"), "mcp_runner"));
}
END_TEST

static void start(void)
{
    static struct endpoint endpoint;
    struct error err = {0};

    endpoint = (struct endpoint){&mcp_runner_describe_rpc, describe};
    world.tool = "echo";
    nats_server_start(&nats);
    ck_assert_int_eq(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err),
                     ST_OK);
    ck_assert_int_eq(bus_serve(bus,
                               &(struct bus_service){.name = "mcp-runner",
                                                     .version = "0.1.0",
                                                     .description = "Runner for tests",
                                                     .endpoints = &endpoint,
                                                     .n_endpoints = 1,
                                                     .workers = 2},
                               &runner, &err),
                     ST_OK);
    ck_assert_int_eq(prober_new(&prober, open_conn(f->url), bus, &err), ST_OK);
}

static void stop(void)
{
    prober_free(prober);
    bus_server_free(runner);
    bus_free(bus);
    nats_server_done(&nats);
}

int main(void)
{
    Suite *suite = suite_create("health_stdio");
    TCase *tcase = case_new(suite, "stdio", 40);

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_stdio_server_is_read_once_and_then_only_asked_for);
    tcase_add_test(tcase, a_list_that_changed_is_read_again);
    tcase_add_test(tcase, a_limit_of_the_hub_is_a_doubt_and_no_failure_of_the_server);
    tcase_add_test(tcase, what_an_earlier_registration_offered_is_not_approved_for_this_one);
    tcase_add_test(tcase, a_child_that_does_not_start_is_an_error_until_it_does);
    tcase_add_test(tcase, without_a_runner_a_stdio_server_is_an_error_that_says_so);
    return run_suite(suite);
}
