/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations: forward only, each in its transaction, one process at a time.
 * The tables every schema has (outbox, inbox) are migrations of this folder,
 * recorded beside those of the service under the component 'mal'. */
#include "pg/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"

enum { MIGRATE_TIMEOUT_MS = 600000 };

static const struct migration common[] = {
    {.number = 1,
     .name = "outbox_inbox",
     .sql = "create table outbox ("
            "  id bigint generated always as identity primary key,"
            "  event_id uuid not null unique,"
            "  subject text not null,"
            "  payload bytea not null,"
            "  actor text not null default '',"
            "  request_id text not null default '',"
            "  created_at timestamptz not null default now(),"
            "  published_at timestamptz);"
            "create index outbox_waiting on outbox (id) where published_at is null;"
            "create index outbox_published on outbox (published_at)"
            "  where published_at is not null;"
            "create table inbox ("
            "  event_id uuid primary key,"
            "  seen_at timestamptz not null default now());"
            "create index inbox_seen on inbox (seen_at);"},
};

struct migrator {
    struct pg_conn *conn;
    const char *schema;
    struct error *err;
    PGresult *applied; /* component, number, sha256 */
};

static void migrator_done(struct migrator *m)
{
    PQclear(m->applied);
}

/* Runs one or many statements; *ret_result may be NULL. */
static enum status run(struct migrator *m, const char *sql, PGresult **ret_result)
{
    PGresult *result = NULL;
    enum status status = conn_simple(m->conn, sql, clock_mono_ms() + MIGRATE_TIMEOUT_MS, &result);

    if (status != ST_OK) {
        error_set(m->err, status, "Postgres cannot be reached");
    } else if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

        status =
            sqlstate_status(PQresultErrorField(result, PG_DIAG_SQLSTATE), message, TX_READ_WRITE);
        if (status != ST_UNAVAILABLE)
            status = ST_INTERNAL;
        error_set(m->err, status, "%s", message ? message : PQresultErrorMessage(result));
    }
    if (status == ST_OK && ret_result)
        *ret_result = TAKE(result);
    PQclear(result);
    return status;
}

/* Runs a format with one quoted text in it. */
static enum status run_quoted(struct migrator *m, const char *fmt, bool identifier,
                              const char *text, PGresult **ret_result)
{
    CLEANUP(strbuf_done) struct strbuf sql = STRBUF_INIT;
    const char *gap = strchr(fmt, '?');
    char *quoted = identifier ? PQescapeIdentifier(m->conn->db, text, strlen(text))
                              : PQescapeLiteral(m->conn->db, text, strlen(text));

    if (!quoted)
        return error_set(m->err, ST_INTERNAL, "'%s' cannot be quoted", text);
    strbuf_add(&sql, fmt, (size_t)(gap - fmt));
    strbuf_str(&sql, quoted);
    strbuf_str(&sql, gap + 1);
    PQfreemem(quoted);
    return run(m, strbuf_cstr(&sql), ret_result);
}

static enum status make_schema(struct migrator *m)
{
    PGresult *found = NULL;
    bool exists;

    TRY(run_quoted(m, "select 1 from pg_namespace where nspname = ?", false, m->schema, &found));
    exists = PQntuples(found) > 0;
    PQclear(found);
    if (!exists)
        TRY(run_quoted(m, "create schema ?", true, m->schema, NULL));
    TRY(run_quoted(m, "set search_path to ?", true, m->schema, NULL));
    TRY(run(m,
            "create table if not exists migration (component text not null, number int not null,"
            " name text not null, sha256 text not null,"
            " applied_at timestamptz not null default now(), primary key (component, number))",
            NULL));
    return run(m, "select component, number, sha256 from migration", &m->applied);
}

/* Row of a migration in what is applied, -1 when it is not. */
static int find_applied(const struct migrator *m, const char *component, int number)
{
    for (int i = 0; i < PQntuples(m->applied); i++)
        if (strcmp(PQgetvalue(m->applied, i, 0), component) == 0 &&
            strtol(PQgetvalue(m->applied, i, 1), NULL, 10) == number)
            return i;
    return -1;
}

static enum status checksum(struct migrator *m, const struct migration *migration, char sha256[65])
{
    PGresult *result = NULL;

    if (migration->sha256) {
        (void)snprintf(sha256, 65, "%s", migration->sha256);
        return ST_OK;
    }
    TRY(run_quoted(m, "select encode(sha256(convert_to(?, 'UTF8')), 'hex')", false, migration->sql,
                   &result));
    (void)snprintf(sha256, 65, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return ST_OK;
}

static enum status record(struct migrator *m, const char *component,
                          const struct migration *migration, const char *sha256)
{
    char fmt[256];

    (void)snprintf(
        fmt, sizeof(fmt),
        "insert into migration (component, number, name, sha256) values ('%s', %d, ?, '%.64s')",
        component, migration->number, sha256);
    return run_quoted(m, fmt, false, migration->name, NULL);
}

static enum status apply(struct migrator *m, const char *component,
                         const struct migration *migration, const char *sha256)
{
    enum status status;

    TRY(run(m, "begin", NULL));
    m->conn->in_tx = true; /* no connecting anew in between */
    status = run(m, migration->sql, NULL);
    if (status == ST_OK)
        status = record(m, component, migration, sha256);
    if (status == ST_OK)
        status = run(m, "commit", NULL);
    pg_conn_settle(m->conn);
    if (status == ST_OK)
        log_info("migrated schema %s to %04d_%s", m->schema, migration->number, migration->name);
    return status;
}

static enum status apply_missing(struct migrator *m, const char *component,
                                 const struct migration *migrations, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct migration *migration = &migrations[i];
        char why[512], sha256[65];
        enum status status;
        int row;

        if (i && migration->number <= migrations[i - 1].number)
            return error_set(m->err, ST_INTERNAL, "migration %04d_%s is out of order",
                             migration->number, migration->name);
        TRY(checksum(m, migration, sha256));
        row = find_applied(m, component, migration->number);
        if (row >= 0 && strcmp(PQgetvalue(m->applied, row, 2), sha256) != 0)
            return error_set(m->err, ST_FAILED_PRECONDITION,
                             "migration %04d_%s of schema %s was applied with other contents; "
                             "applied migrations must never be edited, add a new one",
                             migration->number, migration->name, m->schema);
        if (row >= 0)
            continue;
        status = apply(m, component, migration, sha256);
        if (status != ST_OK && m->err) {
            (void)snprintf(why, sizeof(why), "%.500s", m->err->message);
            error_set(m->err, status, "migration %04d_%s of schema %s: %s", migration->number,
                      migration->name, m->schema, why);
        }
        TRY(status);
    }
    return ST_OK;
}

/* A newer process was here: its schema is the wider one, so it is left alone. */
static void warn_of_newer(const struct migrator *m, const struct migration *migrations, size_t n)
{
    for (int i = 0; i < PQntuples(m->applied); i++) {
        long number = strtol(PQgetvalue(m->applied, i, 1), NULL, 10);

        if (strcmp(PQgetvalue(m->applied, i, 0), "service") == 0 &&
            (n == 0 || number > migrations[n - 1].number))
            log_warn("schema %s has migration %04ld, which this version does not know", m->schema,
                     number);
    }
}

static enum status migrate(struct migrator *m, const struct migration *migrations, size_t n)
{
    TRY(make_schema(m));
    TRY(apply_missing(m, "mal", common, ARRAY_SIZE(common)));
    TRY(apply_missing(m, "service", migrations, n));
    warn_of_newer(m, migrations, n);
    return ST_OK;
}

enum status pg_migrate(struct pg_conn *conn, const char *schema, const struct migration *migrations,
                       size_t n, struct error *err)
{
    CLEANUP(migrator_done) struct migrator m = {.conn = conn, .schema = schema, .err = err};
    enum status status;

    TRY(run(&m, "set statement_timeout to 0", NULL));
    TRY(run_quoted(&m, "select pg_advisory_lock(hashtextextended('mal.migrate.' || ?, 0))", false,
                   schema, NULL));
    status = migrate(&m, migrations, n);
    /* The session goes, and with it the lock and the settings made for this. */
    if (conn->db)
        conn_disconnect(conn);
    return status;
}
