/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection has prepared: a hash by the query's address. */
#include "pg/internal.h"

enum { STATEMENTS_FIRST = 64 };

static size_t place(const struct pg_conn *conn, const struct query *query)
{
    size_t mask = conn->statements_size - 1;
    size_t i = ((uintptr_t)query >> 4) * 0x9E3779B97F4A7C15u >> 32 & mask;

    while (conn->statements[i] && conn->statements[i]->query != query)
        i = (i + 1) & mask;
    return i;
}

struct statement *conn_statement(struct pg_conn *conn, const struct query *query)
{
    return conn->statements_size ? conn->statements[place(conn, query)] : NULL;
}

static void grow(struct pg_conn *conn)
{
    struct statement **old = conn->statements;
    size_t size = conn->statements_size;

    conn->statements_size = size ? 2 * size : STATEMENTS_FIRST;
    conn->statements = calloc(conn->statements_size, sizeof(void *));
    if (!conn->statements)
        abort();
    for (size_t i = 0; i < size; i++)
        if (old[i])
            conn->statements[place(conn, old[i]->query)] = old[i];
    free(old);
}

struct statement *conn_statement_add(struct pg_conn *conn, const struct query *query)
{
    struct statement *statement = calloc(1, sizeof(*statement));

    if (!statement)
        abort();
    if (2 * (conn->n_statements + 1) > conn->statements_size)
        grow(conn);
    statement->query = query;
    conn->statements[place(conn, query)] = statement;
    conn->n_statements++;
    return statement;
}

void conn_forget_session(struct pg_conn *conn)
{
    for (size_t i = 0; i < conn->statements_size; i++) {
        if (conn->statements[i])
            free(conn->statements[i]->columns);
        free(conn->statements[i]);
        conn->statements[i] = NULL;
    }
    conn->n_statements = 0;
    for (size_t i = 0; i < conn->n_channels; i++)
        free(conn->channels[i]);
    conn->n_channels = 0;
}
