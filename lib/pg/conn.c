/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that mends itself: opened at first use, closed when the server
 * goes away, opened again with backoff. Nothing is ever sent twice. */
#include "pg/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { BACKOFF_FIRST_MS = 50, BACKOFF_LAST_MS = 1000, STATEMENT_TIMEOUT_MS = 30000 };

static struct {
    atomic_llong conns, up, connects, lost, queries, failures;
} counters;

void count_query(void)
{
    atomic_fetch_add_explicit(&counters.queries, 1, memory_order_relaxed);
}

void count_failure(void)
{
    atomic_fetch_add_explicit(&counters.failures, 1, memory_order_relaxed);
}

void pg_stats(struct pg_stats *ret_stats)
{
    *ret_stats = (struct pg_stats){
        .connections = counters.conns,
        .up = counters.up,
        .connects = counters.connects,
        .lost = counters.lost,
        .queries = counters.queries,
        .failures = counters.failures,
    };
}

static char *dup_or_null(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        abort();
    return copy;
}

enum status pg_conn_new(struct pg_conn **ret_conn, const struct pg_options *options,
                        struct error *err)
{
    PQconninfoOption *parsed = PQconninfoParse(options->url, NULL);
    struct pg_conn *conn;

    if (!parsed)
        return error_set(err, ST_INVALID_ARGUMENT, "the Postgres URL cannot be read");
    PQconninfoFree(parsed);
    conn = calloc(1, sizeof(*conn));
    if (!conn)
        abort();
    conn->url = dup_or_null(options->url);
    conn->schema = dup_or_null(options->schema);
    conn->app = dup_or_null(options->app);
    conn->statement_timeout_ms =
        options->statement_timeout_ms > 0 ? options->statement_timeout_ms : STATEMENT_TIMEOUT_MS;
    conn->backoff_ms = BACKOFF_FIRST_MS;
    atomic_fetch_add(&counters.conns, 1);
    *ret_conn = conn;
    return ST_OK;
}

void conn_disconnect(struct pg_conn *conn)
{
    if (conn->db) {
        PQfinish(conn->db);
        atomic_fetch_sub(&counters.up, 1);
    }
    conn->db = NULL;
    conn->dying = conn->renew = false;
    conn_forget_session(conn);
}

void pg_conn_free(struct pg_conn *conn)
{
    if (!conn)
        return;
    conn_disconnect(conn);
    free(conn->statements);
    free(conn->channels);
    free(conn->url);
    free(conn->schema);
    free(conn->app);
    free(conn);
    atomic_fetch_sub(&counters.conns, 1);
}

bool pg_conn_up(const struct pg_conn *conn)
{
    return conn->db && PQstatus(conn->db) == CONNECTION_OK;
}

unsigned pg_conn_generation(const struct pg_conn *conn)
{
    return conn->generation;
}

/* libpq's words end with a line feed and may have several lines. */
static void first_line(const char *text, char *out, size_t size)
{
    size_t len = strcspn(text, "\n");

    (void)snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), text);
}

void conn_lost(struct pg_conn *conn, const char *why)
{
    char line[256];

    first_line(why, line, sizeof(line));
    if (!conn->complained)
        log_warn("Postgres: connection lost: %s", line);
    conn->complained = true;
    atomic_fetch_add(&counters.lost, 1);
    conn_disconnect(conn);
    conn->tx_lost = conn->in_tx;
    conn->retry_at_ms = 0;
    conn->backoff_ms = BACKOFF_FIRST_MS;
}

static enum status connect_failed(struct pg_conn *conn, const char *why)
{
    char line[256];

    first_line(why, line, sizeof(line));
    if (!conn->complained)
        log_warn("Postgres: cannot connect: %s", line);
    conn->complained = true;
    conn_disconnect(conn);
    conn->retry_at_ms = clock_mono_ms() + conn->backoff_ms;
    conn->backoff_ms =
        conn->backoff_ms < BACKOFF_LAST_MS / 2 ? conn->backoff_ms * 2 : BACKOFF_LAST_MS;
    return ST_UNAVAILABLE;
}

/* Waits for the socket; false at the deadline. */
static bool wait_socket(PGconn *db, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct pollfd fd = {.fd = PQsocket(db), .events = events};
        int n;

        if (left <= 0 || fd.fd < 0)
            return false;
        n = poll(&fd, 1, (int)(left < INT32_MAX ? left : INT32_MAX));
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* Between queries the server speaks only to say that it ends the session. */
static void notice(void *arg, const PGresult *result)
{
    struct pg_conn *conn = arg;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (state && (strncmp(state, "57P", 3) == 0 || strcmp(state, "25P03") == 0))
        conn->dying = true;
}

static enum status open_socket(struct pg_conn *conn, int64_t deadline_ms)
{
    const char *keys[] = {"dbname", "application_name", "client_encoding", "tcp_user_timeout",
                          NULL};
    const char *values[] = {conn->url, conn->app, "UTF8", "10000", NULL};
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    conn->db = PQconnectStartParams(keys, values, 1);
    if (!conn->db)
        abort();
    atomic_fetch_add(&counters.up, 1);
    if (PQstatus(conn->db) == CONNECTION_BAD)
        return connect_failed(conn, PQerrorMessage(conn->db));
    while (state != PGRES_POLLING_OK) {
        if (!wait_socket(conn->db, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms))
            return connect_failed(conn, "no answer in time");
        state = PQconnectPoll(conn->db);
        if (state == PGRES_POLLING_FAILED)
            return connect_failed(conn, PQerrorMessage(conn->db));
    }
    PQsetNoticeReceiver(conn->db, notice, conn);
    return PQsetnonblocking(conn->db, 1) ? connect_failed(conn, "non-blocking mode") : ST_OK;
}

/* What every query relies on: whose tables, which form dates and times have. */
static enum status set_session(struct pg_conn *conn, int64_t deadline_ms)
{
    char sql[512];
    char *schema = PQescapeIdentifier(conn->db, conn->schema ? conn->schema : "public",
                                      strlen(conn->schema ? conn->schema : "public"));
    PGresult *result = NULL;
    enum status status;
    bool ok;

    (void)snprintf(
        sql, sizeof(sql),
        "set search_path to %s; set timezone to 'UTC'; set datestyle to 'ISO, YMD';"
        /* Data are in memory or on flash: the default, made for spinning disks,
         * reads tables from end to end where an index is many times faster. */
        " set random_page_cost to 1.1;"
        "set client_min_messages to warning; set bytea_output to 'hex'; set jit to off; set "
        "statement_timeout to %lld;"
        "set idle_in_transaction_session_timeout to 60000",
        schema, (long long)conn->statement_timeout_ms);
    PQfreemem(schema);
    if (!PQsendQuery(conn->db, sql))
        return connect_failed(conn, PQerrorMessage(conn->db));
    status = conn_wait(conn, deadline_ms, &result);
    if (status != ST_OK)
        return connect_failed(conn, "the session could not be set up");
    ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        status = connect_failed(conn, PQresultErrorMessage(result));
    PQclear(result);
    return status;
}

static enum status conn_connect(struct pg_conn *conn, int64_t deadline_ms)
{
    int64_t now = clock_mono_ms();

    if (now < conn->retry_at_ms)
        return ST_UNAVAILABLE;
    if (deadline_ms > now + PG_CONNECT_TIMEOUT_MS)
        deadline_ms = now + PG_CONNECT_TIMEOUT_MS;
    TRY(open_socket(conn, deadline_ms));
    TRY(set_session(conn, deadline_ms));
    if (conn->complained)
        log_info("Postgres: connected again");
    conn->complained = false;
    conn->backoff_ms = BACKOFF_FIRST_MS;
    conn->generation++;
    atomic_fetch_add(&counters.connects, 1);
    return ST_OK;
}

/* Whether the idle connection was closed by the other side. Asked before each
 * query, so that a restart of the server between two calls costs no call. */
static bool went_away(struct pg_conn *conn)
{
    struct pollfd fd = {.fd = PQsocket(conn->db), .events = POLLIN};

    while (poll(&fd, 1, 0) > 0) {
        if (!PQconsumeInput(conn->db) || PQstatus(conn->db) == CONNECTION_BAD)
            return true;
        (void)PQisBusy(conn->db); /* parses what came */
    }
    return conn->dying || PQstatus(conn->db) == CONNECTION_BAD;
}

enum status conn_ensure(struct pg_conn *conn, int64_t deadline_ms)
{
    if (conn->tx_lost)
        return ST_UNAVAILABLE;
    if (conn->db && conn->renew && !conn->in_tx)
        conn_disconnect(conn);
    if (conn->db) {
        if (conn->in_tx || !went_away(conn))
            return ST_OK;
        conn_lost(conn, "closed by the server while idle");
    }
    return conn_connect(conn, deadline_ms);
}

static void cancel(PGconn *db)
{
    PGcancel *handle = PQgetCancel(db);
    char why[256];

    if (handle)
        (void)PQcancel(handle, why, sizeof(why));
    PQfreeCancel(handle);
}

/* Takes what is there; keeps the last result, or the first that failed. */
static bool take_results(PGconn *db, PGresult **result)
{
    while (!PQisBusy(db)) {
        PGresult *next = PQgetResult(db);
        ExecStatusType kind = PQresultStatus(next);

        if (!next)
            return true;
        if (*result && PQresultStatus(*result) == PGRES_FATAL_ERROR) {
            PQclear(next);
            continue;
        }
        PQclear(*result);
        *result = next;
        if (kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT || kind == PGRES_COPY_BOTH)
            return true; /* never asked for; the caller gives up on the session */
        if (PQstatus(db) == CONNECTION_BAD)
            return true;
    }
    return false;
}

enum status conn_wait(struct pg_conn *conn, int64_t deadline_ms, PGresult **ret_result)
{
    PGresult *result = NULL;
    bool cancelled = false;

    *ret_result = NULL;
    for (;;) {
        int unsent = PQflush(conn->db);

        if (unsent < 0)
            break;
        if (unsent == 0 && take_results(conn->db, &result)) {
            if (PQstatus(conn->db) == CONNECTION_BAD && PQresultStatus(result) == PGRES_FATAL_ERROR)
                conn_lost(conn, PQresultErrorMessage(result));
            *ret_result = result;
            return result ? ST_OK : ST_UNAVAILABLE;
        }
        if (!wait_socket(conn->db, (short)(POLLIN | (unsent ? POLLOUT : 0)), deadline_ms)) {
            if (cancelled) {
                PQclear(result);
                conn_lost(conn, "no answer to a cancelled query");
                return ST_DEADLINE_EXCEEDED;
            }
            cancel(conn->db);
            cancelled = true;
            deadline_ms = clock_mono_ms() + PG_GRACE_MS;
            continue;
        }
        if (!PQconsumeInput(conn->db))
            break;
    }
    /* The server's last words may have come before the end. */
    (void)take_results(conn->db, &result);
    conn_lost(conn, PQerrorMessage(conn->db));
    *ret_result = result;
    return result ? ST_OK : ST_UNAVAILABLE;
}

void pg_conn_break(struct pg_conn *conn, int n, bool reply)
{
    conn->break_in = n;
    conn->break_reply = reply;
}

void conn_before_send(struct pg_conn *conn)
{
    if (conn->break_in > 0 && --conn->break_in == 0)
        (void)shutdown(PQsocket(conn->db), conn->break_reply ? SHUT_RD : SHUT_RDWR);
}

enum status conn_simple(struct pg_conn *conn, const char *sql, int64_t deadline_ms,
                        PGresult **ret_result)
{
    *ret_result = NULL;
    TRY(conn_ensure(conn, deadline_ms));
    conn_before_send(conn);
    if (!PQsendQuery(conn->db, sql)) {
        conn_lost(conn, PQerrorMessage(conn->db));
        return ST_UNAVAILABLE;
    }
    return conn_wait(conn, deadline_ms, ret_result);
}

enum status pg_conn_check(struct pg_conn *conn, int64_t *ret_us)
{
    int64_t start = clock_mono_us();
    PGresult *result = NULL;
    enum status status = conn_simple(conn, "select 1", clock_mono_ms() + PG_GRACE_MS, &result);

    if (status == ST_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        status = ST_UNAVAILABLE;
    PQclear(result);
    if (ret_us)
        *ret_us = clock_mono_us() - start;
    return status;
}
