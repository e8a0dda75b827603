/* SPDX-License-Identifier: Apache-2.0 */
/* Names of exposed tools: kept in the database, told in the bucket MAL_MCPS. */
#include "health_fixture.h"
#include "nats_server.h"

#include "bus/bus.h"
#include "tool.h"

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{\"type\":\"object\"}}"

static struct nats_server nats;
static struct bus *bus;
static struct bus_kv *kv;

#define READING(id, ...)                                                                           \
    store_reading(id, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                 \
                  (const char *const[]){__VA_ARGS__})

static void publish(bool first)
{
    fresh_call();
    ck_assert_int_eq(publish_changes(&f->call, kv, first), ST_OK);
}

/* What gateways are told of a server: "tool=name,alias tool=name", "-" = nothing. */
static const char *told(const char *id)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    McpHealth__Names *names;
    const void *data = NULL;
    size_t len = 0;

    fresh_call();
    if (bus_kv_get(kv, arena_printf(&f->arena, "n.%s", id), &f->arena, &data, &len, NULL) != ST_OK)
        return "-";
    names = mcp_health__names__unpack(NULL, len, data);
    ck_assert_ptr_nonnull(names);
    for (size_t i = 0; i < names->n_tools; i++) {
        strbuf_printf(&out, "%s%s=%s", i > 0 ? " " : "", names->tools[i]->tool,
                      names->tools[i]->name);
        for (size_t j = 0; j < names->tools[i]->n_aliases; j++)
            strbuf_printf(&out, ",%s", names->tools[i]->aliases[j]);
    }
    mcp_health__names__free_unpacked(names, NULL);
    return arena_strdup(&f->arena, strbuf_cstr(&out));
}

static void begin(void)
{
    struct error err = {0};

    nats_server_start(&nats);
    ck_assert_int_eq(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err),
                     ST_OK);
    ck_assert_msg(bus_kv_open(bus, "MAL_MCPS", 0, &kv, &err) == ST_OK, "%s", err.message);
    health_config.mcp_prefix = "on-conflict";
    store("a", false);
    store("b", false);
    READING("a", TOOL("echo"), TOOL("sum"));
    READING("b", TOOL("echo"));
}

static void end(void)
{
    bus_kv_free(kv);
    bus_free(bus);
    nats_server_done(&nats);
}

START_TEST(only_exposed_servers_have_names)
{
    publish(true);
    ck_assert_str_eq(told("a"), "-");
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true}");
    publish(false);
    ck_assert_str_eq(told("a"), "echo=echo sum=sum");
    ck_assert_str_eq(told("b"), "-");
    OK(f, "GetMcpTools", "{'id':'a'}");
    HAS(f, "'shown_as':'sum'");
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':false}");
    publish(false);
    ck_assert_str_eq(told("a"), "-");
}
END_TEST

START_TEST(a_name_goes_on_meaning_its_tool_when_another_server_comes_and_goes)
{
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true}");
    publish(false);
    OK(f, "UpdateMcpPolicy", "{'id':'b','expose':true}");
    publish(false);
    ck_assert_str_eq(told("a"), "echo=a_echo,echo sum=sum");
    ck_assert_str_eq(told("b"), "echo=b_echo");
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':false}");
    publish(false);
    ck_assert_str_eq(told("b"), "echo=b_echo");
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true,'prefix_mode':'always','prefix':'x'}");
    publish(false);
    ck_assert_str_eq(told("a"), "echo=x_echo,a_echo,echo sum=x_sum,sum");
    /* Only its removal sets its names free. */
    fresh_call();
    ck_assert_int_eq(registry_remove(&f->call, "a"), ST_OK);
    publish(false);
    ck_assert_str_eq(told("a"), "-");
    publish(true);
    ck_assert_str_eq(told("b"), "echo=echo,b_echo");
}
END_TEST

START_TEST(another_setting_is_followed_at_the_next_start)
{
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true}");
    publish(true);
    health_config.mcp_prefix = "always";
    publish(false);
    ck_assert_str_eq(told("a"), "echo=echo sum=sum");
    publish(true);
    ck_assert_str_eq(told("a"), "echo=a_echo,echo sum=a_sum,sum");
}
END_TEST

START_TEST(names_are_told_anew_to_an_empty_bucket)
{
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true}");
    publish(false);
    ck_assert_int_eq(bus_kv_delete(kv, "n.a"), ST_OK);
    publish(true);
    ck_assert_str_eq(told("a"), "echo=echo sum=sum");
}
END_TEST

START_TEST(tools_that_the_registration_hides_have_no_name)
{
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true}");
    fresh_call();
    ck_assert_str_eq(
        value("update mcp_health.server set tools_exposed = '{sum}' where id = 'a' returning id"),
        "a");
    publish(true);
    ck_assert_str_eq(told("a"), "sum=sum");
}
END_TEST

START_TEST(old_names_of_a_server_are_bounded)
{
    OK(f, "UpdateMcpPolicy", "{'id':'a','expose':true}");
    publish(false);
    ck_assert_str_eq(value("with n as (insert into mcp_health.shown_name (name, mcp_id, tool, "
                           "current, given_at) select 'old' || i, 'a', 'echo', false, now() - i * "
                           "interval '1 s' from generate_series(1, 1500) i returning 1) select "
                           "count(*) from n"),
                     "1500");
    publish(true);
    ck_assert_str_eq(value("select count(*) from mcp_health.shown_name where not current"), "1000");
    ck_assert_str_eq(value("select count(*) from mcp_health.shown_name where name = 'old1500'"),
                     "0");
    ck_assert_ptr_nonnull(strstr(told("a"), "echo=echo,old1,old2,"));
    ck_assert_ptr_null(strstr(told("a"), "old17"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health_names");
    TCase *tcase = case_new(suite, "names", 30);

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, only_exposed_servers_have_names);
    tcase_add_test(tcase, a_name_goes_on_meaning_its_tool_when_another_server_comes_and_goes);
    tcase_add_test(tcase, another_setting_is_followed_at_the_next_start);
    tcase_add_test(tcase, names_are_told_anew_to_an_empty_bucket);
    tcase_add_test(tcase, tools_that_the_registration_hides_have_no_name);
    tcase_add_test(tcase, old_names_of_a_server_are_bounded);
    return run_suite(suite);
}
