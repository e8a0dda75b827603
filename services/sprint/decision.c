/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: recording them with their conversation, reading them. */
#include "decision.h"

#include "decision.sql.h"

enum status decisions_record(struct tx *tx, const Sprint__Interaction *interaction)
{
    struct pg_rows rows;
    struct event *events;

    if (interaction->n_decisions == 0)
        return ST_OK;
    TRY(pg_rows(tx->call, &rows, sql_decision_insert, "sasSS", interaction->id,
                interaction->n_decisions, interaction->decisions, interaction->user_id,
                interaction->sprint_id, interaction->work_item_id));
    events = arena_alloc(tx->call->arena, (size_t)rows.n * sizeof(*events));
    for (int row = 0; row < rows.n; row++) {
        Sprint__DecisionRecorded *event =
            new_message(tx->call, &sprint__decision_recorded__descriptor);

        event->id = pg_cell(&rows, row, "id");
        event->interaction_id = interaction->id;
        event->user_id = interaction->user_id;
        event->text = pg_cell(&rows, row, "text");
        event->sprint_id = interaction->sprint_id;
        event->work_item_id = interaction->work_item_id;
        events[row] = (struct event){"mal.evt.sprint.decision.recorded", &event->base};
    }
    return event_add_all(tx, (size_t)rows.n, events);
}

enum status sprint_list_decisions(struct call *call, const Sprint__ListDecisionsRequest *req,
                                  Sprint__ListDecisionsResponse *rsp)
{
    TRY(filter_range(call, req->from, req->to));
    if (*req->query || *req->user_id || *req->sprint_id || *req->from || *req->to)
        TRY(pg_one(call, &rsp->base, sql_decision_count, "SSSSS", req->query, req->user_id,
                   req->sprint_id, req->from, req->to));
    else
        TRY(tally_total(call, &rsp->total, "decision", NULL, NULL, NULL));
    TRY(pg_all(call, &rsp->base, "items", sql_decision_list, "SSSSSii", req->query, req->user_id,
               req->sprint_id, req->from, req->to, req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}
