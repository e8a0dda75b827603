/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench plans: runs the queries of the tools that read as they are in the
 * services' files, and looks at what the planner made of them. */
#include "bench_plans.h"

#include "hub.h"
#include "wire/json.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10, VALUES_MAX = 10, SMALL_TABLE = 1000, SHARE = 4 };

/* One way to call a query; values as they stand in EXECUTE. */
static const struct sample {
    const char *service, *query, *values;
} samples[] = {
    {"sprint", "work_item_list", "null,null,null,null,null,null,null,'{}',20,0"},
    {"sprint", "work_item_list", "null,null,null,null,null,null,null,'{}',100,500"},
    {"sprint", "work_item_list", "'bench-001-sprint-9',null,null,null,null,null,null,'{}',20,0"},
    {"sprint", "work_item_list", "null,'bench-001',null,null,null,null,null,'{}',20,0"},
    {"sprint", "work_item_list", "null,null,'bench-008',null,null,null,null,'{}',20,0"},
    {"sprint", "work_item_list", "null,null,null,'BABX-51',null,null,null,'{}',20,0"},
    {"sprint", "work_item_list", "null,null,null,null,'in_progress',null,null,'{}',20,0"},
    {"sprint", "work_item_list", "null,null,null,null,null,'bug',null,'{}',20,0"},
    {"sprint", "work_item_list", "null,null,null,null,null,null,'critical','{}',20,0"},
    {"sprint", "work_item_list", "null,null,null,null,null,null,null,'{blocked}',20,0"},
    {"sprint", "work_item_list", "null,'bench-001',null,null,'done','bug',null,'{api}',20,0"},
    {"sprint", "work_item_count", "'bench-001-sprint-9',null,null,null,null,null,null,'{}'"},
    {"sprint", "work_item_count", "null,'bench-001',null,null,null,null,null,'{}'"},
    {"sprint", "work_item_count", "null,null,'bench-008',null,null,null,null,'{}'"},
    {"sprint", "work_item_count", "null,null,null,null,null,null,null,'{blocked}'"},
    {"sprint", "work_item_count", "null,'bench-001',null,null,'done','bug',null,'{api}'"},
    {"sprint", "work_item_get", "'BABX-51'"},
    {"sprint", "work_item_children", "'BABX-51',50"},
    {"sprint", "work_item_history", "'BABX-51',20"},
    {"sprint", "work_item_interactions", "'BABX-51',10"},
    {"sprint", "sprint_get", "'bench-001-sprint-19'"},
    {"sprint", "sprint_list", "null,null,null,null,20,0"},
    {"sprint", "sprint_list", "'active',null,null,null,20,0"},
    {"sprint", "sprint_list", "null,'bench-001',null,null,20,0"},
    {"sprint", "sprint_count", "null,'bench-001',null,null"},
    {"sprint", "sprint_of_project", "'bench-001',50"},
    {"sprint", "sprint_items", "'bench-001-sprint-9',500"},
    {"sprint", "sprint_by_status", "'bench-001-sprint-9'"},
    {"sprint", "sprint_shares", "'bench-001-sprint-9'"},
    {"sprint", "project_list", "null,20,0"},
    {"sprint", "project_items", "'bench-001'"},
    {"sprint", "project_sprints_total", "'bench-001'"},
    {"sprint", "report_items", "'bench-001-sprint-19'"},
    {"sprint", "report_assignees", "'bench-001-sprint-19'"},
    {"sprint", "report_trend", "'bench-001-sprint-19','bench-001',null"},
    {"sprint", "retrospective_talk", "'bench-001-sprint-9'"},
    {"sprint", "retrospective_action_items", "'bench-001-sprint-9'"},
    {"sprint", "interaction_get", "'bench-17'"},
    {"sprint", "interaction_messages", "'bench-17'"},
    {"sprint", "interaction_list", "null,null,null,null,null,'{}',null,null,20,0"},
    {"sprint", "interaction_list", "'bench-008',null,null,null,null,'{}',null,null,20,0"},
    {"sprint", "interaction_list", "null,'bench-001-sprint-9',null,null,null,'{}',null,null,20,0"},
    {"sprint", "interaction_list", "null,null,'BABX-51',null,null,'{}',null,null,20,0"},
    {"sprint", "interaction_list", "null,null,null,'bench-session-7',null,'{}',null,null,20,0"},
    {"sprint", "interaction_list", "null,null,null,null,null,'{planning}',null,null,20,0"},
    {"sprint", "interaction_list",
     "null,null,null,null,null,'{}',current_date - 9,current_date - 2,20,0"},
    {"sprint", "interaction_count", "'bench-008',null,null,null,null,'{}',null,null"},
    {"sprint", "interaction_count", "null,'bench-001-sprint-9',null,null,null,'{}',null,null"},
    {"sprint", "interaction_count",
     "null,null,null,null,null,'{}',current_date - 9,current_date - 2"},
    {"sprint", "interaction_search", "'\"account alert\"',null,'{}',null,null,20,0"},
    {"sprint", "interaction_search", "'kernel8 quota',null,'{}',null,null,20,0"},
    {"sprint", "interaction_search", "'account',null,'{}',null,null,20,0"},
    {"sprint", "interaction_search", "'account','bench-008','{}',null,null,20,0"},
    {"sprint", "interaction_search_count", "'account',null,'{}',null,null"},
    {"sprint", "interaction_search_count", "'kernel8 quota',null,'{}',null,null"},
    {"sprint", "decision_list", "null,null,null,null,null,20,0"},
    {"sprint", "decision_list", "'kernel quota',null,null,null,null,20,0"},
    {"sprint", "decision_list", "null,'bench-008',null,null,null,20,0"},
    {"sprint", "decision_count", "'kernel quota',null,null,null,null"},
    {"sprint", "tally_total", "'work_item',null,null,null"},
    {"sprint", "tally_entities", NULL},
    {"gamify", "member_list", "20,0"},
    {"gamify", "member_get", "'bench-008'"},
    {"gamify", "member_rank", "5000"},
    {"gamify", "member_contributions", "'bench-008'"},
    {"gamify", "member_achievements", "'bench-008'"},
    {"gamify", "radar_counts", "'bench-008','{mal_health_check}','{mal_get_audit_log}','{}'"},
    {"gamify", "leaderboard_all", "20,0"},
    {"gamify", "leaderboard_project", "'bench-001',20,0"},
    {"gamify", "leaderboard_project_count", "'bench-001'"},
    {"gamify", "leaderboard_days", "current_date - 6,current_date,null,20,0"},
    {"gamify", "leaderboard_days", "current_date - 13,current_date,'bench-001',20,0"},
    {"gamify", "leaderboard_days_count", "current_date - 6,current_date,null"},
    {"gamify", "achievement_list", "'bench-008',null"},
    {"catalog", "audit_page", "null,null,null,null,null,0,20"},
    {"catalog", "audit_page", "null,null,null,null,null,15000,100"},
    {"catalog", "audit_page", "'mal_get_sprint','key-8',false,null,null,0,20"},
    {"catalog", "audit_page", "null,null,true,current_date - 9,current_date - 2,0,20"},
    {"catalog", "audit_list", "null,null,null,null,current_date - 1,current_date,20,0"},
    {"catalog", "audit_list", "null,null,null,false,current_date - 3,current_date,20,0"},
    {"catalog", "audit_list", "null,'key-8',null,true,current_date - 9,current_date,20,0"},
    {"catalog", "audit_list", "'mal_get_sprint',null,null,null,current_date - 1,current_date,20,0"},
    {"catalog", "audit_list",
     "'mal_get_sprint','key-8',null,null,current_date - 9,current_date,20,0"},
    {"catalog", "audit_list", "null,null,'bench-skill-7',null,null,null,20,0"},
    {"catalog", "audit_list", "'mal_get_skill','key-8','bench-skill-7',true,null,null,20,0"},
    {"catalog", "audit_count", "null,null,'bench-skill-7',null,null,null"},
    {"catalog", "audit_count", "'mal_get_skill','key-8','bench-skill-7',true,null,null"},
    {"catalog", "audit_tools", "now() - interval '7 days'"},
    {"catalog", "audit_tools", "now() - interval '30 days'"},
    {"catalog", "audit_points", "'day',now() - interval '7 days',null"},
    {"catalog", "audit_points", "'hour',now() - interval '7 days','mal_get_sprint'"},
    {"catalog", "audit_points_of", "'day',now() - interval '7 days',null,'key-8',null"},
    {"catalog", "audit_points_of", "'day',now() - interval '7 days',null,null,'bench-skill-7'"},
    {"catalog", "audit_callers", "now() - interval '7 days',null"},
    {"catalog", "audit_callers", "now() - interval '7 days','mal_get_sprint'"},
    {"catalog", "audit_callers_of", "now() - interval '7 days',null,null,'bench-skill-7'"},
    {"catalog", "skill_get", "'bench-skill-7'"},
    {"catalog", "skill_list", "null,'{}',20,0"},
    {"catalog", "skill_list", "'devops','{}',20,0"},
    {"catalog", "skill_list", "null,'{backend}',20,0"},
    {"catalog", "skill_page", "'bench-skill-7','',201"},
    {"catalog", "skill_page", "'','bench-skill-7',101"},
    {"catalog", "skill_count", "'devops','{}'"},
    {"catalog", "skill_unknown", "'{bench-skill-7,no-such}'"},
    {"catalog", "command_get", "'bench-command-7'"},
    {"catalog", "command_list", "null,'{}',20,0"},
    {"catalog", "command_page", "'bench-command-7',201"},
    {"catalog", "command_count", "'git','{}'"},
    {"catalog", "subagent_get", "'bench-subagent-7'"},
    {"catalog", "subagent_list", "'{}',20,0"},
    {"catalog", "subagent_page", "'bench-subagent-7',201"},
    {"catalog", "mcp_list", "null,'{}',20,0"},
    {"catalog", "mcp_count", "'active','{}'"},
    {"catalog", "search_hits", "'kernel8 quota',null,20,0,false"},
    {"catalog", "search_hits", "'account',null,20,0,false"},
    {"catalog", "search_hits", "'account','skills',20,0,true"},
    {"catalog", "search_totals", "'account'"},
    {"catalog", "stats_totals", NULL},
};

/* Tables that grow with use: what reads one does so by an index, and not all of
 * it. Small ones are read whole by any planner. What is registered one by one
 * (projects, members, skills) does not grow with use. */
static const char *const growing[] = {
    "sprint",
    "work_item",
    "work_item_change",
    "interaction",
    "interaction_message",
    "interaction_link",
    "decision",
    "contribution",
    "day_points",
    "project_points",
    "tool_use",
    "user_achievement",
    "usage_log",
    "usage_day",
    "usage_time",
};

struct plan {
    const struct sample *sample;
    double ms;
    const char *nodes;  /* what it reads, and how */
    const char *faults; /* "" = none */
};

struct bench_db {
    struct arena *arena;
    PGconn *conn;
};

static void done(struct bench_db *db)
{
    PQfinish(db->conn);
}

static void clear(PGresult **result)
{
    PQclear(*result);
}

static enum status run(struct bench_db *db, const char *sql, const char **ret_text,
                       struct error *err)
{
    CLEANUP(clear) PGresult *result = PQexec(db->conn, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return error_set(err, ST_INTERNAL, "%.100s: %.600s", sql, PQerrorMessage(db->conn));
    if (ret_text)
        *ret_text = arena_strdup(db->arena, PQgetvalue(result, 0, 0));
    return ST_OK;
}

/* ---- the services' files ---------------------------------------------------- */

/* The text of a query in services/<service>/<noun>.sql, where <noun> is the
 * longest beginning of its name that is a file. */
static enum status query_text(struct arena *arena, const struct sample *sample,
                              const char **ret_sql, bool *ret_replan, struct error *err)
{
    const char *mark = arena_printf(arena, "-- name: %s ", sample->query), *found = NULL;
    char *text = NULL, *body, *end;

    for (size_t len = strlen(sample->query); len > 0 && !found; len--) {
        const char *path;

        if (sample->query[len] && sample->query[len] != '_')
            continue;
        path = cli_share(arena, arena_printf(arena, "services/%s/%.*s.sql", sample->service,
                                             (int)len, sample->query));
        text = path ? cli_read_file(arena, path, &(size_t){0}) : NULL;
        found = text ? strstr(text, mark) : NULL;
    }
    if (!found)
        return error_set(err, ST_NOT_FOUND,
                         "no query %s in services/%s: bench runs from a checkout", sample->query,
                         sample->service);
    body = strchr(found, '\n');
    *ret_replan = strstr(arena_memdup(arena, found, (size_t)(body - found)), ":replan") != NULL;
    end = strstr(body, "\n-- name: ");
    *ret_sql = arena_memdup(arena, body, end ? (size_t)(end - body) : strlen(body));
    return ST_OK;
}

/* ---- plans ------------------------------------------------------------------ */

static bool is_growing(const char *table)
{
    for (size_t i = 0; i < ARRAY_SIZE(growing); i++)
        if (strcmp(growing[i], table) == 0)
            return true;
    return false;
}

static double number(const struct json *json, const struct json_node *node, const char *key)
{
    double value = 0;
    const struct json_node *found = json_get(json, node, key);

    return found && json_double(json, found, &value) ? value : 0;
}

static enum status table_rows(struct bench_db *db, const char *service, const char *table,
                              double *ret_rows, struct error *err)
{
    const char *text = "";

    TRY(run(db,
            arena_printf(db->arena, "select reltuples from pg_class where oid = '%s.%s'::regclass",
                         service, table),
            &text, err));
    *ret_rows = strtod(text, NULL);
    return ST_OK;
}

/* What a query reads, and what it reads too much of. */
struct reading {
    struct strbuf nodes, faults;
};

static void reading_done(struct reading *reading)
{
    strbuf_done(&reading->nodes);
    strbuf_done(&reading->faults);
}

/* A node that reads a table: noted, and blamed when it reads too much of it. */
static enum status read_node(struct bench_db *db, const char *service, const struct json *json,
                             const struct json_node *node, struct reading *reading,
                             struct error *err)
{
    const char *type = json_text(db->arena, json, json_get(json, node, "Node Type"));
    const char *table = json_text(db->arena, json, json_get(json, node, "Relation Name"));
    const char *index = json_text(db->arena, json, json_get(json, node, "Index Name"));
    double rows, visited = (number(json, node, "Actual Rows") +
                            number(json, node, "Rows Removed by Filter") +
                            number(json, node, "Rows Removed by Index Recheck")) *
                           number(json, node, "Actual Loops");
    struct strbuf *nodes = &reading->nodes, *faults = &reading->faults;
    bool whole;

    if (index)
        strbuf_printf(nodes, "%s%s", nodes->len ? ", " : "", index);
    if (!table || !is_growing(table))
        return ST_OK;
    TRY(table_rows(db, service, table, &rows, err));
    whole = strcmp(type, "Seq Scan") == 0;
    if (whole)
        strbuf_printf(nodes, "%sall of %s", nodes->len ? ", " : "", table);
    if (rows >= SMALL_TABLE && (whole || visited * SHARE > rows))
        strbuf_printf(faults, "%s%s reads %.0f of the %.0f rows of %s", faults->len ? "; " : "",
                      type, visited, rows, table);
    return ST_OK;
}

static enum status explain(struct bench_db *db, const struct sample *sample, struct plan *plan,
                           struct error *err)
{
    CLEANUP(reading_done) struct reading reading = {STRBUF_INIT, STRBUF_INIT};
    const char *sql = "", *text = "", *values = sample->values ? sample->values : "";
    struct json json;
    bool replan = false;

    TRY(query_text(db->arena, sample, &sql, &replan, err));
    /* As lib/pg sends it: planned for its values, or once for all. */
    TRY(run(db,
            arena_printf(db->arena,
                         "set search_path = %s, public; set jit = off; set random_page_cost = 1.1; "
                         "set plan_cache_mode = %s; deallocate all; prepare sample as %s",
                         sample->service, replan ? "force_custom_plan" : "force_generic_plan", sql),
            NULL, err));
    sql = arena_printf(db->arena, "explain (analyze, format json) execute sample%s%s%s",
                       *values ? "(" : "", values, *values ? ")" : "");
    TRY(run(db, sql, NULL, err)); /* once before, to have it in memory */
    TRY(run(db, sql, &text, err));
    TRY(json_parse(db->arena, text, strlen(text), NULL, &json, err));
    for (uint32_t i = 0; i < json.n_nodes; i++) {
        const struct json_node *node = &json.nodes[i];

        if (node->type != JSON_T_OBJECT)
            continue;
        if (json_get(&json, node, "Execution Time"))
            plan->ms = number(&json, node, "Execution Time") + number(&json, node, "Planning Time");
        if (json_get(&json, node, "Node Type"))
            TRY(read_node(db, sample->service, &json, node, &reading, err));
    }
    plan->sample = sample;
    plan->nodes = arena_strdup(db->arena, strbuf_cstr(&reading.nodes));
    plan->faults = arena_strdup(db->arena, strbuf_cstr(&reading.faults));
    return ST_OK;
}

static int slowest_first(const void *a, const void *b)
{
    const struct plan *x = a, *y = b;

    return x->ms > y->ms ? -1 : x->ms < y->ms;
}

enum status bench_plans(struct arena *arena, const char *pg_url, struct strbuf *report,
                        struct error *err)
{
    CLEANUP(done) struct bench_db db = {arena, PQconnectdb(pg_url)};
    struct plan plans[ARRAY_SIZE(samples)] = {0};
    int faults = 0;

    if (PQstatus(db.conn) != CONNECTION_OK)
        return error_set(err, ST_UNAVAILABLE, "the stack's database does not answer");
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        TRY(explain(&db, &samples[i], &plans[i], err));
        faults += *plans[i].faults != '\0';
    }
    qsort(plans, ARRAY_SIZE(plans), sizeof(plans[0]), slowest_first);
    strbuf_printf(report, "The slowest of %zu queries (ms with planning; indexes read)\n",
                  ARRAY_SIZE(plans));
    for (size_t i = 0; i < ARRAY_SIZE(plans); i++)
        if (i < SHOWN || *plans[i].faults)
            strbuf_printf(report, "  %8.2f  %s (%s)\n            %s%s%s\n", plans[i].ms,
                          plans[i].sample->query,
                          plans[i].sample->values ? plans[i].sample->values : "", plans[i].nodes,
                          *plans[i].faults ? "\n            WRONG: " : "", plans[i].faults);
    if (faults)
        return error_set(err, ST_FAILED_PRECONDITION,
                         "%d queries read a table that grows with use from end to end", faults);
    return ST_OK;
}

static const char plans_help[] =
    "Usage: mal bench plans [--dir DIR]\n\n"
    "Runs the queries of the tools that read on the data set of mal bench data, and\n"
    "fails when one reads a table that grows with use from end to end.\n";

int cmd_bench_plans(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(strbuf_done) struct strbuf report = STRBUF_INIT;
    struct error err = {0};
    const char *dir = NULL, *url, *value;
    enum status status;

    for (int i = 1; i < argc; i++) {
        if ((value = cli_option(argc, argv, &i, "--dir")))
            dir = value;
        else if (cli_flag(argv[i], "--help"))
            return fputs(plans_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            return cli_usage("bench plans: '%s' is one word too many", argv[i]);
    }
    if (hub_pg_url(&arena, dir, &url, &err) != ST_OK)
        return cli_fail(&err);
    status = bench_plans(&arena, url, &report, &err);
    (void)fputs(strbuf_cstr(&report), stdout);
    return status == ST_OK ? EXIT_DONE : cli_fail(&err);
}
