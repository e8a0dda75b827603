/* SPDX-License-Identifier: Apache-2.0 */
/* What calls of users say of servers. */
#include "state.h"

#include "report.sql.h"

/* Nothing but faults is a failure at once. */
static enum status take_failure(struct call *call, const McpHealth__ServerReport *report)
{
    CLEANUP(tx_done) struct tx tx = {0};

    TRY(tx_begin(&tx, call));
    TRY(evidence_store(&tx, report->id,
                       &(struct evidence){.outcome = OUTCOME_FAILED,
                                          .error = *report->error ? report->error : "calls failed",
                                          .tools_count = -1}));
    return tx_commit(&tx);
}

/* Where some calls work and some do not, or are only slow (a tool may be), a probe
 * shall decide. */
enum status mcp_health_report(struct call *call, const McpHealth__ReportRequest *req,
                              McpHealth__ReportResponse *rsp)
{
    struct names doubtful = {0}, changed = {0};

    (void)rsp;
    for (size_t i = 0; i < req->n_servers; i++) {
        const McpHealth__ServerReport *report = req->servers[i];

        if (report->failed > 0 && report->ok == 0)
            TRY(take_failure(call, report));
        else if (report->failed > 0 || report->slow > 0 || report->opened)
            names_add(call, &doubtful, report->id);
        if (report->changed)
            names_add(call, &changed, report->id);
    }
    if (changed.n > 0)
        TRY(pg_exec(call, sql_report_changed, NULL, "a", changed.n, changed.items));
    if (doubtful.n == 0)
        return ST_OK;
    return pg_exec(call, sql_report_hasten, NULL, "a", doubtful.n, doubtful.items);
}
