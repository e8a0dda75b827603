/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept beside the log of calls equals what counting it would give, after
 * any writes, and replies say what plain queries of the log say. */
#include "catalog_fixture.h"
#include "seed.h"

#include "audit.sql.h"
#include "bus/bus.h"
#include "mal/gateway/v1/events.pb-c.h"

#include <pthread.h>

enum { STEPS = 150, BATCH = 12, KNOWN = 600, SPAN_MINUTES = 5 * 24 * 60 };

/* ---- writing --------------------------------------------------------------- */

static const char *const tools[] = {"mal_get_skill", "mal_list_skills", "mal_proxy_mcp_call", "t"};
static const char *const users[] = {"ana", "ben", "eve", ""};
static const char *const resources[] = {"", "one", "two"};

static char known[KNOWN][UUID_SIZE];
static int n_known;

/* Some fall on the first instant of an hour or day. */
static const char *moment(struct arena *arena)
{
    char text[TIMESTAMP_SIZE];
    int64_t ms;

    ck_assert(clock_parse("2026-03-01T00:00:00.000Z", &ms));
    ms += (int64_t)below(SPAN_MINUTES) * 60000 + below(60000);
    if (below(10) == 0)
        ms -= ms % 3600000;
    if (below(20) == 0)
        ms -= ms % 86400000;
    clock_format(ms, text);
    return arena_strdup(arena, text);
}

static Gateway__ToolCalled any_call(struct arena *arena)
{
    Gateway__ToolCalled called = GATEWAY__TOOL_CALLED__INIT;

    called.tool_name = tools[below(ARRAY_SIZE(tools))];
    called.user_key = users[below(ARRAY_SIZE(users))];
    called.resource_id = resources[below(ARRAY_SIZE(resources))];
    called.channel = "mcp";
    called.duration_ms = below(4) ? below(40) : below(100000);
    called.success = below(5) > 0;
    called.status = called.success ? "ok" : "not_found";
    called.request_id = "r";
    called.called_at = moment(arena);
    return called;
}

static enum status store_on(struct pg_conn *conn, struct arena *arena, size_t n,
                            const Gateway__ToolCalled *called, char (*ids)[UUID_SIZE])
{
    struct bus_event events[BATCH] = {{0}};
    struct call call = {
        .arena = arena, .pg = conn, .deadline_ms = clock_mono_ms() + 20000, .now_ms = 1};

    for (size_t i = 0; i < n; i++) {
        events[i].subject = "mal.evt.gateway.tool.called";
        events[i].event_id = ids[i];
        events[i].data = wire_pack(arena, &called[i].base, &events[i].len);
    }
    return audit_store(&call, events, n);
}

/* A batch in which some events come again. */
static void store_some(void)
{
    Gateway__ToolCalled called[BATCH];
    char ids[BATCH][UUID_SIZE];
    int n = 1 + below(BATCH);

    arena_reset(&f->arena);
    for (int i = 0; i < n; i++) {
        called[i] = any_call(&f->arena);
        if (n_known < KNOWN && (n_known == 0 || below(5)))
            uuid_v4(known[n_known++]);
        memcpy(ids[i], known[below(3) ? n_known - 1 : below(n_known)], UUID_SIZE);
    }
    ck_assert_int_eq(store_on(f->conn, &f->arena, (size_t)n, called, ids), ST_OK);
}

static void write_something(void)
{
    arena_reset(&f->arena);
    switch (below(12)) {
    case 0:
        pg_server_sql(f->url,
                      arena_printf(&f->arena, "delete from catalog.usage_log where id %% 13 = %d",
                                   below(13)));
        break;
    case 1:
        pg_server_sql(
            f->url,
            arena_printf(
                &f->arena,
                "update catalog.usage_log set success = not success, duration_ms = duration_ms + 7,"
                " \"timestamp\" = \"timestamp\" - interval '9 hours' where id %% 11 = %d",
                below(11)));
        break;
    case 2:
        pg_server_sql(f->url, arena_printf(&f->arena,
                                           "update catalog.usage_log set tool_name = 't', user_key "
                                           "= 'ben' where id %% 17 = %d",
                                           below(17)));
        break;
    default:
        store_some();
    }
}

/* ---- what is kept ------------------------------------------------------------ */

static const char kept[] =
    "select md5(string_agg(line, '|' order by line)) || count(*) from ("
    "select (d.*)::text as line from catalog.usage_day d where calls <> 0 union all"
    " select (t.*)::text from catalog.usage_time t where calls <> 0) x";

static void kept_is_right(void)
{
    char *before = strdup(pg_server_value(f->url, kept));

    pg_server_sql(f->url, "call catalog.usage_recount()");
    ck_assert_str_eq(before, pg_server_value(f->url, kept));
    free(before);
}

/* ---- replies ------------------------------------------------------------------ */

/* The ids of the reply's items. */
static const char *ids_of_reply(struct arena *arena)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    for (const char *p = f->reply; (p = strstr(p, "{\"id\":\"")); p++)
        strbuf_printf(&buf, "%.*s ", (int)strcspn(p + 7, "\""), p + 7);
    return arena_strdup(arena, strbuf_cstr(&buf));
}

/* A random filter, as a request's member and as a condition. */
static void add_filter(struct strbuf *request, struct strbuf *where, const char *field,
                       const char *column, const char *value)
{
    if (below(2) || !*value)
        return;
    strbuf_printf(request, "'%s':'%s',", field, value);
    strbuf_printf(where, " and %s'%s'", column, value);
}

static void add_filters(struct strbuf *request, struct strbuf *where)
{
    int from = 1 + below(6);

    add_filter(request, where, "tool_name", "tool_name = ", tools[below(ARRAY_SIZE(tools))]);
    add_filter(request, where, "user_key", "user_key = ", users[below(ARRAY_SIZE(users))]);
    add_filter(request, where, "resource_id",
               "resource_id = ", resources[below(ARRAY_SIZE(resources))]);
    if (below(2)) {
        bool success = below(2);

        strbuf_printf(request, "'success':%s,", success ? "true" : "false");
        strbuf_printf(where, " and success = %s", success ? "true" : "false");
    }
    if (below(2)) {
        strbuf_printf(request, "'from':'2026-03-%02d',", from);
        strbuf_printf(where, " and \"timestamp\" >= '2026-03-%02d 00:00+00'", from);
    }
    if (below(2)) {
        int to = from + below(3);

        strbuf_printf(request, "'to':'2026-03-%02d',", to);
        strbuf_printf(where, " and \"timestamp\" < '2026-03-%02d 00:00+00'", to + 1);
    }
}

static void a_page_is_right(void)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf where = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena;
    int limit = 1 + below(60), offset = below(3) ? 0 : below(300);
    const char *total, *ids;

    arena_init(&arena);
    add_filters(&request, &where);
    OK(f, "GetAuditLog",
       arena_printf(&arena, "{%s'limit':%d,'offset':%d}", strbuf_cstr(&request), limit, offset));
    total = arena_strdup(&arena,
                         pg_server_value(f->url, arena_printf(&arena,
                                                              "select count(*) from"
                                                              " catalog.usage_log where true %s",
                                                              strbuf_cstr(&where))));
    ids = pg_server_value(
        f->url, arena_printf(&arena,
                             "select coalesce(string_agg(id || ' ', '' order by"
                             " \"timestamp\" desc, id desc), '') from (select * from"
                             " catalog.usage_log where true %s order by \"timestamp\" desc,"
                             " id desc limit %d offset %d) x",
                             strbuf_cstr(&where), limit, offset));
    HAS(f, arena_printf(&arena, "'total':%s,", total));
    ck_assert_str_eq(ids_of_reply(&arena), ids);
}

/* What a query of ours gives for these values, as one line. */
static const char *rows_of(struct arena *arena, const struct query *query,
                           const char *const *values)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "set search_path = catalog; select coalesce(string_agg(x::text, ' '), '')"
                     " from (");
    for (const char *p = query->sql; *p; p++) {
        if (*p != '$')
            strbuf_char(&buf, *p);
        else
            strbuf_str(&buf, values[*++p - '1']);
    }
    strbuf_str(&buf, ") x");
    return arena_strdup(arena, pg_server_value(f->url, strbuf_cstr(&buf)));
}

static const char plain_tools[] =
    "set search_path = catalog; select coalesce(string_agg(x::text, ' '), '') from (select"
    " tool_name, count(*)::int as calls, count(*) filter (where not success)::int,"
    " round(100.0 * count(*) filter (where not success) / count(*), 1)::float8,"
    " round(avg(duration_ms))::int,"
    " percentile_disc(0.95) within group (order by usage_step(duration_ms))"
    " from usage_log where \"timestamp\" >= %s group by tool_name order by calls desc, tool_name) "
    "x";

static void figures_are_right(void)
{
    CLEANUP(arena_done) struct arena arena;
    const char *since, *bucket = below(2) ? "'day'" : "'hour'";
    const char *tool = below(2) ? "null" : "'t'";

    arena_init(&arena);
    since = arena_printf(&arena, "'%s'", moment(&arena));
    ck_assert_str_eq(rows_of(&arena, sql_audit_tools, (const char *[]){since}),
                     pg_server_value(f->url, arena_printf(&arena, plain_tools, since)));
    ck_assert_str_eq(rows_of(&arena, sql_audit_points, (const char *[]){bucket, since, tool}),
                     rows_of(&arena, sql_audit_points_of,
                             (const char *[]){bucket, since, tool, "null", "null"}));
    ck_assert_str_eq(
        rows_of(&arena, sql_audit_callers, (const char *[]){since, tool}),
        rows_of(&arena, sql_audit_callers_of, (const char *[]){since, tool, "null", "null"}));
}

START_TEST(after_any_writes_replies_are_those_of_a_count)
{
    for (int step = 0; step < STEPS; step++) {
        write_something();
        a_page_is_right();
        if (step % 5 == 0)
            figures_are_right();
        if (step % 30 == 29)
            kept_is_right();
    }
}
END_TEST

/* ---- copies, cuts, migrations ---------------------------------------------------- */

enum { WRITERS = 4, ROUNDS = 60 };

struct writer {
    pthread_t thread;
    struct pg_conn *conn;
    bool backwards;
    int failed;
};

/* Batches of the same tools and callers, each in an order of its own. */
static void *write_batches(void *arg)
{
    struct writer *writer = arg;
    CLEANUP(arena_done) struct arena arena;

    arena_init(&arena);
    for (int round = 0; round < ROUNDS; round++) {
        Gateway__ToolCalled called[BATCH];
        char ids[BATCH][UUID_SIZE];

        arena_reset(&arena);
        for (int i = 0; i < BATCH; i++) {
            int k = writer->backwards ? BATCH - 1 - i : i;

            called[i] = (Gateway__ToolCalled)GATEWAY__TOOL_CALLED__INIT;
            called[i].tool_name = arena_printf(&arena, "tool-%d", k);
            called[i].user_key = arena_printf(&arena, "user-%d", k);
            called[i].channel = "mcp";
            called[i].duration_ms = k;
            called[i].success = true;
            called[i].status = "ok";
            called[i].request_id = "r";
            called[i].called_at = "2026-03-02T09:30:00.120Z";
            uuid_v4(ids[i]);
        }
        writer->failed += store_on(writer->conn, &arena, BATCH, called, ids) != ST_OK;
    }
    return NULL;
}

START_TEST(copies_that_write_at_once_wait_for_each_other_and_lose_nothing)
{
    struct writer writers[WRITERS] = {{0}};

    for (int i = 0; i < WRITERS; i++) {
        writers[i].conn = open_conn(f->url);
        writers[i].backwards = i % 2;
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_batches, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        pg_conn_free(writers[i].conn);
        ck_assert_int_eq(writers[i].failed, 0);
    }
    OK(f, "GetAuditLog", "{'limit':1}");
    HAS(f, "'total':2880,");
    OK(f, "GetAuditLog", "{'limit':1,'tool_name':'tool-3','user_key':'user-3'}");
    HAS(f, "'total':240,");
    kept_is_right();
}
END_TEST

START_TEST(a_batch_whose_answer_was_lost_counts_once)
{
    int total = 0;

    for (int n = 1; n <= 4; n++)
        for (int reply = 0; reply < 2; reply++) {
            Gateway__ToolCalled called[3];
            char ids[3][UUID_SIZE];
            enum status status;

            arena_reset(&f->arena);
            for (int i = 0; i < 3; i++) {
                called[i] = any_call(&f->arena);
                uuid_v4(ids[i]);
            }
            pg_conn_free(f->conn);
            f->conn = open_conn(f->url);
            pg_conn_break(f->conn, n, reply);
            status = store_on(f->conn, &f->arena, 3, called, ids);
            ck_assert(status == ST_OK || status == ST_UNAVAILABLE);
            pg_conn_free(f->conn);
            f->conn = open_conn(f->url);
            ck_assert_int_eq(store_on(f->conn, &f->arena, 3, called, ids), ST_OK);
            total += 3;
        }
    OK(f, "GetAuditLog", "{}");
    HAS(f, arena_printf(&f->arena, "'total':%d,", total));
    kept_is_right();
}
END_TEST

START_TEST(an_emptied_log_counts_nothing)
{
    store_some();
    pg_server_sql(f->url, "truncate catalog.usage_log");
    ck_assert_str_eq(pg_server_value(f->url, "select (select count(*) from catalog.usage_day) +"
                                             " (select count(*) from catalog.usage_time)"),
                     "0");
}
END_TEST

/* A database as it was before there was anything to keep. */
START_TEST(entries_from_before_are_counted_by_the_migration)
{
    struct error err = {0};

    pg_server_sql(f->url, "drop schema catalog cascade; create schema catalog");
    ck_assert_msg(pg_migrate(f->conn, "catalog", catalog_migrations, 1, &err) == ST_OK, "%s",
                  err.message);
    pg_server_sql(
        f->url, "insert into catalog.usage_log (event_id, tool_name, resource_id, user_key,"
                " \"timestamp\", duration_ms, success, status, channel, request_id)"
                " select gen_random_uuid(), 't', null, 'ana', '2026-03-01', n, n > 1, 'ok', 'mcp',"
                " 'r' from generate_series(1, 40) n");
    ck_assert_msg(pg_migrate(f->conn, "catalog", catalog_migrations, catalog_n_migrations, &err) ==
                      ST_OK,
                  "%s", err.message);
    OK(f, "GetAuditLog", "{'success':false}");
    HAS(f, "'total':1,");
    store_some();
    kept_is_right();
}
END_TEST

START_TEST(durations_keep_three_digits_and_are_never_less_than_they_were)
{
    ck_assert_str_eq(
        pg_server_value(f->url,
                        "select string_agg(n || '→' || catalog.usage_step(n), ' ' order by n)"
                        " from unnest('{-1,0,999,1000,1001,9999,10001,99901,2147483647}'::int[])"
                        " n"),
        "-1→-1 0→0 999→999 1000→1000 1001→1010 9999→10000 10001→10100 99901→100000"
        " 2147483647→2147483647");
    ck_assert_str_eq(pg_server_value(f->url,
                                     "select count(*) from (select (random() * 3e6)::int as n from"
                                     " generate_series(1, 5000)) x where catalog.usage_step(n) < n"
                                     " or catalog.usage_step(n) > n * 1.01"),
                     "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_usage");
    TCase *tcase = tcase_create("usage");

    tcase_add_checked_fixture(tcase, set_up_seed, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, after_any_writes_replies_are_those_of_a_count);
    tcase_add_test(tcase, copies_that_write_at_once_wait_for_each_other_and_lose_nothing);
    tcase_add_test(tcase, a_batch_whose_answer_was_lost_counts_once);
    tcase_add_test(tcase, an_emptied_log_counts_nothing);
    tcase_add_test(tcase, entries_from_before_are_counted_by_the_migration);
    tcase_add_test(tcase, durations_keep_three_digits_and_are_never_less_than_they_were);
    return run_suite(suite);
}
