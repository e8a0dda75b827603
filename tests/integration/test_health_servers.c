/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator decides and stores about servers: policy, secrets, virtual
 * servers; the copy of the registry; evidence and history. */
#include "health_fixture.h"

#include "state.h"

static void evidence_of(const char *id, int revision, enum outcome outcome, const char *error)
{
    CLEANUP(tx_done) struct tx tx = {0};

    fresh_call();
    ck_assert_int_eq(tx_begin(&tx, &f->call), ST_OK);
    ck_assert_int_eq(evidence_store(&tx, id,
                                    &(struct evidence){.outcome = outcome,
                                                       .is_probe = true,
                                                       .is_due = true,
                                                       .latency_ms = outcome == OUTCOME_OK ? 7 : 0,
                                                       .error = error,
                                                       .tools_count = -1,
                                                       .revision = revision},
                                    NULL),
                     ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
}

static void evidence(const char *id, enum outcome outcome, const char *error)
{
    evidence_of(id, 0, outcome, error);
}

START_TEST(only_a_changed_registration_is_news)
{
    store("far", false);
    ck_assert_str_eq(value("select revision, dirty from mcp_health.server"), "1");
    pg_server_sql(f->url, "update mcp_health.server set dirty = false");
    store("far", false);
    ck_assert_str_eq(value("select dirty from mcp_health.server"), "f");
    store("far", true);
    ck_assert_str_eq(value("select dirty from mcp_health.server"), "t");
    ck_assert_str_eq(value("select revision from mcp_health.server"), "2");
    fresh_call();
    ck_assert_int_eq(registry_remove(&f->call, "far"), ST_OK);
    FAILS(f, "GetMcpPolicy", "{'id':'far'}", ST_NOT_FOUND);
    store("far", false);
    OK(f, "GetMcpPolicy", "{'id':'far'}");
}
END_TEST

START_TEST(what_the_whole_registry_does_not_name_is_gone)
{
    store("far", false);
    store("near", false);
    fresh_call();
    ck_assert_int_eq(registry_store(&f->call, 0, NULL, true), ST_OK);
    ck_assert_str_eq(value("select count(*) from mcp_health.server where removed and dirty"), "2");
}
END_TEST

START_TEST(a_policy_is_changed_part_by_part)
{
    FAILS(f, "GetMcpPolicy", "{'id':'far'}", ST_NOT_FOUND);
    FAILS(f, "UpdateMcpPolicy", "{'id':'far','expose':true}", ST_NOT_FOUND);
    store("far", false);
    OK(f, "GetMcpPolicy", "{'id':'far'}");
    HAS(f, "'expose':false");
    OK(f, "UpdateMcpPolicy",
       "{'id':'far','expose':true,'prefix_mode':'on-conflict','call_timeout_ms':5000,"
       "'forward_headers':['X-Tenant'],'tool_timeouts':{'slow':60000},'pin_mode':'warn'}");
    HAS(f, "'changed':['expose','prefix_mode','forward_headers','call_timeout_ms',"
           "'tool_timeouts','pin_mode']");
    OK(f, "UpdateMcpPolicy", "{'id':'far','call_timeout_ms':null,'prefix':'f'}");
    HAS(f, "'changed':['prefix','call_timeout_ms']");
    HAS(f, "'tool_timeouts':{'slow':'60000'}");
    HAS(f, "'prefix_mode':'on-conflict'");
    ck_assert_str_eq(value("select revision from mcp_health.server"), "3");
    OK(f, "UpdateMcpPolicy", "{'id':'far','prefix':'f'}");
    HAS(f, "'changed':[]");
    ck_assert_str_eq(value("select revision from mcp_health.server"), "3");
}
END_TEST

START_TEST(a_policy_never_passes_on_credentials)
{
    store("far", false);
    FAILS(f, "UpdateMcpPolicy", "{'id':'far','forward_headers':['X-Tenant','AUTHORIZATION']}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "AUTHORIZATION");
    FAILS(f, "UpdateMcpPolicy", "{'id':'far','forward_headers':['x-api-key']}",
          ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateMcpPolicy", "{'id':'far'}", ST_INVALID_ARGUMENT);
    FAILS(f, "UpdateMcpPolicy", "{'id':'far','tool_timeouts':{'a':'soon'}}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "tool_timeouts");
}
END_TEST

static const char *const guarded[][2] = {
    {"UpdateMcpPolicy", "{\"id\":\"far\",\"expose\":true}"},
    {"PutSecret", "{\"name\":\"A\",\"value\":\"b\"}"},
    {"DeleteSecret", "{\"name\":\"A\"}"},
    {"PutVirtualServer",
     "{\"id\":\"v\",\"name\":\"V\",\"tools\":[{\"tool\":\"mal_list_skills\"}]}"},
    {"DeleteVirtualServer", "{\"id\":\"v\"}"},
    {"ApproveMcpTool", "{\"id\":\"far\",\"name\":\"echo\"}"},
};

START_TEST(only_trusted_keys_decide)
{
    store("far", false);
    ck_assert_int_eq(run_json(f, guarded[_i][0], guarded[_i][1], false), ST_PERMISSION_DENIED);
}
END_TEST

START_TEST(a_secret_is_stored_sealed_and_never_shown)
{
    OK(f, "PutSecret", "{'name':'TOKEN','value':'hunter2'}");
    HAS(f, "'created':true");
    HAS_NOT(f, "hunter2");
    ck_assert_ptr_nonnull(strstr(value("select value from mcp_health.secret"), "sealed:new:"));
    OK(f, "PutSecret", "{'name':'TOKEN','value':'hunter3'}");
    HAS(f, "'created':false");
    OK(f, "ListSecrets", "{}");
    HAS(f, "'items':[{'name':'TOKEN','created_at':");
    HAS_NOT(f, "sealed");
    OK(f, "DeleteSecret", "{'name':'TOKEN'}");
    FAILS(f, "DeleteSecret", "{'name':'TOKEN'}", ST_NOT_FOUND);
    FAILS(f, "PutSecret", "{'name':'1','value':'x'}", ST_INVALID_ARGUMENT);
    health_config.secret_keys = "";
    FAILS(f, "PutSecret", "{'name':'TOKEN','value':'hunter2'}", ST_FAILED_PRECONDITION);
    MENTIONS(f, "MAL_SECRET_KEYS");
}
END_TEST

START_TEST(a_new_key_seals_named_secrets_anew)
{
    struct secret_keys keys;

    health_config.secret_keys = OLD_KEY;
    OK(f, "PutSecret", "{'name':'TOKEN','value':'hunter2'}");
    health_config.secret_keys = NEW_KEY "," OLD_KEY;
    fresh_call();
    ck_assert_int_eq(secrets_reseal(&f->call), ST_OK);
    health_config.secret_keys = NEW_KEY;
    keys = secret_keys_now();
    ck_assert_str_eq(secret_open(&f->arena, &keys, value("select value from mcp_health.secret")),
                     "hunter2");
}
END_TEST

START_TEST(servers_that_use_a_secret_hear_of_its_new_value)
{
    store("far", false);
    store("near", false);
    pg_server_sql(f->url, "update mcp_health.server set headers ="
                          " '{\"X-Key\": \"${secret:TOKEN}\"}' where id = 'near';"
                          " update mcp_health.server set dirty = false");
    OK(f, "PutSecret", "{'name':'TOKEN','value':'hunter2'}");
    ck_assert_str_eq(value("select string_agg(id, ',') from mcp_health.server where dirty"),
                     "near");
}
END_TEST

START_TEST(a_virtual_server_is_put_listed_and_deleted)
{
    OK(f, "PutVirtualServer",
       "{'id':'mix','name':'Mix','tools':[{'tool':'mal_list_skills','name':'skills'},"
       "{'server':'far','tool':'echo','annotations':{'readOnlyHint':true}}]}");
    HAS(f, "'created':true");
    ck_assert_ptr_nonnull(strstr(f->reply, "Server 'far' has no tool 'echo' now"));
    OK(f, "GetVirtualServer", "{'id':'mix'}");
    HAS(f, "'annotations':{'readOnlyHint':true}");
    OK(f, "PutVirtualServer", "{'id':'mix','name':'Other','tools':[{'tool':'mal_get_skill'}]}");
    HAS(f, "'created':false");
    OK(f, "ListVirtualServers", "{}");
    HAS(f, "'total':1");
    HAS(f, "'name':'Other'");
    OK(f, "DeleteVirtualServer", "{'id':'mix'}");
    FAILS(f, "GetVirtualServer", "{'id':'mix'}", ST_NOT_FOUND);
    FAILS(f, "DeleteVirtualServer", "{'id':'mix'}", ST_NOT_FOUND);
    OK(f, "ListVirtualServers", "{}");
    HAS(f, "'total':0");
}
END_TEST

START_TEST(virtual_servers_are_bounded)
{
    fresh_call();
    ck_assert_str_eq(value("with v as (insert into mcp_health.virtual_server (id, name, tools) "
                           "select 'v' || i, 'V', '[]' from generate_series(1, 200) i returning 1) "
                           "select count(*) from v"),
                     "200");
    FAILS(f, "PutVirtualServer", "{'id':'one','name':'V','tools':[{'tool':'mal_get_skill'}]}",
          ST_RESOURCE_EXHAUSTED);
    OK(f, "PutVirtualServer", "{'id':'v7','name':'V','tools':[{'tool':'mal_get_skill'}]}");
    FAILS(f, "PutVirtualServer", "{'id':'v7','name':'V','tools':[{'tool':'mal_nothing'}]}",
          ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_virtual_server_that_cannot_be_served_is_refused)
{
    store("far", false);
    FAILS(f, "PutVirtualServer", "{'id':'far','name':'F','tools':[{'tool':'mal_get_skill'}]}",
          ST_ALREADY_EXISTS);
    FAILS(f, "PutVirtualServer",
          "{'id':'v','name':'V','tools':[{'tool':'a'},{'server':'far','tool':'b','name':'a'}]}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "tools[1].name");
    FAILS(f, "PutVirtualServer", "{'id':'v','name':'V','tools':[{'tool':'a b'}]}",
          ST_INVALID_ARGUMENT);
    FAILS(f, "PutVirtualServer", "{'id':'v','name':'V','tools':[]}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(evidence_becomes_state_history_and_one_event_for_each_change)
{
    store("far", false);
    evidence("far", OUTCOME_OK, "");
    evidence("far", OUTCOME_FAILED, "no connection");
    evidence("far", OUTCOME_FAILED, "no connection");
    OK(f, "GetMcpHealth", "{'id':'far'}");
    HAS(f, "'status':'error'");
    HAS(f, "'last_error':'no connection'");
    HAS(f, "'uptime_percent':33.3");
    HAS(f, "'ok':1,'failed':2,'latency_p50_ms':7,'latency_max_ms':7");
    HAS(f, "'old_status':'active','new_status':'error','reason':'no connection'");
    HAS_NOT(f, "mttr_s");
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 1);
    pg_server_sql(f->url, "update mcp_health.transition set at = at - interval '90 seconds'");
    evidence("far", OUTCOME_OK, "");
    OK(f, "GetMcpHealth", "{'id':'far'}");
    HAS(f, "'status':'active'");
    HAS(f, "'mttr_s':90");
    HAS_NOT(f, "last_error");
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 2);
    FAILS(f, "GetMcpHealth", "{'id':'none'}", ST_NOT_FOUND);
}
END_TEST

START_TEST(an_inactive_server_has_no_evidence)
{
    store("far", true);
    evidence("far", OUTCOME_FAILED, "no connection");
    ck_assert_str_eq(value("select count(*) from mcp_health.probe"), "0");
    OK(f, "GetMcpHealth", "{'id':'far'}");
    HAS(f, "'status':'inactive'");
    HAS(f, "'uptime_percent':100");
}
END_TEST

/* Whether a probe is due now. */
#define IS_DUE "select next_check_at <= now() from mcp_health.mcp_state"

START_TEST(calls_that_all_fail_make_an_error_at_once)
{
    store("far", false);
    evidence("far", OUTCOME_OK, "");
    ck_assert_str_eq(value(IS_DUE), "f");
    OK(f, "Report",
       "{'servers':[{'id':'far','failed':3,'error':'far does not answer'},"
       "{'id':'nobody','failed':1}]}");
    ck_assert_str_eq(value("select status from mcp_health.mcp_state"), "error");
    ck_assert_str_eq(value("select last_error from mcp_health.mcp_state"), "far does not answer");
    ck_assert_str_eq(value(IS_DUE), "t");
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 1);
    ck_assert_str_eq(value("select count(*) from mcp_health.probe"), "1");
}
END_TEST

START_TEST(calls_that_are_slow_or_fail_now_and_then_only_make_a_probe_due)
{
    store("far", false);
    evidence("far", OUTCOME_OK, "");
    OK(f, "Report", "{'servers':[{'id':'far','ok':1,'failed':1},{'id':'far','slow':2}]}");
    ck_assert_str_eq(value(IS_DUE), "f"); /* it was probed this moment */
    pg_server_sql(f->url, "update mcp_health.mcp_state set checked_at = now() - interval '6 s'");
    OK(f, "Report", "{'servers':[{'id':'far','ok':7}]}");
    ck_assert_str_eq(value(IS_DUE), "f");
    OK(f, "Report", "{'servers':[{'id':'far','slow':1}]}");
    ck_assert_str_eq(value(IS_DUE), "t");
    ck_assert_str_eq(value("select status from mcp_health.mcp_state"), "active");
}
END_TEST

#define STATUS "select status from mcp_health.mcp_state"

START_TEST(calls_that_failed_before_the_last_answer_only_make_a_probe_due)
{
    store("far", false);
    evidence("far", OUTCOME_OK, "");
    OK(f, "Report", "{'servers':[{'id':'far','failed':1,'failed_ms_ago':900}]}");
    ck_assert_str_eq(value(STATUS), "active");
    ck_assert_str_eq(value("select next_check_at < now() + interval '3 s' from "
                           "mcp_health.mcp_state"),
                     "t");
    OK(f, "Report", "{'servers':[{'id':'far','failed':1,'failed_ms_ago':0}]}");
    ck_assert_str_eq(value(STATUS), "error");
}
END_TEST

START_TEST(an_answered_call_counts_as_a_last_answer)
{
    store("far", false);
    evidence("far", OUTCOME_OK, "");
    pg_server_sql(f->url, "update mcp_health.mcp_state set last_ok_at = now() - interval '1 h'");
    OK(f, "Report", "{'servers':[{'id':'far','ok':1,'ok_ms_ago':5}]}");
    OK(f, "Report", "{'servers':[{'id':'far','failed':1,'failed_ms_ago':60000}]}");
    ck_assert_str_eq(value(STATUS), "active");
    OK(f, "Report", "{'servers':[{'id':'far','ok':1,'ok_ms_ago':3600000}]}");
    ck_assert_str_eq(
        value("select last_ok_at > now() - interval '50 min' from mcp_health.mcp_state"), "t");
    OK(f, "Report", "{'servers':[{'id':'far','failed':1,'failed_ms_ago':0}]}");
    ck_assert_str_eq(value(STATUS), "error");
}
END_TEST

START_TEST(what_was_found_of_an_earlier_registration_says_nothing_of_this_one)
{
    store("far", false);
    evidence_of("far", 1, OUTCOME_OK, "");
    OK(f, "UpdateMcpPolicy", "{'id':'far','prefix':'f'}");
    ck_assert_str_eq(value(IS_DUE), "f");
    evidence_of("far", 1, OUTCOME_FAILED, "it was taken away");
    ck_assert_str_eq(value(STATUS), "active");
    ck_assert_str_eq(value(IS_DUE), "t");
    OK(f, "Report", "{'servers':[{'id':'far','failed':1,'revision':1}]}");
    ck_assert_str_eq(value(STATUS), "active");
    evidence_of("far", 2, OUTCOME_FAILED, "no connection");
    ck_assert_str_eq(value(STATUS), "error");
    evidence_of("far", 1, OUTCOME_OK, "");
    ck_assert_str_eq(value(STATUS), "error");
    ck_assert_str_eq(value("select count(*) from mcp_health.probe"), "2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health_servers");
    TCase *tcase = case_new(suite, "servers", 30);

    health_config.secret_keys = NEW_KEY;
    tcase_add_test(tcase, only_a_changed_registration_is_news);
    tcase_add_test(tcase, what_the_whole_registry_does_not_name_is_gone);
    tcase_add_test(tcase, a_policy_is_changed_part_by_part);
    tcase_add_test(tcase, a_policy_never_passes_on_credentials);
    tcase_add_loop_test(tcase, only_trusted_keys_decide, 0, (int)ARRAY_SIZE(guarded));
    tcase_add_test(tcase, a_secret_is_stored_sealed_and_never_shown);
    tcase_add_test(tcase, a_new_key_seals_named_secrets_anew);
    tcase_add_test(tcase, servers_that_use_a_secret_hear_of_its_new_value);
    tcase_add_test(tcase, a_virtual_server_is_put_listed_and_deleted);
    tcase_add_test(tcase, a_virtual_server_that_cannot_be_served_is_refused);
    tcase_add_test(tcase, virtual_servers_are_bounded);
    tcase_add_test(tcase, evidence_becomes_state_history_and_one_event_for_each_change);
    tcase_add_test(tcase, an_inactive_server_has_no_evidence);
    tcase_add_test(tcase, calls_that_all_fail_make_an_error_at_once);
    tcase_add_test(tcase, calls_that_are_slow_or_fail_now_and_then_only_make_a_probe_due);
    tcase_add_test(tcase, calls_that_failed_before_the_last_answer_only_make_a_probe_due);
    tcase_add_test(tcase, an_answered_call_counts_as_a_last_answer);
    tcase_add_test(tcase, what_was_found_of_an_earlier_registration_says_nothing_of_this_one);
    return run_suite(suite);
}
