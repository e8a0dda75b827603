/* SPDX-License-Identifier: Apache-2.0 */
/* Achievements: adding and listing them. */
#include "gamify.h"

#include "achievement.sql.h"
#include "badge.h"
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
