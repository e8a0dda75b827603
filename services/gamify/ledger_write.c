/* SPDX-License-Identifier: Apache-2.0 */
/* The award engine: what is read and written for many awards at once. */
#include "ledger.h"

#include "base/clock.h"
#include "ledger.sql.h"
#include "ledger_rows.h"
#include "wire/handler.h"

enum { FIRST_ROOM = 8 };

void *rows_room(struct arena *arena, void *items, size_t n, size_t *io_room, size_t size)
{
    void *grown;

    if (n < *io_room)
        return items;
    *io_room = *io_room ? 2 * *io_room : FIRST_ROOM;
    grown = arena_alloc(arena, *io_room * size);
    if (n)
        memcpy(grown, items, n * size);
    return grown;
}

void rows_event(struct ledger *ledger, const char *subject, const ProtobufCMessage *payload)
{
    struct ledger_rows *rows = ledger->rows;

    rows->events = rows_room(ledger->call->arena, rows->events, rows->n_events, &rows->events_room,
                             sizeof(*rows->events));
    rows->events[rows->n_events++] = (struct event){subject, payload};
}

/* How the type is spelled in columns. */
static const char *type_text(Gamify__ContributionType type)
{
    Gamify__Contribution contribution = GAMIFY__CONTRIBUTION__INIT;

    contribution.type = type;
    return enum_text(&contribution.base, "type");
}

const char *time_text(struct arena *arena, int64_t wall_ms)
{
    char text[TIMESTAMP_SIZE];

    clock_format(wall_ms, text);
    return arena_strdup(arena, text);
}

/* ---- what is known already ------------------------------------------------ */

static int cell_int(const struct pg_rows *rows, int row, const char *column)
{
    return (int)strtol(pg_cell(rows, row, column), NULL, 10);
}

static bool cell_bool(const struct pg_rows *rows, int row, const char *column)
{
    return strcmp(pg_cell(rows, row, column), "t") == 0;
}

enum status ledger_known(struct ledger *ledger, const struct award *awards, size_t n,
                         struct awarded *ret, const char **ret_ids)
{
    struct call *call = ledger->call;
    const char **types = arena_alloc(call->arena, n * sizeof(*types));
    const char **references = arena_alloc(call->arena, n * sizeof(*references));
    bool any = false;
    struct pg_rows rows;

    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct awarded){0};
        ret_ids[i] = NULL;
        types[i] = type_text(awards[i].type);
        references[i] = awards[i].reference_id;
        any = any || references[i];
    }
    if (!any)
        return ST_OK;
    TRY(pg_rows(call, &rows, sql_ledger_known, "saa", ledger->member->id, n, types, n, references));
    for (int r = 0; r < rows.n; r++) {
        int i = cell_int(&rows, r, "i");

        ret[i].duplicate = true;
        ret[i].known = pg_cell(&rows, r, "id");
        if (awards[i].type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT && ret[i].known &&
            cell_bool(&rows, r, "free"))
            ret_ids[i] = ret[i].known;
    }
    return ST_OK;
}

static void tell_assigned(struct ledger *ledger, const char *id, const char *project)
{
    Gamify__ContributionAssigned *event =
        new_message(ledger->call, &gamify__contribution_assigned__descriptor);

    event->contribution_id = id;
    event->user_id = ledger->member->id;
    event->project_id = project;
    rows_event(ledger, "mal.evt.gamify.contribution.assigned", &event->base);
}

enum status ledger_assign(struct ledger *ledger, const struct award *awards, size_t n,
                          const char **ids)
{
    struct call *call = ledger->call;

    for (size_t i = 0; i < n; i++) {
        const char *project = awards[i].project_id;
        struct names same = {0};
        struct pg_rows rows;

        if (!ids[i] || !project)
            continue;
        for (size_t k = i; k < n; k++)
            if (ids[k] && awards[k].project_id && strcmp(awards[k].project_id, project) == 0)
                names_add(call, &same, TAKE(ids[k]));
        TRY(pg_rows(call, &rows, sql_ledger_assign, "ssa", ledger->member->id, project, same.n,
                    same.items));
        for (int r = 0; r < rows.n; r++)
            tell_assigned(ledger, pg_cell(&rows, r, "id"), project);
        TRY(pg_exec(call, sql_ledger_sweep_sums, NULL, "s", ledger->member->id));
    }
    return ST_OK;
}

/* ---- writing -------------------------------------------------------------- */

/* One array per column of new contributions. */
struct columns {
    const char **type, **reference_id, **points, **base, **multiplier, **description, **project,
        **metadata, **occurred_at, **day, **sum_project, **counts;
};

static void columns_init(struct columns *c, struct arena *arena, size_t n)
{
    const char ***all[] = {&c->type,        &c->reference_id, &c->points,      &c->base,
                           &c->multiplier,  &c->description,  &c->project,     &c->metadata,
                           &c->occurred_at, &c->day,          &c->sum_project, &c->counts};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        *all[i] = arena_alloc(arena, n * sizeof(**all[i]));
}

static const char *number(struct arena *arena, int n)
{
    return arena_printf(arena, "%d", n);
}

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static void columns_fill(struct columns *c, struct arena *arena, const struct ledger_rows *rows)
{
    columns_init(c, arena, rows->n);
    for (size_t i = 0; i < rows->n; i++) {
        const struct ledger_row *row = &rows->items[i];
        const struct award *award = &row->award;
        bool badge = award->type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_ACHIEVEMENT;

        c->type[i] = type_text(award->type);
        c->reference_id[i] = or_null(award->reference_id);
        c->points[i] = number(arena, row->points);
        c->base[i] = number(arena, award->base);
        c->multiplier[i] = number(arena, row->multiplier);
        c->description[i] = or_null(award->description);
        c->project[i] = or_null(award->project_id);
        c->metadata[i] = row->event->metadata;
        c->occurred_at[i] = row->event->occurred_at;
        c->day[i] = day_text(arena, day_of_ms(award->occurred_ms));
        c->sum_project[i] = award->project_id ? award->project_id : "";
        c->counts[i] = badge ? "0" : "1";
    }
}

static enum status insert_rows(struct ledger *ledger, const struct columns *c)
{
    struct call *call = ledger->call;
    struct ledger_rows *rows = ledger->rows;
    size_t n = rows->n;
    struct pg_rows ids;

    TRY(pg_rows(call, &ids, sql_ledger_insert, "saaaaaaaasa", ledger->member->id, n, c->type, n,
                c->reference_id, n, c->points, n, c->base, n, c->multiplier, n, c->description, n,
                c->project, n, c->metadata, time_text(call->arena, call->now_ms), n,
                c->occurred_at));
    if ((size_t)ids.n != n)
        return call_fail(call, ST_INTERNAL, "The ledger took %d rows of %zu.", ids.n, n);
    for (size_t i = 0; i < n; i++)
        rows->items[i].event->contribution_id = pg_cell(&ids, (int)i, "id");
    return ST_OK;
}

static enum status save_sums(struct ledger *ledger, const struct columns *c)
{
    const Gamify__Member *member = ledger->member;
    const struct tally *t = &ledger->tally;
    size_t n = ledger->rows->n;

    return pg_exec(ledger->call, sql_ledger_save, NULL, "saaaaiiiiiiiiiiiiiiiS", member->id, n,
                   c->day, n, c->sum_project, n, c->points, n, c->counts, t->commits,
                   t->interactions, t->sprints, t->top_velocity, t->bugs, t->decisions,
                   t->longest_run, t->frontend, t->backend, t->devops, t->data, t->documentation,
                   member->xp, member->level, member->streak_days, member->streak_last_date);
}

enum status ledger_flush(struct ledger *ledger)
{
    struct call *call = ledger->call;
    struct ledger_rows *rows = ledger->rows;
    struct columns columns;

    if (rows->n) {
        columns_fill(&columns, call->arena, rows);
        TRY(insert_rows(ledger, &columns));
        TRY(save_sums(ledger, &columns));
    }
    if (rows->unlocked.n)
        TRY(pg_exec(call, sql_ledger_unlock, NULL, "sas", ledger->member->id, rows->unlocked.n,
                    rows->unlocked.items, time_text(call->arena, call->now_ms)));
    TRY(event_add_all(ledger->tx, rows->n_events, rows->events));
    *rows = (struct ledger_rows){0};
    return ST_OK;
}

/* ---- taking back ---------------------------------------------------------- */

static void uncount(struct tally *tally, Gamify__ContributionType type, const struct pg_rows *row)
{
    switch (type) {
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT:
        tally->commits--;
        tally->frontend -= cell_int(row, 0, "frontend");
        tally->backend -= cell_int(row, 0, "backend");
        tally->devops -= cell_int(row, 0, "devops");
        tally->data -= cell_int(row, 0, "data");
        tally->documentation -= cell_int(row, 0, "documentation");
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION:
        tally->interactions--;
        tally->decisions -= cell_int(row, 0, "decisions");
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM:
        tally->bugs -= cell_bool(row, 0, "bug");
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_SPRINT:
        tally->sprints--;
        tally->top_velocity -= cell_bool(row, 0, "top_velocity");
        break;
    default:
        break;
    }
}

static void tell_reversed(struct ledger *ledger, Gamify__ContributionType type,
                          const char *reference_id, const struct pg_rows *row)
{
    struct call *call = ledger->call;
    Gamify__XpReversed *event = new_message(call, &gamify__xp_reversed__descriptor);
    const char *project = pg_cell(row, 0, "project_id");

    event->user_id = ledger->member->id;
    event->contribution_id = pg_cell(row, 0, "id");
    event->type = type;
    event->reference_id = reference_id;
    event->points = cell_int(row, 0, "points");
    event->base_points = cell_int(row, 0, "base_points");
    event->multiplier_percent = cell_int(row, 0, "multiplier_percent");
    event->xp = ledger->member->xp;
    event->project_id = project ? project : "";
    event->reversed_at = time_text(call->arena, call->now_ms);
    rows_event(ledger, "mal.evt.gamify.xp.reversed", &event->base);
}

enum status ledger_reverse(struct ledger *ledger, Gamify__ContributionType type,
                           const char *reference_id, int *ret_rows)
{
    struct call *call = ledger->call;
    const Gamify__Member *member = ledger->member;
    bool badge = type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_ACHIEVEMENT;
    struct pg_rows row;

    TRY(ledger_flush(ledger));
    TRY(pg_rows(call, &row, sql_ledger_take, "ssss", member->id, type_text(type), reference_id,
                time_text(call->arena, call->now_ms)));
    *ret_rows = row.n;
    if (row.n == 0)
        return ST_OK;
    TRY(pg_exec(call, sql_ledger_take_sums, NULL, "sssii", member->id, pg_cell(&row, 0, "day"),
                pg_cell(&row, 0, "project_id"), cell_int(&row, 0, "points"), badge ? 0 : 1));
    TRY(pg_exec(call, sql_ledger_sweep_sums, NULL, "s", member->id));
    TRY(ledger_load_days(ledger));
    uncount(&ledger->tally, type, &row);
    TRY(ledger_settle(ledger, -cell_int(&row, 0, "points")));
    tell_reversed(ledger, type, reference_id, &row);
    TRY(save_sums(ledger, &(struct columns){0}));
    return ledger_evaluate(ledger);
}
