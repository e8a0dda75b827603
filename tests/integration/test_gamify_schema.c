/* SPDX-License-Identifier: Apache-2.0 */
/* The migrated schema is the one of the data model, every query fits it, and no
 * reader scans what grows. */
#include "gamify_fixture.h"
#include "schema_fixture.h"

#include "achievement.sql.h"
#include "contribution.sql.h"
#include "git_people.sql.h"
#include "leaderboard.sql.h"
#include "ledger.sql.h"
#include "member.sql.h"
#include "radar.sql.h"
#include "replay.sql.h"
#include "tool.sql.h"

#define BORN                                                                                       \
    "created_at timestamp with time zone! = now()", "updated_at timestamp with time zone! = now()"

static const char *const member[] = {
    "id slug!",
    "name text!",
    "email text",
    "avatar_url text",
    "role text! = 'developer'::text",
    "metadata jsonb! = '{}'::jsonb",
    "xp integer! = 0",
    "level integer! = 1",
    "streak_days integer! = 0",
    "streak_last_date date",
    BORN,
    NULL,
};
static const char *const contribution[] = {
    "id bigint! identity",
    "user_id slug!",
    "type text!",
    "reference_id text",
    "points integer!",
    "base_points integer!",
    "multiplier_percent integer!",
    "description text",
    "project_id slug",
    "metadata jsonb! = '{}'::jsonb",
    "occurred_at timestamp with time zone!",
    "reversed_at timestamp with time zone",
    "created_at timestamp with time zone! = now()",
    NULL,
};
static const char *const achievement[] = {
    "id slug!",
    "name text!",
    "description text!",
    "icon text!",
    "category text! = 'code'::text",
    "tier text! = 'bronze'::text",
    "xp_reward integer! = 10",
    "criteria jsonb!",
    "created_at timestamp with time zone! = now()",
    NULL,
};
static const char *const user_achievement[] = {
    "id bigint! identity",
    "user_id slug!",
    "achievement_id slug!",
    "unlocked_at timestamp with time zone!",
    NULL,
};
static const char *const tool_use[] = {
    "user_key text!",
    "tool_name text!",
    "calls integer!",
    "first_at timestamp with time zone!",
    "last_at timestamp with time zone!",
    NULL,
};
/* Sums, beyond the data model. */
static const char *const tally[] = {
    "user_id slug!",
    "commits integer! = 0",
    "interactions integer! = 0",
    "sprints integer! = 0",
    "top_velocity integer! = 0",
    "bugs integer! = 0",
    "decisions integer! = 0",
    "longest_run integer! = 0",
    "frontend integer! = 0",
    "backend integer! = 0",
    "devops integer! = 0",
    "data integer! = 0",
    "documentation integer! = 0",
    NULL,
};
static const char *const day_points[] = {
    "user_id slug!",          "day date!", "project_id text! = ''::text", "points integer!",
    "contributions integer!", NULL,
};
static const char *const project_points[] = {
    "project_id slug!",
    "user_id slug!",
    "points integer!",
    NULL,
};
static const struct table tables[] = {
    {"member", member},           {"contribution", contribution},
    {"achievement", achievement}, {"user_achievement", user_achievement},
    {"tool_use", tool_use},       {"tally", tally},
    {"day_points", day_points},   {"project_points", project_points},
    {"outbox", outbox_columns},   {"inbox", inbox_columns},
};

static const char *const indexes[][2] = {
    {"member", "UNIQUE btree (id)"},
    {"member", "UNIQUE btree (lower(email))"},
    {"member", "btree (xp DESC, id)"},
    {"contribution", "UNIQUE btree (id)"},
    {"contribution", "UNIQUE btree (user_id, type, reference_id) WHERE ((reversed_at IS NULL) AND "
                     "(reference_id IS NOT NULL))"},
    {"contribution", "btree (type, reference_id) WHERE ((reversed_at IS NULL) AND (reference_id IS "
                     "NOT NULL))"},
    {"contribution", "btree (user_id, occurred_at DESC)"},
    {"contribution", "btree (type)"},
    {"contribution", "btree (project_id, occurred_at)"},
    {"achievement", "UNIQUE btree (id)"},
    {"user_achievement", "UNIQUE btree (id)"},
    {"user_achievement", "UNIQUE btree (user_id, achievement_id)"},
    {"user_achievement", "btree (user_id)"},
    {"tool_use", "UNIQUE btree (user_key, tool_name)"},
    {"tool_use", "btree (lower(user_key))"},
    {"tally", "UNIQUE btree (user_id)"},
    {"day_points", "UNIQUE btree (user_id, day, project_id)"},
    {"day_points", "btree (day, project_id) INCLUDE (user_id, points)"},
    {"project_points", "UNIQUE btree (project_id, user_id)"},
};

static const struct noun nouns[] = {
    {sql_achievement_queries, &sql_achievement_n_queries},
    {sql_contribution_queries, &sql_contribution_n_queries},
    {sql_git_people_queries, &sql_git_people_n_queries},
    {sql_leaderboard_queries, &sql_leaderboard_n_queries},
    {sql_ledger_queries, &sql_ledger_n_queries},
    {sql_member_queries, &sql_member_n_queries},
    {sql_radar_queries, &sql_radar_n_queries},
    {sql_replay_queries, &sql_replay_n_queries},
    {sql_tool_queries, &sql_tool_n_queries},
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
    VALUE_IS(f,
             "select count(*) from pg_indexes where schemaname = 'gamify' and tablename not in "
             "('migration', 'outbox', 'inbox')",
             "19");
    ck_assert_uint_eq(ARRAY_SIZE(indexes), 19);
}
END_TEST

START_TEST(no_table_is_unknown)
{
    VALUE_IS(f,
             "select string_agg(tablename, ' ' order by tablename) from pg_tables where schemaname "
             "= 'gamify'",
             "achievement contribution day_points inbox member migration outbox project_points "
             "tally tool_use user_achievement");
}
END_TEST

START_TEST(every_query_prepares)
{
    const struct query *const *own = sql_replay_queries;

    /* What a replay makes for its own use, first of all. */
    for (size_t i = 0; strncmp(own[i]->name, "replay_make_", strlen("replay_make_")) == 0; i++)
        PQclear(PQexec(db, own[i]->sql));
    for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
        queries_prepare(&nouns[i]);
}
END_TEST

START_TEST(the_database_refuses_what_the_rules_exclude)
{
    pg_server_sql(
        f->url, "insert into gamify.member (id, name, email) values ('ana', 'Ana', 'a@b.example');"
                "insert into gamify.contribution (user_id, type, reference_id, points,"
                " base_points, multiplier_percent, occurred_at) values ('ana', 'commit', 'c', 1,"
                " 1, 100, now());"
                "insert into gamify.achievement (id, name, description, icon, criteria) values"
                " ('x', 'X', 'd', 'i', '{}');"
                "insert into gamify.user_achievement (user_id, achievement_id, unlocked_at)"
                " values ('ana', 'x', now())");
    refuse("insert into member (id, name) values ('Ana B', 'n')");
    refuse("insert into member (id, name) values (repeat('a', 65), 'n')");
    refuse("insert into member (id, name, email) values ('bo', 'n', 'A@B.example')");
    refuse("insert into member (id, name, role) values ('bo', 'n', 'boss')");
    refuse("update member set xp = -1");
    refuse("update member set level = 0");
    refuse("update contribution set type = 'gift'");
    refuse("update contribution set points = -1");
    refuse("update contribution set multiplier_percent = 171");
    refuse("update contribution set user_id = 'nobody'");
    refuse("insert into contribution (user_id, type, reference_id, points, base_points,"
           " multiplier_percent, occurred_at) values ('ana', 'commit', 'c', 1, 1, 100, now())");
    refuse("update achievement set tier = 'tin'");
    refuse("update achievement set category = 'luck'");
    refuse("insert into user_achievement (user_id, achievement_id, unlocked_at) values ('ana', 'x',"
           " now())");
    refuse("insert into tool_use (user_key, tool_name) values ('ana', 't')");
    refuse("insert into day_points values ('ana', '2026-03-02', '', 1, -1)");
}
END_TEST

START_TEST(a_deleted_member_takes_everything_along)
{
    load_achievements();
    register_ana();
    OK(f, "LogContribution", "{'user_id':'ana','type':'commit','project_id':'apollo'}");
    pg_server_sql(f->url, "delete from gamify.member");
    VALUE_IS(
        f,
        "select (select count(*) from gamify.contribution) + (select count(*) from "
        "gamify.user_achievement) + (select count(*) from gamify.tally) + (select count(*) from"
        " gamify.day_points) + (select count(*) from gamify.project_points)",
        "0");
}
END_TEST

START_TEST(other_roles_see_nothing)
{
    hidden_from_others(tables, ARRAY_SIZE(tables));
}
END_TEST

/* ---- plans ---------------------------------------------------------------- */

/* 200 members, 40 projects, 30,000 contributions over 500 days. */
static const char team[] =
    "insert into gamify.member (id, name, xp) select 'm-' || n, 'M ' || n, n * 37 % 5000 from"
    " generate_series(1, 200) n;"
    "insert into gamify.contribution (user_id, type, reference_id, points, base_points,"
    " multiplier_percent, project_id, occurred_at) select 'm-' || n % 200 + 1, (array['commit',"
    " 'work_item', 'interaction'])[n % 3 + 1], 'r-' || n, 11, 10, 110, 'p-' || (n + n / 200) % 40, "
    "timestamptz"
    " '2026-03-10' - n % 500 * interval '1 day' from generate_series(1, 30000) n;"
    "insert into gamify.tool_use select 'key-' || n % 500, 'tool-' || n / 500, 1, now(), now() from"
    " generate_series(1, 20000) n;"
    "call gamify.recount();"
    "analyze";

/* A query, its values, and what it must read by index only. */
static const struct {
    const struct query *query;
    const char *values;
} heavy[] = {
    {sql_leaderboard_days, "'2026-03-04', '2026-03-10', null, 20, 0"},
    {sql_leaderboard_days, "'2026-03-01', '2026-03-14', 'p-7', 20, 0"},
    {sql_leaderboard_days_count, "'2026-03-04', '2026-03-10', null"},
    {sql_leaderboard_project, "'p-7', 20, 0"},
    {sql_leaderboard_project_count, "'p-7'"},
    {sql_member_contributions, "'m-7'"},
    {sql_member_points, "'{m-7,m-8}', '2026-03-01', '2026-03-14'"},
    {sql_ledger_days, "'m-7'"},
    {sql_ledger_tally, "'m-7'"},
    {sql_ledger_known, "'m-7', '{commit}', '{r-6}'"},
    {sql_ledger_holders, "'work_item', 'r-7'"},
    {sql_ledger_tools, "'m-7'"},
    {sql_ledger_take, "'m-7', 'commit', 'r-6', now()"},
};

START_TEST(heavy_queries_use_the_indexes)
{
    static const char *const large[] = {"Seq Scan on contribution", "Seq Scan on day_points",
                                        "Seq Scan on project_points", "Seq Scan on tool_use"};

    pg_server_sql(f->url, team);
    PQclear(PQexec(db, "set plan_cache_mode = force_custom_plan"));
    for (size_t i = 0; i < ARRAY_SIZE(heavy); i++) {
        const char *plan = plan_of(heavy[i].query, heavy[i].values);

        for (size_t k = 0; k < ARRAY_SIZE(large); k++)
            ck_assert_msg(!strstr(plan, large[k]), "%s (%s):\n%s", heavy[i].query->name,
                          heavy[i].values, plan);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_schema");
    TCase *tcase = tcase_create("schema");

    tcase_add_checked_fixture(tcase, set_up_db, tear_down_db);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, columns_are_those_of_the_data_model);
    tcase_add_test(tcase, indexes_are_those_of_the_data_model);
    tcase_add_test(tcase, no_table_is_unknown);
    tcase_add_test(tcase, every_query_prepares);
    tcase_add_test(tcase, the_database_refuses_what_the_rules_exclude);
    tcase_add_test(tcase, a_deleted_member_takes_everything_along);
    tcase_add_test(tcase, other_roles_see_nothing);
    tcase_add_test(tcase, migrating_again_changes_nothing);
    tcase_add_test(tcase, heavy_queries_use_the_indexes);
    return run_suite(suite);
}
