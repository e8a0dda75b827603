/* SPDX-License-Identifier: Apache-2.0 */
/* Export and import: nothing is lost on the way, nothing half written. */
#include "catalog_fixture.h"

#include <pthread.h>

static void fill(int skills)
{
    char sql[600];

    (void)snprintf(
        sql, sizeof(sql),
        "insert into catalog.skill (id, name, description, version, category, asset_path,"
        " author, tags, content, content_sha256, created_at, updated_at) select 's-' || n,"
        " 'Name', 'd', '1.0.0', 'data', 'p/' || n, 'ana', '{a,b}', 'doc ' || n || ' é\"',"
        " 'x', now() - n * interval '1 hour', now() from generate_series(1, %d) n",
        skills);
    pg_server_sql(f->url, sql);
    OK(f, "RegisterCommand",
       "{'id':'c','name':'C','description':'d','author':'ana','category':'git','shell':'bash',"
       "'script_template':'echo {{v}}','parameters':[{'name':'v','type':'enum','description':'d',"
       "'enum_values':['x','y'],'default':'y'}],'tags':['t']}");
    OK(f, "RegisterSubagent",
       "{'id':'a','name':'A','description':'d','author':'ana','system_prompt':'p',"
       "'input_schema':{'type':'object'},'max_turns':9}");
    OK(f, "RegisterMcp",
       "{'id':'m','name':'M','description':'d','author':'ana','transport':'stdio','command':'x',"
       "'env_vars':{'KEY':'hunter2','REF':'${env:REF}'}}");
    OK(f, "UpdateMcp", "{'id':'m','status':'inactive'}");
}

/* The export without the time it was made; owned. */
static char *exported(struct fixture *from)
{
    char *text, *at;

    OK(from, "ExportCatalog", "{}");
    text = strdup(from->reply);
    at = strstr(text, "\"exported_at\":\"") + strlen("\"exported_at\":\"");
    memset(at, '0', TIMESTAMP_SIZE - 1);
    return text;
}

/* Imports JSON text with more members of the request. */
static enum status import(struct fixture *to, const char *data, const char *more)
{
    struct strbuf buf = STRBUF_INIT;
    enum status status;

    strbuf_str(&buf, "{\"data\":");
    json_put_string(&buf, data);
    strbuf_printf(&buf, "%s}", more);
    status = run_json(to, "ImportCatalog", strbuf_cstr(&buf), true);
    strbuf_done(&buf);
    return status;
}

#define CONFIRM ",\"confirm\":true"
#define DRY_RUN ",\"dry_run\":true"

START_TEST(an_export_holds_everything_and_makes_an_equal_hub)
{
    struct fixture empty;
    char *first, *second;

    fixture_init(&empty);
    fill(150);
    first = exported(f);
    HAS(f, "'p/77':'doc 77 é\\\"'");
    HAS(f, "'env_vars':{'KEY':'${env:KEY}','REF':'${env:REF}'}");
    HAS(f, "'status':'inactive'");
    HAS_NOT(f, "has_content");
    ck_assert_msg(import(&empty, first, CONFIRM) == ST_OK, "%s", empty.call.error.message);
    ck_assert(has(&empty, "'imported':{'skills':150,'commands':1,'subagents':1,'mcps':1,"
                          "'total':153},'skipped':{'skills':0"));
    ck_assert(has(&empty, "'failures':[],'dry_run':false,'warnings':[]"));
    second = exported(&empty);
    ck_assert_str_eq(first, second);
    ck_assert_int_eq(events(&empty, "catalog.skill.registered"), 150);
    ck_assert_int_eq(events(&empty, "catalog.catalog.imported"), 1);
    ck_assert_int_eq(import(&empty, first, CONFIRM), ST_OK);
    ck_assert(has(&empty, "'imported':{'skills':0,'commands':0,'subagents':0,'mcps':0,'total':0},"
                          "'skipped':{'skills':150,'commands':1,'subagents':1,'mcps':1,"
                          "'total':153}"));
    ck_assert_int_eq(events(&empty, "catalog.catalog.imported"), 1);
    free(first);
    free(second);
    fixture_done(&empty);
}
END_TEST

START_TEST(an_export_can_be_narrowed)
{
    fill(2);
    OK(f, "ExportCatalog", "{'collections':['skills'],'include_assets':false}");
    HAS(f, "'commands':[],'subagents':[],'mcps':[],'assets':{}");
    HAS(f, "'id':'s-2'");
    OK(f, "ExportCatalog", "{'collections':['mcps','commands']}");
    HAS(f, "'skills':[],'commands':[{");
    FAILS(f, "ExportCatalog", "{'collections':['members']}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(an_export_that_is_too_large_says_how_to_make_it_smaller)
{
    pg_server_sql(f->url, "insert into catalog.skill (id, name, description, version, category,"
                          " asset_path, author, content) select 's-' || n, 'S', 'd', '1.0.0',"
                          " 'data', 'p' || n, 'ana', repeat('x ', 125000)"
                          " from generate_series(1, 30) n");
    FAILS(f, "ExportCatalog", "{}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "REPLY_TOO_LARGE");
    MENTIONS(f, "include_assets false");
    OK(f, "ExportCatalog", "{'include_assets':false}");
}
END_TEST

static const char mixed[] =
    "{'version':'1.0.0','novel':1,'skills':["
    "{'id':'ok-1','name':'N','description':'d','version':'1.0.0','category':'data','author':'a',"
    "'has_content':true,'content_sha256':'x','created_at':'2026-01-02T03:04:05.678Z'},"
    "{'id':'ok-2','name':'N','description':'d','version':'1.0.0','category':'data','author':'a'},"
    "{'id':'ok-1','name':'N','description':'d','version':'1.0.0','category':'data','author':'a'},"
    "{'id':'ok-3','name':'N','description':'d','version':'1','category':'data','author':'a'}],"
    "'commands':["
    "{'id':'c-1','name':'N','description':'d','author':'a','category':'c','shell':'bash',"
    "'script_template':'true'},"
    "{'id':'c-2','name':'N','description':'d','author':'a','category':'c','shell':'bash',"
    "'script_template':'true'},"
    "{'id':'c-3','name':'N','description':'d','author':'a','category':'c','shell':'bash',"
    "'script_template':'{{v}}'}],"
    "'subagents':["
    "{'id':'a-1','name':'N','description':'d','author':'a','system_prompt':'p'}],"
    "'mcps':["
    "{'id':'m-1','name':'N','description':'d','author':'a','transport':'stdio','command':'x',"
    "'env_vars':{'K':'***','R':'${env:R}'},'status':'active'},"
    "{'id':'m-2','name':'N','description':'d','author':'a','transport':'stdio','command':'x'}],"
    "'assets':{'skills/ok-1/SKILL.md':'doc'}}";

START_TEST(bad_entries_are_named_and_the_others_written)
{
    char *data = quoted(mixed), counts[400];

    ck_assert_int_eq(import(f, data, DRY_RUN), ST_OK);
    HAS(f, "'dry_run':true");
    (void)snprintf(counts, sizeof(counts), "%.*s",
                   (int)(strstr(f->reply, "\"dry_run\"") - f->reply), f->reply);
    ck_assert_str_eq(pg_server_value(f->url, "select count(*) from catalog.skill"), "0");
    ck_assert_int_eq(import(f, data, CONFIRM), ST_OK);
    ck_assert_int_eq(strncmp(f->reply, counts, strlen(counts)), 0);
    HAS(f, "'imported':{'skills':2,'commands':2,'subagents':1,'mcps':2,'total':7}");
    HAS(f, "'failed':{'skills':2,'commands':1,'subagents':0,'mcps':0,'total':3}");
    HAS(f, "{'collection':'skills','id':'ok-1','index':2,'reason':'id: is in the file twice'}");
    HAS(f, "{'collection':'skills','id':'ok-3','index':3,'reason':'version: ");
    HAS(f, "{'collection':'commands','id':'c-3','index':2,'reason':'script_template: ");
    ck_assert_ptr_nonnull(strstr(f->reply, "'novel'"));
    ck_assert_ptr_nonnull(strstr(f->reply, "env_vars.K"));
    OK(f, "GetMcp", "{'id':'m-1'}");
    HAS(f, "'env_vars':{'R':'${env:R}'}");
    HAS(f, "'status':'inactive'");
    OK(f, "GetSkill", "{'id':'ok-1'}");
    HAS(f, "'created_at':'2026-01-02T03:04:05.678Z'");
    HAS(f, "'content':'doc'");
    free(data);
}
END_TEST

static void refuse_entry(const char *collection, const char *entry, const char *reason)
{
    char data[1500];
    char *json;

    (void)snprintf(data, sizeof(data), "{'version':'1.2.0','%s':[%s],'assets':{'bad':7}}",
                   collection, entry);
    json = quoted(data);
    ck_assert_msg(import(f, json, DRY_RUN) == ST_OK, "%s", f->call.error.message);
    HAS(f, "'failed':{");
    ck_assert_msg(strstr(f->reply, "\"imported\":{\"skills\":0,\"commands\":0,\"subagents\":0,"
                                   "\"mcps\":0"),
                  "%s", f->reply);
    ck_assert_msg(strstr(f->reply, reason), "no %s in %s", reason, f->reply);
    free(json);
}

START_TEST(every_kind_of_bad_entry_has_a_reason)
{
    refuse_entry("skills", "7", "must be an object");
    refuse_entry("skills", "{}", "id: ");
    refuse_entry("skills",
                 "{'id':'s','name':'N','description':'d','version':'1.0.0','category':'data',"
                 "'author':'a','colour':'red'}",
                 "colour");
    refuse_entry("skills",
                 "{'id':'s','name':'N','description':'d','version':'1.0.0','category':'data',"
                 "'author':'a','updated_at':'yesterday'}",
                 "updated_at");
    refuse_entry("skills",
                 "{'id':'s','name':'N','description':'d','version':'1.0.0','category':'data',"
                 "'author':'a','asset_path':'bad'}",
                 "assets: ");
    refuse_entry("mcps", "{'id':'m','name':'N','description':'d','author':'a','transport':'stdio'}",
                 "command: ");
    refuse_entry("mcps",
                 "{'id':'m','name':'N','description':'d','author':'a','transport':'stdio',"
                 "'command':'x','status':'off'}",
                 "status: ");
    refuse_entry("subagents",
                 "{'id':'a','name':'N','description':'d','author':'a','system_prompt':'p',"
                 "'max_turns':51}",
                 "max_turns: ");
}
END_TEST

START_TEST(a_path_that_another_skill_has_is_a_failure)
{
    OK(f, "RegisterSkill",
       "{'id':'mine','name':'N','description':'d','version':'1.0.0','category':'data',"
       "'author':'a','asset_path':'doc'}");
    refuse_entry("skills",
                 "{'id':'s','name':'N','description':'d','version':'1.0.0','category':'data',"
                 "'author':'a','asset_path':'doc'}",
                 "asset_path: belongs to skill 'mine'");
}
END_TEST

START_TEST(what_is_no_export_is_refused)
{
    static const char *const bad[] = {"no json",
                                      "[]",
                                      "{}",
                                      "{\"version\":\"2.0.0\"}",
                                      "{\"version\":1}",
                                      "{\"version\":\"1.0.0\",\"skills\":{}}",
                                      "{\"version\":\"1.0.0\",\"assets\":[]}"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(import(f, bad[i], CONFIRM), ST_INVALID_ARGUMENT);
        MENTIONS(f, "data");
    }
    ck_assert_int_eq(import(f, "{\"version\":\"1.0.0\"}", CONFIRM), ST_OK);
}
END_TEST

START_TEST(an_import_asks_first_and_counts_what_it_would_do)
{
    char *data = quoted(mixed);

    ck_assert_int_eq(import(f, data, ""), ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CONFIRMATION_REQUIRED");
    MENTIONS(f, "adds 7 entries");
    MENTIONS(f, "leaves out 3");
    ck_assert_str_eq(pg_server_value(f->url, "select count(*) from catalog.outbox"), "0");
    free(data);
}
END_TEST

START_TEST(a_database_error_in_between_writes_none)
{
    char *data = quoted(mixed);

    pg_server_sql(f->url, "create function catalog.fail() returns trigger language plpgsql as"
                          " $$ begin raise 'no'; end $$;"
                          "create trigger fail before insert on catalog.subagent for each row"
                          " execute function catalog.fail()");
    ck_assert_int_eq(import(f, data, CONFIRM), ST_INTERNAL);
    ck_assert_str_eq(pg_server_value(f->url, "select (select count(*) from catalog.skill) +"
                                             " (select count(*) from catalog.mcp) +"
                                             " (select count(*) from catalog.outbox)"),
                     "0");
    free(data);
}
END_TEST

static void *keep_registering(void *arg)
{
    struct fixture own = {0};

    (void)arg;
    arena_init(&own.arena);
    own.conn = open_conn(f->url);
    for (int i = 0; i < 40; i++) {
        char request[300];

        (void)snprintf(
            request, sizeof(request),
            "{'id':'x-%d','name':'N','description':'d','version':'1.0.0','category':'data',"
            "'author':'a','asset_content':'doc'}",
            i);
        OK(&own, "RegisterSkill", request);
    }
    fixture_done(&own);
    return NULL;
}

static int occurrences(const char *text, const char *part)
{
    int n = 0;

    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

START_TEST(an_export_is_one_moment)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, keep_registering, NULL), 0);
    for (int i = 0; i < 30; i++) {
        OK(f, "ExportCatalog", "{}");
        ck_assert_int_eq(occurrences(f->reply, "\"id\":\"x-"),
                         occurrences(f->reply, "SKILL.md\":\"doc\""));
    }
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(thousands_of_entries_are_compared_quickly)
{
    struct strbuf buf = STRBUF_INIT;
    int64_t start = clock_mono_ms();

    strbuf_str(&buf, "{\"version\":\"1.0.0\",\"skills\":[");
    for (int i = 0; i < 20000; i++)
        strbuf_printf(&buf,
                      "%s{\"id\":\"s-%d\",\"name\":\"N\",\"description\":\"d\",\"version\":"
                      "\"1.0.0\",\"category\":\"data\",\"author\":\"a\"}",
                      i ? "," : "", i);
    strbuf_str(&buf, "]}");
    ck_assert_int_eq(import(f, strbuf_cstr(&buf), DRY_RUN), ST_OK);
    HAS(f, "'total':20000}");
    ck_assert_int_lt(clock_mono_ms() - start, 10000);
    strbuf_done(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_exchange");
    TCase *tcase = case_new(suite, "exchange", 60);

    catalog_config.secret_keys =
        "k:0000000000000000000000000000000000000000000000000000000000000001";
    tcase_add_test(tcase, an_export_holds_everything_and_makes_an_equal_hub);
    tcase_add_test(tcase, an_export_can_be_narrowed);
    tcase_add_test(tcase, an_export_that_is_too_large_says_how_to_make_it_smaller);
    tcase_add_test(tcase, bad_entries_are_named_and_the_others_written);
    tcase_add_test(tcase, every_kind_of_bad_entry_has_a_reason);
    tcase_add_test(tcase, a_path_that_another_skill_has_is_a_failure);
    tcase_add_test(tcase, what_is_no_export_is_refused);
    tcase_add_test(tcase, an_import_asks_first_and_counts_what_it_would_do);
    tcase_add_test(tcase, a_database_error_in_between_writes_none);
    tcase_add_test(tcase, an_export_is_one_moment);
    tcase_add_test(tcase, thousands_of_entries_are_compared_quickly);
    return run_suite(suite);
}
