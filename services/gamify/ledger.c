/* SPDX-License-Identifier: Apache-2.0 */
/* The award engine: what follows from an award, worked out in memory. */
#include "ledger.h"

#include "base/clock.h"
#include "ledger.sql.h"
#include "ledger_rows.h"
#include "member.sql.h"
#include "rules.h"
#include "wire/handler.h"

/* ---- opening -------------------------------------------------------------- */

static int cell_int(const struct pg_rows *rows, int row, const char *column)
{
    const char *text = pg_cell(rows, row, column);

    return text ? (int)strtol(text, NULL, 10) : 0;
}

static enum status load_tally(struct ledger *ledger)
{
    struct tally *tally = &ledger->tally;
    const struct {
        const char *column;
        int *value;
    } columns[] = {
        {"commits", &tally->commits},
        {"interactions", &tally->interactions},
        {"sprints", &tally->sprints},
        {"top_velocity", &tally->top_velocity},
        {"bugs", &tally->bugs},
        {"decisions", &tally->decisions},
        {"longest_run", &tally->longest_run},
        {"frontend", &tally->frontend},
        {"backend", &tally->backend},
        {"devops", &tally->devops},
        {"data", &tally->data},
        {"documentation", &tally->documentation},
    };
    struct pg_rows rows;

    TRY(pg_rows(ledger->call, &rows, sql_ledger_tally, "s", ledger->member->id));
    for (size_t i = 0; rows.n && i < ARRAY_SIZE(columns); i++)
        *columns[i].value = cell_int(&rows, 0, columns[i].column);
    return ST_OK;
}

enum status ledger_load_days(struct ledger *ledger)
{
    struct call *call = ledger->call;
    struct pg_rows rows;

    ledger->days = (struct days){0};
    TRY(pg_rows(call, &rows, sql_ledger_days, "s", ledger->member->id));
    for (int i = 0; i < rows.n; i++)
        days_add(&ledger->days, call->arena, cell_int(&rows, i, "day"));
    return ST_OK;
}

/* The achievements that the member does not have. */
static enum status load_badges(struct ledger *ledger)
{
    struct call *call = ledger->call;
    Gamify__GetAchievementsResponse list = GAMIFY__GET_ACHIEVEMENTS_RESPONSE__INIT;
    bool asks_tools = false;
    const char *tools = NULL;

    TRY(pg_all(call, &list.base, "items", sql_ledger_badges, "s", ledger->member->id));
    ledger->n_badges = list.n_items;
    ledger->badges = arena_alloc(call->arena, list.n_items * sizeof(*ledger->badges));
    for (size_t i = 0; i < list.n_items; i++) {
        struct badge *badge = &ledger->badges[i];

        badge->achievement = list.items[i];
        (void)criteria_read(call->arena, list.items[i]->criteria, &badge->measure, &badge->target);
        asks_tools = asks_tools || badge->measure == MEASURE_UNIQUE_TOOLS;
    }
    if (asks_tools)
        TRY(pg_text(call, sql_ledger_tools, &tools, "s", ledger->member->id));
    ledger->tools = tools ? (int)strtol(tools, NULL, 10) : 0;
    return ST_OK;
}

static enum status load(struct ledger *ledger, const struct query *query, const char *user_id)
{
    struct call *call = ledger->call;

    ledger->member = new_message(call, &gamify__member__descriptor);
    ledger->rows = arena_alloc(call->arena, sizeof(*ledger->rows));
    TRY(fail_missing(call, pg_one(call, &ledger->member->base, query, "s", user_id), "Member",
                     user_id));
    ledger->level_before = ledger->member->level;
    TRY(load_tally(ledger));
    return load_badges(ledger);
}

enum status ledger_open(struct ledger *ledger, struct tx *tx, const char *user_id)
{
    *ledger = (struct ledger){.call = tx->call, .tx = tx};
    TRY(load(ledger, sql_ledger_lock, user_id));
    return ledger_load_days(ledger);
}

enum status ledger_read(struct ledger *ledger, struct call *call, const char *user_id)
{
    *ledger = (struct ledger){.call = call};
    return load(ledger, sql_member_get, user_id);
}

/* ---- awards --------------------------------------------------------------- */

static void tell_level(struct ledger *ledger)
{
    struct call *call = ledger->call;
    const Gamify__Member *member = ledger->member;
    Gamify__LevelReached *event = new_message(call, &gamify__level_reached__descriptor);

    event->user_id = member->id;
    event->level = member->level;
    event->title = level_title(member->level);
    event->xp = member->xp;
    rows_event(ledger, "mal.evt.gamify.level.reached", &event->base);
}

enum status ledger_settle(struct ledger *ledger, int points)
{
    struct call *call = ledger->call;
    Gamify__Member *member = ledger->member;
    int64_t xp = (int64_t)member->xp + points;
    int last = days_last(&ledger->days);

    if (xp > INT32_MAX)
        return call_fail(call, ST_FAILED_PRECONDITION, "Member '%s' has all the XP there is.",
                         member->id);
    ledger->tally.longest_run = ledger->days.longest;
    member->xp = xp > 0 ? (int)xp : 0;
    member->level = level_of(member->xp);
    member->streak_days = days_streak(&ledger->days, last);
    member->streak_last_date = member->streak_days ? day_text(call->arena, last) : "";
    return ST_OK;
}

static void count(struct tally *tally, const struct award *award)
{
    const struct figures *figures = &award->figures;

    switch (award->type) {
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT:
        tally->commits++;
        tally->frontend += figures->frontend;
        tally->backend += figures->backend;
        tally->devops += figures->devops;
        tally->data += figures->data;
        tally->documentation += figures->documentation;
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION:
        tally->interactions++;
        tally->decisions += figures->decisions;
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM:
        tally->bugs += figures->bug;
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_SPRINT:
        tally->sprints++;
        tally->top_velocity += figures->top_velocity;
        break;
    default:
        break;
    }
}

static void tell_award(struct ledger *ledger, struct ledger_row *row)
{
    struct call *call = ledger->call;
    const struct award *award = &row->award;
    Gamify__XpAwarded *event = new_message(call, &gamify__xp_awarded__descriptor);

    event->user_id = ledger->member->id;
    event->type = award->type;
    event->reference_id = award->reference_id ? award->reference_id : "";
    event->points = row->points;
    event->base_points = award->base;
    event->multiplier_percent = row->multiplier;
    event->xp = ledger->member->xp;
    event->project_id = award->project_id ? award->project_id : "";
    event->description = award->description ? award->description : "";
    event->metadata = award->metadata ? award->metadata : "{}";
    event->occurred_at = time_text(call->arena, award->occurred_ms);
    event->created_at = time_text(call->arena, call->now_ms);
    event->source = award->source;
    row->event = event; /* the contribution's id follows when it is written */
    rows_event(ledger, "mal.evt.gamify.xp.awarded", &event->base);
}

static enum status record(struct ledger *ledger, const struct award *award, struct awarded *ret)
{
    struct ledger_rows *rows = ledger->rows;
    struct arena *arena = ledger->call->arena;
    int day = day_of_ms(award->occurred_ms), level = ledger->member->level;
    struct ledger_row *row;

    if (award->type != GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_ACHIEVEMENT)
        days_add(&ledger->days, arena, day);
    rows->items = rows_room(arena, rows->items, rows->n, &rows->room, sizeof(*rows->items));
    row = &rows->items[rows->n++];
    row->award = *award;
    row->multiplier = award->fixed ? 100 : multiplier_at(days_streak(&ledger->days, day));
    row->points = award_of(award->base, row->multiplier);
    TRY(ledger_settle(ledger, row->points));
    count(&ledger->tally, award);
    tell_award(ledger, row);
    if (ledger->member->level > level)
        tell_level(ledger);
    ret->points = row->points;
    ret->event = row->event;
    return ST_OK;
}

/* ---- achievements --------------------------------------------------------- */

static void keep_unlocked(struct ledger *ledger, Gamify__Achievement *achievement)
{
    struct call *call = ledger->call;

    /* Room for every badge, made at the first. */
    if (!ledger->unlocked)
        ledger->unlocked = arena_alloc(call->arena, ledger->n_badges * sizeof(void *));
    ledger->unlocked[ledger->n_unlocked++] = achievement;
    achievement->has_unlocked_case = GAMIFY__ACHIEVEMENT__HAS_UNLOCKED_UNLOCKED;
    achievement->unlocked = true;
    achievement->unlocked_at = time_text(call->arena, call->now_ms);
}

/* award may be NULL: as the evaluator gives it. */
static enum status unlock(struct ledger *ledger, struct badge *badge, const struct award *given,
                          struct awarded *ret)
{
    struct call *call = ledger->call;
    Gamify__Achievement *achievement = badge->achievement;
    Gamify__AchievementUnlocked *event =
        new_message(call, &gamify__achievement_unlocked__descriptor);
    struct award award = {.type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_ACHIEVEMENT,
                          .source = GAMIFY__SOURCE__SOURCE_UNLOCK,
                          .reference_id = achievement->id,
                          .base = achievement->xp_reward,
                          .fixed = true,
                          .description =
                              arena_printf(call->arena, "Unlocked %s", achievement->name),
                          .occurred_ms = call->now_ms};

    badge->unlocked = true;
    keep_unlocked(ledger, achievement);
    names_add(call, &ledger->rows->unlocked, achievement->id);
    event->user_id = ledger->member->id;
    event->achievement_id = achievement->id;
    event->name = achievement->name;
    event->icon = achievement->icon;
    event->xp_reward = given ? given->base : award.base;
    event->unlocked_at = achievement->unlocked_at;
    rows_event(ledger, "mal.evt.gamify.achievement.unlocked", &event->base);
    return record(ledger, given ? given : &award, ret);
}

enum status ledger_evaluate(struct ledger *ledger)
{
    bool again;

    do {
        again = false;
        for (size_t i = 0; i < ledger->n_badges; i++) {
            struct badge *badge = &ledger->badges[i];
            struct awarded ignored;

            if (badge->unlocked || badge->measure == MEASURE_NONE ||
                measure_of(ledger, badge->measure) < badge->target)
                continue;
            TRY(unlock(ledger, badge, NULL, &ignored));
            again = true;
        }
    } while (again);
    return ST_OK;
}

/* By hand. */
static enum status award_badge(struct ledger *ledger, const struct award *award,
                               struct awarded *ret)
{
    struct call *call = ledger->call;

    for (size_t i = 0; i < ledger->n_badges; i++) {
        struct badge *badge = &ledger->badges[i];

        if (!badge->unlocked && strcmp(badge->achievement->id, award->reference_id) == 0)
            return unlock(ledger, badge, award, ret);
    }
    return call_fail(call, ST_NOT_FOUND, "Achievement '%s' was not found.", award->reference_id);
}

/* ---- the interface -------------------------------------------------------- */

enum status ledger_award(struct ledger *ledger, const struct award *awards, size_t n,
                         struct awarded *ret)
{
    struct call *call = ledger->call;
    const char **ids = arena_alloc(call->arena, n * sizeof(*ids));

    TRY(ledger_known(ledger, awards, n, ret, ids));
    TRY(ledger_assign(ledger, awards, n, ids));
    for (size_t i = 0; i < n; i++) {
        const struct award *award = &awards[i];

        if (ret[i].duplicate)
            continue;
        if (award->type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_ACHIEVEMENT)
            TRY(award_badge(ledger, award, &ret[i]));
        else
            TRY(record(ledger, award, &ret[i]));
        TRY(ledger_evaluate(ledger));
    }
    return ST_OK;
}

enum status ledger_close(struct ledger *ledger)
{
    return ledger_flush(ledger);
}
