/* SPDX-License-Identifier: Apache-2.0 */
/* Members: profiles and where they stand. */
#include "gamify.h"

#include "base/clock.h"
#include "days.h"
#include "ledger.sql.h"
#include "member.sql.h"
#include "radar.h"
#include "rules.h"
#include "wire/handler.h"

bool streak_is_active(const struct call *call, const char *last_date)
{
    int64_t last_ms;
    char text[TIMESTAMP_SIZE];

    (void)snprintf(text, sizeof(text), "%.10sT00:00:00Z", last_date);
    return clock_parse(text, &last_ms) && day_of_ms(last_ms) >= day_of_ms(call->now_ms) - 1;
}

void member_finish(const struct call *call, Gamify__Member *member)
{
    member->title = level_title(member->level);
    member->level_xp = level_begin(member->level);
    member->next_level_xp = level_begin(member->level + 1);
    member->progress_percent = level_progress(member->xp);
    member->streak_active = streak_is_active(call, member->streak_last_date);
}

enum status gamify_count_members(struct call *call, const Gamify__CountMembersRequest *req,
                                 Gamify__CountMembersResponse *rsp)
{
    (void)req;
    return pg_one(call, &rsp->base, sql_member_count, "");
}

enum status gamify_sum_points(struct call *call, const Gamify__SumPointsRequest *req,
                              Gamify__SumPointsResponse *rsp)
{
    return pg_all(call, &rsp->base, "items", sql_member_points, "ass", req->n_user_ids,
                  req->user_ids, req->from, req->to);
}

enum status gamify_list_team_members(struct call *call, const Gamify__ListTeamMembersRequest *req,
                                     Gamify__ListTeamMembersResponse *rsp)
{
    TRY(pg_one(call, &rsp->base, sql_member_total, ""));
    TRY(pg_all(call, &rsp->base, "items", sql_member_list, "ii", req->limit, req->offset));
    for (size_t i = 0; i < rsp->n_items; i++)
        member_finish(call, rsp->items[i]);
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status gamify_get_team_member(struct call *call, const Gamify__GetTeamMemberRequest *req,
                                   Gamify__GetTeamMemberResponse *rsp)
{
    Gamify__Member *member = new_message(call, &gamify__member__descriptor);

    TRY(fail_missing(call, pg_one(call, &member->base, sql_member_get, "s", req->id), "Member",
                     req->id));
    member_finish(call, member);
    rsp->member = member;
    TRY(pg_all(call, &rsp->base, "contributions", sql_member_contributions, "s", req->id));
    TRY(pg_all(call, &rsp->base, "achievements", sql_member_achievements, "s", req->id));
    TRY(pg_one(call, &rsp->base, sql_member_rank, "i", member->xp));
    rsp->radar = new_message(call, &gamify__radar__descriptor);
    return radar_of(call, req->id, rsp->radar);
}

/* ---- registering ---------------------------------------------------------- */

/* Says who has the address. */
static enum status address_taken(struct tx *tx, enum status status, const char *email)
{
    struct call *call = tx->call;
    const char *owner = NULL;

    if (status != ST_ALREADY_EXISTS || strcmp(pg_constraint(call), "member_email") != 0)
        return status;
    tx_done(tx);
    if (pg_text(call, sql_member_email_owner, &owner, "s", email) != ST_OK || !owner)
        owner = "somebody else";
    call_hint(call, "another address, or mal_register_team_member to change that member first.");
    return call_fail(call, ST_ALREADY_EXISTS, "The e-mail address '%s' belongs to member '%s'.",
                     email, owner);
}

static enum status tell_updated(struct tx *tx, const Gamify__Member *member,
                                const struct names *changed)
{
    Gamify__MemberUpdated event = GAMIFY__MEMBER_UPDATED__INIT;

    event.id = member->id;
    event.name = member->name;
    event.role = member->role;
    event.n_changed = changed->n;
    event.changed = changed->items;
    return event_add(tx, "mal.evt.gamify.member.updated", &event.base);
}

static enum status change(struct tx *tx, const Gamify__RegisterTeamMemberRequest *req,
                          Gamify__Member *member, struct names *changed)
{
    struct call *call = tx->call;
    Gamify__RegisterTeamMemberRequest update = *req;

    TRY(pg_one(call, &member->base, sql_ledger_lock, "s", req->id));
    TRY(pg_keep_json(call, &update.metadata, member->metadata));
    update_merge(call, &member->base, &update.base, changed);
    if (changed->n == 0)
        return ST_OK;
    TRY(address_taken(tx,
                      pg_one(call, &member->base, sql_member_update, "ssSSss", member->id,
                             member->name, member->email, member->avatar_url,
                             enum_text(&member->base, "role"),
                             *member->metadata ? member->metadata : "{}"),
                      member->email));
    return tell_updated(tx, member, changed);
}

static enum status tell_registered(struct tx *tx, const Gamify__Member *member)
{
    Gamify__MemberRegistered event = GAMIFY__MEMBER_REGISTERED__INIT;

    event.id = member->id;
    event.name = member->name;
    event.role = member->role;
    return event_add(tx, "mal.evt.gamify.member.registered", &event.base);
}

enum status gamify_register_team_member(struct call *call,
                                        const Gamify__RegisterTeamMemberRequest *req,
                                        Gamify__RegisterTeamMemberResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Gamify__Member *member = new_message(call, &gamify__member__descriptor);
    struct names changed = {0};
    enum status status;

    TRY(tx_begin(&tx, call));
    status = address_taken(&tx,
                           pg_one(call, &member->base, sql_member_insert, "ssSSsS", req->id,
                                  req->name, req->email, req->avatar_url,
                                  enum_text(&req->base, "role"), req->metadata),
                           req->email);
    rsp->created = status == ST_OK;
    if (status == ST_NOT_FOUND) /* there already */
        status = change(&tx, req, member, &changed);
    else if (status == ST_OK)
        status = tell_registered(&tx, member);
    TRY(status);
    member_finish(call, member);
    rsp->member = member;
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    return tx_commit(&tx);
}
