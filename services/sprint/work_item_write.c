/* SPDX-License-Identifier: Apache-2.0 */
/* Changing work items: what follows from their status, the tree, the journal. */
#include "sprint.h"

#include "base/clock.h"
#include "work_item.sql.h"

static bool is_done(const Sprint__WorkItem *item)
{
    return item->status == SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_DONE;
}

/* The time as it is stored, or a violation. */
static void settle_time(struct call *call, Sprint__WorkItem *item)
{
    char *text = arena_alloc(call->arena, TIMESTAMP_SIZE);
    int64_t at = 0;

    if (!clock_parse(item->completed_at, &at) || at > call->now_ms)
        call_field(call, "completed_at", "must not be in the future");
    else if (!is_done(item))
        call_field(call, "completed_at", "is accepted only for an item that is done");
    clock_format(at, text);
    item->completed_at = text;
}

enum status item_settle(struct call *call, Sprint__WorkItem *item, bool was_done, bool given)
{
    if (given)
        settle_time(call, item);
    else if (!is_done(item))
        item->completed_at = "";
    else if (!was_done)
        item->completed_at = now_text(call);
    return call_invalid(call);
}

enum status fail_cycle(struct call *call, const char *id)
{
    call_hint(call, "another parent_id, or null for none.");
    return call_fail_reason(call, ST_FAILED_PRECONDITION, "CYCLE",
                            "Work item '%s' cannot be a part of itself or of one of its own "
                            "sub-items.",
                            id);
}

void item_completed_event(Sprint__WorkItemCompleted *event, const Sprint__WorkItem *item)
{
    event->id = item->id;
    event->project_id = item->project_id;
    event->sprint_id = item->sprint_id;
    event->type = item->type;
    event->story_points = item->story_points;
    event->assignee = item->assignee;
    event->completed_at = item->completed_at;
}

/* With the tree locked, what is seen here holds until the end. */
static enum status check_parent(struct call *call, const Sprint__WorkItem *item)
{
    const char *under;

    if (!*item->parent_id)
        return ST_OK;
    TRY(pg_text(call, sql_work_item_is_under, &under, "ss", item->parent_id, item->id));
    if (strcmp(item->parent_id, item->id) == 0 || strcmp(under, "t") == 0)
        return fail_cycle(call, item->id);
    return ST_OK;
}

/* The field's value in the journal; "" when there is none. */
static const char *value_text(struct call *call, const Sprint__WorkItem *item, const char *name)
{
    const char *text = enum_text(&item->base, name);
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    if (text)
        return text;
    if (strcmp(name, "story_points") == 0) {
        text = int_text(call, item->has_story_points_case, item->story_points);
        return text ? text : "";
    }
    if (strcmp(name, "labels") != 0)
        return wire_get_string(&item->base, name);
    for (size_t i = 0; i < item->n_labels; i++) {
        strbuf_char(&buf, i ? ',' : '[');
        json_put_string(&buf, item->labels[i]);
    }
    strbuf_str(&buf, item->n_labels ? "]" : "[]");
    return take_text(call, &buf);
}

static enum status journal(struct call *call, const Sprint__WorkItem *before,
                           const Sprint__WorkItem *after, const struct names *changed)
{
    const char **was = arena_alloc(call->arena, changed->n * sizeof(*was));
    const char **is = arena_alloc(call->arena, changed->n * sizeof(*is));

    for (size_t i = 0; i < changed->n; i++) {
        was[i] = value_text(call, before, changed->items[i]);
        is[i] = value_text(call, after, changed->items[i]);
    }
    return pg_exec(call, sql_work_item_journal, NULL, "ssaaa", after->id,
                   call->actor ? call->actor : "", changed->n, changed->items, changed->n, was,
                   changed->n, is);
}

static enum status store(struct call *call, const Sprint__WorkItem *item, Sprint__WorkItem *stored)
{
    enum status status =
        pg_one(call, &stored->base, sql_work_item_update, "ssSssssSSSSaSSSs", item->id, item->title,
               item->description, enum_text(&item->base, "type"), enum_text(&item->base, "status"),
               enum_text(&item->base, "priority"),
               int_text(call, item->has_story_points_case, item->story_points), item->sprint_id,
               item->project_id, item->assignee, item->reporter, item->n_labels, item->labels,
               item->parent_id, item->due_date, item->completed_at, item->metadata);

    return fail_reference(call, status, &item->base);
}

static enum status tell(struct tx *tx, const Sprint__WorkItem *item, bool was_done,
                        const struct names *changed)
{
    Sprint__WorkItemUpdated updated = SPRINT__WORK_ITEM_UPDATED__INIT;
    Sprint__WorkItemCompleted completed = SPRINT__WORK_ITEM_COMPLETED__INIT;
    Sprint__WorkItemReopened reopened = SPRINT__WORK_ITEM_REOPENED__INIT;
    struct event events[2] = {{"mal.evt.sprint.work_item.updated", &updated.base}};

    updated.id = item->id;
    updated.project_id = item->project_id;
    updated.sprint_id = item->sprint_id;
    updated.status = item->status;
    updated.n_changed = changed->n;
    updated.changed = changed->items;
    reopened.id = item->id;
    reopened.status = item->status;
    item_completed_event(&completed, item);
    if (is_done(item))
        events[1] = (struct event){"mal.evt.sprint.work_item.completed", &completed.base};
    else
        events[1] = (struct event){"mal.evt.sprint.work_item.reopened", &reopened.base};
    return event_add_all(tx, is_done(item) != was_done ? 2 : 1, events);
}

/* Takes the update over; *changed are the fields that now differ. */
static enum status merge(struct call *call, Sprint__WorkItem *item, const Sprint__WorkItem *before,
                         const ProtobufCMessage *update, struct names *changed)
{
    update_merge(call, &item->base, update, changed);
    TRY(item_settle(call, item, is_done(before), update_names(update, "completed_at")));
    if (strcmp(item->completed_at, before->completed_at) == 0)
        names_remove(changed, "completed_at");
    return keep_metadata(call, &item->metadata, before->metadata, changed);
}

enum status item_change(struct tx *tx, const char *id, const ProtobufCMessage *update,
                        Sprint__WorkItem **ret_item, struct names *ret_changed)
{
    struct call *call = tx->call;
    Sprint__WorkItem *item = new_message(call, &sprint__work_item__descriptor), before, *stored;

    TRY(fail_missing(call, pg_one(call, &item->base, sql_work_item_lock, "s", id), "Work item",
                     id));
    before = *item;
    TRY(merge(call, item, &before, update, ret_changed));
    *ret_item = item;
    if (ret_changed->n == 0)
        return ST_OK;
    if (names_have(ret_changed, "parent_id"))
        TRY(check_parent(call, item));
    stored = new_message(call, &sprint__work_item__descriptor);
    TRY(store(call, item, stored));
    TRY(journal(call, &before, stored, ret_changed));
    *ret_item = stored;
    return tell(tx, stored, is_done(&before), ret_changed);
}

enum status sprint_update_work_item(struct call *call, const Sprint__UpdateWorkItemRequest *req,
                                    Sprint__UpdateWorkItemResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names changed = {0};

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    if (*req->parent_id)
        TRY(pg_exec(call, sql_work_item_lock_tree, NULL, ""));
    TRY(item_change(&tx, req->id, &req->base, &rsp->work_item, &changed));
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    return tx_commit(&tx);
}
