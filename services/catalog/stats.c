/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of the catalog, and of the other services as far as they answer. */
#include "catalog.h"

#include "bus/bus.h"
#include "report.h"
#include "stats.sql.h"

#include <pthread.h>

enum { PEER_TIMEOUT_MS = 2000 };

/* A question to another service, asked on a thread of its own. */
struct question {
    struct call *call;
    const char *subject;
    enum status status;
    struct bus_message answer;
};

static void *ask(void *arg)
{
    struct question *question = arg;
    const struct call *call = question->call;
    const struct bus_header headers[] = {
        {"Mal-Actor", call->actor ? call->actor : ""},
        {"Mal-Request-Id", call->request_id ? call->request_id : ""},
        {"Mal-Channel", call->channel ? call->channel : ""},
        {"Mal-Trusted", "0"},
        {"Mal-Scopes", "read"},
        {"Mal-Deadline-Ms", "2000"},
        {NULL, NULL}};

    question->status = ST_UNAVAILABLE;
    if (call->bus)
        question->status = bus_request(call->bus, question->subject, headers, NULL, 0,
                                       PEER_TIMEOUT_MS, &question->answer);
    return NULL;
}

/* NULL when the service failed or did not answer. */
static const ProtobufCMessage *answer_of(struct question *question,
                                         const ProtobufCMessageDescriptor *descriptor)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;

    if (question->status != ST_OK)
        return NULL;
    if (!bus_message_header(&question->answer, "Nats-Service-Error-Code") &&
        wire_unpack(question->call->arena, descriptor, question->answer.data, question->answer.len,
                    &message, &err) != ST_OK)
        message = NULL;
    bus_message_release(&question->answer);
    return message;
}

static void ask_both(struct question *sprint, struct question *gamify)
{
    pthread_t thread;
    bool apart = pthread_create(&thread, NULL, ask, gamify) == 0;

    ask(sprint);
    if (apart)
        pthread_join(thread, NULL);
    else
        ask(gamify);
}

static void add_team(struct call *call, Catalog__GetUsageStatsResponse *rsp)
{
    struct question sprint = {.call = call, .subject = "mal.sprint.v1.count_entities"};
    struct question gamify = {.call = call, .subject = "mal.gamify.v1.count_members"};
    Catalog__Collaboration *team = new_message(call, &catalog__collaboration__descriptor);
    const Catalog__EntityCounts *counts;
    const Catalog__MemberCount *members;
    struct names warnings = {0};

    ask_both(&sprint, &gamify);
    counts = (const void *)answer_of(&sprint, &catalog__entity_counts__descriptor);
    members = (const void *)answer_of(&gamify, &catalog__member_count__descriptor);
    if (counts) {
        team->has_projects_case = CATALOG__COLLABORATION__HAS_PROJECTS_PROJECTS;
        team->projects = counts->projects;
        team->has_sprints_case = CATALOG__COLLABORATION__HAS_SPRINTS_SPRINTS;
        team->sprints = counts->sprints;
        team->has_work_items_case = CATALOG__COLLABORATION__HAS_WORK_ITEMS_WORK_ITEMS;
        team->work_items = counts->work_items;
    } else {
        names_add(call, &warnings,
                  "The sprint service did not answer; projects, sprints and work items are left "
                  "out.");
    }
    if (members) {
        team->has_members_case = CATALOG__COLLABORATION__HAS_MEMBERS_MEMBERS;
        team->members = members->members;
    } else {
        names_add(call, &warnings, "The gamify service did not answer; members are left out.");
    }
    rsp->collaboration = counts || members ? team : NULL;
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
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
