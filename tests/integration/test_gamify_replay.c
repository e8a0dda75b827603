/* SPDX-License-Identifier: Apache-2.0 */
/* The game made anew from the event stream: whatever awards and reversals came,
 * the rebuilt state is the live one, and damage is mended. */
#include "ledger.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/gateway/v1/events.pb-c.h"
#include "migrations.sql.h"
#include "tools.h"

#define PROCESS_NAME "mal-gamify"
#include "service_process.h"

#include <libpq-fe.h>

enum { MEMBERS = 5, ROUNDS = 250, DAY_MS = 86400000 };

static const char *const users[MEMBERS] = {"ana", "ben", "cem", "dia", "eve"};

/* Everything that the game is made of, line by line. */
static const char state[] =
    "select string_agg(line, E'\\n' order by line collate \"C\") from ("
    " select 'member ' || (m.*)::text as line from gamify.member m union all"
    " select 'contribution ' || (c.*)::text from gamify.contribution c union all"
    " select 'badge ' || user_id || achievement_id || unlocked_at from gamify.user_achievement"
    " union all select 'tally ' || (t.*)::text from gamify.tally t"
    "  where (t.*)::text !~ '(,0){12}' union all"
    " select 'day ' || (d.*)::text from gamify.day_points d union all"
    " select 'project ' || (p.*)::text from gamify.project_points p union all"
    " select 'use ' || (u.*)::text from gamify.tool_use u) s";

static char *remember(void)
{
    PGconn *db = PQconnectdb(pg_url);
    PGresult *result = PQexec(db, state);
    char *text;

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    text = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(db);
    return text;
}

static unsigned below(unsigned n)
{
    static unsigned long long x;
    static bool seeded;

    if (!seeded) {
        const char *given = getenv("MAL_TEST_SEED");

        x = given ? strtoull(given, NULL, 10) : (unsigned long long)clock_wall_ms();
        (void)printf("seed %llu (MAL_TEST_SEED repeats it)\n", x);
        (void)fflush(stdout);
        seeded = true;
    }
    x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(x >> 33) % n;
}

static void make_team(void)
{
    char sql[512];

    for (int i = 0; i < MEMBERS; i++) {
        (void)snprintf(sql, sizeof(sql), "insert into gamify.member (id, name) values ('%s', '%s')",
                       users[i], users[i]);
        pg_server_sql(pg_url, sql);
    }
    pg_server_sql(pg_url, "insert into gamify.achievement (id, name, description, icon, xp_reward,"
                          " criteria) select replace(t, '_', '-') || '-' || n, t, 'd', 'i', 10 * n,"
                          " jsonb_build_object('type', t, 'count', n) from unnest(array['commit',"
                          " 'interaction', 'bug_closed', 'streak_days', 'level_reached',"
                          " 'sprint_completed', 'decisions_logged']) t, unnest(array[1, 3, 8]) n");
}

/* ---- what happens --------------------------------------------------------- */

static Gamify__ContributionType any_type(void)
{
    static const Gamify__ContributionType types[] = {
        GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT,
        GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION,
        GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM,
        GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_REVIEW,
        GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_SPRINT,
    };

    return types[below(ARRAY_SIZE(types))];
}

static struct award any_award(struct call *c)
{
    struct award award = {.type = any_type(),
                          .source = GAMIFY__SOURCE__SOURCE_EVENT,
                          .base = (int)below(40),
                          .fixed = below(10) == 0,
                          .occurred_ms = c->now_ms - (int64_t)below(40) * DAY_MS};

    if (below(8))
        award.reference_id = arena_printf(c->arena, "ref-%u", below(60));
    if (below(2))
        award.project_id = below(2) ? "apollo" : "zeus";
    if (below(2))
        award.description = "It's \"done\", ü\n";
    if (award.type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM && below(2)) {
        award.figures.bug = true;
        award.metadata = "{\"item_type\": \"bug\", \"story_points\": 3}";
    } else if (award.type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION) {
        award.figures.decisions = 2;
        award.metadata = "{\"decisions\": 2, \"tools_used\": 1}";
    } else if (award.type == GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT) {
        award.figures.backend = 3;
        award.metadata = "{\"areas\": {\"backend\": 3}, \"insertions\": 7}";
    }
    return award;
}

static void step(struct pg_conn *conn)
{
    CLEANUP(arena_done) struct arena own;
    CLEANUP(tx_done) struct tx tx = {0};
    struct call c = {.arena = &own,
                     .actor = "test",
                     .request_id = "",
                     .deadline_ms = clock_mono_ms() + WAIT_MS,
                     .now_ms = clock_wall_ms(),
                     .pg = conn};
    struct award awards[4];
    struct awarded awarded[4];
    struct ledger ledger;
    size_t n = 1 + below(4);
    int reversed;

    arena_init(&own);
    ck_assert_int_eq(tx_begin(&tx, &c), ST_OK);
    ck_assert_int_eq(ledger_open(&ledger, &tx, users[below(MEMBERS - 1)]), ST_OK);
    for (size_t i = 0; i < n; i++)
        awards[i] = any_award(&c);
    if (below(3))
        ck_assert_int_eq(ledger_award(&ledger, awards, n, awarded), ST_OK);
    else
        ck_assert_int_eq(
            ledger_reverse(&ledger, any_type(), arena_printf(&own, "ref-%u", below(60)), &reversed),
            ST_OK);
    ck_assert_int_eq(ledger_close(&ledger), ST_OK);
    if (below(20)) /* some are given up at the end */
        ck_assert_int_eq(tx_commit(&tx), ST_OK);
}

static struct pg_conn *open_schema(void)
{
    struct error err = {0};
    struct pg_conn *conn = NULL;

    ck_assert_int_eq(
        pg_conn_new(&conn, &(struct pg_options){.url = pg_url, .schema = "gamify", .app = "test"},
                    &err),
        ST_OK);
    return conn;
}

static void play(int rounds)
{
    struct pg_conn *conn = open_schema();

    for (int i = 0; i < rounds; i++)
        step(conn);
    pg_conn_free(conn);
}

/* ---- the replay ----------------------------------------------------------- */

/* What it did, as "name added changed removed" of each table where it did
 * something. */
static const char *replay(bool dry_run)
{
    static char text[512];
    Gamify__ReplayRequest req = GAMIFY__REPLAY_REQUEST__INIT;
    Gamify__ReplayResponse *rsp = NULL;
    enum status status;

    req.dry_run = dry_run;
    status = gamify_replay_call(bus, new_call(WAIT_MS), &req, 0, &rsp);
    ck_assert_msg(status == ST_OK, "%s: %s; %s", status_name(status), call.error.message, logged());
    text[0] = '\0';
    for (size_t i = 0; i < rsp->n_tables; i++) {
        const Mal__ReplayedTable *table = rsp->tables[i];
        size_t len = strlen(text);

        if (table->added || table->changed || table->removed)
            (void)snprintf(text + len, sizeof(text) - len, "%s %d %d %d;", table->name,
                           table->added, table->changed, table->removed);
    }
    return text;
}

static void check_state(const char *wanted)
{
    char *found = remember();

    if (strcmp(found, wanted) != 0) { /* the first line that differs is enough */
        size_t at = 0;

        while (found[at] == wanted[at])
            at++;
        while (at > 0 && found[at - 1] != '\n')
            at--;
        ck_abort_msg("found %.300s\nwanted %.300s", found + at, wanted + at);
    }
    free(found);
}

START_TEST(the_rebuilt_game_is_the_live_one)
{
    make_team();
    play(ROUNDS);
    char *before = remember();
    ck_assert_str_eq(replay(true), "");
    ck_assert_str_eq(replay(false), "");
    check_state(before);
    play(20);
    ck_assert_str_eq(replay(false), "");
    free(before);
}
END_TEST

START_TEST(a_game_that_is_lost_comes_back_from_the_stream)
{
    make_team();
    play(ROUNDS);
    char *before = remember();
    pg_server_sql(pg_url, "truncate gamify.contribution, gamify.user_achievement, gamify.tally,"
                          " gamify.day_points, gamify.project_points restart identity;"
                          " update gamify.member set xp = 0, level = 1, streak_days = 0,"
                          " streak_last_date = null");
    (void)replay(false);
    check_state(before);
    free(before);
    /* Numbers go on where they were. */
    play(20);
    ck_assert_str_eq(replay(false), "");
}
END_TEST

START_TEST(what_is_wrong_in_the_game_is_mended)
{
    make_team();
    play(ROUNDS);
    char *before = remember();
    pg_server_sql(pg_url,
                  "delete from gamify.contribution where id % 7 = 3;"
                  "update gamify.contribution set points = points + 1 where id % 7 = 4;"
                  "update gamify.contribution set reversed_at = now() where id % 7 = 5 and"
                  " reversed_at is null;"
                  "update gamify.contribution set reversed_at = null, reference_id = 'x' || id"
                  " where reversed_at is not null;"
                  "insert into gamify.contribution (user_id, type, points, base_points,"
                  " multiplier_percent, occurred_at) values ('eve', 'review', 1000, 1000, 100,"
                  " now());"
                  "delete from gamify.user_achievement where user_id = 'ana';"
                  "update gamify.user_achievement set unlocked_at = '2020-02-02' where user_id ="
                  " 'ben';"
                  "insert into gamify.user_achievement (user_id, achievement_id, unlocked_at)"
                  " values ('eve', 'commit-8', now());"
                  "update gamify.member set xp = xp + 5, streak_days = 77;"
                  "update gamify.day_points set points = 9");
    char *spoilt = remember();
    ck_assert_str_ne(replay(true), "");
    check_state(spoilt);
    (void)replay(false);
    check_state(before);
    ck_assert_str_eq(replay(false), "");
    free(before);
    free(spoilt);
}
END_TEST

static void purge(int sequence)
{
    struct bus_message reply;
    char request[64];

    (void)snprintf(request, sizeof(request), "{\"seq\":%d}", sequence);
    ck_assert_int_eq(bus_request(bus, "$JS.API.STREAM.PURGE.MAL_EVT", NULL, request,
                                 strlen(request), 5000, &reply),
                     ST_OK);
    bus_message_release(&reply);
}

START_TEST(what_is_older_than_the_stream_stays_in_the_game)
{
    make_team();
    play(ROUNDS);
    AWAIT(strcmp(pg_server_value(pg_url, "select count(*) from gamify.outbox where published_at is"
                                         " null"),
                 "0") == 0);
    char *before = remember();
    purge(stored_events() / 2);
    ck_assert_str_eq(replay(false), "");
    check_state(before);
    play(50);
    ck_assert_str_eq(replay(false), "");
    free(before);
}
END_TEST

/* ---- the use of tools ------------------------------------------------------ */

/* A call of a member's key, which may not count: its id and what is sent. */
static const void *any_use(struct arena *own, char event_id[UUID_SIZE], size_t *ret_len,
                           bool *ret_counts)
{
    static const char *const tools[] = {"mal_get_skill", "mal_list_skills", "mal_get_sprint",
                                        "not_ours"};
    Gateway__ToolCalled called = GATEWAY__TOOL_CALLED__INIT;
    char at[TIMESTAMP_SIZE];

    uuid_v7(event_id);
    clock_format(clock_wall_ms(), at);
    called.tool_name = tools[below(ARRAY_SIZE(tools))];
    called.user_key = users[below(MEMBERS)];
    called.channel = below(5) ? "mcp" : "web";
    called.success = below(4) > 0;
    called.status = "ok";
    called.called_at = at;
    *ret_counts = tool_use_counts(&called);
    return wire_pack(own, &called.base, ret_len);
}

static void use_tools(int n)
{
    CLEANUP(arena_done) struct arena own;

    arena_init(&own);
    for (int i = 0; i < n; i++) {
        char event_id[UUID_SIZE];
        size_t len;
        bool counts;
        const void *data = any_use(&own, event_id, &len, &counts);

        ck_assert_int_eq(bus_event_publish(bus, "mal.evt.gateway.tool.called", event_id, NULL, data,
                                           len, WAIT_MS),
                         ST_OK);
    }
}

/* So many at once that they share messages. How many of them count. */
static int use_tools_together(int n)
{
    CLEANUP(arena_done) struct arena own;
    struct bus_event_queue *queue = NULL;
    int counted = 0;

    arena_init(&own);
    ck_assert_int_eq(bus_event_queue_new(bus, 10000, &queue), ST_OK);
    bus_event_queue_share(queue, false);
    for (int i = 0; i < n; i++) {
        char event_id[UUID_SIZE];
        size_t len;
        bool counts;
        const void *data = any_use(&own, event_id, &len, &counts);

        bus_event_queue_add(queue, "mal.evt.gateway.tool.called", event_id, NULL, data, len);
        counted += counts;
    }
    bus_event_queue_free(queue, WAIT_MS);
    return counted;
}

/* Until the consumer has applied all that the stream has. */
static void wait_for_uses(int events)
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "select count(*) >= %d from gamify.inbox", events);
    AWAIT(strcmp(pg_server_value(pg_url, sql), "t") == 0);
}

START_TEST(the_use_of_tools_is_counted_from_the_stream)
{
    use_tools(400);
    wait_for_uses(400);
    char *before = remember();
    ck_assert_str_eq(replay(false), "");
    pg_server_sql(pg_url, "update gamify.tool_use set calls = calls + 3, last_at = now() where"
                          " user_key = 'ana';"
                          "delete from gamify.tool_use where user_key = 'ben';"
                          "insert into gamify.tool_use values ('zoe', 'mal_get_skill', 1, now(),"
                          " now())");
    (void)replay(false);
    check_state(before);
    pg_server_sql(pg_url, "truncate gamify.tool_use, gamify.inbox");
    (void)replay(false);
    check_state(before);
    use_tools(50);
    wait_for_uses(50);
    ck_assert_str_eq(replay(false), "");
    free(before);
}
END_TEST

/* Until it is at the end again. */
static void begin_anew(const char *durable)
{
    struct bus_message reply;
    uint64_t floor = 0;
    char subject[80];

    (void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DELETE.MAL_EVT.%s", durable);
    ck_assert_int_eq(bus_request(bus, subject, NULL, NULL, 0, 5000, &reply), ST_OK);
    bus_message_release(&reply);
    AWAIT(bus_consumer_floor(bus, durable, &floor) == ST_OK && (int)floor >= stored_events());
}

START_TEST(calls_that_share_messages_are_counted_once_each)
{
    char sql[100];

    /* Without a team nothing else is in the stream. */
    (void)snprintf(sql, sizeof(sql), "select coalesce(sum(calls), 0) = %d from gamify.tool_use",
                   use_tools_together(1500));
    AWAIT(strcmp(pg_server_value(pg_url, sql), "t") == 0);
    char *before = remember();
    ck_assert_str_eq(pg_server_value(pg_url, "select count(*) < 100 from gamify.inbox"), "t");
    ck_assert_str_eq(replay(false), "");
    pg_server_sql(pg_url, "update gamify.tool_use set calls = calls + 3");
    (void)replay(false);
    check_state(before);
    pg_server_sql(pg_url, "truncate gamify.tool_use, gamify.inbox");
    (void)replay(false);
    check_state(before);
    /* A consumer that begins anew gets all of them again. */
    begin_anew("gamify_tools");
    check_state(before);
    free(before);
}
END_TEST

START_TEST(calls_older_than_the_stream_stay_counted)
{
    use_tools(400);
    wait_for_uses(400);
    usleep(5000); /* so that the later calls have a later time */
    use_tools(200);
    wait_for_uses(600);
    char *before = remember();
    purge(401);
    ck_assert_str_eq(replay(false), "");
    check_state(before);
    /* Of what the stream tells, what is lost is mended. */
    pg_server_sql(pg_url, "update gamify.tool_use set last_at = '2020-01-01'");
    (void)replay(false);
    check_state(before);
    purge(601);
    ck_assert_str_eq(replay(false), "");
    check_state(before);
    free(before);
}
END_TEST

START_TEST(awards_of_the_time_between_are_not_lost)
{
    make_team();
    pid_t player = fork();
    ck_assert_int_ge(player, 0);
    if (player == 0) {
        play(ROUNDS);
        _exit(0);
    }
    int wstatus = 0;
    do
        ck_assert_str_eq(replay(false), "");
    while (waitpid(player, &wstatus, WNOHANG) == 0);
    ck_assert_int_eq(wstatus, 0);
    char *before = remember();
    ck_assert_str_eq(replay(false), "");
    check_state(before);
    free(before);
}
END_TEST

int main(int argc, char **argv)
{
    const struct svc svc = gamify_service();
    Suite *suite = suite_create("gamify_replay");
    TCase *tcase = tcase_create("replay");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, the_rebuilt_game_is_the_live_one);
    tcase_add_test(tcase, a_game_that_is_lost_comes_back_from_the_stream);
    tcase_add_test(tcase, what_is_wrong_in_the_game_is_mended);
    tcase_add_test(tcase, what_is_older_than_the_stream_stays_in_the_game);
    tcase_add_test(tcase, the_use_of_tools_is_counted_from_the_stream);
    tcase_add_test(tcase, calls_that_share_messages_are_counted_once_each);
    tcase_add_test(tcase, calls_older_than_the_stream_stay_counted);
    tcase_add_test(tcase, awards_of_the_time_between_are_not_lost);
    return process_tests(argc, argv, suite, &svc);
}
