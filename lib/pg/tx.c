/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions. When the connection is lost inside one, everything until its
 * end fails: nothing of it may run by itself on the next connection. */
#include "pg/internal.h"

#include "base/clock.h"
#include "base/fiber.h"

static void tx_end(struct tx *tx)
{
    tx->call->pg->in_tx = false;
    tx->call->pg->tx_lost = false;
    *tx = (struct tx){0};
}

enum status tx_begin(struct tx *tx, struct call *call)
{
    return tx_begin_mode(tx, call, TX_READ_WRITE);
}

enum status tx_begin_mode(struct tx *tx, struct call *call, enum tx_mode mode)
{
    static const char *const begin[] = {
        [TX_READ_WRITE] = "begin",
        [TX_SNAPSHOT] = "begin isolation level repeatable read read only",
        [TX_LONG] = "begin; set local statement_timeout to 0",
    };

    fiber_alone();
    if (call->pg && call->pg->in_tx)
        return fail_internal(call, "begin", "a transaction is open already");
    if (call->deadline_ms > 0 && clock_mono_ms() >= call->deadline_ms)
        return call_fail(call, ST_DEADLINE_EXCEEDED, "There was no time left to ask the database.");
    TRY(run_command(call, begin[mode], call->pg ? call_deadline(call) : 0));
    call->pg->in_tx = true;
    call->pg->tx_mode = mode;
    *tx = (struct tx){.call = call};
    return ST_OK;
}

/* A commit is not cancelled: whether it happened would be unknown. It gets a
 * little more time than the call has. */
static enum status commit(struct call *call)
{
    PGresult *result = NULL;
    enum status status;

    if (call->pg->tx_lost)
        return fail_connection(call, ST_UNAVAILABLE);
    if (PQtransactionStatus(call->pg->db) == PQTRANS_INERROR)
        return fail_internal(call, "commit", "a query of the transaction failed before");
    if (call->deadline_ms > 0 && clock_mono_ms() >= call->deadline_ms)
        return call_fail(call, ST_DEADLINE_EXCEEDED,
                         "There was no time left; nothing was changed.");
    status = conn_simple(call->pg, "commit", call_deadline(call) + PG_GRACE_MS, &result);
    if (status != ST_OK)
        status = fail_connection(call, ST_UNAVAILABLE);
    else if (PQresultStatus(result) != PGRES_COMMAND_OK)
        status = fail_result(call, "commit", result);
    PQclear(result);
    return status;
}

enum status tx_commit(struct tx *tx)
{
    enum status status;

    if (!tx->call)
        return ST_INTERNAL;
    status = commit(tx->call);
    if (status == ST_OK)
        tx_end(tx);
    return status;
}

void tx_done(struct tx *tx)
{
    if (!tx->call)
        return;
    pg_conn_settle(tx->call->pg);
    tx_end(tx);
}

void pg_conn_settle(struct pg_conn *conn)
{
    PGresult *result = NULL;

    if (!conn->in_tx)
        return;
    if (!conn->tx_lost && PQtransactionStatus(conn->db) != PQTRANS_IDLE) {
        enum status status = conn_simple(conn, "rollback", clock_mono_ms() + PG_GRACE_MS, &result);

        if (status == ST_OK && PQresultStatus(result) != PGRES_COMMAND_OK && conn->db)
            conn_lost(conn, "a rollback failed");
        PQclear(result);
    }
    conn->in_tx = false;
    conn->tx_lost = false;
}

enum status tx_savepoint(struct tx *tx)
{
    const char *sql = tx->savepoints ? "release savepoint s; savepoint s" : "savepoint s";

    TRY(run_command(tx->call, sql, call_deadline(tx->call)));
    tx->savepoints++;
    return ST_OK;
}

enum status tx_rollback_to(struct tx *tx)
{
    return run_command(tx->call, "rollback to savepoint s", call_deadline(tx->call));
}
