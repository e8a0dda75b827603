/* SPDX-License-Identifier: Apache-2.0 */
/* What sprint tells, turned into awards and reversals: work items done and
 * reopened, sprints completed and reopened, conversations logged. */
#include "awards.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "ledger.h"
#include "ledger.sql.h"
#include "mal/sprint/v1/events.pb-c.h"
#include "metadata.h"
#include "wire/handler.h"

/* The time the event names, else that of the event, else now. */
static int64_t moment(const struct call *call, const struct bus_event *event, const char *text)
{
    int64_t ms;

    if (clock_parse(text, &ms) || (event->time && clock_parse(event->time, &ms)))
        return ms;
    return call->now_ms;
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

/* Who is no member gets nothing. */
static enum status give(struct tx *tx, const char *user_id, const struct award *award)
{
    struct ledger ledger;
    struct awarded awarded;
    enum status status;

    if (!*user_id)
        return ST_OK;
    status = ledger_open(&ledger, tx, user_id);
    if (status == ST_NOT_FOUND)
        return ST_OK;
    TRY(status);
    TRY(ledger_award(&ledger, award, 1, &awarded));
    return ledger_close(&ledger);
}

/* Whoever got it. */
static enum status take_back(struct tx *tx, Gamify__ContributionType type, const char *reference_id)
{
    Gamify__Contribution contribution = GAMIFY__CONTRIBUTION__INIT;
    struct pg_rows holders;

    contribution.type = type;
    TRY(pg_rows(tx->call, &holders, sql_ledger_holders, "ss", enum_text(&contribution.base, "type"),
                reference_id));
    for (int i = 0; i < holders.n; i++) {
        struct ledger ledger;
        int rows;

        TRY(ledger_open(&ledger, tx, pg_cell(&holders, i, "user_id")));
        TRY(ledger_reverse(&ledger, type, reference_id, &rows));
        TRY(ledger_close(&ledger));
    }
    return ST_OK;
}

static enum status item_completed(struct tx *tx, const struct bus_event *event, const void *message)
{
    struct call *call = tx->call;
    const Sprint__WorkItemCompleted *item = message;
    const char *type = enum_text(&item->base, "type");
    struct award award = {
        .type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM,
        .source = GAMIFY__SOURCE__SOURCE_EVENT,
        .reference_id = item->id,
        .description =
            arena_printf(call->arena, "Completed %s %s", type ? type : "work item", item->id),
        .project_id = or_null(item->project_id),
        .metadata = arena_printf(call->arena, "{\"story_points\":%d,\"item_type\":\"%s\"}",
                                 item->story_points, type ? type : ""),
        .occurred_ms = moment(call, event, item->completed_at),
    };

    TRY(award_from_metadata(call, &award));
    return give(tx, item->assignee, &award);
}

static enum status item_reopened(struct tx *tx, const struct bus_event *event, const void *message)
{
    const Sprint__WorkItemReopened *item = message;

    (void)event;
    return take_back(tx, GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM, item->id);
}

static int by_user(const void *a, const void *b)
{
    const Sprint__SprintMember *const *x = a, *const *y = b;

    return strcmp((*x)->user_id, (*y)->user_id);
}

static enum status sprint_completed(struct tx *tx, const struct bus_event *event,
                                    const void *message)
{
    struct call *call = tx->call;
    const Sprint__SprintCompleted *sprint = message;
    struct award award = {
        .type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_SPRINT,
        .source = GAMIFY__SOURCE__SOURCE_EVENT,
        .reference_id = sprint->id,
        .description = arena_printf(call->arena, "Completed sprint %s", sprint->id),
        .project_id = or_null(sprint->project_id),
        .occurred_ms = moment(call, event, sprint->completed_at),
    };
    int best = 0;

    /* In the order of locking. */
    if (sprint->n_members)
        qsort(sprint->members, sprint->n_members, sizeof(void *), by_user);
    for (size_t i = 0; i < sprint->n_members; i++)
        if (sprint->members[i]->done_points > best)
            best = sprint->members[i]->done_points;
    for (size_t i = 0; i < sprint->n_members; i++) {
        const Sprint__SprintMember *member = sprint->members[i];
        bool top = best > 0 && member->done_points == best;

        if (member->done_items < 1)
            continue;
        award.metadata = arena_printf(
            call->arena,
            "{\"on_time\":%s,\"done_items\":%d,\"done_points\":%d,\"top_velocity\":%s}",
            sprint->on_time ? "true" : "false", member->done_items, member->done_points,
            top ? "true" : "false");
        TRY(award_from_metadata(call, &award));
        TRY(give(tx, member->user_id, &award));
    }
    return ST_OK;
}

static enum status sprint_reopened(struct tx *tx, const struct bus_event *event,
                                   const void *message)
{
    const Sprint__SprintReopened *sprint = message;

    (void)event;
    return take_back(tx, GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_SPRINT, sprint->id);
}

static enum status interaction_logged(struct tx *tx, const struct bus_event *event,
                                      const void *message)
{
    struct call *call = tx->call;
    const Sprint__InteractionLogged *talk = message;
    struct award award = {
        .type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION,
        .source = GAMIFY__SOURCE__SOURCE_EVENT,
        .reference_id = talk->id,
        .description = "Logged a conversation",
        .project_id = or_null(talk->project_id),
        .metadata = arena_printf(call->arena, "{\"tools_used\":%d,\"decisions\":%d}",
                                 talk->tools_count, talk->decisions_count),
        .occurred_ms = moment(call, event, talk->created_at),
    };

    TRY(award_from_metadata(call, &award));
    return give(tx, talk->user_id, &award);
}

/* ---- dispatch ------------------------------------------------------------- */

static const struct kind {
    const char *subject;
    const ProtobufCMessageDescriptor *descriptor;
    enum status (*apply)(struct tx *tx, const struct bus_event *event, const void *message);
} kinds[] = {
    {"mal.evt.sprint.work_item.completed", &sprint__work_item_completed__descriptor,
     item_completed},
    {"mal.evt.sprint.work_item.reopened", &sprint__work_item_reopened__descriptor, item_reopened},
    {"mal.evt.sprint.sprint.completed", &sprint__sprint_completed__descriptor, sprint_completed},
    {"mal.evt.sprint.sprint.reopened", &sprint__sprint_reopened__descriptor, sprint_reopened},
    {"mal.evt.sprint.interaction.logged", &sprint__interaction_logged__descriptor,
     interaction_logged},
};

static enum status apply(struct tx *tx, const struct bus_event *event)
{
    struct call *call = tx->call;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ProtobufCMessage *message = NULL;
        struct error err = {0};

        if (strcmp(kinds[i].subject, event->subject) != 0)
            continue;
        if (wire_unpack(call->arena, kinds[i].descriptor, event->data, event->len, &message,
                        &err) == ST_OK)
            return kinds[i].apply(tx, event, message);
        /* It could never be applied and would hold up all that follow. */
        log_warn("event %s on %s cannot be read; left out", event->event_id, event->subject);
    }
    return ST_OK; /* nothing that gives XP */
}

enum status awards_apply(struct call *call, const struct bus_event *event)
{
    CLEANUP(tx_done) struct tx tx = {0};
    bool new;

    if (!event->event_id || !uuid_valid(event->event_id)) {
        log_warn("an event on %s has no id; left out", event->subject);
        return ST_OK;
    }
    TRY(tx_begin(&tx, call));
    TRY(event_seen(&tx, event->event_id, &new));
    if (new)
        TRY(apply(&tx, event));
    return tx_commit(&tx);
}
