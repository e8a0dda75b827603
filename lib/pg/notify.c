/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for NOTIFY. */
#include "pg/internal.h"

#include "base/clock.h"

#include <poll.h>

static bool listens(const struct pg_conn *conn, const char *channel)
{
    for (size_t i = 0; i < conn->n_channels; i++)
        if (strcmp(conn->channels[i], channel) == 0)
            return true;
    return false;
}

static enum status listen_to(struct pg_conn *conn, const char *channel)
{
    char *name = PQescapeIdentifier(conn->db, channel, strlen(channel));
    PGresult *result = NULL;
    char sql[2 * PG_NAME_SIZE + 16];
    enum status status;

    if (!name)
        return ST_INTERNAL;
    (void)snprintf(sql, sizeof(sql), "listen %s", name);
    PQfreemem(name);
    status = conn_simple(conn, sql, clock_mono_ms() + PG_GRACE_MS, &result);
    if (status == ST_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        status = ST_UNAVAILABLE;
    PQclear(result);
    TRY(status);
    conn->channels = realloc(conn->channels, (conn->n_channels + 1) * sizeof(*conn->channels));
    if (!conn->channels)
        abort();
    conn->channels[conn->n_channels] = strdup(channel);
    if (!conn->channels[conn->n_channels++])
        abort();
    return ST_OK;
}

/* Takes every notification that came; whether one was of the channel. */
static bool take_notifications(struct pg_conn *conn, const char *channel)
{
    bool found = false;
    PGnotify *notify;

    while ((notify = PQnotifies(conn->db))) {
        found |= strcmp(notify->relname, channel) == 0;
        PQfreemem(notify);
    }
    return found;
}

enum status pg_wait_notify(struct pg_conn *conn, const char *channel, int timeout_ms,
                           bool *ret_notified)
{
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;

    *ret_notified = false;
    TRY(conn_ensure(conn, deadline_ms + PG_CONNECT_TIMEOUT_MS));
    if (!listens(conn, channel)) {
        TRY(listen_to(conn, channel));
        *ret_notified = true; /* what came before nobody knows */
        return ST_OK;
    }
    for (;;) {
        struct pollfd fd = {.fd = PQsocket(conn->db), .events = POLLIN};
        int64_t left;

        if (take_notifications(conn, channel)) {
            *ret_notified = true;
            return ST_OK;
        }
        left = deadline_ms - clock_mono_ms();
        if (left <= 0)
            return ST_OK;
        if (poll(&fd, 1, (int)left) > 0 && !PQconsumeInput(conn->db)) {
            conn_lost(conn, PQerrorMessage(conn->db));
            return ST_UNAVAILABLE;
        }
    }
}
