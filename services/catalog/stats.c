/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of the catalog, and of the other services as far as they answer. */
#include "catalog.h"

#include "mal/gamify/v1/gamify.api.h"
#include "mal/sprint/v1/sprint.api.h"
#include "report.h"
#include "stats.sql.h"

#include <pthread.h>

enum { PEER_TIMEOUT_MS = 2500 }; /* the whole takes less than 3 s */

/* A question to another service, asked on a thread and in an arena of its own. */
struct question {
    struct call call;
    struct arena arena;
    enum status status;
    Sprint__CountEntitiesResponse *entities;
    Gamify__CountMembersResponse *members;
};

static void question_init(struct question *question, const struct call *call)
{
    *question = (struct question){.call = *call, .status = ST_UNAVAILABLE};
    arena_init(&question->arena);
    question->call.arena = &question->arena;
    question->call.pg = NULL;
}

static void *ask_sprint(void *arg)
{
    Sprint__CountEntitiesRequest request = SPRINT__COUNT_ENTITIES_REQUEST__INIT;
    struct question *question = arg;

    if (question->call.bus)
        question->status = sprint_count_entities_call(question->call.bus, &question->call, &request,
                                                      PEER_TIMEOUT_MS, &question->entities);
    return NULL;
}

static void *ask_gamify(void *arg)
{
    Gamify__CountMembersRequest request = GAMIFY__COUNT_MEMBERS_REQUEST__INIT;
    struct question *question = arg;

    if (question->call.bus)
        question->status = gamify_count_members_call(question->call.bus, &question->call, &request,
                                                     PEER_TIMEOUT_MS, &question->members);
    return NULL;
}

static void ask_both(struct question *sprint, struct question *gamify)
{
    pthread_t thread;
    bool apart = pthread_create(&thread, NULL, ask_gamify, gamify) == 0;

    (void)ask_sprint(sprint);
    if (apart)
        (void)pthread_join(thread, NULL);
    else
        (void)ask_gamify(gamify);
}

static void take_entities(Catalog__Collaboration *team, const Sprint__CountEntitiesResponse *counts)
{
    team->has_projects_case = CATALOG__COLLABORATION__HAS_PROJECTS_PROJECTS;
    team->projects = counts->projects;
    team->has_sprints_case = CATALOG__COLLABORATION__HAS_SPRINTS_SPRINTS;
    team->sprints = counts->sprints;
    team->has_work_items_case = CATALOG__COLLABORATION__HAS_WORK_ITEMS_WORK_ITEMS;
    team->work_items = counts->work_items;
}

static void add_team(struct call *call, Catalog__GetUsageStatsResponse *rsp)
{
    Catalog__Collaboration *team = new_message(call, &catalog__collaboration__descriptor);
    struct question sprint, gamify;
    struct names warnings = {0};

    question_init(&sprint, call);
    question_init(&gamify, call);
    ask_both(&sprint, &gamify);
    if (sprint.status == ST_OK)
        take_entities(team, sprint.entities);
    else
        names_add(call, &warnings,
                  "The sprint service did not answer; projects, sprints and work items are left "
                  "out.");
    if (gamify.status == ST_OK) {
        team->has_members_case = CATALOG__COLLABORATION__HAS_MEMBERS_MEMBERS;
        team->members = gamify.members->members;
    } else {
        names_add(call, &warnings, "The gamify service did not answer; members are left out.");
    }
    rsp->collaboration = sprint.status == ST_OK || gamify.status == ST_OK ? team : NULL;
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    arena_done(&sprint.arena);
    arena_done(&gamify.arena);
}

enum status catalog_get_usage_stats(struct call *call, const Catalog__GetUsageStatsRequest *req,
                                    Catalog__GetUsageStatsResponse *rsp)
{
    rsp->catalog = new_message(call, &catalog__totals__descriptor);
    TRY(pg_one(call, &rsp->catalog->base, sql_stats_totals, ""));
    add_team(call, rsp);
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = report_usage_stats(call, rsp);
    return ST_OK;
}
