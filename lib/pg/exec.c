/* SPDX-License-Identifier: Apache-2.0 */
/* Queries by name: prepared at first use on a connection, run, and handed to
 * the scanner. The result is hung on the call's arena. */
#include "pg/internal.h"

#include "base/clock.h"
#include "base/fiber.h"

int64_t call_deadline(const struct call *call)
{
    int64_t longest = clock_mono_ms() + call->pg->statement_timeout_ms;

    if (call->pg->in_tx && call->pg->tx_mode == TX_LONG && call->deadline_ms > 0)
        return call->deadline_ms;
    return call->deadline_ms > 0 && call->deadline_ms < longest ? call->deadline_ms : longest;
}

static void clear_result(void *arg)
{
    PQclear(arg);
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);

    return kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK;
}

enum status has_time(struct call *call)
{
    if (!call->pg)
        return fail_connection(call, ST_UNAVAILABLE);
    call->pg->constraint[0] = '\0';
    if (call->deadline_ms > 0 && clock_mono_ms() >= call->deadline_ms)
        return call_fail(call, ST_DEADLINE_EXCEEDED, "There was no time left to ask the database.");
    return ST_OK;
}

enum status may_send(struct call *call)
{
    TRY(has_time(call));
    if (conn_ensure(call->pg, call_deadline(call)) != ST_OK) {
        count_failure();
        return fail_connection(call, ST_UNAVAILABLE);
    }
    return ST_OK;
}

bool is_stale_plan(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return state && function && strcmp(state, "0A000") == 0 &&
           strcmp(function, "RevalidateCachedQuery") == 0;
}

enum status take_result(struct call *call, const char *what, enum status status, PGresult *result)
{
    if (result)
        arena_defer(call->arena, clear_result, result);
    if (status != ST_OK)
        return fail_connection(call, status);
    if (is_stale_plan(result)) {
        call->pg->dying = true; /* a new session before the next query */
        return fail_connection(call, ST_UNAVAILABLE);
    }
    return succeeded(result) ? ST_OK : fail_result(call, what, result);
}

/* Waits for what was sent; the result is the arena's in any case. */
static enum status receive(struct call *call, const char *what, PGresult **ret_result)
{
    enum status status = conn_wait(call->pg, call_deadline(call), ret_result);

    return take_result(call, what, status, *ret_result);
}

enum status fail_unsent(struct call *call)
{
    conn_lost(call->pg, PQerrorMessage(call->pg->db));
    count_failure();
    return fail_connection(call, ST_UNAVAILABLE);
}

enum status prepare(struct call *call, const struct query *query, struct statement **ret_statement)
{
    struct pg_conn *conn = call->pg;
    PGresult *result = NULL;

    *ret_statement = conn_statement(conn, query);
    if (*ret_statement)
        return ST_OK;
    if (query->replan) {
        *ret_statement = conn_statement_add(conn, query);
        return ST_OK;
    }
    conn_before_send(conn);
    if (!PQsendPrepare(conn->db, query->name, query->sql, 0, NULL))
        return fail_unsent(call);
    TRY(receive(call, query->name, &result));
    *ret_statement = conn_statement_add(conn, query);
    return ST_OK;
}

bool put_query(struct pg_conn *conn, const struct query *query, const struct params *params)
{
    count_query();
    if (query->replan)
        return PQsendQueryParams(conn->db, query->sql, params->n, NULL, params->values,
                                 params->lengths, params->formats, 0) == 1;
    return PQsendQueryPrepared(conn->db, query->name, params->n, params->values, params->lengths,
                               params->formats, 0) == 1;
}

static enum status send_query(struct call *call, const struct query *query,
                              const struct params *params, PGresult **ret_result,
                              struct statement **ret_statement)
{
    TRY(prepare(call, query, ret_statement));
    conn_before_send(call->pg);
    if (!put_query(call->pg, query, params))
        return fail_unsent(call);
    return receive(call, query->name, ret_result);
}

static enum status run_query(struct call *call, const struct query *query, const char *types,
                             va_list ap, PGresult **ret_result, struct statement **ret_statement)
{
    struct params *params = arena_alloc(call->arena, sizeof(*params));
    PGresult *result = NULL;
    enum status status;

    if (params_read(params, call->arena, types, ap) != ST_OK || params->n != query->params)
        return fail_internal(call, query->name, "parameters '%s' for $1…$%d", types, query->params);
    if (fiber_shares())
        return gather_query(call, query, params, ret_result, ret_statement);
    TRY(may_send(call));
    status = send_query(call, query, params, &result, ret_statement);
    if (status != ST_OK && is_stale_plan(result) && !call->pg->in_tx) {
        error_clear(&call->error);
        conn_disconnect(call->pg);
        TRY(may_send(call));
        status = send_query(call, query, params, &result, ret_statement);
    }
    *ret_result = result;
    return status;
}

enum status run_command(struct call *call, const char *sql, int64_t deadline_ms)
{
    PGresult *result = NULL;
    enum status status;

    if (!call->pg)
        return fail_connection(call, ST_UNAVAILABLE);
    status = conn_simple(call->pg, sql, deadline_ms, &result);
    if (status != ST_OK)
        status = fail_connection(call, status);
    else if (!succeeded(result))
        status = fail_result(call, sql, result);
    PQclear(result);
    return status;
}

enum status pg_one(struct call *call, ProtobufCMessage *message, const struct query *query,
                   const char *types, ...)
{
    struct statement *statement = NULL;
    PGresult *result = NULL;
    enum status status;
    va_list ap;

    va_start(ap, types);
    status = run_query(call, query, types, ap, &result, &statement);
    va_end(ap);
    TRY(status);
    if (PQntuples(result) == 0)
        return ST_NOT_FOUND;
    if (PQntuples(result) > 1)
        return fail_internal(call, query->name, "%d rows where one was wanted", PQntuples(result));
    TRY(scan_prepare(call, statement, result, message->descriptor));
    return scan_row(call, statement, result, 0, message);
}

/* Appends n fresh messages to the field; *ret_first is the first of them. */
static void append_messages(struct arena *arena, ProtobufCMessage *message,
                            const ProtobufCFieldDescriptor *field, size_t n,
                            ProtobufCMessage ***ret_first)
{
    const ProtobufCMessageDescriptor *descriptor = field->descriptor;
    char *base = (char *)message;
    size_t *count = (size_t *)(void *)(base + field->quantifier_offset);
    ProtobufCMessage ***slot = (ProtobufCMessage ***)(void *)(base + field->offset);
    ProtobufCMessage **items = arena_alloc(arena, (*count + n) * sizeof(void *));
    char *memory = arena_alloc(arena, n * descriptor->sizeof_message);

    if (*count)
        memcpy(items, *slot, *count * sizeof(void *));
    *ret_first = items + *count;
    for (size_t i = 0; i < n; i++) {
        ProtobufCMessage *item =
            (ProtobufCMessage *)(void *)(memory + i * descriptor->sizeof_message);
        protobuf_c_message_init(descriptor, item);
        (*ret_first)[i] = item;
    }
    *slot = items;
    *count += n;
}

enum status pg_all(struct call *call, ProtobufCMessage *message, const char *field,
                   const struct query *query, const char *types, ...)
{
    const ProtobufCFieldDescriptor *into =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field);
    ProtobufCMessage **items;
    struct statement *statement = NULL;
    PGresult *result = NULL;
    enum status status;
    va_list ap;

    if (!into || into->label != PROTOBUF_C_LABEL_REPEATED || into->type != PROTOBUF_C_TYPE_MESSAGE)
        return fail_internal(call, query->name, "'%s' of %s is no list of messages", field,
                             message->descriptor->name);
    va_start(ap, types);
    status = run_query(call, query, types, ap, &result, &statement);
    va_end(ap);
    TRY(status);
    if (PQntuples(result) == 0)
        return ST_OK;
    TRY(scan_prepare(call, statement, result, into->descriptor));
    append_messages(call->arena, message, into, (size_t)PQntuples(result), &items);
    for (int i = 0; i < PQntuples(result); i++)
        TRY(scan_row(call, statement, result, i, items[i]));
    return ST_OK;
}

enum status pg_exec(struct call *call, const struct query *query, int *ret_rows, const char *types,
                    ...)
{
    struct statement *statement = NULL;
    PGresult *result = NULL;
    enum status status;
    va_list ap;

    va_start(ap, types);
    status = run_query(call, query, types, ap, &result, &statement);
    va_end(ap);
    TRY(status);
    if (ret_rows)
        *ret_rows = (int)strtol(PQcmdTuples(result), NULL, 10);
    return ST_OK;
}

enum status pg_text(struct call *call, const struct query *query, const char **ret_text,
                    const char *types, ...)
{
    struct statement *statement = NULL;
    PGresult *result = NULL;
    enum status status;
    va_list ap;

    *ret_text = NULL;
    va_start(ap, types);
    status = run_query(call, query, types, ap, &result, &statement);
    va_end(ap);
    TRY(status);
    if (PQntuples(result) == 0)
        return ST_NOT_FOUND;
    if (PQnfields(result) != 1 || PQntuples(result) != 1)
        return fail_internal(call, query->name, "more than one value");
    if (!PQgetisnull(result, 0, 0))
        *ret_text = PQgetvalue(result, 0, 0);
    return ST_OK;
}

enum status pg_rows(struct call *call, struct pg_rows *ret_rows, const struct query *query,
                    const char *types, ...)
{
    struct statement *statement = NULL;
    PGresult *result = NULL;
    enum status status;
    va_list ap;

    *ret_rows = (struct pg_rows){0};
    va_start(ap, types);
    status = run_query(call, query, types, ap, &result, &statement);
    va_end(ap);
    TRY(status);
    *ret_rows = (struct pg_rows){.result = result, .n = PQntuples(result)};
    return ST_OK;
}

const char *pg_cell(const struct pg_rows *rows, int row, const char *column)
{
    int i = PQfnumber(rows->result, column);

    if (i < 0 || row < 0 || row >= rows->n || PQgetisnull(rows->result, row, i))
        return NULL;
    return PQgetvalue(rows->result, row, i);
}

const void *pg_cell_bytes(const struct pg_rows *rows, int row, const char *column,
                          struct arena *arena, size_t *ret_len)
{
    const char *text = pg_cell(rows, row, column);

    *ret_len = 0;
    return text ? bytes_parse(arena, text, ret_len) : NULL;
}

enum status pg_keep_json(struct call *call, const char **io_given, const char *stored)
{
    static const struct query same_json = {
        .name = "mal_same_json", .sql = "select $1::jsonb = $2::jsonb", .params = 2};
    const char *same;

    if (!**io_given || strcmp(*io_given, stored) == 0)
        return ST_OK;
    TRY(pg_text(call, &same_json, &same, "ss", *io_given, stored));
    if (strcmp(same, "t") == 0)
        *io_given = stored;
    return ST_OK;
}
