/* SPDX-License-Identifier: Apache-2.0 */
/* Contributions that are told by a call. */
#include "gamify.h"

#include "contribution.sql.h"
#include "ledger.h"
#include "metadata.h"
#include "wire/handler.h"

static bool is_badge(const Gamify__LogContributionRequest *req)
{
    return req->type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_ACHIEVEMENT;
}

static enum status check_trust(struct call *call, const Gamify__LogContributionRequest *req)
{
    if (call->trusted || !(req->has_points_case || is_badge(req)))
        return ST_OK;
    call_hint(call, "%s, or use a key that MAL_TRUSTED_KEYS names.",
              is_badge(req) ? "wait until it unlocks by itself" : "leave points out");
    return call_fail(call, ST_PERMISSION_DENIED, "Only trusted keys may %s.",
                     is_badge(req) ? "unlock achievements by hand" : "set points");
}

/* XP of an achievement unlocked by hand. */
static enum status read_reward(struct call *call, const char *id, int *ret_base)
{
    Gamify__Achievement achievement = GAMIFY__ACHIEVEMENT__INIT;
    enum status status = pg_one(call, &achievement.base, sql_contribution_reward, "s", id);

    *ret_base = achievement.xp_reward;
    if (status != ST_NOT_FOUND)
        return status;
    call_hint(call, "mal_get_achievements to find the id.");
    return call_fail(call, ST_NOT_FOUND, "Achievement '%s' was not found.", id);
}

static enum status read_award(struct call *call, const Gamify__LogContributionRequest *req,
                              struct award *award)
{
    *award = (struct award){
        .type = req->type,
        .source = GAMIFY__SOURCE__SOURCE_CALL,
        .reference_id = *req->reference_id ? req->reference_id : NULL,
        .description = *req->description ? req->description : NULL,
        .project_id = *req->project_id ? req->project_id : NULL,
        .metadata = req->metadata,
        .occurred_ms = call->now_ms,
    };
    TRY(award_from_metadata(call, award));
    if (is_badge(req) && !award->reference_id) {
        call_field(call, "reference_id", "must name the achievement");
        return call_invalid(call);
    }
    if (is_badge(req))
        TRY(read_reward(call, award->reference_id, &award->base));
    if (req->has_points_case)
        award->base = req->points;
    award->fixed = req->has_points_case || is_badge(req);
    return ST_OK;
}

static void list_unlocked(struct call *call, const struct ledger *ledger, const struct award *award,
                          Gamify__LogContributionResponse *rsp)
{
    struct names ids = {0};

    for (size_t i = 0; i < ledger->n_unlocked; i++) {
        Gamify__Achievement *achievement = ledger->unlocked[i];

        names_add(call, &ids, achievement->id);
        /* What it brought, which a trusted key may have said otherwise. */
        if (award->fixed && award->reference_id &&
            strcmp(award->reference_id, achievement->id) == 0)
            achievement->xp_reward = award->base;
    }
    rsp->n_new_achievements = ids.n;
    rsp->new_achievements = ids.items;
    rsp->n_unlocked = ledger->n_unlocked;
    rsp->unlocked = ledger->unlocked;
}

enum status gamify_log_contribution(struct call *call, const Gamify__LogContributionRequest *req,
                                    Gamify__LogContributionResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct award award;
    struct awarded awarded;
    struct ledger ledger;

    TRY(check_trust(call, req));
    TRY(read_award(call, req, &award));
    TRY(tx_begin(&tx, call));
    TRY(ledger_open(&ledger, &tx, req->user_id));
    TRY(ledger_award(&ledger, &award, 1, &awarded));
    TRY(ledger_close(&ledger));
    rsp->contribution = new_message(call, &gamify__contribution__descriptor);
    TRY(pg_one(call, &rsp->contribution->base, sql_contribution_get, "s",
               awarded.duplicate ? awarded.known : awarded.event->contribution_id));
    rsp->awarded_points = awarded.points;
    rsp->duplicate = awarded.duplicate;
    rsp->level_up = ledger.member->level > ledger.level_before;
    list_unlocked(call, &ledger, &award, rsp);
    member_finish(call, ledger.member);
    rsp->member = ledger.member;
    return tx_commit(&tx);
}
