/* SPDX-License-Identifier: Apache-2.0 */
/* What a failure in Postgres means to the caller: a status and one sentence.
 * The details go to the log under the request id. */
#include "pg/internal.h"

#include "base/ids.h"
#include "base/log.h"

struct state_status {
    const char *state; /* SQLSTATE or the class it begins with */
    enum status status;
};

/* The first that fits counts. */
static const struct state_status states[] = {
    {"23505", ST_ALREADY_EXISTS},    /* unique_violation */
    {"23P01", ST_ALREADY_EXISTS},    /* exclusion_violation */
    {"23503", ST_NOT_FOUND},         /* foreign_key_violation: what is referred to is not there */
    {"23514", ST_INVALID_ARGUMENT},  /* check_violation */
    {"40", ST_UNAVAILABLE},          /* serialization_failure, deadlock_detected */
    {"55P03", ST_UNAVAILABLE},       /* lock_not_available */
    {"57014", ST_DEADLINE_EXCEEDED}, /* query_canceled: by us or statement_timeout */
    {"57P", ST_UNAVAILABLE},         /* the server is stopped or starts */
    {"08", ST_UNAVAILABLE},          /* connection exceptions */
    {"53", ST_UNAVAILABLE},          /* out of connections, memory, disk */
    {"25P03", ST_UNAVAILABLE},       /* idle_in_transaction_session_timeout */
};

enum status sqlstate_status(const char *sqlstate, const char *message, enum tx_mode mode)
{
    if (!sqlstate)
        return ST_UNAVAILABLE; /* said by libpq: the connection broke */
    /* A row others refer to cannot go; both kinds have one SQLSTATE. */
    if (strcmp(sqlstate, "23503") == 0 && message && strstr(message, "update or delete"))
        return ST_FAILED_PRECONDITION;
    /* A standby or a server being switched over, unless we asked for it. */
    if (strcmp(sqlstate, "25006") == 0)
        return mode == TX_SNAPSHOT ? ST_INTERNAL : ST_UNAVAILABLE;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (strncmp(sqlstate, states[i].state, strlen(states[i].state)) == 0)
            return states[i].status;
    return ST_INTERNAL;
}

static const char *words(enum status status)
{
    switch (status) {
    case ST_ALREADY_EXISTS:
        return "That id or value is already taken.";
    case ST_NOT_FOUND:
        return "Something the request refers to does not exist.";
    case ST_FAILED_PRECONDITION:
        return "Other entries still refer to it.";
    case ST_INVALID_ARGUMENT:
        return "A value is outside what is allowed.";
    case ST_DEADLINE_EXCEEDED:
        return "The database did not answer in time.";
    case ST_UNAVAILABLE:
        return "The database cannot be reached at the moment.";
    default:
        return "Something went wrong inside the hub.";
    }
}

static void log_failure(const struct call *call, const char *what, const char *text)
{
    char fields[UUID_SIZE + 8] = "";

    if (call->request_id && uuid_valid(call->request_id))
        (void)snprintf(fields, sizeof(fields), "req=%s", call->request_id);
    log_fields(LOG_ERROR, fields, "Postgres: %s: %s", what, text);
}

static const char *field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);

    return text ? text : "";
}

enum status fail_result(struct call *call, const char *what, const PGresult *result)
{
    struct pg_conn *conn = call->pg;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    enum status status =
        sqlstate_status(state, message, conn->in_tx ? conn->tx_mode : TX_READ_WRITE);

    count_failure();
    (void)snprintf(conn->constraint, sizeof(conn->constraint), "%s",
                   field(result, PG_DIAG_CONSTRAINT_NAME));
    if (status == ST_UNAVAILABLE)
        return fail_connection(call, status);
    if (status == ST_INTERNAL) {
        char text[512];
        /* Words of class 22 quote the value. */
        bool quotes = state && strncmp(state, "22", 2) == 0;

        (void)snprintf(text, sizeof(text), "%s %s (table '%s', column '%s')", state,
                       quotes ? "bad value" : message, field(result, PG_DIAG_TABLE_NAME),
                       field(result, PG_DIAG_COLUMN_NAME));
        log_failure(call, what, text);
    }
    return call_fail(call, status, "%s", words(status));
}

enum status fail_connection(struct call *call, enum status status)
{
    call_fail(call, status, "%s", words(status));
    if (call->rpc && !call->rpc->read_only)
        call_hint(call, "see with the matching get or list tool whether it happened, then again.");
    return status;
}

enum status fail_internal(struct call *call, const char *what, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_failure(call, what, text);
    return call_fail(call, ST_INTERNAL, "%s", words(ST_INTERNAL));
}

const char *pg_constraint(const struct call *call)
{
    return call->pg ? call->pg->constraint : "";
}
