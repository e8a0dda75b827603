/* SPDX-License-Identifier: Apache-2.0 */
/* Achievements: adding and listing them. */
#include "gamify.h"

#include "achievement.sql.h"
#include "badge.h"
#include "ledger.h"
#include "report.h"
#include "wire/handler.h"

static void check_criteria(struct call *call, size_t i, const Gamify__AchievementEntry *entry)
{
    enum measure measure;
    int target;

    if (!criteria_read(call->arena, entry->criteria, &measure, &target))
        call_field(call, arena_printf(call->arena, "items[%zu].criteria", i),
                   "must be {\"type\": …, \"count\": …} with a known type and a count from 1");
}

enum status gamify_import_achievements(struct call *call,
                                       const Gamify__ImportAchievementsRequest *req,
                                       Gamify__ImportAchievementsResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};

    for (size_t i = 0; i < req->n_items; i++)
        check_criteria(call, i, req->items[i]);
    TRY(call_invalid(call));
    TRY(tx_begin(&tx, call));
    for (size_t i = 0; i < req->n_items; i++) {
        const Gamify__AchievementEntry *entry = req->items[i];
        int rows;

        TRY(pg_exec(call, sql_achievement_insert, &rows, "ssssssis", entry->id, entry->name,
                    entry->description, entry->icon, enum_text(&entry->base, "category"),
                    enum_text(&entry->base, "tier"), entry->xp_reward, entry->criteria));
        rsp->inserted += rows;
        rsp->skipped += 1 - rows;
    }
    return tx_commit(&tx);
}

/* How far the member is with it; what is unlocked is complete. */
static void set_progress(const struct ledger *ledger, struct arena *arena,
                         Gamify__Achievement *badge)
{
    enum measure measure;
    int target, progress;

    if (!criteria_read(arena, badge->criteria, &measure, &target))
        return;
    progress = badge->unlocked ? target : measure_of(ledger, measure);
    badge->has_target_case = GAMIFY__ACHIEVEMENT__HAS_TARGET_TARGET;
    badge->target = target;
    badge->has_progress_case = GAMIFY__ACHIEVEMENT__HAS_PROGRESS_PROGRESS;
    badge->progress = progress < target ? progress : target;
}

static enum status show_member(struct call *call, const char *user_id,
                               Gamify__GetAchievementsResponse *rsp, const char **ret_name)
{
    struct ledger ledger;

    TRY(ledger_read(&ledger, call, user_id));
    for (size_t i = 0; i < rsp->n_items; i++) {
        set_progress(&ledger, call->arena, rsp->items[i]);
        rsp->unlocked += rsp->items[i]->unlocked;
    }
    rsp->user_id = user_id;
    rsp->has_unlocked_case = GAMIFY__GET_ACHIEVEMENTS_RESPONSE__HAS_UNLOCKED_UNLOCKED;
    *ret_name = ledger.member->name;
    return ST_OK;
}

enum status gamify_get_achievements(struct call *call, const Gamify__GetAchievementsRequest *req,
                                    Gamify__GetAchievementsResponse *rsp)
{
    const char *name = NULL;

    TRY(pg_all(call, &rsp->base, "items", sql_achievement_list, "SS", req->user_id,
               enum_text(&req->base, "category")));
    rsp->total = (int32_t)rsp->n_items;
    if (*req->user_id)
        TRY(show_member(call, req->user_id, rsp, &name));
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = report_achievements(call, rsp, name);
    return ST_OK;
}
