/* SPDX-License-Identifier: Apache-2.0 */
/* The migrated schema is the one of the data model, every query fits it, and the
 * heavy ones use its indexes. */
#include "sprint_fixture.h"

#include "context.sql.h"
#include "decision.sql.h"
#include "digest.sql.h"
#include "interaction.sql.h"
#include "link.sql.h"
#include "project.sql.h"
#include "report.sql.h"
#include "retrospective.sql.h"
#include "schema_fixture.h"
#include "sprint.sql.h"
#include "tally.sql.h"
#include "work_item.sql.h"

#define BORN                                                                                       \
    "created_at timestamp with time zone! = now()", "updated_at timestamp with time zone! = now()"

static const char *const item_key[] = {"key text!", "next integer! = 1", NULL};
static const char *const tally[] = {
    "noun text!",
    "status text! = ''::text",
    "type text! = ''::text",
    "priority text! = ''::text",
    "n bigint!",
    NULL,
};
static const char *const project[] = {
    "id slug!",
    "key text! = 'MAL'::text",
    "name text!",
    "description text",
    "status text! = 'active'::text",
    "owner_id text",
    "color text! = 'blue'::text",
    "metadata jsonb! = '{}'::jsonb",
    BORN,
    NULL,
};
static const char *const sprint[] = {
    "id slug!",
    "name text!",
    "goal text",
    "start_date date!",
    "end_date date!",
    "status text! = 'planned'::text",
    "velocity integer",
    "team_capacity integer",
    "summary text",
    "retrospective text",
    "created_by text",
    "project_id slug",
    "metadata jsonb! = '{}'::jsonb",
    "completed_at timestamp with time zone",
    BORN,
    NULL,
};
static const char *const work_item[] = {
    "id item!",
    "title text!",
    "description text",
    "type text! = 'task'::text",
    "status text! = 'backlog'::text",
    "priority text! = 'medium'::text",
    "story_points integer",
    "sprint_id slug",
    "project_id slug",
    "assignee text",
    "reporter text",
    "labels text[]! = '{}'::text[]",
    "parent_id item",
    "due_date date",
    "completed_at timestamp with time zone",
    "metadata jsonb! = '{}'::jsonb",
    "blocked_since timestamp with time zone",
    BORN,
    NULL,
};
static const char *const work_item_change[] = {
    "id bigint! identity",
    "work_item_id item!",
    "at timestamp with time zone! = now()",
    "actor text!",
    "field text!",
    "old_value text",
    "new_value text",
    NULL,
};
static const char *const interaction[] = {
    "id text!",
    "session_id text!",
    "user_id text!",
    "source text! = 'claude_code'::text",
    "title text",
    "summary text",
    "decisions text[]! = '{}'::text[]",
    "action_items text[]! = '{}'::text[]",
    "tools_used text[]! = '{}'::text[]",
    "sprint_id slug",
    "work_item_id item",
    "tags text[]! = '{}'::text[]",
    "message_count integer!",
    "metadata jsonb! = '{}'::jsonb",
    BORN,
    "transcript text! = ''::text",
    "search tsvector generated",
    NULL,
};
static const char *const interaction_message[] = {
    "id bigint! identity",
    "interaction_id text!",
    "position integer!",
    "role text!",
    "content text!",
    "tool_calls text",
    "token_count integer",
    "created_at timestamp with time zone! = now()",
    NULL,
};
static const char *const interaction_link[] = {
    "interaction_id text!",
    "sprint_id slug",
    "work_item_id item",
    NULL,
};
static const char *const decision[] = {
    "id bigint! identity",
    "interaction_id text!",
    "position integer!",
    "text text!",
    "user_id text!",
    "sprint_id slug",
    "work_item_id item",
    "created_at timestamp with time zone! = now()",
    "search tsvector generated",
    NULL,
};
static const char *const digest[] = {
    "kind text!",
    "period date!",
    "project_id text! = ''::text",
    "body text!",
    "created_at timestamp with time zone! = now()",
    "told text[]! = '{}'::text[]",
    NULL,
};
static const struct table tables[] = {
    {"item_key", item_key},
    {"tally", tally},
    {"project", project},
    {"sprint", sprint},
    {"work_item", work_item},
    {"work_item_change", work_item_change},
    {"interaction", interaction},
    {"interaction_message", interaction_message},
    {"interaction_link", interaction_link},
    {"decision", decision},
    {"digest", digest},
    {"outbox", outbox_columns},
    {"inbox", inbox_columns},
};

static const char *const indexes[][2] = {
    {"item_key", "UNIQUE btree (key)"},
    {"project", "UNIQUE btree (id)"},
    {"project", "btree (updated_at DESC, id)"},
    {"sprint", "UNIQUE btree (id)"},
    {"sprint", "btree (status)"},
    {"sprint", "btree (project_id)"},
    {"sprint", "btree (start_date, end_date)"},
    {"sprint", "btree (updated_at DESC, id)"},
    {"work_item", "UNIQUE btree (id)"},
    {"work_item", "btree (sprint_id)"},
    {"work_item", "btree (project_id)"},
    {"work_item", "btree (assignee)"},
    {"work_item", "btree (status)"},
    {"work_item", "btree (parent_id)"},
    {"work_item", "gin (labels)"},
    {"work_item", "btree (updated_at DESC, id)"},
    {"work_item_change", "UNIQUE btree (id)"},
    {"work_item_change", "btree (work_item_id, at DESC)"},
    {"interaction", "UNIQUE btree (id)"},
    {"interaction", "btree (user_id)"},
    {"interaction", "btree (sprint_id)"},
    {"interaction", "btree (session_id)"},
    {"interaction", "btree (work_item_id)"},
    {"interaction", "btree (created_at DESC)"},
    {"interaction", "gin (search)"},
    {"interaction", "gin (tags)"},
    {"interaction_message", "UNIQUE btree (id)"},
    {"interaction_message", "UNIQUE btree (interaction_id, \"position\")"},
    {"interaction_link",
     "UNIQUE btree (interaction_id, sprint_id, work_item_id) NULLS NOT DISTINCT"},
    {"interaction_link", "btree (work_item_id)"},
    {"interaction_link", "btree (sprint_id)"},
    {"decision", "UNIQUE btree (id)"},
    {"decision", "btree (created_at DESC)"},
    {"decision", "gin (search)"},
    {"digest", "UNIQUE btree (kind, period, project_id)"},
    {"outbox", "btree (id) WHERE (published_at IS NULL)"},
    {"inbox", "UNIQUE btree (event_id)"},
    /* Beyond the data model. */
    {"tally", "btree (noun)"},
    {"sprint", "btree (project_id, start_date DESC, id)"},
    {"work_item", "btree (sprint_id, updated_at DESC, id)"},
    {"work_item", "btree (project_id, updated_at DESC, id)"},
    {"work_item", "btree (assignee, updated_at DESC, id)"},
    {"work_item", "btree (status, updated_at DESC, id)"},
    {"work_item", "btree (type, updated_at DESC, id)"},
    {"work_item", "btree (priority, updated_at DESC, id)"},
    {"work_item", "btree (project_id, status)"},
    {"work_item", "btree (sprint_id) INCLUDE (story_points) WHERE (status = 'done'::text)"},
    {"decision", "btree (interaction_id)"},
    {"decision", "btree (work_item_id)"},
    {"decision", "btree (user_id, created_at DESC, id DESC)"},
    {"decision", "btree (sprint_id, created_at DESC, id DESC)"},
    {"interaction", "btree (user_id, created_at DESC, id)"},
    {"interaction", "btree (source, created_at DESC, id)"},
    {"sprint", "gin (numbers_of(name))"},
    {"work_item",
     "btree (assignee) WHERE (status <> ALL (ARRAY['done'::text, 'cancelled'::text]))"},
};

static const struct noun nouns[] = {
    {sql_context_queries, &sql_context_n_queries},
    {sql_decision_queries, &sql_decision_n_queries},
    {sql_digest_queries, &sql_digest_n_queries},
    {sql_interaction_queries, &sql_interaction_n_queries},
    {sql_link_queries, &sql_link_n_queries},
    {sql_project_queries, &sql_project_n_queries},
    {sql_report_queries, &sql_report_n_queries},
    {sql_retrospective_queries, &sql_retrospective_n_queries},
    {sql_sprint_queries, &sql_sprint_n_queries},
    {sql_tally_queries, &sql_tally_n_queries},
    {sql_work_item_queries, &sql_work_item_n_queries},
};

START_TEST(columns_are_those_of_the_data_model)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        columns_are(&tables[i]);
}
END_TEST

START_TEST(indexes_are_those_of_the_data_model)
{
    for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
        index_is_there(indexes[i]);
}
END_TEST

START_TEST(no_table_or_index_is_unknown)
{
    int wanted = 0;

    for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
        wanted += strcmp(indexes[i][0], "outbox") != 0 && strcmp(indexes[i][0], "inbox") != 0;
    ck_assert_int_eq((int)strtol(value("select count(*) from pg_indexes where schemaname = 'sprint'"
                                       " and tablename not in ('outbox', 'inbox', 'migration')"),
                                 NULL, 10),
                     wanted);
    ck_assert_str_eq(value("select string_agg(tablename, ' ' order by tablename) from pg_tables"
                           " where schemaname = 'sprint'"),
                     "decision digest inbox interaction interaction_link interaction_message"
                     " item_key migration outbox project sprint tally work_item work_item_change");
}
END_TEST

START_TEST(every_query_prepares)
{
    for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
        queries_prepare(&nouns[i]);
}
END_TEST

START_TEST(the_database_refuses_what_the_rules_exclude)
{
    pg_server_sql(f->url, "insert into sprint.project (id, name) values ('p', 'P');"
                          "insert into sprint.sprint (id, name, start_date, end_date) values"
                          " ('s', 'S', '2026-03-02', '2026-03-02');"
                          "insert into sprint.work_item (id, title) values ('I-1', 'T');"
                          "insert into sprint.interaction (id, session_id, user_id, message_count)"
                          " values ('talk', 's', 'ana', 0)");
    refuse("insert into project (id, name) values ('No slug', 'n')");
    refuse("insert into project (id, name, status) values ('a', 'n', 'open')");
    refuse("insert into sprint (id, name, start_date, end_date) values"
           " ('a', 'n', '2026-03-02', '2026-03-01')");
    refuse("update sprint set status = 'completed'");
    refuse("update sprint set completed_at = now()");
    refuse("update sprint set velocity = 100001");
    refuse("update sprint set team_capacity = -1");
    refuse("update sprint set project_id = 'none'");
    refuse("insert into work_item (id, title) values ('-a', 'T')");
    refuse("insert into work_item (id, title) values (repeat('a', 65), 'T')");
    refuse("update work_item set type = 'chore'");
    refuse("update work_item set priority = 'none'");
    refuse("update work_item set status = 'done'");
    refuse("update work_item set completed_at = now()");
    refuse("update work_item set labels = '{blocked}'");
    refuse("update work_item set blocked_since = now()");
    refuse("update work_item set parent_id = id");
    refuse("update work_item set story_points = 101");
    refuse("update work_item set sprint_id = 'none'");
    refuse("insert into work_item_change (work_item_id, actor, field) values ('I-2', 'a', 'f')");
    refuse("update interaction set source = 'phone'");
    refuse("update interaction set message_count = 100001");
    refuse("insert into interaction_link values ('talk', null, null)");
    refuse("insert into interaction_link values ('talk', 's', 'I-1')");
    refuse("insert into interaction_link values ('talk', 's', null), ('talk', 's', null)");
    refuse("insert into interaction_message (interaction_id, position, role, content) values"
           " ('talk', 1, 'dog', 'wuff')");
    refuse("insert into digest (kind, period, body) values ('hourly', '2026-03-02', '')");
}
END_TEST

START_TEST(what_is_deleted_is_let_go_of)
{
    pg_server_sql(f->url, "insert into sprint.project (id, name) values ('p', 'P');"
                          "insert into sprint.sprint (id, name, start_date, end_date, project_id)"
                          " values ('s', 'S', '2026-03-02', '2026-03-02', 'p');"
                          "insert into sprint.work_item (id, title, sprint_id, project_id) values"
                          " ('I-1', 'T', 's', 'p');"
                          "insert into sprint.work_item (id, title, parent_id) values"
                          " ('I-2', 'T', 'I-1');"
                          "insert into sprint.work_item_change (work_item_id, actor, field) values"
                          " ('I-1', 'a', 'f');"
                          "delete from sprint.project; delete from sprint.sprint;"
                          "delete from sprint.work_item where id = 'I-1'");
    ck_assert_str_eq(value("select id || (sprint_id is null)::text || (parent_id is null)::text"
                           " from sprint.work_item"),
                     "I-2truetrue");
    ck_assert_str_eq(value("select count(*) from sprint.work_item_change"), "0");
}
END_TEST

START_TEST(other_roles_see_nothing)
{
    hidden_from_others(tables, ARRAY_SIZE(tables));
}
END_TEST

/* ---- plans ---------------------------------------------------------------- */

/* 20 projects, 2,000 sprints, 20,000 items with a change each, 10,000
 * conversations. */
static const char team[] =
    "insert into sprint.project (id, name) select 'p-' || n, 'P' from generate_series(1, 20) n;"
    "insert into sprint.sprint (id, name, start_date, end_date, project_id, updated_at)"
    " select 's-' || n, 'S', date '2026-01-01' + n, date '2026-01-15' + n, 'p-' || n % 20 + 1,"
    " now() - n * interval '1 minute' from generate_series(1, 2000) n;"
    "insert into sprint.work_item (id, title, sprint_id, project_id, assignee, status, type,"
    " priority, labels, story_points, completed_at, updated_at) select 'I-' || n, 'T', 's-' || n %"
    " 200 + 1, 'p-' || n % 20 + 1, 'm-' || n % 100, s, (array['bug','task','story'])[n % 3 + 1],"
    " (array['low','high'])[n % 2 + 1], case when n % 50 = 0 then array['ui'] else '{}' end, n % 9,"
    " case s when 'done' then now() end, now() - n * interval '1 second' from generate_series(1,"
    " 20000) n, lateral (select (array['todo','done','review','backlog'])[n % 4 + 1]) t (s);"
    "update sprint.work_item set parent_id = 'I-1' where id in ('I-2', 'I-3');"
    "insert into sprint.work_item_change (work_item_id, actor, field) select id, 'a', 'f' from"
    " sprint.work_item;"
    "insert into sprint.interaction (id, session_id, user_id, message_count, tags, summary,"
    " transcript, created_at) select 'talk-' || n, 'x-' || n / 5, 'm-' || n % 100, 0, array['t-' ||"
    " n % 200], 'common', 'rare' || n % 500 || ' ' || repeat(md5(n::text) || ' ', 20), now() - n *"
    " interval '1 minute' from generate_series(1, 10000) n;"
    "insert into sprint.interaction_link (interaction_id, work_item_id) select 'talk-' || n, 'I-'"
    " || n from generate_series(1, 10000) n;"
    "insert into sprint.interaction_link (interaction_id, sprint_id) select 'talk-' || n, 's-'"
    " || n % 1000 + 1 from generate_series(1, 10000) n;"
    "insert into sprint.interaction_message (interaction_id, position, role, content) select"
    " 'talk-' || n / 2 + 1, n % 2, 'human', 'x' from generate_series(1, 10000) n;"
    "insert into sprint.decision (interaction_id, position, text, user_id, sprint_id, created_at)"
    " select 'talk-' || n, 1, 'common rare' || n % 500, 'm-' || n % 100, 's-' || n % 1000 + 1,"
    " now() - n * interval '1 minute' from generate_series(1, 10000) n;";

/* A query, its values, and what it must read by index only. */
static const struct {
    const struct query *query;
    const char *values;
} heavy[] = {
    {sql_work_item_list, "null, null, null, null, null, null, null, '{}', 20, 0"},
    {sql_work_item_list, "'s-7', null, null, null, null, null, null, '{}', 20, 0"},
    {sql_work_item_list, "null, 'p-7', null, null, 'done', null, null, '{}', 20, 0"},
    {sql_work_item_list, "null, null, 'm-7', null, null, null, null, '{}', 20, 0"},
    {sql_work_item_list, "null, null, null, 'I-1', null, null, null, '{}', 20, 0"},
    {sql_work_item_list, "null, null, null, null, 'review', null, null, '{}', 20, 0"},
    {sql_work_item_list, "null, null, null, null, null, 'epic', null, '{}', 20, 0"},
    {sql_work_item_list, "null, null, null, null, null, null, 'critical', '{}', 20, 0"},
    {sql_work_item_list, "null, null, null, null, null, null, null, '{none}', 20, 0"},
    {sql_work_item_count, "'s-7', null, null, null, null, null, null, '{}'"},
    {sql_work_item_count, "null, 'p-7', null, null, 'done', null, null, '{}'"},
    {sql_work_item_count, "null, null, 'm-7', null, null, null, null, '{}'"},
    {sql_work_item_count, "null, null, null, null, null, null, null, '{none}'"},
    {sql_sprint_items, "'s-7', 500"},
    {sql_sprint_by_status, "'s-7'"},
    {sql_sprint_shares, "'s-7'"},
    {sql_sprint_get, "'s-7'"},
    {sql_sprint_list, "null, null, null, null, 100, 0"},
    {sql_sprint_list, "'planned', 'p-7', '2026-02-01', '2026-02-28', 20, 0"},
    {sql_sprint_count, "null, 'p-7', null, null"},
    {sql_sprint_of_project, "'p-7', 50"},
    {sql_project_items, "'p-7'"},
    {sql_project_sprints_total, "'p-7'"},
    {sql_work_item_children, "'I-1', 50"},
    {sql_work_item_history, "'I-7', 20"},
    {sql_work_item_interactions, "'I-7', 10"},
    {sql_work_item_is_under, "'I-2', 'I-7'"},
    {sql_interaction_list, "null, null, null, null, null, '{}', null, null, 20, 0"},
    {sql_interaction_list, "'m-7', null, null, null, null, '{}', null, null, 20, 0"},
    {sql_interaction_list, "null, 's-7', null, null, null, '{}', null, null, 20, 0"},
    {sql_interaction_list, "null, null, 'I-7', null, null, '{}', null, null, 20, 0"},
    {sql_interaction_list, "null, null, null, 'x-7', null, '{}', null, null, 20, 0"},
    {sql_interaction_list, "null, null, null, null, 'web_chat', '{}', null, null, 20, 0"},
    {sql_interaction_list, "null, null, null, null, null, '{none}', null, null, 20, 0"},
    {sql_interaction_list, "null, null, null, null, null, '{}', '2020-01-01', '2020-01-02', 20, 0"},
    {sql_interaction_count, "'m-7', null, null, null, null, '{}', null, null"},
    {sql_interaction_count, "null, 's-7', null, null, null, '{}', null, null"},
    {sql_interaction_count, "null, null, null, null, null, '{t-7}', null, null"},
    {sql_interaction_count, "null, null, null, null, null, '{}', '2020-01-01', '2020-01-02'"},
    {sql_interaction_search, "'common', null, '{}', null, null, 20, 0"},
    {sql_interaction_search, "'rare7', 'm-7', '{t-7}', null, null, 20, 0"},
    {sql_interaction_search_count, "'common', null, '{}', null, null"},
    {sql_interaction_search_count, "'rare7', null, '{}', '2020-01-01', null"},
    {sql_interaction_messages, "'talk-7'"},
    {sql_interaction_named, "'{talk-7,talk-8}'"},
    {sql_decision_list, "null, null, null, null, null, 20, 0"},
    {sql_decision_list, "'common', null, null, null, null, 20, 0"},
    {sql_decision_list, "null, 'm-7', null, null, null, 20, 0"},
    {sql_decision_list, "null, null, 's-7', null, null, 20, 0"},
    {sql_decision_count, "'rare7', null, null, null, null"},
    {sql_decision_count, "null, 'm-7', null, null, null"},
    {sql_decision_count, "null, null, 's-7', null, null"},
    {sql_link_items, "'{I-7,I-07}', '{I-7,I-7}'"},
    {sql_link_sprints, "'{7,7-2}'"},
    {sql_link_sprints_named, "'{7,9}'"},
    {sql_report_items, "'s-7'"},
    {sql_report_assignees, "'s-7'"},
    {sql_report_trend, "'s-7', 'p-7', null"},
    {sql_retrospective_talk, "'s-7'"},
    {sql_retrospective_action_items, "'s-7'"},
    {sql_context_sprint, ""},
    {sql_context_items, "'m-7'"},
    {sql_context_decisions, ""},
    {sql_context_interactions, ""},
    {sql_digest_due, "now() - interval '7 days'"},
    {sql_digest_done, "'2020-01-01', '2020-01-02'"},
    {sql_digest_talk, "'2020-01-01', '2020-01-02'"},
    {sql_digest_blocked, ""},
};

START_TEST(heavy_queries_use_the_indexes)
{
    static const char *const large[] = {"Seq Scan on work_item", "Seq Scan on sprint",
                                        "Seq Scan on interaction", "Seq Scan on decision"};

    pg_server_sql(f->url, team);
    /* What waits to enter a GIN index makes it dear. */
    pg_server_sql(f->url, "vacuum analyze");
    PQclear(PQexec(db, "set plan_cache_mode = force_custom_plan"));
    for (size_t i = 0; i < ARRAY_SIZE(heavy); i++) {
        const char *plan = plan_of(heavy[i].query, heavy[i].values);

        for (size_t k = 0; k < ARRAY_SIZE(large); k++)
            ck_assert_msg(!strstr(plan, large[k]), "%s (%s):\n%s", heavy[i].query->name,
                          heavy[i].values, plan);
    }
}
END_TEST

START_TEST(totals_are_a_sum_of_few_rows_however_many_there_are)
{
    pg_server_sql(f->url, "do $$ begin for i in 1 .. 2000 loop insert into sprint.work_item (id,"
                          " title, type) values ('I-' || i, 'T', (array['bug', 'task'])[i % 2 +"
                          " 1]); end loop; end $$");
    ck_assert_str_eq(value("select count(*) < 1000 from sprint.tally"), "t");
    OK(f, "ListWorkItems", "{'type':'bug'}");
    HAS(f, "'total':1000");
    pg_server_sql(f->url, "update sprint.work_item set type = 'spike' where id < 'I-2';"
                          "delete from sprint.work_item where id > 'I-5'");
    ck_assert_str_eq(value("select (select sum(n) from sprint.tally where type = 'spike') ="
                           " (select count(*) from sprint.work_item where type = 'spike') and"
                           " (select sum(n) from sprint.tally) = (select count(*) from"
                           " sprint.work_item)"),
                     "t");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_schema");
    TCase *tcase = tcase_create("schema");

    tcase_add_checked_fixture(tcase, set_up_db, tear_down_db);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, columns_are_those_of_the_data_model);
    tcase_add_test(tcase, indexes_are_those_of_the_data_model);
    tcase_add_test(tcase, no_table_or_index_is_unknown);
    tcase_add_test(tcase, every_query_prepares);
    tcase_add_test(tcase, the_database_refuses_what_the_rules_exclude);
    tcase_add_test(tcase, what_is_deleted_is_let_go_of);
    tcase_add_test(tcase, other_roles_see_nothing);
    tcase_add_test(tcase, migrating_again_changes_nothing);
    tcase_add_test(tcase, heavy_queries_use_the_indexes);
    tcase_add_test(tcase, totals_are_a_sum_of_few_rows_however_many_there_are);
    return run_suite(suite);
}
