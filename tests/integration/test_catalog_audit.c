/* SPDX-License-Identifier: Apache-2.0 */
/* The log of calls and the reports: every event once, filters that match,
 * figures that add up. */
#include "catalog_fixture.h"

#include "bus/bus.h"
#include "mal/gateway/v1/events.pb-c.h"

static const char row[] =
    "insert into catalog.usage_log (event_id, tool_name, resource_id, user_key, \"timestamp\","
    " duration_ms, success, status, channel, request_id) select gen_random_uuid(), %s from "
    "generate_series(1, %d) n";

static void add(const char *columns, int n)
{
    char sql[1000];

    (void)snprintf(sql, sizeof(sql), row, columns, n); /* NOLINT: both are ours */
    pg_server_sql(f->url, sql);
}

/* Events of one batch, as the consumer gets them. */
static enum status store(size_t n, const char *const *ids, const Gateway__ToolCalled *called)
{
    struct bus_event events[8] = {{0}};

    arena_reset(&f->arena);
    f->call = (struct call){.arena = &f->arena, .pg = f->conn, .now_ms = clock_wall_ms()};
    for (size_t i = 0; i < n; i++) {
        events[i].subject = "mal.evt.gateway.tool.called";
        events[i].event_id = ids[i];
        events[i].data = wire_pack(&f->arena, &called[i].base, &events[i].len);
    }
    return audit_store(&f->call, events, n);
}

static Gateway__ToolCalled sample(const char *tool)
{
    Gateway__ToolCalled called = GATEWAY__TOOL_CALLED__INIT;

    called.tool_name = tool;
    called.resource_id = "one";
    called.user_key = "ana";
    called.channel = "mcp";
    called.duration_ms = 7;
    called.success = true;
    called.status = "ok";
    called.request_id = "r";
    called.called_at = "2026-03-02T09:30:00.120Z";
    return called;
}

START_TEST(every_event_is_stored_once)
{
    const char *ids[] = {"018e0000-0000-7000-8000-000000000001",
                         "018e0000-0000-7000-8000-000000000002"};
    Gateway__ToolCalled called[] = {sample("mal_get_skill"), sample("mal_list_skills")};

    called[1].success = false;
    called[1].status = "not_found";
    called[1].resource_id = "";
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(store(2, ids, called), ST_OK);
    OK(f, "GetAuditLog", "{'from':'2026-03-02','to':'2026-03-02'}");
    HAS(f, "'total':2,");
    HAS(f, "'tool_name':'mal_list_skills','user_key':'ana','timestamp':'2026-03-02T09:30:00.120Z',"
           "'duration_ms':7,'success':false,'status':'not_found','channel':'mcp',"
           "'request_id':'r'}");
    HAS(f, "'resource_id':'one'");
}
END_TEST

START_TEST(an_event_that_is_none_does_not_stop_the_others)
{
    const char *ids[] = {"018e0000-0000-7000-8000-000000000001", "no uuid",
                         "018e0000-0000-7000-8000-000000000003",
                         "018e0000-0000-7000-8000-000000000004"};
    Gateway__ToolCalled called[] = {sample(""), sample("a"), sample("b"), sample("kept")};

    called[2].channel = "pigeon";
    ck_assert_int_eq(store(4, ids, called), ST_OK);
    ck_assert_str_eq(pg_server_value(f->url, "select tool_name from catalog.usage_log"), "kept");
}
END_TEST

START_TEST(filters_combine_and_totals_match)
{
    add("'mal_get_skill', 'one', 'ana', '2026-03-02 00:00:00+00', 5, true, 'ok', 'mcp', 'r'", 30);
    add("'mal_get_skill', 'two', 'ben', '2026-03-02 23:59:59.999+00', 5, false, 'not_found',"
        " 'rest', 'r'",
        20);
    add("'mal_list_skills', null, 'ana', '2026-03-03 00:00:00+00', 5, true, 'ok', 'cli', 'r'", 1);
    OK(f, "GetAuditLog", "{}");
    HAS(f, "'total':51,'count':20,'offset':0,'has_more':true,'next_offset':20}");
    ck_assert_ptr_nonnull(strstr(f->reply, "{\"items\":[{\"id\":\"51\""));
    OK(f, "GetAuditLog", "{'tool_name':'mal_get_skill'}");
    HAS(f, "'total':50,");
    OK(f, "GetAuditLog", "{'user_key':'ben','success':false}");
    HAS(f, "'total':20,");
    OK(f, "GetAuditLog", "{'user_key':'ben','success':true}");
    HAS(f, "'total':0,");
    OK(f, "GetAuditLog", "{'resource_id':'one','limit':100}");
    HAS(f, "'total':30,'count':30,");
    OK(f, "GetAuditLog", "{'from':'2026-03-02','to':'2026-03-02'}");
    HAS(f, "'total':50,");
    OK(f, "GetAuditLog", "{'from':'2026-03-03'}");
    HAS(f, "'total':1,");
    FAILS(f, "GetAuditLog", "{'from':'2026-03-03','to':'2026-03-02'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "to");
    FAILS(f, "GetAuditLog", "{'from':'2026-02-30'}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(the_log_has_a_text)
{
    OK(f, "GetAuditLog", "{}");
    ck_assert_str_eq(f->text, "## Audit log\nShowing 0 of 0 (offset 0)\n\n"
                              "Nothing found. Try: fewer filters or other words.");
    add("'t', 'a|b', 'ana', '2026-03-02 09:30+00', 5, false, 'not_found', 'mcp', 'r'", 2);
    OK(f, "GetAuditLog", "{'limit':1}");
    ck_assert_str_eq(f->text,
                     "## Audit log\nShowing 1 of 2 (offset 0)\n\n"
                     "| Time | Tool | Resource | Caller | ms | Result |\n"
                     "|---|---|---|---|--:|---|\n"
                     "| 2026-03-02T09:30:00.000Z | t | a\\|b | ana | 5 | FAIL not_found |\n\n"
                     "More: call again with offset 1.");
    OK(f, "GetAuditLog", "{'format':'json'}");
    ck_assert_str_eq(f->text, "");
}
END_TEST

START_TEST(tool_stats_of_a_known_mix_are_exact)
{
    add("'b', null, 'ana', now() - interval '1 hour', n, n > 1, 'ok', 'mcp', 'r'", 3);
    add("'a', null, 'ana', now() - interval '1 hour', 10 * n, true, 'ok', 'mcp', 'r'", 100);
    add("'c', null, 'ana', now() - interval '1 hour', 1, n > 2, 'ok', 'mcp', 'r'", 3);
    add("'old', null, 'ana', now() - interval '8 days', 1, true, 'ok', 'mcp', 'r'", 5);
    OK(f, "GetToolUsageStats", "{}");
    HAS(f, "'days':7,'since':'");
    HAS(f, "'calls':106,'errors':3,'error_percent':2.8,'tools':["
           "{'tool_name':'a','calls':100,'errors':0,'error_percent':0,'average_ms':505,"
           "'p95_ms':950},"
           "{'tool_name':'b','calls':3,'errors':1,'error_percent':33.3,'average_ms':2,'p95_ms':3},"
           "{'tool_name':'c','calls':3,'errors':2,'error_percent':66.7,'average_ms':1,"
           "'p95_ms':1}]}");
    ck_assert_ptr_nonnull(strstr(f->text, "## Tool usage — 7 days\n**calls**: 106 · **errors**: 3 "
                                          "· **error rate**: 2.8 %\n\n| Tool |"));
    ck_assert_ptr_nonnull(strstr(f->text, "| b | 3 | 1 | 33.3 | 2 | 3 |"));
    OK(f, "GetToolUsageStats", "{'days':9}");
    HAS(f, "'calls':111,");
    FAILS(f, "GetToolUsageStats", "{'days':0}", ST_INVALID_ARGUMENT);
    FAILS(f, "GetToolUsageStats", "{'days':366}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(without_calls_the_error_rate_is_zero)
{
    OK(f, "GetToolUsageStats", "{}");
    HAS(f, "'calls':0,'errors':0,'error_percent':0,'tools':[]");
    ck_assert_str_eq(f->text, "## Tool usage — 7 days\n"
                              "**calls**: 0 · **errors**: 0 · **error rate**: 0.0 %");
}
END_TEST

START_TEST(a_series_has_a_point_per_day_or_hour)
{
    add("'a', null, 'ana', date_trunc('day', now(), 'UTC') - interval '1 day' + n * interval '1 "
        "minute', n, n <> 1, 'ok', 'mcp', 'r'",
        4);
    add("'mal_proxy_mcp_call', 'far', 'ben', date_trunc('day', now(), 'UTC') - interval '25 hours',"
        " 3, true, 'ok', 'mcp', 'r'",
        1);
    OK(f, "GetAuditSeries", "{}");
    HAS(f, "'bucket':'day'");
    HAS(f, "'calls':4,'errors':1,'average_ms':3,'p95_ms':4}");
    HAS(f, "'callers':[{'user_key':'ana','calls':4,'errors':1},{'user_key':'ben',");
    OK(f, "GetAuditSeries", "{'bucket':'hour','mcp_id':'far'}");
    HAS(f, "'points':[{'at':'");
    HAS(f, ":00:00.000Z','calls':1,");
    HAS(f, "'callers':[{'user_key':'ben','calls':1,'errors':0}]");
    OK(f, "GetAuditSeries", "{'tool_name':'a','user_key':'ben'}");
    HAS(f, "'points':[],'callers':[]");
}
END_TEST

START_TEST(usage_stats_count_rows_and_name_who_does_not_answer)
{
    OK(f, "RegisterSubagent",
       "{'id':'a','name':'A','description':'d','author':'ana','system_prompt':'p'}");
    OK(f, "GetUsageStats", "{}");
    HAS(f, "{'catalog':{'skills':0,'commands':0,'subagents':1,'mcps':0},'warnings':[");
    HAS_NOT(f, "collaboration");
    HAS(f, "sprint service");
    HAS(f, "gamify service");
    ck_assert_ptr_nonnull(strstr(f->text, "## Usage stats\n\n### Catalog\n\n- skills: 0\n"
                                          "- commands: 0\n- subagents: 1\n- mcps: 0\n\nNote: "));
    OK(f, "Check", "{}");
    HAS(f, "{'up':true,'database_up':true,'latency_ms':");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_audit");
    TCase *tcase = case_new(suite, "audit", 30);

    tcase_add_test(tcase, every_event_is_stored_once);
    tcase_add_test(tcase, an_event_that_is_none_does_not_stop_the_others);
    tcase_add_test(tcase, filters_combine_and_totals_match);
    tcase_add_test(tcase, the_log_has_a_text);
    tcase_add_test(tcase, tool_stats_of_a_known_mix_are_exact);
    tcase_add_test(tcase, without_calls_the_error_rate_is_zero);
    tcase_add_test(tcase, a_series_has_a_point_per_day_or_hour);
    tcase_add_test(tcase, usage_stats_count_rows_and_name_who_does_not_answer);
    return run_suite(suite);
}
