/* SPDX-License-Identifier: Apache-2.0 */
/* The downstream servers of a health check: probed now, each on a session of
 * its own. */
#include "checkup.h"

#include "base/clock.h"
#include "checkup.sql.h"
#include "mal/catalog/v1/catalog.api.h"
#include "probe_target.h"
#include "state.sql.h"

enum { PROBES_AT_ONCE = 16, LEAST_MS = 250, REPLY_MS = 1000 };

/* A server to be probed. */
struct visit {
    const McpHealth__Server *row;
    const char *health_check_url;
    int64_t until_ms;
    struct bus *bus;
    struct arena arena;
    struct target target;
    struct probe probe;
    bool probed; /* there was time for it */
};

/* ---- what catalog knows ------------------------------------------------------ */

/* Stores registrations that we have not heard of; those that we have are kept up
 * to date by their events. */
static enum status store_unknown(struct call *call, const Catalog__ResolveMcpResponse *reply)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__Mcp **unknown = arena_alloc(call->arena, (reply->n_items + 1) * sizeof(void *));
    struct names ids = {0}, known = {0};
    struct pg_rows rows;
    size_t n = 0;

    for (size_t i = 0; i < reply->n_items; i++)
        names_add(call, &ids, reply->items[i]->id);
    TRY(pg_rows(call, &rows, sql_checkup_known, "a", ids.n, ids.items));
    for (int i = 0; i < rows.n; i++)
        names_add(call, &known, pg_cell(&rows, i, "id"));
    for (size_t i = 0; i < reply->n_items; i++)
        if (!names_have(&known, reply->items[i]->id))
            unknown[n++] = reply->items[i];
    if (n == 0)
        return ST_OK;
    TRY(tx_begin(&tx, call));
    TRY(registry_store(call, n, unknown, false));
    return tx_commit(&tx);
}

/* Names of the servers that catalog says are switched off. Without catalog the
 * last known state has to do. */
static enum status ask_catalog(struct call *call, const char *id, struct names *off)
{
    struct call own = *call;
    Catalog__ResolveMcpRequest request = CATALOG__RESOLVE_MCP_REQUEST__INIT;
    Catalog__ResolveMcpResponse *reply = NULL;

    request.id = id;
    if (!call->bus ||
        catalog_resolve_mcp_call(call->bus, &own, &request, CHECKUP_SERVICE_MS, &reply) != ST_OK)
        return ST_OK;
    for (size_t i = 0; i < reply->n_items; i++)
        if (reply->items[i]->status == CATALOG__MCP_STATUS__MCP_STATUS_INACTIVE)
            names_add(call, off, reply->items[i]->id);
    return store_unknown(call, reply);
}

/* ---- probes ----------------------------------------------------------------- */

static void visit(void *arg, size_t i)
{
    struct visit *visit = &((struct visit *)arg)[i];

    if (clock_mono_ms() + LEAST_MS > visit->until_ms)
        return;
    visit->probe = (struct probe){.target = &visit->target,
                                  .row = visit->row,
                                  .health_check_url = visit->health_check_url,
                                  .arena = &visit->arena,
                                  .bus = visit->bus,
                                  .ask_only = true,
                                  .until_ms = visit->until_ms};
    target_probe(&visit->probe);
    target_close(&visit->target);
    visit->probed = true;
}

static enum status new_visits(struct call *call, const char *id, int64_t until_ms,
                              struct visit **ret_visits, size_t *ret_n)
{
    McpHealth__ServerList rows = MCP_HEALTH__SERVER_LIST__INIT;
    struct names off = {0};

    if (until_ms > call->deadline_ms - REPLY_MS)
        until_ms = call->deadline_ms - REPLY_MS;
    TRY(ask_catalog(call, id, &off));
    TRY(pg_all(call, &rows.base, "items", sql_checkup_targets, "S", id));
    *ret_visits = arena_alloc(call->arena, (rows.n_items + 1) * sizeof(**ret_visits));
    for (size_t i = 0; i < rows.n_items; i++) {
        struct visit *visit = &(*ret_visits)[*ret_n];
        const char *page = NULL;

        if (!target_can_be_probed(rows.items[i]) || names_have(&off, rows.items[i]->id))
            continue;
        TRY(pg_text(call, sql_state_page, &page, "s", rows.items[i]->id));
        TRY(server_secrets(call, rows.items[i]));
        (void)snprintf(visit->target.id, sizeof(visit->target.id), "%s", rows.items[i]->id);
        visit->row = rows.items[i];
        visit->health_check_url = page ? page : "";
        visit->until_ms = until_ms;
        visit->bus = call->bus;
        (*ret_n)++;
    }
    return ST_OK;
}

static enum status store(struct call *call, const struct visit *visit)
{
    CLEANUP(tx_done) struct tx tx = {0};

    TRY(tx_begin(&tx, call));
    TRY(evidence_store(&tx, visit->row->id, &visit->probe.evidence, NULL));
    return tx_commit(&tx);
}

/* ---- the reply ---------------------------------------------------------------- */

static void take(struct call *call, McpHealth__ServerHealth *server, const struct visit *visit)
{
    const struct evidence *evidence = &visit->probe.evidence;

    server->checked = true;
    server->has_ok_case = MCP_HEALTH__SERVER_HEALTH__HAS_OK_OK;
    server->ok = evidence->outcome == OUTCOME_OK;
    server->error = server->ok ? "" : arena_strdup(call->arena, evidence->error);
    if (evidence->latency_ms > 0) {
        server->has_latency_ms_case = MCP_HEALTH__SERVER_HEALTH__HAS_LATENCY_MS_LATENCY_MS;
        server->latency_ms = evidence->latency_ms;
    }
}

static enum status reply(struct call *call, const char *id, const struct visit *visits, size_t n,
                         McpHealth__HealthCheckResponse *rsp)
{
    for (size_t i = 0; i < n; i++)
        if (visits[i].probed)
            TRY(store(call, &visits[i]));
    TRY(pg_all(call, &rsp->base, "mcps", sql_checkup_rows, "S", id));
    for (size_t i = 0, v = 0; i < rsp->n_mcps; i++) {
        while (v < n && strcmp(visits[v].row->id, rsp->mcps[i]->id) < 0)
            v++;
        if (v < n && visits[v].probed && strcmp(visits[v].row->id, rsp->mcps[i]->id) == 0)
            take(call, rsp->mcps[i], &visits[v]);
    }
    return *id ? server_exists(call, id) : ST_OK;
}

enum status checkup_servers(struct call *call, const char *id, int64_t until_ms,
                            McpHealth__HealthCheckResponse *rsp)
{
    struct visit *visits = NULL;
    size_t n = 0;
    enum status status;

    TRY(new_visits(call, id, until_ms, &visits, &n));
    for (size_t i = 0; i < n; i++)
        arena_init(&visits[i].arena);
    checkup_parallel(n, PROBES_AT_ONCE, visit, visits);
    status = reply(call, id, visits, n, rsp);
    for (size_t i = 0; i < n; i++)
        arena_done(&visits[i].arena);
    return status;
}
