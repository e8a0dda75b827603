/* SPDX-License-Identifier: Apache-2.0 */
/* mal starter load --sample: a project and four members to try the tools on. */
#include "hub.h"

#include "mal/gamify/v1/gamify.api.h"
#include "mal/sprint/v1/sprint.api.h"

#define SAMPLE "{\"sample\":true}"

enum { TIMEOUT_MS = 15000 };

static const struct {
    const char *id, *name, *email;
} members[] = {
    {"sample-ana", "Ana Sample", "ana@sample.example"},
    {"sample-bo", "Bo Sample", "bo@sample.example"},
    {"sample-cleo", "Cleo Sample", "cleo@sample.example"},
    {"sample-dan", "Dan Sample", "dan@sample.example"},
};

static enum status add_project(struct hub *hub, bool *ret_new, struct error *err)
{
    Sprint__CreateProjectRequest req = SPRINT__CREATE_PROJECT_REQUEST__INIT;
    Sprint__CreateProjectResponse *rsp = NULL;
    struct call call = hub_call(hub, TIMEOUT_MS);
    enum status st;

    req.id = "sample-project";
    req.key = "SMP";
    req.name = "Sample Project";
    req.description = "A project to try the tools on; delete it when you no longer need it.";
    req.owner_id = members[0].id;
    req.metadata = SAMPLE;
    st = sprint_create_project_call(hub->bus, &call, &req, TIMEOUT_MS, &rsp);
    *ret_new = st == ST_OK;
    return st == ST_ALREADY_EXISTS ? ST_OK : hub_failed(&call, st, err);
}

/* Registering changes a member who is there, so it is looked up first. */
static enum status add_member(struct hub *hub, size_t i, bool *ret_new, struct error *err)
{
    Gamify__GetTeamMemberRequest get = GAMIFY__GET_TEAM_MEMBER_REQUEST__INIT;
    Gamify__GetTeamMemberResponse *known = NULL;
    Gamify__RegisterTeamMemberRequest req = GAMIFY__REGISTER_TEAM_MEMBER_REQUEST__INIT;
    Gamify__RegisterTeamMemberResponse *rsp = NULL;
    struct call call = hub_call(hub, TIMEOUT_MS);
    enum status st;

    get.id = members[i].id;
    st = gamify_get_team_member_call(hub->bus, &call, &get, TIMEOUT_MS, &known);
    *ret_new = st == ST_NOT_FOUND;
    if (!*ret_new)
        return hub_failed(&call, st, err);
    req.id = members[i].id;
    req.name = members[i].name;
    req.email = members[i].email;
    req.role = GAMIFY__ROLE__ROLE_LEAD;
    req.metadata = SAMPLE;
    call = hub_call(hub, TIMEOUT_MS);
    st = gamify_register_team_member_call(hub->bus, &call, &req, TIMEOUT_MS, &rsp);
    return hub_failed(&call, st, err);
}

enum status hub_sample_load(struct hub *hub, struct strbuf *report, struct error *err)
{
    int inserted = 0;
    bool added;

    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        TRY(add_member(hub, i, &added, err));
        inserted += added;
    }
    TRY(add_project(hub, &added, err));
    inserted += added;
    strbuf_printf(report, "sample project 1, members %zu: %d inserted, %d already there",
                  ARRAY_SIZE(members), inserted, (int)ARRAY_SIZE(members) + 1 - inserted);
    return ST_OK;
}
