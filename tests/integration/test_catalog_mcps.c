/* SPDX-License-Identifier: Apache-2.0 */
/* Downstream MCP servers: what goes with which transport, and secrets that stay
 * in the hub. */
#include "bus/bus.h"
#include "catalog_fixture.h"
#include "mal/mcp_health/v1/events.pb-c.h"
#include "mcp/secret.h"

#define OLD_KEY "old:0000000000000000000000000000000000000000000000000000000000000001"
#define NEW_KEY "new:0000000000000000000000000000000000000000000000000000000000000002"

static const char remote[] =
    "{'id':'far','name':'Far','description':'d','author':'ana','tags':['web'],"
    "'transport':'streamable-http','endpoint_url':'https://example.org/mcp',"
    "'headers':{'Authorization':'Bearer ${env:FAR_TOKEN}','X-Api-Key':'hunter2'}}";
static const char local[] =
    "{'id':'near','name':'Near','description':'d','author':'ana','transport':'stdio',"
    "'command':'npx','args':['-y','thing'],'env_vars':{'A_KEY':'hunter2','B':'${env:B}'},"
    "'tools_exposed':['one']}";

START_TEST(a_server_comes_back_masked)
{
    OK(f, "RegisterMcp", remote);
    HAS(f, "'headers':{'X-Api-Key':'***','Authorization':'Bearer ${env:FAR_TOKEN}'}");
    HAS(f, "'status':'active'");
    HAS_NOT(f, "hunter2");
    OK(f, "RegisterMcp", local);
    HAS(f, "'command':'npx','args':['-y','thing'],'env_vars':{'B':'${env:B}','A_KEY':'***'}");
    OK(f, "ListMcps", "{}");
    HAS(f, "'total':2,");
    HAS_NOT(f, "hunter2");
    OK(f, "GetMcp", "{'id':'near'}");
    HAS_NOT(f, "hunter2");
    OK(f, "ExportCatalog", "{}");
    HAS_NOT(f, "hunter2");
    HAS(f, "${env:X_API_KEY}");
    HAS(f, "${env:A_KEY}");
    ck_assert_str_eq(pg_server_value(f->url, "select count(*) from catalog.outbox where"
                                             " convert_from(payload, 'UTF8') like '%hunter2%'"),
                     "0");
    ck_assert_int_eq(events(f, "catalog.mcp.registered"), 2);
}
END_TEST

/* What is stored under a name of env_vars, opened with the keys in use. */
static const char *opened(const char *name)
{
    struct secret_keys keys;
    struct error err = {0};
    char query[200];

    ck_assert_int_eq(secret_keys_read(catalog_config.secret_keys, &keys, &err), ST_OK);
    (void)snprintf(query, sizeof(query), "select env_vars->>'%s' from catalog.mcp where id='near'",
                   name);
    return secret_open(&f->arena, &keys, pg_server_value(f->url, query));
}

START_TEST(on_the_bus_a_server_can_be_had_with_its_sealed_secrets)
{
    OK(f, "RegisterMcp", local);
    OK(f, "ResolveMcp", "{'id':'near'}");
    HAS_NOT(f, "hunter2");
    HAS(f, "'A_KEY':'sealed:new:");
    HAS(f, "'B':'${env:B}'");
    ck_assert_str_eq(opened("A_KEY"), "hunter2");
    OK(f, "RegisterMcp", remote);
    OK(f, "ResolveMcp", "{}");
    HAS(f, "'id':'far'");
    FAILS(f, "ResolveMcp", "{'id':'none'}", ST_NOT_FOUND);
}
END_TEST

static void refuse(const char *fields, const char *field)
{
    char request[1000];

    (void)snprintf(request, sizeof(request),
                   "{'id':'m','name':'M','description':'d','author':'ana',%s}", fields);
    FAILS(f, "RegisterMcp", request, ST_INVALID_ARGUMENT);
    MENTIONS(f, field);
}

START_TEST(fields_that_do_not_go_with_the_transport_are_refused)
{
    refuse("'transport':'streamable-http'", "endpoint_url");
    refuse("'transport':'stdio'", "command");
    refuse("'transport':'stdio','command':'x','endpoint_url':'http://a/b'", "endpoint_url");
    refuse("'transport':'stdio','command':'x','headers':{'A':'b'}", "headers");
    refuse("'transport':'streamable-http','endpoint_url':'http://a/b','command':'x'", "command");
    refuse("'transport':'streamable-http','endpoint_url':'http://a/b','args':['x']", "args");
    refuse("'transport':'streamable-http','endpoint_url':'http://a/b','env_vars':{'A':'b'}",
           "env_vars");
    refuse("'transport':'streamable-http','endpoint_url':'ftp://a/b'", "endpoint_url");
    refuse("'transport':'stdio','command':'x','env_vars':{'1A':'b'}", "env_vars");
    refuse("'transport':'stdio','command':'x','env_vars':{'A':'***'}", "env_vars.A");
    refuse("'transport':'streamable-http','endpoint_url':'http://a/b','headers':{'A':'b\\nC: d'}",
           "headers");
    refuse("'transport':'http'", "transport");
    OK(f, "RegisterMcp", local);
    FAILS(f, "RegisterMcp", local, ST_ALREADY_EXISTS);
    MENTIONS(f, "mal_list_mcps");
}
END_TEST

START_TEST(what_the_operator_does_not_allow_is_a_warning)
{
    OK(f, "RegisterMcp", local);
    HAS(f, "MAL_STDIO_ALLOW");
    HAS(f, "env_vars.B");
    catalog_config.stdio_allow = "docker, npx";
    catalog_config.env_allow = "FAR_TOKEN";
    OK(f, "RegisterMcp", remote);
    HAS(f, "'warnings':[]");
}
END_TEST

START_TEST(lists_filter_by_status_and_tags)
{
    OK(f, "RegisterMcp", remote);
    OK(f, "RegisterMcp", local);
    OK(f, "UpdateMcp", "{'id':'near','status':'inactive'}");
    OK(f, "ListMcps", "{'status':'active'}");
    HAS(f, "'total':1,");
    HAS(f, "'id':'far'");
    OK(f, "ListMcps", "{'status':'inactive','tags':'web'}");
    HAS(f, "'total':0,");
    FAILS(f, "ListMcps", "{'status':'off'}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(only_trusted_keys_change_servers)
{
    OK(f, "RegisterMcp", local);
    ck_assert_int_eq(run_json(f, "UpdateMcp", "{\"id\":\"near\",\"name\":\"x\"}", false),
                     ST_PERMISSION_DENIED);
    ck_assert_int_eq(run_json(f, "DeleteMcp", "{\"id\":\"near\"}", false), ST_PERMISSION_DENIED);
    FAILS(f, "UpdateMcp", "{'id':'none','name':'x'}", ST_NOT_FOUND);
    FAILS(f, "DeleteMcp", "{'id':'none'}", ST_NOT_FOUND);
    FAILS(f, "GetMcp", "{'id':'none'}", ST_NOT_FOUND);
    OK(f, "DeleteMcp", "{'id':'near'}");
    ck_assert_int_eq(events(f, "catalog.mcp.deleted"), 1);
}
END_TEST

START_TEST(stars_keep_the_stored_secret)
{
    OK(f, "RegisterMcp", local);
    OK(f, "UpdateMcp", "{'id':'near','env_vars':{'A_KEY':'***','B':'${env:B}'}}");
    HAS(f, "'changed':[]");
    OK(f, "UpdateMcp", "{'id':'near','env_vars':{'A_KEY':'***','C':'new'}}");
    HAS(f, "'changed':['env_vars']");
    HAS(f, "'env_vars':{'C':'***','A_KEY':'***'}");
    ck_assert_str_eq(opened("C"), "new");
    ck_assert_str_eq(opened("A_KEY"), "hunter2");
    OK(f, "UpdateMcp", "{'id':'near','env_vars':{'A_KEY':'hunter2','C':'new'}}");
    HAS(f, "'changed':[]");
    FAILS(f, "UpdateMcp", "{'id':'near','env_vars':{'D':'***'}}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "env_vars.D");
    OK(f, "UpdateMcp", "{'id':'near','env_vars':{}}");
    HAS(f, "'env_vars':{}");
}
END_TEST

START_TEST(without_a_key_literal_secrets_are_refused)
{
    catalog_config.secret_keys = "";
    FAILS(f, "RegisterMcp", local, ST_INVALID_ARGUMENT);
    MENTIONS(f, "env_vars.A_KEY");
    MENTIONS(f, "MAL_SECRET_KEYS");
    refuse("'transport':'streamable-http','endpoint_url':'http://a/b','headers':{'X-K':'b'}",
           "headers.X-K");
    OK(f, "RegisterMcp",
       "{'id':'m','name':'M','description':'d','author':'ana','transport':'stdio',"
       "'command':'x','env_vars':{'A':'${env:A}'}}");
}
END_TEST

START_TEST(a_new_key_seals_anew_what_an_old_one_sealed)
{
    const char *before;

    catalog_config.secret_keys = OLD_KEY;
    OK(f, "RegisterMcp", local);
    before = pg_server_value(f->url, "select updated_at from catalog.mcp where id='near'");
    catalog_config.secret_keys = NEW_KEY "," OLD_KEY;
    ck_assert_int_eq(secrets_reseal(&f->call), ST_OK);
    catalog_config.secret_keys = NEW_KEY;
    ck_assert_str_eq(opened("A_KEY"), "hunter2");
    ck_assert_str_eq(pg_server_value(f->url, "select env_vars->>'B' from catalog.mcp"), "${env:B}");
    ck_assert_str_eq(pg_server_value(f->url, "select updated_at from catalog.mcp where id='near'"),
                     before);
    ck_assert_int_eq(events(f, "catalog.mcp.updated"), 1);
    ck_assert_int_eq(secrets_reseal(&f->call), ST_OK);
    ck_assert_int_eq(events(f, "catalog.mcp.updated"), 1);
}
END_TEST

START_TEST(a_literal_value_stored_before_there_were_keys_is_sealed)
{
    OK(f, "RegisterMcp", local);
    (void)pg_server_value(f->url, "update catalog.mcp set env_vars = '{\"A_KEY\": \"plain\"}'"
                                  " returning id");
    ck_assert_int_eq(secrets_reseal(&f->call), ST_OK);
    ck_assert_str_eq(opened("A_KEY"), "plain");
}
END_TEST

/* mcp-health tells that the server's status changed. */
static void tell(const char *event_id, const char *id, McpHealth__ServerStatus status)
{
    McpHealth__McpStatusChanged event = MCP_HEALTH__MCP_STATUS_CHANGED__INIT;
    size_t len;
    const void *data;

    event.mcp_id = id;
    event.new_status = status;
    data = wire_pack(&f->arena, &event.base, &len);
    ck_assert_int_eq(
        mcp_status_apply(&f->call,
                         &(struct bus_event){.event_id = event_id, .data = data, .len = len}),
        ST_OK);
}

START_TEST(a_server_has_the_status_that_mcp_health_tells)
{
    static const char *const ids[] = {"018e0000-0000-7000-8000-000000000001",
                                      "018e0000-0000-7000-8000-000000000002",
                                      "018e0000-0000-7000-8000-000000000003"};

    OK(f, "RegisterMcp", local);
    tell(ids[0], "near", MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR);
    OK(f, "ListMcps", "{'status':'error'}");
    HAS(f, "'total':1");
    tell(ids[1], "near", MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE);
    /* Delivered again. */
    tell(ids[0], "near", MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR);
    OK(f, "GetMcp", "{'id':'near'}");
    HAS(f, "'status':'active'");
    OK(f, "UpdateMcp", "{'id':'near','status':'inactive'}");
    tell(ids[2], "near", MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR);
    OK(f, "GetMcp", "{'id':'near'}");
    HAS(f, "'status':'inactive'");
}
END_TEST

START_TEST(a_server_can_change_its_transport)
{
    OK(f, "RegisterMcp", local);
    FAILS(f, "UpdateMcp", "{'id':'near','transport':'streamable-http'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "endpoint_url");
    OK(f, "UpdateMcp",
       "{'id':'near','transport':'streamable-http','endpoint_url':'http://a/b','command':null,"
       "'args':[],'env_vars':{},'health_check_url':'http://a/c'}");
    HAS(f, "'transport':'streamable-http','endpoint_url':'http://a/b','args':[]");
    OK(f, "UpdateMcp", "{'id':'near','health_check_url':null}");
    HAS(f, "'changed':['health_check_url']");
    HAS_NOT(f, "http://a/c");
    FAILS(f, "UpdateMcp", "{'id':'near'}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateMcp", "{'id':'near','status':'error'}", ST_INVALID_ARGUMENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_mcps");
    TCase *tcase = case_new(suite, "mcps", 30);

    catalog_config.secret_keys = NEW_KEY;
    tcase_add_test(tcase, a_server_comes_back_masked);
    tcase_add_test(tcase, on_the_bus_a_server_can_be_had_with_its_sealed_secrets);
    tcase_add_test(tcase, fields_that_do_not_go_with_the_transport_are_refused);
    tcase_add_test(tcase, what_the_operator_does_not_allow_is_a_warning);
    tcase_add_test(tcase, lists_filter_by_status_and_tags);
    tcase_add_test(tcase, only_trusted_keys_change_servers);
    tcase_add_test(tcase, stars_keep_the_stored_secret);
    tcase_add_test(tcase, without_a_key_literal_secrets_are_refused);
    tcase_add_test(tcase, a_new_key_seals_anew_what_an_old_one_sealed);
    tcase_add_test(tcase, a_literal_value_stored_before_there_were_keys_is_sealed);
    tcase_add_test(tcase, a_server_has_the_status_that_mcp_health_tells);
    tcase_add_test(tcase, a_server_can_change_its_transport);
    return run_suite(suite);
}
