/* SPDX-License-Identifier: Apache-2.0 */
/* mal bench data: a large team's year of work, made in the stack's own Postgres. */
#include "bench_data.h"

#include "base/clock.h"
#include "bench_data.sql.h"
#include "hub.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *bench_today(struct arena *arena)
{
    char text[TIMESTAMP_SIZE];

    clock_format(clock_wall_ms(), text);
    return arena_memdup(arena, text, strlen("YYYY-MM-DD"));
}

static void finish(PGconn **conn)
{
    PQfinish(*conn);
}

static void clear(PGresult **result)
{
    PQclear(*result);
}

static enum status failed(PGconn *conn, const char *what, struct error *err)
{
    return error_set(err, ST_INTERNAL, "%.40s: %.900s", what, PQerrorMessage(conn));
}

static enum status run(PGconn *conn, const char *sql, struct error *err)
{
    CLEANUP(clear) PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ST_OK : failed(conn, sql, err);
}

static enum status run_named(PGconn *conn, const struct query *query, struct error *err)
{
    CLEANUP(clear) PGresult *result = PQexec(conn, query->sql);

    return PQresultStatus(result) == PGRES_COMMAND_OK ? ST_OK : failed(conn, query->name, err);
}

static enum status set(struct arena *arena, PGconn *conn, const char *name, const char *value,
                       struct error *err)
{
    const char *values[] = {arena_printf(arena, "mal.%s", name), value};
    CLEANUP(clear)
    PGresult *result =
        PQexecParams(conn, "select set_config($1, $2, false)", 2, NULL, values, NULL, NULL, 0);

    return PQresultStatus(result) == PGRES_TUPLES_OK ? ST_OK : failed(conn, name, err);
}

static enum status set_number(struct arena *arena, PGconn *conn, const char *name, double number,
                              int least, struct error *err)
{
    int whole = (int)(number + 0.5);

    return set(arena, conn, name, arena_printf(arena, "%d", whole < least ? least : whole), err);
}

static enum status prepare(struct arena *arena, PGconn *conn, const struct bench_data *data,
                           struct error *err)
{
    CLEANUP(clear) PGresult *result = PQexec(conn, sql_bench_data_present->sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return failed(conn, "the hub's tables", err);
    if (PQgetvalue(result, 0, 0)[0] == 't')
        return error_set(err, ST_ALREADY_EXISTS, "the data set is there already");
    TRY(run(conn,
            "set client_min_messages = warning; set time zone 'UTC'; "
            "set synchronous_commit = off; set work_mem = '64MB'",
            err));
    TRY(set(arena, conn, "seed", data->seed, err));
    TRY(set(arena, conn, "today", data->today, err));
    TRY(set_number(arena, conn, "members", 200 * data->scale, 10, err));
    TRY(set_number(arena, conn, "projects", 100 * data->scale, 2, err));
    TRY(set_number(arena, conn, "interactions", 100000 * data->scale, 10, err));
    TRY(set_number(arena, conn, "contributions", 500000 * data->scale, 10, err));
    TRY(set_number(arena, conn, "skills", 2000 * data->scale, 10, err));
    TRY(set_number(arena, conn, "commands", 1000 * data->scale, 10, err));
    TRY(set_number(arena, conn, "subagents", 500 * data->scale, 10, err));
    return set_number(arena, conn, "calls", 200000 * data->scale, 10, err);
}

/* Statistics for the planner, and pages known to be visible. */
static enum status settle(PGconn *conn, struct error *err)
{
    CLEANUP(clear)
    PGresult *tables = PQexec(conn, "select format('vacuum analyze %I.%I', schemaname, relname) "
                                    "from pg_stat_user_tables "
                                    "where schemaname in ('catalog', 'sprint', 'gamify')");

    if (PQresultStatus(tables) != PGRES_TUPLES_OK)
        return failed(conn, "tables", err);
    for (int i = 0; i < PQntuples(tables); i++)
        TRY(run(conn, PQgetvalue(tables, i, 0), err));
    return ST_OK;
}

static enum status report_counts(PGconn *conn, int64_t ms, struct strbuf *report, struct error *err)
{
    CLEANUP(clear) PGresult *counts = PQexec(conn, sql_bench_data_counts->sql);

    if (PQresultStatus(counts) != PGRES_TUPLES_OK)
        return failed(conn, "counts", err);
    for (int i = 0; i < PQnfields(counts); i++)
        strbuf_printf(report, "%s%s %s", i ? ", " : "", PQfname(counts, i),
                      PQgetvalue(counts, 0, i));
    strbuf_printf(report, ", %.1f s\n", (double)ms / 1000);
    return ST_OK;
}

enum status bench_data_load(struct arena *arena, const char *pg_url, const struct bench_data *data,
                            struct strbuf *report, struct error *err)
{
    CLEANUP(finish) PGconn *conn = PQconnectdb(pg_url);
    int64_t start = clock_mono_ms();

    if (PQstatus(conn) != CONNECTION_OK)
        return error_set(err, ST_UNAVAILABLE, "the stack's database does not answer");
    TRY(prepare(arena, conn, data, err));
    TRY(run(conn, "begin", err));
    for (size_t i = 0; i < sql_bench_data_n_queries; i++) {
        const struct query *query = sql_bench_data_queries[i];

        if (query == sql_bench_data_present || query == sql_bench_data_counts)
            continue;
        TRY(run_named(conn, query, err));
    }
    TRY(run(conn, "commit", err));
    TRY(settle(conn, err));
    return report_counts(conn, clock_mono_ms() - start, report, err);
}

static const char data_help[] =
    "Usage: mal bench data [--scale F] [--seed TEXT] [--today DATE] [--dir DIR]\n\n"
    "Fills the running private stack with the work of a large team: 200 members, 100\n"
    "projects, 2,000 sprints, 200,000 work items, 500,000 contributions, 100,000\n"
    "conversations, a catalog of 3,500 entries and 200,000 calls in its log.\n\n"
    "  --scale F      so many times as much, 0.01 to 4 (default 1)\n"
    "  --seed TEXT    another set; the same seed makes the same rows (default 1)\n"
    "  --today DATE   the day on which they end (default today)\n"
    "  --dir DIR      folder of the private stack (default .mal)\n";

struct data_options {
    struct bench_data data;
    const char *dir;
    bool help;
};

static int parse(struct data_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--scale")))
            options->data.scale = strtod(value, NULL);
        else if ((value = cli_option(argc, argv, &i, "--seed")))
            options->data.seed = value;
        else if ((value = cli_option(argc, argv, &i, "--today")))
            options->data.today = value;
        else if ((value = cli_option(argc, argv, &i, "--dir")))
            options->dir = value;
        else if (cli_flag(argv[i], "--help"))
            options->help = true;
        else
            return cli_usage("bench data: '%s' is one word too many", argv[i]);
    }
    if (!(options->data.scale >= 0.01 && options->data.scale <= 4))
        return cli_usage("--scale takes a number from 0.01 to 4");
    if (!clock_date_valid(options->data.today))
        return cli_usage("--today takes a day such as 2026-03-02");
    return EXIT_DONE;
}

int cmd_bench_data(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(strbuf_done) struct strbuf report = STRBUF_INIT;
    struct data_options options = {.data = {.scale = 1, .seed = "1", .today = bench_today(&arena)}};
    struct error err = {0};
    const char *url;
    int code;

    code = parse(&options, argc, argv);
    if (code != EXIT_DONE)
        return code;
    if (options.help)
        return fputs(data_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
    if (hub_pg_url(&arena, options.dir, &url, &err) != ST_OK ||
        bench_data_load(&arena, url, &options.data, &report, &err) != ST_OK)
        return cli_fail(&err);
    return fputs(strbuf_cstr(&report), stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
}
