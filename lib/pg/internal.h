/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it. */
#pragma once

#include "pg/pg.h"

#include <libpq-fe.h>
#include <stdarg.h>

enum {
    PG_PARAMS_MAX = 64,
    PG_CONNECT_TIMEOUT_MS = 3000,
    PG_GRACE_MS = 2000, /* for what must still be said after the deadline: cancel, rollback */
    PG_NAME_SIZE = 64,  /* NAMEDATALEN */
};

enum column_kind {
    COLUMN_SCALAR,
    COLUMN_ARRAY,      /* repeated scalar from an array */
    COLUMN_JSON_ARRAY, /* repeated scalar from jsonb */
    COLUMN_MAP,        /* key/value messages from a jsonb object */
    COLUMN_MESSAGE,    /* message from a jsonb object */
    COLUMN_MESSAGES,   /* messages from a jsonb array */
};

struct column {
    const ProtobufCFieldDescriptor *field;
    const struct field_rule *rule; /* NULL when the message has no rules */
    enum column_kind kind;
    bool timestamp;
};

/* A prepared statement of one connection, with what its columns were last
 * scanned into. */
struct statement {
    const struct query *query;
    const ProtobufCMessageDescriptor *descriptor;
    struct column *columns; /* owned */
    int n_columns;
};

struct pg_conn {
    PGconn *db;               /* NULL while down */
    char *url, *schema, *app; /* owned */
    int64_t statement_timeout_ms;

    int64_t retry_at_ms; /* no attempt to connect before */
    int backoff_ms;
    unsigned generation; /* counts connects */
    bool complained;     /* that the server is away was logged */
    bool renew;          /* a new session is wanted before the next query */
    bool dying;          /* the server announced the end of this session */

    struct statement **statements; /* owned; hash by query */
    size_t n_statements, statements_size;

    bool in_tx;
    bool tx_lost; /* the open transaction's connection is gone */
    enum tx_mode tx_mode;
    char constraint[PG_NAME_SIZE];

    char **channels; /* owned; listened to in this session */
    size_t n_channels;

    struct gathered *gathered, **gathered_tail; /* queries of the next round */

    int break_in; /* exchanges until the connection is cut, 0 = never */
    bool break_reply;
};

struct params {
    int n;
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
};

/* conn.c */
/* Connected, or connects when the backoff allows. */
enum status conn_ensure(struct pg_conn *conn, int64_t deadline_ms) MUST_CHECK;
/* Closes and forgets the session. */
void conn_lost(struct pg_conn *conn, const char *why);
/* Closes on purpose; the next query connects anew. */
void conn_disconnect(struct pg_conn *conn);
/* To be called before anything is sent: where tests cut the connection. */
void conn_before_send(struct pg_conn *conn);
/* Waits for the answer to what was sent; past the deadline it cancels. A
 * failure of the server is ST_OK with its result. ret_result is owned. */
enum status conn_wait(struct pg_conn *conn, int64_t deadline_ms, PGresult **ret_result) MUST_CHECK;
/* Simple protocol: many statements may be in sql. */
enum status conn_simple(struct pg_conn *conn, const char *sql, int64_t deadline_ms,
                        PGresult **ret_result) MUST_CHECK;
struct statement *conn_statement(struct pg_conn *conn, const struct query *query);
struct statement *conn_statement_add(struct pg_conn *conn, const struct query *query);
void conn_forget_session(struct pg_conn *conn);
void count_query(void);
void count_failure(void);

/* params.c */
/* Text and bytes are borrowed, numbers and arrays are written to the arena. */
enum status params_read(struct params *params, struct arena *arena, const char *types,
                        va_list ap) MUST_CHECK;

/* fail.c */
/* Turns a failed result into a status, words for the caller and a log line. */
enum status fail_result(struct call *call, const char *what, const PGresult *result);
/* The same for what the connection itself says. */
enum status fail_connection(struct call *call, enum status status);
/* A mistake of ours, said in the log only. */
enum status fail_internal(struct call *call, const char *what, const char *fmt, ...) PRINTF(3, 4);
/* Status of a SQLSTATE; message tells the two kinds of foreign key violations
 * apart. */
enum status sqlstate_status(const char *sqlstate, const char *message, enum tx_mode mode);

/* exec.c */
/* Until when a query of the call may run. */
int64_t call_deadline(const struct call *call);
/* Whether there is a connection to ask and time left to do so. */
enum status has_time(struct call *call) MUST_CHECK;
/* Why nothing may be sent now, ST_OK when it may: connects if it has to. */
enum status may_send(struct call *call) MUST_CHECK;
/* The statement of the query on this connection, prepared when it is not yet. */
enum status prepare(struct call *call, const struct query *query,
                    struct statement **ret_statement) MUST_CHECK;
/* libpq did not take what was to be sent: the connection is gone. */
enum status fail_unsent(struct call *call);
/* Hands a prepared query to libpq. */
bool put_query(struct pg_conn *conn, const struct query *query, const struct params *params);
/* What an exchange brought: the result, hung on the call's arena, and its status. */
enum status take_result(struct call *call, const char *what, enum status status,
                        PGresult *result) MUST_CHECK;
/* A migration changed the columns under a prepared statement: refused before
 * anything ran, so that it is safe to prepare and run it again. */
bool is_stale_plan(const PGresult *result);
/* A statement without parameters and result, such as begin. */
enum status run_command(struct call *call, const char *sql, int64_t deadline_ms) MUST_CHECK;

/* gather.c */
/* A query of a call that shares its worker: sent with the next round. */
enum status gather_query(struct call *call, const struct query *query, const struct params *params,
                         PGresult **ret_result, struct statement **ret_statement) MUST_CHECK;

/* scan.c */
/* Finds the field of every column; cached in the statement. */
enum status scan_prepare(struct call *call, struct statement *statement, const PGresult *result,
                         const ProtobufCMessageDescriptor *descriptor) MUST_CHECK;
enum status scan_row(struct call *call, const struct statement *statement, const PGresult *result,
                     int row, ProtobufCMessage *message) MUST_CHECK;

/* scan_value.c */
enum status scan_value(struct call *call, const struct column *column, const char *text,
                       ProtobufCMessage *message) MUST_CHECK;

/* text.c */
/* Elements of a one-dimensional array's text form; NULL elements are NULL. */
bool array_parse(struct arena *arena, const char *text, size_t *ret_n, char ***ret_items);
char *array_format(struct arena *arena, size_t n, char *const *items);
/* Bytes of bytea's hex form; NULL when it is none. */
void *bytes_parse(struct arena *arena, const char *text, size_t *ret_len);
/* RFC 3339 with milliseconds from the ISO text of a timestamp in UTC; NULL when
 * it is none (infinity). */
char *timestamp_parse(struct arena *arena, const char *text);
