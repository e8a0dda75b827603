/* SPDX-License-Identifier: Apache-2.0 */
/* Credits commits to members, in transactions of bounded size: what one of them
 * did stays, and the next synchronisation goes on behind it. */
#include "git_activity.h"

#include "base/clock.h"
#include "ledger.h"
#include "rules.h"
#include "wire/handler.h"
#include "wire/json.h"

#include <stdlib.h>

enum { CHUNK = 500, ANSWER_MS = 1500 };

/* By member; each one's oldest first. */
static int by_member_and_time(const void *a, const void *b)
{
    const struct git_credit *x = a, *y = b;

    if (x->person != y->person)
        return x->person < y->person ? -1 : 1;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return strcmp(x->hash, y->hash);
}

static const char *metadata_of(struct arena *arena, const struct git_credit *credit)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    char date[TIMESTAMP_SIZE];
    const char *comma = "";

    clock_format(credit->at * 1000, date);
    strbuf_printf(&buf,
                  "{\"insertions\":%d,\"deletions\":%d,\"files\":%d,\"date\":\"%s\",\"subject\":",
                  credit->insertions, credit->deletions, credit->files, date);
    json_put_string(&buf, credit->subject);
    strbuf_str(&buf, ",\"areas\":{");
    for (int i = 0; i < AREAS; i++) {
        if (credit->areas[i] == 0)
            continue;
        strbuf_printf(&buf, "%s\"%s\":%d", comma, area_names[i], credit->areas[i]);
        comma = ",";
    }
    strbuf_str(&buf, "}}");
    return arena_memdup(arena, buf.data, buf.len);
}

static void award_from(struct arena *arena, const struct git_credit *credit, const char *project_id,
                       struct award *award)
{
    int64_t lines = (int64_t)credit->insertions + credit->deletions;

    *award = (struct award){
        .type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT,
        .source = GAMIFY__SOURCE__SOURCE_SYNC,
        .reference_id = credit->hash,
        .base = base_commit(lines, gamify_config.lines_per_point),
        .description = *credit->subject ? credit->subject : NULL,
        .project_id = *project_id ? project_id : NULL,
        .metadata = metadata_of(arena, credit),
        .figures = {.frontend = credit->areas[AREA_FRONTEND],
                    .backend = credit->areas[AREA_BACKEND],
                    .devops = credit->areas[AREA_DEVOPS],
                    .data = credit->areas[AREA_DATA],
                    .documentation = credit->areas[AREA_DOCUMENTATION]},
        .occurred_ms = credit->at * 1000,
    };
}

static void note(struct call *call, Gamify__SyncedMember *synced, const struct ledger *ledger,
                 const struct awarded *awarded, size_t n)
{
    struct names names = {synced->n_new_achievements, synced->new_achievements};

    for (size_t i = 0; i < n; i++) {
        synced->commits += !awarded[i].duplicate;
        synced->points += awarded[i].points;
    }
    synced->xp = ledger->member->xp;
    synced->level = ledger->member->level;
    for (size_t i = 0; i < ledger->n_unlocked; i++)
        names_add(call, &names, arena_strdup(call->arena, ledger->unlocked[i]->id));
    synced->n_new_achievements = names.n;
    synced->new_achievements = names.items;
}

/* One transaction, with an arena of its own: memory does not grow with the
 * number of commits. */
static enum status credit_chunk(struct git_activity *activity, const struct git_credit *credits,
                                size_t n, Gamify__SyncedMember *synced)
{
    CLEANUP(arena_done) struct arena arena = {0};
    CLEANUP(tx_done) struct tx tx = {0};
    struct call call = *activity->call;
    struct award *awards;
    struct awarded *awarded;
    struct ledger ledger = {0};
    enum status status;

    arena_init(&arena);
    call.arena = &arena;
    awards = arena_alloc(&arena, n * sizeof(*awards));
    awarded = arena_alloc(&arena, n * sizeof(*awarded));
    for (size_t i = 0; i < n; i++)
        award_from(&arena, &credits[i], activity->req->project_id, &awards[i]);
    status = tx_begin(&tx, &call);
    if (status == ST_OK)
        status = ledger_open(&ledger, &tx, credits->person->id);
    if (status == ST_OK)
        status = ledger_award(&ledger, awards, n, awarded);
    if (status == ST_OK)
        status = ledger_close(&ledger);
    if (status == ST_OK)
        status = tx_commit(&tx);
    if (status == ST_OK)
        note(activity->call, synced, &ledger, awarded, n);
    else
        activity->call->error = call.error;
    return status;
}

static Gamify__SyncedMember *new_synced(struct call *call, const struct git_person *person)
{
    Gamify__SyncedMember *synced = new_message(call, &gamify__synced_member__descriptor);

    synced->user_id = person->id;
    synced->name = person->name;
    return synced;
}

static bool is_late(const struct call *call)
{
    return call->deadline_ms > 0 && clock_mono_ms() > call->deadline_ms - ANSWER_MS;
}

static void warn(struct call *call, Gamify__GetCommitActivityResponse *rsp, size_t left)
{
    struct names warnings = {rsp->n_warnings, rsp->warnings};

    names_add(call, &warnings,
              arena_printf(call->arena,
                           "Time was up before all commits were credited; call again for the "
                           "other %zu.",
                           left));
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
}

static size_t chunk_at(const struct git_activity *activity, size_t first)
{
    const struct git_credit *credits = &activity->credits[first];
    size_t n = 1, left = activity->n_credits - first;

    while (n < CHUNK && n < left && credits[n].person == credits->person)
        n++;
    return n;
}

enum status git_activity_credit(struct git_activity *activity,
                                Gamify__GetCommitActivityResponse *rsp)
{
    struct call *call = activity->call;
    Gamify__SyncedMember *synced = NULL;

    rsp->synced = arena_alloc(call->arena, activity->people.n * sizeof(Gamify__SyncedMember *));
    if (activity->n_credits)
        qsort(activity->credits, activity->n_credits, sizeof(*activity->credits),
              by_member_and_time);
    for (size_t i = 0, n; i < activity->n_credits; i += n) {
        const struct git_person *person = activity->credits[i].person;

        if (is_late(call)) {
            warn(call, rsp, activity->n_credits - i);
            break;
        }
        if (!synced || strcmp(synced->user_id, person->id) != 0)
            synced = new_synced(call, person);
        n = chunk_at(activity, i);
        TRY(credit_chunk(activity, &activity->credits[i], n, synced));
        if (synced->commits && (rsp->n_synced == 0 || rsp->synced[rsp->n_synced - 1] != synced))
            rsp->synced[rsp->n_synced++] = synced;
    }
    return ST_OK;
}
