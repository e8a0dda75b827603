/* SPDX-License-Identifier: Apache-2.0 */
/* Queries of calls that share a worker. Each call stops where it asks; what all
 * of them asked is sent as one pipeline with one Sync. To Postgres that is one
 * transaction: a failure aborts what stands behind it, so only calls that read
 * share, and innocent ones ask again in the next round. */
#include "pg/internal.h"

#include "base/clock.h"
#include "base/fiber.h"

/* On the stack of the call that waits for it. */
struct gathered {
    struct gathered *next;
    struct call *call;
    const struct query *query;
    const struct params *params;
    PGresult *result; /* owned until the call takes it */
    enum status status;
    bool done;
    bool told;  /* the words of its failure are in the call */
    bool again; /* it was asked before, for no fault of its own */
};

static void append(struct pg_conn *conn, struct gathered *g)
{
    g->next = NULL;
    if (!conn->gathered)
        conn->gathered_tail = &conn->gathered;
    *conn->gathered_tail = g;
    conn->gathered_tail = &g->next;
}

enum status gather_query(struct call *call, const struct query *query, const struct params *params,
                         PGresult **ret_result, struct statement **ret_statement)
{
    struct gathered g = {.call = call, .query = query, .params = params};

    TRY(has_time(call));
    append(call->pg, &g);
    while (!g.done)
        fiber_stop();
    if (g.told)
        return g.status;
    *ret_result = g.result;
    TRY(take_result(call, query->name, g.status, g.result));
    *ret_statement = conn_statement(call->pg, query);
    /* The connection was lost after the answer: reading it needs the statement. */
    return *ret_statement ? ST_OK : fail_connection(call, ST_UNAVAILABLE);
}

static void done(struct gathered *g, enum status status)
{
    g->done = true;
    g->status = status;
}

/* The failure's words are there already. */
static void done_told(struct gathered *g, enum status status)
{
    g->told = true;
    done(g, status);
}

/* Takes out of the list what is done; the rest in order. */
static struct gathered *undone(struct gathered *list)
{
    struct gathered *first = NULL, **tail = &first;

    for (struct gathered *g = list, *next; g; g = next) {
        next = g->next;
        g->next = NULL;
        if (!g->done) {
            *tail = g;
            tail = &g->next;
        }
    }
    return first;
}

static void done_all(struct gathered *list, enum status status)
{
    for (struct gathered *g = list; g; g = g->next)
        done(g, status);
}

/* Connected, and every statement prepared; what cannot be asked is done with. */
static struct gathered *make_ready(struct pg_conn *conn, struct gathered *list)
{
    int64_t latest_ms = 0;

    for (struct gathered *g = list; g; g = g->next) {
        enum status status = has_time(g->call);

        if (status != ST_OK)
            done_told(g, status);
        else if (call_deadline(g->call) > latest_ms)
            latest_ms = call_deadline(g->call);
    }
    list = undone(list);
    if (list && conn_ensure(conn, latest_ms) != ST_OK) {
        count_failure();
        done_all(list, ST_UNAVAILABLE);
    }
    for (struct gathered *g = undone(list); g && conn->db; g = g->next) {
        struct statement *statement;
        enum status status = prepare(g->call, g->query, &statement);

        if (status != ST_OK)
            done_told(g, status);
    }
    list = undone(list);
    if (!conn->db)
        done_all(list, ST_UNAVAILABLE);
    return undone(list);
}

static bool send_all(struct pg_conn *conn, const struct gathered *list)
{
    bool sent = PQenterPipelineMode(conn->db) == 1;

    conn_before_send(conn);
    for (const struct gathered *g = list; g && sent; g = g->next)
        sent = put_query(conn, g->query, g->params);
    return sent && PQpipelineSync(conn->db) == 1;
}

/* Whether the failure is another's: something aborted the pipeline before it, the
 * query was cancelled because a mate's time was over, or its plan is stale. */
static bool is_innocent(struct gathered *g, bool cancelled)
{
    const char *state = PQresultErrorField(g->result, PG_DIAG_SQLSTATE);

    if (PQresultStatus(g->result) == PGRES_PIPELINE_ABORTED)
        return true;
    if (g->again)
        return false;
    if (is_stale_plan(g->result))
        g->call->pg->renew = true;
    else if (!cancelled || !state || strcmp(state, "57014") != 0 ||
             clock_mono_ms() >= call_deadline(g->call))
        return false;
    g->again = true;
    return true;
}

static void receive_all(struct pg_conn *conn, struct gathered *list, int64_t deadline_ms)
{
    PGresult *sync = NULL;
    bool cancelled = false;

    for (struct gathered *g = list; g; g = g->next) {
        /* Whatever follows a cancelled query only has to be said. */
        int64_t until = cancelled ? clock_mono_ms() + PG_GRACE_MS : deadline_ms;
        enum status status = conn->db ? conn_wait(conn, until, &g->result) : ST_UNAVAILABLE;

        cancelled = cancelled || clock_mono_ms() >= deadline_ms;
        if (status == ST_OK && is_innocent(g, cancelled)) {
            PQclear(g->result);
            g->result = NULL;
        } else {
            done(g, status);
        }
    }
    if (conn->db && (conn_wait(conn, clock_mono_ms() + PG_GRACE_MS, &sync) != ST_OK ||
                     PQresultStatus(sync) != PGRES_PIPELINE_SYNC || !PQexitPipelineMode(conn->db)))
        conn_lost(conn, "a pipeline did not end");
    PQclear(sync);
}

void pg_conn_round(struct pg_conn *conn)
{
    struct gathered *list = conn->gathered;
    int64_t earliest_ms = INT64_MAX;

    conn->gathered = NULL;
    list = make_ready(conn, list);
    if (!list)
        return;
    for (struct gathered *g = list; g; g = g->next)
        if (call_deadline(g->call) < earliest_ms)
            earliest_ms = call_deadline(g->call);
    if (send_all(conn, list)) {
        receive_all(conn, list, earliest_ms);
    } else {
        conn_lost(conn, PQerrorMessage(conn->db));
        count_failure();
        done_all(list, ST_UNAVAILABLE);
    }
    for (struct gathered *g = undone(list), *next; g; g = next) {
        next = g->next;
        append(conn, g);
    }
}
