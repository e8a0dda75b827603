/* SPDX-License-Identifier: Apache-2.0 */
/* From outcomes to a status, with hysteresis. */
#include "state.h"

#include "report.sql.h"
#include "server.sql.h"
#include "state.sql.h"

#include <sodium.h>
#include <stdlib.h>

enum { FIRST_PAUSE_MS = 1000, DOUBLINGS_MAX = 20, RANDOM_STEPS = 1000 };

bool state_step(struct health_state *state, enum outcome outcome, int threshold, int window)
{
    unsigned mask = (1U << (window < OUTCOMES_MAX ? window : OUTCOMES_MAX)) - 1;
    bool was = state->error;

    state->outcomes = ((state->outcomes << 1) | (outcome != OUTCOME_OK)) & mask;
    state->n_outcomes += state->n_outcomes < OUTCOMES_MAX;
    state->failures = outcome == OUTCOME_OK ? 0 : state->failures + (state->failures < INT32_MAX);
    if (outcome == OUTCOME_OK)
        state->error = false;
    else if (outcome == OUTCOME_FAILED || __builtin_popcount(state->outcomes) >= threshold)
        state->error = true;
    /* What was before the recovery does not count again. */
    if (was && !state->error)
        state->outcomes = 0;
    return was != state->error;
}

int64_t state_pause_ms(const struct health_state *state, int64_t interval_ms, double random)
{
    int64_t pause_ms = interval_ms;

    if (state->failures > 0) {
        int doublings = state->failures - 1 < DOUBLINGS_MAX ? state->failures - 1 : DOUBLINGS_MAX;

        pause_ms = (int64_t)FIRST_PAUSE_MS << doublings;
        if (pause_ms > interval_ms)
            pause_ms = interval_ms;
    }
    return pause_ms - (int64_t)((double)pause_ms * random / 5);
}

static const char *status_text(bool error)
{
    return error ? "error" : "active";
}

static McpHealth__ServerStatus status_value(bool error)
{
    return error ? MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR
                 : MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE;
}

static enum status tell(struct tx *tx, const char *id, bool error, const struct evidence *evidence)
{
    McpHealth__McpStatusChanged event = MCP_HEALTH__MCP_STATUS_CHANGED__INIT;
    const char *reason = evidence->outcome == OUTCOME_OK ? "it answers again" : evidence->error;
    const char *at;

    TRY(pg_text(tx->call, sql_state_transition, &at, "ssss", id, status_text(!error),
                status_text(error), reason));
    event.mcp_id = id;
    event.old_status = status_value(!error);
    event.new_status = status_value(error);
    event.reason = reason;
    event.latency_ms = evidence->latency_ms;
    event.at = at;
    TRY(event_add(tx, "mal.evt.mcp_health.mcp.status_changed", &event.base));
    return server_touch(tx->call, id);
}

static int number(const struct pg_rows *rows, const char *column)
{
    return (int)strtol(pg_cell(rows, 0, column), NULL, 10);
}

/* A probe of an earlier registration leaves the next one due now; calls hasten it
 * as doubts do. */
static enum status look_again(struct call *call, const char *id, const struct evidence *evidence)
{
    const char *ids[] = {id};

    return pg_exec(call, evidence->is_probe ? sql_state_hasten : sql_report_hasten, NULL, "a",
                   (size_t)1, ids);
}

enum status evidence_store(struct tx *tx, const char *id, const struct evidence *evidence,
                           bool *ret_taken)
{
    struct call *call = tx->call;
    struct health_state state;
    struct pg_rows rows;
    bool changed, ok = evidence->outcome == OUTCOME_OK;
    int64_t pause_ms;

    TRY(pg_rows(call, &rows, sql_state_lock, "sbii", id, evidence->is_probe, evidence->age_ms,
                evidence->revision));
    if (rows.n == 0)
        return ST_OK;
    if (strcmp(pg_cell(&rows, 0, "outdated"), "t") == 0)
        return look_again(call, id, evidence);
    if (ret_taken)
        *ret_taken = true;
    state = (struct health_state){.error = strcmp(pg_cell(&rows, 0, "status"), "error") == 0,
                                  .failures = number(&rows, "failures"),
                                  .outcomes = (unsigned)number(&rows, "outcomes"),
                                  .n_outcomes = number(&rows, "n_outcomes")};
    changed = state_step(&state, evidence->outcome, (int)health_config.threshold,
                         (int)health_config.window);
    pause_ms = state_pause_ms(&state, health_config.interval_s * 1000,
                              (double)randombytes_uniform(RANDOM_STEPS) / RANDOM_STEPS);
    /* What calls say is looked into at once; nothing else moves the next probe away. */
    if (!evidence->is_probe && !ok)
        pause_ms = 0;
    TRY(pg_exec(call, sql_state_put, NULL, "ssiiibisisbib", id, status_text(state.error),
                state.failures, (int)state.outcomes, state.n_outcomes, changed,
                evidence->latency_ms, ok ? NULL : evidence->error, evidence->tools_count,
                evidence->protocol_version, evidence->is_probe, (int)pause_ms, evidence->is_due));
    if (evidence->is_probe)
        TRY(pg_exec(call, sql_state_probe, NULL, "sbis", id, ok, evidence->latency_ms,
                    ok ? NULL : evidence->error));
    return changed ? tell(tx, id, state.error, evidence) : ST_OK;
}
