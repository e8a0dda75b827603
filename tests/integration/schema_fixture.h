/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a migrated schema is the one of the data model and every query fits
 * it, for test_*_schema. Include the service's fixture before. */
#pragma once

#include "handler_fixture.h"

#include <libpq-fe.h>

/* A table and its columns in their order: "column type", "!" where it is not
 * null, "= default"; types of the schema itself without its name. */
struct table {
    const char *name;
    const char *const *columns;
};

/* Every schema has these. */
static const char *const outbox_columns[] = {
    "id bigint! identity",
    "event_id uuid!",
    "subject text!",
    "payload bytea!",
    "actor text! = ''::text",
    "request_id text! = ''::text",
    "created_at timestamp with time zone! = now()",
    "published_at timestamp with time zone",
    NULL,
};
static const char *const inbox_columns[] = {
    "event_id uuid!",
    "seen_at timestamp with time zone! = now()",
    NULL,
};

static PGconn *db;

static inline void set_up_db(void)
{
    set_up();
    db = PQconnectdb(f->url);
    ck_assert_int_eq(PQstatus(db), CONNECTION_OK);
    PQclear(PQexec(db, "set search_path = " FIXTURE_SCHEMA ", public"));
}

static inline void tear_down_db(void)
{
    PQfinish(db);
    tear_down();
}

static inline void columns_are(const struct table *table)
{
    static const char sql[] =
        "select attname || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then '!'"
        " else '' end || case when attidentity <> '' then ' identity' when attgenerated <> '' then"
        " ' generated' else coalesce(' = ' || pg_get_expr(adbin, adrelid), '') end"
        " from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum"
        " where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum";
    const char *const *columns = table->columns;
    PGresult *result = PQexecParams(db, sql, 1, NULL, &table->name, NULL, NULL, 0);
    int n = 0;

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    for (; columns[n]; n++)
        ck_assert_str_eq(n < PQntuples(result) ? PQgetvalue(result, n, 0) : "(none)", columns[n]);
    ck_assert_int_eq(PQntuples(result), n);
    PQclear(result);
}

/* index is the table and what the index is made of, as pg_get_indexdef ends. */
static inline void index_is_there(const char *const index[2])
{
    static const char sql[] = "select count(*) from pg_index where indrelid = $1::regclass and"
                              " case when indisunique then 'UNIQUE ' else '' end ||"
                              " substring(pg_get_indexdef(indexrelid) from ' USING (.*)$') = $2";
    PGresult *result = PQexecParams(db, sql, 2, NULL, index, NULL, NULL, 0);

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    ck_assert_msg(strcmp(PQgetvalue(result, 0, 0), "1") == 0, "%s: %s", index[0], index[1]);
    PQclear(result);
}

/* The queries of one .sql file. */
struct noun {
    const struct query *const *queries;
    const size_t *n;
};

static inline void queries_prepare(const struct noun *noun)
{
    for (size_t k = 0; k < *noun->n; k++) {
        const struct query *q = noun->queries[k];
        PGresult *result = PQprepare(db, q->name, q->sql, 0, NULL);

        ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", q->name,
                      PQerrorMessage(db));
        PQclear(result);
        result = PQdescribePrepared(db, q->name);
        ck_assert_int_eq(PQnparams(result), q->params);
        PQclear(result);
    }
}

/* A constraint keeps the statement out. */
static inline void refuse(const char *sql)
{
    PGresult *result = PQexec(db, sql);

    ck_assert_msg(PQresultStatus(result) == PGRES_FATAL_ERROR, "%s was accepted", sql);
    ck_assert_int_eq(strncmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "23", 2), 0);
    PQclear(result);
}

static inline void hidden_from_others(const struct table *tables, size_t n)
{
    pg_server_sql(f->url, "create role stranger");
    PQclear(PQexec(db, "set role stranger"));
    for (size_t i = 0; i < n; i++) {
        PGresult *result = PQexec(
            db, arena_printf(&f->arena, "select from " FIXTURE_SCHEMA ".%s", tables[i].name));

        ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), "42501");
        PQclear(result);
    }
}

START_TEST(migrating_again_changes_nothing)
{
    struct error err = {0};

    ck_assert_int_eq(pg_migrate(f->conn, FIXTURE_SCHEMA, FIXTURE_OF(_migrations),
                                FIXTURE_OF(_n_migrations), &err),
                     ST_OK);
}
END_TEST

/* The plan of a query with those values, as EXPLAIN shows it. */
static inline const char *plan_of(const struct query *query, const char *values)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    PGresult *result = PQprepare(db, "heavy", query->sql, 0, NULL);

    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(db));
    PQclear(result);
    result =
        PQexec(db, arena_printf(&f->arena,
                                *values ? "explain execute heavy (%s)" : "explain execute heavy %s",
                                values));
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    for (int i = 0; i < PQntuples(result); i++)
        strbuf_printf(&buf, "%s\n", PQgetvalue(result, i, 0));
    PQclear(result);
    PQclear(PQexec(db, "deallocate heavy"));
    return arena_strdup(&f->arena, strbuf_cstr(&buf));
}
