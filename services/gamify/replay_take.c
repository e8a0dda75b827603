/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a replay, sorted by kind into the tables that gather them. */
#include "replay.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "replay.sql.h"
#include "tools.h"
#include "wire/handler.h"

#include <string.h>

enum { COLUMNS_MAX = 12 };

/* Rows as one array per column. */
struct rows {
    size_t n, n_columns;
    const char **column[COLUMNS_MAX];
};

static void rows_init(struct rows *rows, struct call *call, size_t n_columns, size_t room)
{
    *rows = (struct rows){.n_columns = n_columns};
    for (size_t i = 0; i < n_columns; i++)
        rows->column[i] = arena_alloc(call->arena, room * sizeof(char *));
}

static void rows_add(struct rows *rows, const char *const *cells)
{
    for (size_t i = 0; i < rows->n_columns; i++)
        rows->column[i][rows->n] = cells[i];
    rows->n++;
}

#define COL(rows, i) (rows)->n, (rows)->column[i]

static const char *number(struct call *call, int value)
{
    return arena_printf(call->arena, "%d", value);
}

/* NULL for what is no such event. */
static const void *read_event(struct call *call, const struct bus_event *event,
                              const ProtobufCMessageDescriptor *descriptor)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;

    if (wire_unpack(call->arena, descriptor, event->data, event->len, &message, &err) == ST_OK)
        return message;
    log_warn("an event on %s cannot be read; left out", event->subject);
    return NULL;
}

struct game_rows {
    struct rows awards, reversals, assignments, unlocks;
};

static void add_award(struct call *call, struct game_rows *game, const struct bus_event *event)
{
    const Gamify__XpAwarded *e = read_event(call, event, &gamify__xp_awarded__descriptor);

    if (e)
        rows_add(&game->awards,
                 (const char *[]){e->contribution_id, e->user_id, enum_text(&e->base, "type"),
                                  e->reference_id, number(call, e->points),
                                  number(call, e->base_points), number(call, e->multiplier_percent),
                                  e->description, e->project_id, e->metadata, e->occurred_at,
                                  e->created_at});
}

static void add_reversal(struct call *call, struct game_rows *game, const struct bus_event *event)
{
    const Gamify__XpReversed *e = read_event(call, event, &gamify__xp_reversed__descriptor);

    if (e)
        rows_add(&game->reversals, (const char *[]){e->contribution_id, e->reversed_at});
}

static void add_assignment(struct call *call, struct game_rows *game, const struct bus_event *event)
{
    const Gamify__ContributionAssigned *e =
        read_event(call, event, &gamify__contribution_assigned__descriptor);

    if (e)
        rows_add(&game->assignments, (const char *[]){e->contribution_id, e->project_id});
}

static void add_unlock(struct call *call, struct game_rows *game, const struct bus_event *event)
{
    const Gamify__AchievementUnlocked *e =
        read_event(call, event, &gamify__achievement_unlocked__descriptor);

    if (e)
        rows_add(&game->unlocks, (const char *[]){e->user_id, e->achievement_id, e->unlocked_at});
}

static const struct kind {
    const char *subject;
    void (*add)(struct call *call, struct game_rows *game, const struct bus_event *event);
} kinds[] = {
    {"mal.evt.gamify.xp.awarded", add_award},
    {"mal.evt.gamify.xp.reversed", add_reversal},
    {"mal.evt.gamify.contribution.assigned", add_assignment},
    {"mal.evt.gamify.achievement.unlocked", add_unlock},
};

static enum status store(struct call *call, const struct game_rows *game)
{
    const struct rows *a = &game->awards, *r = &game->reversals, *g = &game->assignments,
                      *u = &game->unlocks;

    if (a->n > 0)
        TRY(pg_exec(call, sql_replay_take_awards, NULL, "aaaaaaaaaaaa", COL(a, 0), COL(a, 1),
                    COL(a, 2), COL(a, 3), COL(a, 4), COL(a, 5), COL(a, 6), COL(a, 7), COL(a, 8),
                    COL(a, 9), COL(a, 10), COL(a, 11)));
    if (r->n > 0)
        TRY(pg_exec(call, sql_replay_take_reversals, NULL, "aa", COL(r, 0), COL(r, 1)));
    if (g->n > 0)
        TRY(pg_exec(call, sql_replay_take_assignments, NULL, "aa", COL(g, 0), COL(g, 1)));
    if (u->n > 0)
        TRY(pg_exec(call, sql_replay_take_unlocks, NULL, "aaa", COL(u, 0), COL(u, 1), COL(u, 2)));
    return ST_OK;
}

enum status replay_take_game(struct call *call, const struct bus_event *events, size_t n)
{
    struct game_rows game;

    rows_init(&game.awards, call, 12, n);
    rows_init(&game.reversals, call, 2, n);
    rows_init(&game.assignments, call, 2, n);
    rows_init(&game.unlocks, call, 3, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            if (strcmp(events[i].subject, kinds[k].subject) == 0)
                kinds[k].add(call, &game, &events[i]);
    return store(call, &game);
}

enum status replay_take_calls(struct call *call, const struct bus_event *events, size_t n)
{
    struct rows rows;

    rows_init(&rows, call, 6, n);
    for (size_t i = 0; i < n; i++) {
        const Gateway__ToolCalled *called =
            read_event(call, &events[i], &gateway__tool_called__descriptor);
        int64_t ignored;

        if (called && uuid_valid(events[i].event_id) && uuid_valid(events[i].message_id) &&
            tool_use_counts(called) && clock_parse(called->called_at, &ignored))
            rows_add(&rows,
                     (const char *[]){
                         events[i].event_id, events[i].message_id,
                         arena_printf(call->arena, "%llu", (unsigned long long)events[i].sequence),
                         called->user_key, called->tool_name, called->called_at});
    }
    if (rows.n == 0)
        return ST_OK;
    return pg_exec(call, sql_replay_take_uses, NULL, "aaaaaa", COL(&rows, 0), COL(&rows, 1),
                   COL(&rows, 2), COL(&rows, 3), COL(&rows, 4), COL(&rows, 5));
}
