/* SPDX-License-Identifier: Apache-2.0 */
/* What calls of users say of servers. */
#include "state.h"

#include "report.sql.h"

/* Nothing but faults is a failure at once, unless the server answered since. */
static enum status take_failure(struct call *call, const McpHealth__ServerReport *report)
{
    CLEANUP(tx_done) struct tx tx = {0};

    TRY(tx_begin(&tx, call));
    TRY(evidence_store(&tx, report->id,
                       &(struct evidence){.outcome = OUTCOME_FAILED,
                                          .error = *report->error ? report->error : "calls failed",
                                          .tools_count = -1,
                                          .revision = report->revision,
                                          .age_ms = report->failed_ms_ago},
                       NULL));
    return tx_commit(&tx);
}

static enum status take_answers(struct call *call, const McpHealth__ReportRequest *req)
{
    struct names ids = {0}, ago = {0};

    for (size_t i = 0; i < req->n_servers; i++)
        if (req->servers[i]->ok > 0) {
            names_add(call, &ids, req->servers[i]->id);
            names_add(call, &ago, arena_printf(call->arena, "%d", (int)req->servers[i]->ok_ms_ago));
        }
    if (ids.n == 0)
        return ST_OK;
    return pg_exec(call, sql_report_answered, NULL, "aa", ids.n, ids.items, ago.n, ago.items);
}

/* Where some calls work and some do not, are only slow (a tool may be) or were lost
 * (one call may take down what others could use), a probe shall decide. */
enum status mcp_health_report(struct call *call, const McpHealth__ReportRequest *req,
                              McpHealth__ReportResponse *rsp)
{
    struct names due = {0};

    (void)rsp;
    TRY(take_answers(call, req));
    for (size_t i = 0; i < req->n_servers; i++) {
        const McpHealth__ServerReport *report = req->servers[i];

        if (report->failed > 0 && report->ok == 0)
            TRY(take_failure(call, report));
        else if (report->failed > 0 || report->slow > 0 || report->opened)
            names_add(call, &due, report->id);
        if (report->changed)
            names_add(call, &due, report->id);
    }
    if (due.n == 0)
        return ST_OK;
    return pg_exec(call, sql_report_hasten, NULL, "a", due.n, due.items);
}
