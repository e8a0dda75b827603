/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown of the reports: leaderboard and achievements. */
#include "report.h"

#include "wire/handler.h"
#include "wire/text.h"

/* ---- leaderboard ---------------------------------------------------------- */

static void add_place(struct strbuf *buf, const Gamify__LeaderboardEntry *entry)
{
    static const char *const medals[] = {"", "🥇 ", "🥈 ", "🥉 "};
    size_t rank = (size_t)entry->rank;

    strbuf_printf(buf, "| %s%d | ", rank < ARRAY_SIZE(medals) ? medals[rank] : "", entry->rank);
    wire_text_cell(buf, entry->name);
    strbuf_printf(buf, " (`%s`) | %d %s | %d | %d d", entry->user_id, entry->level, entry->title,
                  entry->xp, entry->streak_days);
    if (entry->streak_days && !entry->streak_active)
        strbuf_printf(buf, ", ended %s", entry->streak_last_date);
    strbuf_printf(buf, " | %s |\n", enum_text(&entry->base, "role"));
}

static void add_scope(struct strbuf *buf, const Gamify__GetLeaderboardResponse *rsp)
{
    if (*rsp->sprint_id)
        strbuf_printf(buf, "sprint %s", rsp->sprint_id);
    else
        strbuf_str(buf, *rsp->since ? "last 7 days" : "all time");
    if (*rsp->project_id)
        strbuf_printf(buf, " · project %s", rsp->project_id);
}

const char *report_leaderboard(struct call *call, const Gamify__GetLeaderboardResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "## Leaderboard — ");
    add_scope(&buf, rsp);
    strbuf_printf(&buf, "\nShowing %d of %d (offset %d)\n\n", rsp->count, rsp->total, rsp->offset);
    if (rsp->n_items == 0) {
        strbuf_str(&buf, "Nothing found. Try: fewer filters or other words.");
        return take_lines(call, &buf);
    }
    strbuf_str(&buf, "| # | Member | Level | XP | Streak | Role |\n|--:|---|---|--:|--:|---|\n");
    for (size_t i = 0; i < rsp->n_items; i++)
        add_place(&buf, rsp->items[i]);
    if (rsp->has_more)
        strbuf_printf(&buf, "\nMore: call again with offset %d.", rsp->next_offset);
    return take_lines(call, &buf);
}

/* ---- achievements --------------------------------------------------------- */

static void add_tier(struct strbuf *buf, Gamify__Tier tier, bool of_member)
{
    static const char *const titles[] = {
        [GAMIFY__TIER__TIER_BRONZE] = "Bronze",
        [GAMIFY__TIER__TIER_SILVER] = "Silver",
        [GAMIFY__TIER__TIER_GOLD] = "Gold",
        [GAMIFY__TIER__TIER_PLATINUM] = "Platinum",
    };

    strbuf_printf(buf,
                  "\n### %s\n\n%s| Badge | Category | XP | Description |\n%s|---|---|--:|---|\n",
                  titles[tier], of_member ? "| " : "", of_member ? "|---" : "");
}

static void add_badge(struct strbuf *buf, const Gamify__Achievement *badge, bool of_member)
{
    if (of_member)
        strbuf_str(buf, badge->unlocked ? "| ✅ " : "| 🔒 ");
    strbuf_str(buf, "| ");
    wire_text_cell(buf, badge->icon);
    strbuf_char(buf, ' ');
    wire_text_cell(buf, badge->name);
    strbuf_printf(buf, " (`%s`) | %s | %d | ", badge->id, enum_text(&badge->base, "category"),
                  badge->xp_reward);
    wire_text_cell(buf, badge->description);
    /* A full stop would stand before what follows. */
    if (of_member && buf->data[buf->len - 1] == '.')
        buf->data[--buf->len] = '\0';
    if (of_member && badge->unlocked)
        strbuf_printf(buf, " · %.10s", badge->unlocked_at);
    else if (of_member)
        strbuf_printf(buf, " · %d of %d", badge->progress, badge->target);
    strbuf_str(buf, " |\n");
}

const char *report_achievements(struct call *call, const Gamify__GetAchievementsResponse *rsp,
                                const char *name)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    Gamify__Tier tier = GAMIFY__TIER__TIER_UNSPECIFIED;

    if (name)
        strbuf_printf(&buf, "## Achievements — %s (`%s`): %d of %d unlocked\n", name, rsp->user_id,
                      rsp->unlocked, rsp->total);
    else
        strbuf_printf(&buf, "## Achievements (%d)\n", rsp->total);
    for (size_t i = 0; i < rsp->n_items; i++) {
        if (rsp->items[i]->tier != tier)
            add_tier(&buf, rsp->items[i]->tier, name != NULL);
        tier = rsp->items[i]->tier;
        add_badge(&buf, rsp->items[i], name != NULL);
    }
    return take_lines(call, &buf);
}
