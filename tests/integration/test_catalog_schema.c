/* SPDX-License-Identifier: Apache-2.0 */
/* The migrated schema is the one of the data model, and every query fits it. */
#include "catalog_fixture.h"

#include "audit.sql.h"
#include "command.sql.h"
#include "exchange.sql.h"
#include "mcp.sql.h"
#include "replay.sql.h"
#include "schema_fixture.h"
#include "search.sql.h"
#include "skill.sql.h"
#include "stats.sql.h"
#include "subagent.sql.h"

static const char *const skill[] = {
    "id slug!",
    "name text!",
    "description text!",
    "version text!",
    "category text!",
    "trigger_patterns text[]! = '{}'::text[]",
    "asset_path text!",
    "dependencies text[]! = '{}'::text[]",
    "author text!",
    "tags text[]! = '{}'::text[]",
    "created_at timestamp with time zone! = now()",
    "updated_at timestamp with time zone! = now()",
    "content text",
    "content_sha256 text",
    "search tsvector generated",
    NULL,
};
static const char *const command[] = {
    "id slug!",
    "name text!",
    "description text!",
    "author text!",
    "tags text[]! = '{}'::text[]",
    "category text!",
    "shell text!",
    "script_template text!",
    "parameters jsonb! = '[]'::jsonb",
    "requires_confirmation boolean! = false",
    "created_at timestamp with time zone! = now()",
    "updated_at timestamp with time zone! = now()",
    "search tsvector generated",
    NULL,
};
static const char *const subagent[] = {
    "id slug!",
    "name text!",
    "description text!",
    "author text!",
    "tags text[]! = '{}'::text[]",
    "system_prompt text!",
    "model text!",
    "tools_allowed text[]! = '{}'::text[]",
    "max_turns integer! = 5",
    "input_schema jsonb! = '{}'::jsonb",
    "output_format text! = 'markdown'::text",
    "created_at timestamp with time zone! = now()",
    "updated_at timestamp with time zone! = now()",
    "search tsvector generated",
    NULL,
};
static const char *const mcp[] = {
    "id slug!",
    "name text!",
    "description text!",
    "author text!",
    "tags text[]! = '{}'::text[]",
    "transport text!",
    "endpoint_url text",
    "command text",
    "args text[]! = '{}'::text[]",
    "env_vars jsonb! = '{}'::jsonb",
    "headers jsonb! = '{}'::jsonb",
    "health_check_url text",
    "status text! = 'active'::text",
    "tools_exposed text[]! = '{}'::text[]",
    "created_at timestamp with time zone! = now()",
    "updated_at timestamp with time zone! = now()",
    "search tsvector generated",
    NULL,
};
static const char *const usage_log[] = {
    "id bigint! identity",  "event_id uuid!",   "tool_name text!",
    "resource_id text",     "user_key text!",   "timestamp timestamp with time zone!",
    "duration_ms integer!", "success boolean!", "status text!",
    "channel text!",        "request_id text!", NULL,
};
static const char *const usage_day[] = {
    "tool_name text!", "user_key text!", "day date!", "calls bigint!", "errors bigint!", NULL,
};
static const char *const usage_time[] = {
    "unit text!",       "at timestamp with time zone!",
    "tool_name text!",  "duration_ms integer!",
    "calls bigint!",    "errors bigint!",
    "total_ms bigint!", NULL,
};
static const struct table tables[] = {
    {"skill", skill},           {"command", command},
    {"subagent", subagent},     {"mcp", mcp},
    {"usage_log", usage_log},   {"usage_day", usage_day},
    {"usage_time", usage_time}, {"outbox", outbox_columns},
    {"inbox", inbox_columns},
};

/* Table and what the index is made of, as pg_get_indexdef ends. */
static const char *const indexes[][2] = {
    {"skill", "UNIQUE btree (id)"},
    {"skill", "UNIQUE btree (asset_path)"},
    {"skill", "gin (search)"},
    {"skill", "gin (tags)"},
    {"skill", "btree (updated_at DESC, id)"},
    {"skill", "btree (category)"},
    {"command", "UNIQUE btree (id)"},
    {"command", "gin (search)"},
    {"command", "gin (tags)"},
    {"command", "btree (updated_at DESC, id)"},
    {"command", "btree (category)"},
    {"subagent", "UNIQUE btree (id)"},
    {"subagent", "gin (search)"},
    {"subagent", "gin (tags)"},
    {"subagent", "btree (updated_at DESC, id)"},
    {"mcp", "UNIQUE btree (id)"},
    {"mcp", "gin (search)"},
    {"mcp", "gin (tags)"},
    {"mcp", "btree (updated_at DESC, id)"},
    {"mcp", "btree (status)"},
    {"usage_log", "UNIQUE btree (event_id)"},
    {"usage_log", "btree (\"timestamp\", id)"},
    {"usage_log", "btree (tool_name, \"timestamp\")"},
    {"usage_log", "btree (user_key, \"timestamp\")"},
    {"usage_log", "btree (resource_id, \"timestamp\", id) WHERE (resource_id IS NOT NULL)"},
    {"usage_log", "btree (\"timestamp\", id) WHERE (NOT success)"},
    {"usage_day", "UNIQUE btree (tool_name, user_key, day)"},
    {"usage_time", "UNIQUE btree (unit, at, tool_name, duration_ms)"},
    {"outbox", "btree (id) WHERE (published_at IS NULL)"},
    {"inbox", "UNIQUE btree (event_id)"},
};

static const struct noun nouns[] = {
    {sql_audit_queries, &sql_audit_n_queries},       {sql_command_queries, &sql_command_n_queries},
    {sql_exchange_queries, &sql_exchange_n_queries}, {sql_mcp_queries, &sql_mcp_n_queries},
    {sql_replay_queries, &sql_replay_n_queries},     {sql_search_queries, &sql_search_n_queries},
    {sql_skill_queries, &sql_skill_n_queries},       {sql_stats_queries, &sql_stats_n_queries},
    {sql_subagent_queries, &sql_subagent_n_queries},
};

START_TEST(columns_are_those_of_the_data_model)
{
    columns_are(&tables[_i]);
}
END_TEST

START_TEST(indexes_are_those_of_the_data_model)
{
    index_is_there(indexes[_i]);
}
END_TEST

START_TEST(no_table_is_unknown_and_no_index_superfluous)
{
    int wanted = 0;

    for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
        wanted += strcmp(indexes[i][0], "outbox") != 0 && strcmp(indexes[i][0], "inbox") != 0;
    ck_assert_int_eq(
        (int)strtol(pg_server_value(f->url, "select count(*) from pg_indexes where"
                                            " schemaname = 'catalog' and tablename in"
                                            " ('skill','command','subagent','mcp','usage_log',"
                                            " 'usage_day','usage_time')"),
                    NULL, 10),
        wanted);
    ck_assert_str_eq(
        pg_server_value(f->url, "select string_agg(tablename, ' ' order by tablename)"
                                " from pg_tables where schemaname = 'catalog'"),
        "command inbox mcp migration outbox skill subagent usage_day usage_log usage_time");
}
END_TEST

START_TEST(every_query_prepares)
{
    PQclear(PQexec(db, sql_replay_make->sql)); /* what a replay makes for its own use */
    for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
        queries_prepare(&nouns[i]);
}
END_TEST

START_TEST(the_database_refuses_what_the_rules_exclude)
{
    refuse("insert into skill (id, name, description, version, category, asset_path, author)"
           " values ('Not a slug', 'n', 'd', '1.0.0', 'data', 'p', 'a')");
    refuse("insert into skill (id, name, description, version, category, asset_path, author)"
           " values (repeat('a', 65), 'n', 'd', '1.0.0', 'data', 'p', 'a')");
    refuse("insert into skill (id, name, description, version, category, asset_path, author)"
           " values ('a', 'n', 'd', '1.0.0', 'food', 'p', 'a')");
    refuse("insert into command (id, name, description, author, category, shell, script_template)"
           " values ('a', 'n', 'd', 'a', 'c', 'fish', 'x')");
    refuse("insert into subagent (id, name, description, author, system_prompt, model, max_turns)"
           " values ('a', 'n', 'd', 'a', 'p', 'm', 51)");
    refuse("insert into subagent (id, name, description, author, system_prompt, model,"
           " output_format) values ('a', 'n', 'd', 'a', 'p', 'm', 'xml')");
    refuse("insert into mcp (id, name, description, author, transport) values"
           " ('a', 'n', 'd', 'a', 'stdio')");
    refuse("insert into mcp (id, name, description, author, transport, command) values"
           " ('a', 'n', 'd', 'a', 'streamable-http', 'x')");
    refuse("insert into mcp (id, name, description, author, transport, command, status) values"
           " ('a', 'n', 'd', 'a', 'stdio', 'x', 'off')");
    refuse("insert into usage_log (event_id, tool_name, user_key, timestamp, duration_ms, success,"
           " status, channel, request_id) values (gen_random_uuid(), 't', 'u', now(), 1, true,"
           " 'ok', 'pigeon', 'r')");
}
END_TEST

START_TEST(names_in_the_log_are_compared_byte_by_byte)
{
    ck_assert_str_eq(
        pg_server_value(f->url, "select string_agg(table_name || '.' || column_name, ' ' order by "
                                "table_name, column_name)"
                                " from information_schema.columns where table_schema = 'catalog'"
                                " and collation_name = 'C'"),
        "usage_day.tool_name usage_day.user_key usage_log.resource_id usage_log.tool_name"
        " usage_log.user_key usage_time.tool_name");
}
END_TEST

START_TEST(other_roles_see_nothing)
{
    hidden_from_others(tables, ARRAY_SIZE(tables));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_schema");
    TCase *tcase = tcase_create("schema");

    tcase_add_checked_fixture(tcase, set_up_db, tear_down_db);
    tcase_set_timeout(tcase, 30);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, columns_are_those_of_the_data_model, 0, ARRAY_SIZE(tables));
    tcase_add_loop_test(tcase, indexes_are_those_of_the_data_model, 0, ARRAY_SIZE(indexes));
    tcase_add_test(tcase, no_table_is_unknown_and_no_index_superfluous);
    tcase_add_test(tcase, every_query_prepares);
    tcase_add_test(tcase, the_database_refuses_what_the_rules_exclude);
    tcase_add_test(tcase, names_in_the_log_are_compared_byte_by_byte);
    tcase_add_test(tcase, other_roles_see_nothing);
    tcase_add_test(tcase, migrating_again_changes_nothing);
    return run_suite(suite);
}
