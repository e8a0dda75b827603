/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of gamify called with JSON, and events of sprint and gateway applied,
 * on a fresh database, for test_gamify_*. */
#pragma once

#include "awards.h"
#include "gamify.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/sprint/v1/events.pb-c.h"
#include "migrations.sql.h"
#include "tools.h"

#define FIXTURE_SERVICE gamify
#include "handler_fixture.h"

#define VALUE_IS(f, sql, text)                                                                     \
    do {                                                                                           \
        const char *value_ = pg_server_value((f)->url, sql);                                       \
        ck_assert_msg(strcmp(value_, text) == 0, "%s: %s instead of %s", sql, value_, text);       \
    } while (0)

/* A call as a consumer makes it. */
static inline struct call *fresh_call(void)
{
    arena_reset(&f->arena);
    f->call = (struct call){.arena = &f->arena,
                            .actor = "ana",
                            .deadline_ms = clock_mono_ms() + 30000,
                            .now_ms = clock_wall_ms(),
                            .pg = f->conn};
    return &f->call;
}

/* The event as the bus brings it; id NULL = a new one. */
static inline struct bus_event event_of(struct arena *arena, const char *subject, const char *id,
                                        const ProtobufCMessage *message)
{
    struct bus_event event = {
        .subject = subject, .event_id = id, .actor = "ana", .request_id = "r", .delivered = 1};

    if (!id) {
        char *made = arena_alloc(arena, UUID_SIZE);

        uuid_v7(made);
        event.event_id = made;
    }
    event.message_id = event.event_id;
    event.data = wire_pack(arena, message, &event.len);
    return event;
}

static inline void apply_event(const char *subject, const char *id, const ProtobufCMessage *message)
{
    struct call *call = fresh_call();
    struct bus_event event = event_of(&f->arena, subject, id, message);
    enum status status = awards_apply(call, &event);

    ck_assert_msg(status == ST_OK, "%s: %s", subject, call->error.message);
}

static inline void done(const char *id, const char *assignee, int points, Sprint__WorkItemType type,
                        const char *at)
{
    Sprint__WorkItemCompleted message = SPRINT__WORK_ITEM_COMPLETED__INIT;

    message.id = id;
    message.assignee = assignee;
    message.story_points = points;
    message.type = type;
    message.completed_at = at;
    apply_event("mal.evt.sprint.work_item.completed", NULL, &message.base);
}

static inline void reopened(const char *id)
{
    Sprint__WorkItemReopened message = SPRINT__WORK_ITEM_REOPENED__INIT;

    message.id = id;
    message.status = SPRINT__WORK_ITEM_STATUS__WORK_ITEM_STATUS_TODO;
    apply_event("mal.evt.sprint.work_item.reopened", NULL, &message.base);
}

static inline void talked(const char *id, const char *user, int tools, int decisions,
                          const char *at)
{
    Sprint__InteractionLogged message = SPRINT__INTERACTION_LOGGED__INIT;

    message.id = id;
    message.user_id = user;
    message.tools_count = tools;
    message.decisions_count = decisions;
    message.created_at = at;
    apply_event("mal.evt.sprint.interaction.logged", NULL, &message.base);
}

/* Calls of one tool by one key, n events with new ids. */
static inline void used(const char *key, const char *tool, const char *channel, bool success, int n)
{
    Gateway__ToolCalled message = GATEWAY__TOOL_CALLED__INIT;
    struct call *call = fresh_call();
    struct bus_event *list = arena_alloc(&f->arena, (size_t)n * sizeof(*list));
    enum status status;

    message.user_key = key;
    message.tool_name = tool;
    message.channel = channel;
    message.success = success;
    message.called_at = "2026-03-02T09:30:00.000Z";
    for (int i = 0; i < n; i++)
        list[i] = event_of(&f->arena, "mal.evt.gateway.tool.called", NULL, &message.base);
    status = tool_use_store(call, list, (size_t)n);
    ck_assert_msg(status == ST_OK, "%s", call->error.message);
}

/* The 14 of the starter catalog. */
static inline void load_achievements(void)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    FILE *file = fopen("content/achievements.json", "re");
    char part[4096];
    size_t n;

    ck_assert_ptr_nonnull(file);
    strbuf_str(&buf, "{\"items\":");
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        strbuf_add(&buf, part, n);
    (void)fclose(file);
    strbuf_char(&buf, '}');
    ck_assert_msg(run_json(f, "ImportAchievements", buf.data, true) == ST_OK, "%s",
                  f->call.error.message);
}

static inline void register_ana(void)
{
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana','email':'ana@example.com'}");
}

/* What must hold after anything: the ledger, the members and the sums agree. */
static inline void check_sums(void)
{
    VALUE_IS(
        f,
        "select count(*) from gamify.member m where xp <> (select coalesce(sum(points), 0) from"
        " gamify.contribution c where c.user_id = m.id and reversed_at is null) or xp < 0",
        "0");
    pg_server_sql(
        f->url, "create temp table t as table gamify.tally; create temp table d as table "
                "gamify.day_points; create temp table p as table gamify.project_points; "
                "call gamify.recount(); do $$ begin if exists ((table t except table gamify.tally)"
                " union all (table gamify.tally except table t)) then raise 'tally differs'; end "
                "if; if exists ((table d except table gamify.day_points) union all (table "
                "gamify.day_points except table d)) then raise 'day_points differ'; end if; if "
                "exists ((table p except table gamify.project_points) union all (table "
                "gamify.project_points except table p)) then raise 'project_points differ'; end "
                "if; end $$");
}
