/* SPDX-License-Identifier: Apache-2.0 */
/* Postgres for handlers. A handler names a query, gives its parameters and the
 * message that takes the row; connections, prepared statements and the process
 * model are behind this header. */
#pragma once

#include "base/strbuf.h"
#include "wire/call.h"

#include <stddef.h>

/* A query as tools/sqlgen embeds it from a .sql file. Static storage: a
 * connection knows what it prepared by the address. */
struct query {
    const char *name; /* unique in the service; also the prepared statement's name */
    const char *sql;
    const char *message; /* full name of the row's message, NULL when not said */
    int params;          /* number of $n */
    bool replan;         /* planned anew for the values of each call: optional filters */
};

/* Parameters follow as the letters of types say, one each:
 *   s  const char *        NULL is SQL null
 *   S  const char *        "" and NULL are SQL null (an unset string field)
 *   i  int                 b  int (bool)
 *   l  long long           d  double
 *   a  size_t n, char *const *items     text[]
 *   y  size_t n, const void *bytes      bytea
 *   n  nothing; SQL null
 *
 * Columns are matched to the message's fields by name; a column that names no
 * field is a programming error. SQL null leaves the field unset. Text values
 * are borrowed from the result, which lives as long as the call. text[] columns
 * fill repeated strings, booleans and numbers are read by the field's type,
 * timestamptz columns are selected as they are: every session runs in UTC and
 * the scanner writes them into string fields as RFC 3339 with milliseconds
 * (2026-03-02T09:30:00.120Z); as parameters such texts are taken with 's'.
 * jsonb goes into fields with rule json as text. A column whose field has rule
 * map holds a jsonb object; one whose field is a (repeated) message holds jsonb
 * that wire_from_json reads; a repeated scalar may be an array or jsonb. Enums
 * are spelled as in JSON.
 *
 * What went wrong in Postgres is the status, with words that a handler may
 * replace by its own call_fail:
 *   unique or exclusion constraint      ALREADY_EXISTS, pg_constraint() names it
 *   foreign key, what it names is gone  NOT_FOUND
 *   foreign key, row still referred to  FAILED_PRECONDITION
 *   check constraint                    INVALID_ARGUMENT
 *   deadlock, serialization, server or
 *   connection gone, out of resources   UNAVAILABLE
 *   time is up (the query is cancelled) DEADLINE_EXCEEDED
 *   anything else                       INTERNAL, details in the log only
 * A query runs as long as the call's deadline allows. None is ever sent twice.
 */

/* Exactly one row, else ST_NOT_FOUND (without words: the caller adds them). */
enum status pg_one(struct call *call, ProtobufCMessage *message, const struct query *query,
                   const char *types, ...) MUST_CHECK;
/* All rows appended to the repeated message field `field` of message. */
enum status pg_all(struct call *call, ProtobufCMessage *message, const char *field,
                   const struct query *query, const char *types, ...) MUST_CHECK;
/* No rows wanted; ret_rows (may be NULL) = rows affected or returned. */
enum status pg_exec(struct call *call, const struct query *query, int *ret_rows, const char *types,
                    ...) MUST_CHECK;
/* One value as text in the arena, NULL when SQL null; ST_NOT_FOUND without row. */
enum status pg_text(struct call *call, const struct query *query, const char **ret_text,
                    const char *types, ...) MUST_CHECK;

/* Rows for pg_copy, one after another; NULL is SQL null. */
void pg_copy_row(struct strbuf *rows, const char *const *values, size_t n);
/* Stores all rows or none: the query is "copy … from stdin", its name for the log
 * only. No conflict is passed over. */
enum status pg_copy(struct call *call, const struct query *query,
                    const struct strbuf *rows) MUST_CHECK;

/* jsonb has its own order of keys and spacing: *io_given becomes stored where
 * both are the same value in other words. Nothing given ("") stays so. */
enum status pg_keep_json(struct call *call, const char **io_given, const char *stored) MUST_CHECK;

/* A bare result, for what the four above cannot say. */
struct pg_rows {
    void *result; /* PGresult, owned by the call's arena */
    int n;
};
enum status pg_rows(struct call *call, struct pg_rows *ret_rows, const struct query *query,
                    const char *types, ...) MUST_CHECK;
/* Borrowed text of a cell; NULL when SQL null. */
const char *pg_cell(const struct pg_rows *rows, int row, const char *column);
/* Bytes of a bytea cell, decoded into the arena; NULL when SQL null. */
const void *pg_cell_bytes(const struct pg_rows *rows, int row, const char *column,
                          struct arena *arena, size_t *ret_len);

/* A transaction. Without one every query commits by itself. */
struct tx {
    struct call *call; /* NULL when none is open */
    int savepoints;
};
enum tx_mode {
    TX_READ_WRITE,
    TX_SNAPSHOT, /* repeatable read, read only */
    TX_LONG,     /* only the call's deadline bounds its queries */
};
enum status tx_begin(struct tx *tx, struct call *call) MUST_CHECK;
enum status tx_begin_mode(struct tx *tx, struct call *call, enum tx_mode mode) MUST_CHECK;
enum status tx_commit(struct tx *tx) MUST_CHECK;
/* Rolls back unless committed. */
void tx_done(struct tx *tx);
/* A savepoint per element of a bulk: rollback undoes what came after it. */
enum status tx_savepoint(struct tx *tx) MUST_CHECK;
enum status tx_rollback_to(struct tx *tx) MUST_CHECK;

/* Writes the event into the schema's outbox in this transaction; its actor and
 * request id are the call's. The relay publishes it after the commit. */
enum status event_add(struct tx *tx, const char *subject,
                      const ProtobufCMessage *payload) MUST_CHECK;
/* Many at once, in their order, in one statement. */
struct event {
    const char *subject;
    const ProtobufCMessage *payload;
};
enum status event_add_all(struct tx *tx, size_t n, const struct event *events) MUST_CHECK;
/* Inserts into the inbox; *ret_new is false when that event was handled before. */
enum status event_seen(struct tx *tx, const char *event_id, bool *ret_new) MUST_CHECK;

/* Which unique or check constraint the last failed query of the call violated,
 * "" when none. */
const char *pg_constraint(const struct call *call);

/* Everything below is for svc and tests. */

struct pg_options {
    const char *url;    /* libpq connection string, secret */
    const char *schema; /* search_path */
    const char *app;    /* application_name */
    int64_t statement_timeout_ms;
};

/* A connection that mends itself; opened at first use. While the server is away queries answer
 * ST_UNAVAILABLE and it reconnects with backoff. Not shared between threads. */
enum status pg_conn_new(struct pg_conn **ret_conn, const struct pg_options *options,
                        struct error *err) MUST_CHECK;
void pg_conn_free(struct pg_conn *conn);
/* A cheap round trip; microseconds in *ret_us when not NULL. */
enum status pg_conn_check(struct pg_conn *conn, int64_t *ret_us) MUST_CHECK;
bool pg_conn_up(const struct pg_conn *conn);
/* Counts connects: what belongs to a session (locks) is lost when it changes. */
unsigned pg_conn_generation(const struct pg_conn *conn);
/* Rolls back what a handler left open; for the dispatcher, between calls. */
void pg_conn_settle(struct pg_conn *conn);

/* Runs what the calls that share this connection asked for since the last round
 * (see base/fiber.h), all with one Sync. Afterwards each of them is resumed; one
 * whose query was aborted by a mate's failure has it in the next round. */
void pg_conn_round(struct pg_conn *conn);

/* For tests: cuts the connection at the n-th exchange with the server from now
 * (preparing, running, begin and commit are one each): before anything is sent,
 * or, with reply, after it was sent and before the answer. 0 = never. */
void pg_conn_break(struct pg_conn *conn, int n, bool reply);

/* Of all connections of the process; any thread. */
struct pg_stats {
    int64_t connections, up;                   /* now */
    int64_t connects, lost, queries, failures; /* since the start */
};
void pg_stats(struct pg_stats *ret_stats);

/* Migrations, in ascending number. */
struct migration {
    int number;
    const char *name;
    const char *sql;
    const char *sha256; /* NULL: computed by the server */
};
/* Makes the schema and the tables every schema has (migration, outbox, inbox),
 * then applies what is missing, each in its transaction, under an advisory lock; a
 * recorded checksum that differs is FAILED_PRECONDITION. UNAVAILABLE may be
 * tried again. */
enum status pg_migrate(struct pg_conn *conn, const char *schema, const struct migration *migrations,
                       size_t n, struct error *err) MUST_CHECK;

/* Waits for a NOTIFY on channel (LISTEN is set up on first use) or timeout. */
enum status pg_wait_notify(struct pg_conn *conn, const char *channel, int timeout_ms,
                           bool *ret_notified) MUST_CHECK;
