/* SPDX-License-Identifier: Apache-2.0 */
/* What holds after any sequence of awards and reversals in any order: XP is the
 * sum of what stands and never negative, the level follows from it, streak and
 * multiplier are those of a calendar, and many awards at once are the same as
 * one by one. */
#include "gamify_fixture.h"
#include "seed.h"

#include "ledger.h"
#include "rules.h"

#include <libpq-fe.h>
#include <pthread.h>

enum { SPAN = 40, ITEMS = 60, STEPS = 400, DAY_MS = 86400000, BATCH_MAX = 40 };

static int64_t first_ms;

static int64_t moment(int day)
{
    ck_assert(clock_parse("2026-01-01T00:00:00.000Z", &first_ms));
    return first_ms + (int64_t)day * DAY_MS + below(DAY_MS);
}

/* ---- a plain model of one member ------------------------------------------ */

/* An item's standing award; day -1 while there is none. */
static struct {
    int day, points;
} items[ITEMS];

static int run_to(int day)
{
    int n = 0;

    for (; day >= 0; day--, n++) {
        bool worked = false;

        for (int i = 0; i < ITEMS; i++)
            worked = worked || items[i].day == day;
        if (!worked)
            break;
    }
    return n;
}

static void model_check(int step)
{
    char sql[400];
    int xp = 0, last = -1;
    struct arena *arena;

    for (int i = 0; i < ITEMS; i++) {
        xp += items[i].day >= 0 ? items[i].points : 0;
        last = items[i].day > last ? items[i].day : last;
    }
    (void)fresh_call();
    arena = &f->arena;
    (void)snprintf(sql, sizeof(sql),
                   "select concat_ws(' ', xp, level, streak_days, streak_last_date) from "
                   "gamify.member where id = 'ana'");
    ck_assert_msg(strcmp(pg_server_value(f->url, sql),
                         last < 0
                             ? "0 1 0"
                             : arena_printf(arena, "%d %d %d %s", xp, level_of(xp), run_to(last),
                                            day_text(arena, day_of_ms(first_ms) + last))) == 0,
                  "step %d: %s, model has %d XP, day %d, run %d", step,
                  pg_server_value(f->url, sql), xp, last, run_to(last));
    VALUE_IS(f,
             "select count(*) from gamify.member m where xp < 0 or xp <> (select "
             "coalesce(sum(points), 0) from gamify.contribution where user_id = m.id and "
             "reversed_at is null)",
             "0");
}

START_TEST(xp_level_and_streak_follow_from_what_stands)
{
    register_ana();
    for (int i = 0; i < ITEMS; i++)
        items[i].day = -1;
    for (int step = 0; step < STEPS; step++) {
        int i = below(ITEMS);
        char id[16], at[TIMESTAMP_SIZE];

        (void)snprintf(id, sizeof(id), "MAL-%d", i);
        if (below(3) == 0) {
            reopened(id);
            items[i].day = -1;
        } else {
            int day = below(SPAN), points = below(6);

            clock_format(moment(day), at);
            done(id, "ana", points, SPRINT__WORK_ITEM_TYPE__WORK_ITEM_TYPE_BUG, at);
            if (items[i].day < 0) { /* else it was done already */
                items[i].day = day;
                items[i].points = award_of(10 * points, multiplier_at(run_to(day)));
            }
        }
        model_check(step);
    }
    check_sums();
}
END_TEST

/* ---- many at once --------------------------------------------------------- */

static void award_all(const char *user, const struct award *awards, int n)
{
    CLEANUP(arena_done) struct arena arena;
    struct call call = {.arena = &arena, .pg = f->conn, .now_ms = f->now_ms};
    CLEANUP(tx_done) struct tx tx = {0};
    struct awarded awarded[BATCH_MAX];
    struct ledger ledger;

    arena_init(&arena);
    ck_assert_int_eq(tx_begin(&tx, &call), ST_OK);
    ck_assert_int_eq(ledger_open(&ledger, &tx, user), ST_OK);
    ck_assert_int_eq(ledger_award(&ledger, awards, (size_t)n, awarded), ST_OK);
    ck_assert_int_eq(ledger_close(&ledger), ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
    tx_done(&tx);
}

static struct award random_award(struct arena *arena, const char *project)
{
    int kind = below(4);
    struct award award = {.source = GAMIFY__SOURCE__SOURCE_SYNC,
                          .base = below(60),
                          .fixed = below(8) == 0,
                          .project_id = project,
                          .occurred_ms = moment(below(SPAN))};

    if (below(10) > 0)
        award.reference_id = arena_printf(arena, "r%d", below(150));
    switch (kind) {
    case 0:
        award.type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION;
        award.figures.decisions = below(3);
        award.metadata = arena_printf(arena, "{\"decisions\":%d}", award.figures.decisions);
        break;
    case 1:
        award.type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM;
        award.figures.bug = true;
        award.metadata = "{\"item_type\":\"bug\"}";
        break;
    default:
        award.type = GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT;
        award.figures.data = below(3);
        award.figures.backend = below(3);
        award.metadata = arena_printf(arena, "{\"areas\":{\"data\":%d,\"backend\":%d}}",
                                      award.figures.data, award.figures.backend);
    }
    return award;
}

static char *everything_of(const char *user)
{
    /* Rows in the order of their ids, and events in theirs; ids themselves and
     * the name of the member left out. */
    const char *sql =
        "select string_agg(line, E'\\n' order by part, n) from ("
        " select 1 as part, c.id as n, concat_ws(' ', type, reference_id, points, base_points,"
        "  multiplier_percent, description, project_id, metadata, occurred_at) as line"
        "  from gamify.contribution c where user_id = $1 union all"
        " select 2, 0, concat_ws(' ', xp, level, streak_days, streak_last_date) from gamify.member"
        "  where id = $1 union all"
        " select 3, row_number() over (order by achievement_id), achievement_id from"
        "  gamify.user_achievement where user_id = $1 union all"
        " select 4, row_number() over (order by day, project_id), concat_ws(' ', day, project_id,"
        "  points, contributions) from gamify.day_points where user_id = $1 union all"
        " select 5, 0, concat_ws(' ', commits, interactions, bugs, decisions, backend, data) from"
        "  gamify.tally where user_id = $1 union all"
        " select 6, o.id, subject from gamify.outbox o where subject not like '%member%' and"
        "  position('\\x0a03'::bytea || convert_to($1, 'UTF8') in payload) = 1 union all"
        " select 7, o.id, subject from gamify.outbox o where subject like '%assigned' and"
        "  position(convert_to($1, 'UTF8') in payload) > 0) t";
    PGconn *db = PQconnectdb(f->url);
    PGresult *result = PQexecParams(db, sql, 1, NULL, &user, NULL, NULL, 0);
    char *text;

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    text = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(db);
    return text;
}

START_TEST(many_at_once_are_the_same_as_one_by_one)
{
    static const char *const projects[] = {NULL, "apollo", "gemini"};
    CLEANUP(arena_done) struct arena arena;
    char *together, *singly;

    arena_init(&arena);
    load_achievements();
    OK(f, "RegisterTeamMember", "{'id':'ana','name':'Ana'}");
    OK(f, "RegisterTeamMember", "{'id':'cyd','name':'Cyd'}");
    ck_assert(clock_parse("2026-03-01T00:00:00.000Z", &f->now_ms));
    for (int round = 0; round < 12; round++) {
        struct award awards[BATCH_MAX];
        const char *project = projects[below(3)];
        int n = 1 + below(BATCH_MAX);

        for (int i = 0; i < n; i++)
            awards[i] = random_award(&arena, project);
        award_all("ana", awards, n);
        for (int i = 0; i < n; i++)
            award_all("cyd", &awards[i], 1);
    }
    together = everything_of("ana");
    singly = everything_of("cyd");
    ck_assert_int_gt(strlen(singly), 10000);
    ck_assert_str_eq(together, singly);
    free(together);
    free(singly);
    check_sums();
}
END_TEST

/* ---- side by side --------------------------------------------------------- */

enum { THREADS = 6, TEAM = 5, OPS = 80 };

static const char *const team[TEAM] = {"ana", "bo", "cy", "dee", "eve"};

struct worker {
    pthread_t thread;
    unsigned long long x;
    int failures;
    char words[sizeof(((struct error *)0)->message)];
};

static int pick(struct worker *w, int n)
{
    w->x = w->x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((w->x >> 33) % (unsigned)n);
}

static struct bus_event sprint_event(struct worker *w, struct arena *arena)
{
    Sprint__SprintCompleted message = SPRINT__SPRINT_COMPLETED__INIT;
    Sprint__SprintReopened again = SPRINT__SPRINT_REOPENED__INIT;
    Sprint__SprintMember members[TEAM], *list[TEAM];
    int shift = pick(w, TEAM);

    message.id = again.id = arena_printf(arena, "sprint-%d", pick(w, 4));
    if (pick(w, 2))
        return event_of(arena, "mal.evt.sprint.sprint.reopened", NULL, &again.base);
    for (int i = 0; i < TEAM; i++) {
        members[i] = (Sprint__SprintMember)SPRINT__SPRINT_MEMBER__INIT;
        members[i].user_id = team[(i + shift) % TEAM];
        members[i].done_items = 1;
        members[i].done_points = pick(w, 4);
        list[i] = &members[i];
    }
    message.members = list;
    message.n_members = TEAM;
    message.completed_at = "2026-03-02T12:00:00.000Z";
    return event_of(arena, "mal.evt.sprint.sprint.completed", NULL, &message.base);
}

static struct bus_event item_event(struct worker *w, struct arena *arena)
{
    Sprint__WorkItemCompleted message = SPRINT__WORK_ITEM_COMPLETED__INIT;
    Sprint__WorkItemReopened again = SPRINT__WORK_ITEM_REOPENED__INIT;

    message.id = again.id = arena_printf(arena, "MAL-%d", pick(w, 20));
    if (pick(w, 3) == 0)
        return event_of(arena, "mal.evt.sprint.work_item.reopened", NULL, &again.base);
    message.assignee = team[pick(w, TEAM)];
    message.story_points = pick(w, 8);
    message.completed_at = arena_printf(arena, "2026-03-%02dT12:00:00.000Z", 1 + pick(w, 20));
    return event_of(arena, "mal.evt.sprint.work_item.completed", NULL, &message.base);
}

static enum status use_tools(struct worker *w, struct call *call)
{
    static const char *const tools[] = {"mal_list_skills", "mal_get_skill",   "mal_list_mcps",
                                        "mal_get_command", "mal_get_project", "mal_list_sprints"};
    struct bus_event batch[30];

    for (size_t i = 0; i < ARRAY_SIZE(batch); i++) {
        Gateway__ToolCalled message = GATEWAY__TOOL_CALLED__INIT;

        message.user_key = team[pick(w, TEAM)];
        message.tool_name = tools[pick(w, (int)ARRAY_SIZE(tools))];
        message.success = true;
        message.channel = "mcp";
        message.called_at = "2026-03-02T12:00:00.000Z";
        batch[i] = event_of(call->arena, "mal.evt.gateway.tool.called", NULL, &message.base);
    }
    return tool_use_store(call, batch, ARRAY_SIZE(batch));
}

static void *work(void *arg)
{
    struct worker *w = arg;
    CLEANUP(arena_done) struct arena arena;
    struct pg_conn *conn = open_conn(f->url);

    arena_init(&arena);
    for (int i = 0; i < OPS; i++) {
        struct call call = {.arena = &arena, .pg = conn, .now_ms = clock_wall_ms()};
        int kind = pick(w, 4);
        enum status status;
        struct bus_event event;

        if (kind == 0) {
            status = use_tools(w, &call);
        } else {
            event = kind == 1 ? sprint_event(w, &arena) : item_event(w, &arena);
            status = awards_apply(&call, &event);
        }
        if (status != ST_OK) {
            w->failures++;
            (void)snprintf(w->words, sizeof(w->words), "%s", call.error.message);
        }
        arena_reset(&arena);
    }
    pg_conn_free(conn);
    return NULL;
}

START_TEST(many_side_by_side_neither_block_nor_lose)
{
    struct worker workers[THREADS] = {0};

    load_achievements();
    for (int i = 0; i < TEAM; i++) {
        char request[100];

        (void)snprintf(request, sizeof(request), "{'id':'%s','name':'%s'}", team[i], team[i]);
        OK(f, "RegisterTeamMember", request);
    }
    for (int i = 0; i < THREADS; i++) {
        workers[i].x = chance + (unsigned)i;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_msg(workers[i].failures == 0, "%s", workers[i].words);
    }
    check_sums();
    VALUE_IS(f,
             "select count(*) from (select from gamify.contribution where reversed_at is null and "
             "reference_id is not null group by user_id, type, reference_id having count(*) > 1) t",
             "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gamify_property");
    TCase *tcase = tcase_create("property");

    tcase_add_checked_fixture(tcase, set_up_seed, tear_down);
    tcase_set_timeout(tcase, 100);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, xp_level_and_streak_follow_from_what_stands);
    tcase_add_test(tcase, many_at_once_are_the_same_as_one_by_one);
    tcase_add_test(tcase, many_side_by_side_neither_block_nor_lose);
    return run_suite(suite);
}
