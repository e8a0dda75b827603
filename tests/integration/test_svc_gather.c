/* SPDX-License-Identifier: Apache-2.0 */
/* Reads that share a worker: what one of them does is nothing to its mates. One
 * worker is held while requests queue up behind it, so that they are a batch. */
#include "base/clock.h"
#include "base/fiber.h"
#include "base/ids.h"
#include "bus/bus.h"
#include "mal/v1/tool.pb-c.h"
#include "nats_server.h"
#include "pg/pg.h"
#include "pg_server.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 20000, CALLS_MAX = 40, TIME_MS = 10000 };

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t await_until_ = clock_mono_ms() + WAIT_MS;                                          \
        while (!(condition) && clock_mono_ms() < await_until_)                                     \
            (void)usleep(1000);                                                                    \
        ck_assert_msg((condition), "not in time: %s", #condition);                                 \
    } while (0)

/* ---- the service ---- */

static const struct field_rule pair_fields[] = {{.name = "key"}, {.name = "value"}};
static const struct message_rule pair_rule = {&mal__pair__descriptor, pair_fields, -1, -1};
static const struct rpc hold_rpc = {.package = "demo",
                                    .name = "Hold",
                                    .subject = "mal.demo.v1.hold",
                                    .request = &pair_rule,
                                    .response = &pair_rule};
static const struct rpc look_rpc = {.package = "demo",
                                    .name = "Look",
                                    .subject = "mal.demo.v1.look",
                                    .read_only = true,
                                    .request = &pair_rule,
                                    .response = &pair_rule};
static const struct rpc solo_rpc = {.package = "demo",
                                    .name = "Solo",
                                    .subject = "mal.demo.v1.solo",
                                    .read_only = true,
                                    .request = &pair_rule,
                                    .response = &pair_rule};

/* Transactions are told apart by the time they began. */
static const struct query sql_now = {
    .name = "now", .sql = "select now()::text || ' ' || $1::text as at", .params = 1};
static const struct query sql_divide = {
    .name = "divide", .sql = "select (100 / $1::int)::text", .params = 1};
static const struct query sql_sleep = {
    .name = "sleep", .sql = "select pg_sleep($1::float8)::text", .params = 1};
static const struct query sql_die = {
    .name = "die", .sql = "select pg_terminate_backend(pg_backend_pid())::text", .params = 0};
static const struct query sql_items = {
    .name = "items", .sql = "select * from item where id = $1", .params = 1};
static const struct query sql_broken = {
    .name = "broken", .sql = "select nothing from nowhere", .params = 0};
static const struct query sql_bulk = {
    .name = "bulk", .sql = "select repeat($1, 400000)", .params = 1};

static atomic_bool held, holding;

static enum status demo_hold(struct call *call, const ProtobufCMessage *request,
                             ProtobufCMessage *reply)
{
    (void)call;
    (void)request;
    (void)reply;
    atomic_store(&holding, true);
    while (atomic_load(&held))
        (void)usleep(500);
    return ST_OK;
}

static enum status look_twice(struct call *call, const char *value, const char **ret_text)
{
    const char *first;

    TRY(pg_text(call, &sql_now, &first, "s", value));
    return pg_text(call, &sql_now, ret_text, "s", value);
}

static enum status look_in_tx(struct call *call, const char *value, const char **ret_text)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const char *again;

    TRY(tx_begin_mode(&tx, call, TX_SNAPSHOT));
    TRY(pg_text(call, &sql_now, ret_text, "s", value));
    TRY(pg_text(call, &sql_now, &again, "s", value));
    TRY(tx_commit(&tx));
    if (strcmp(again, *ret_text) != 0)
        return call_fail(call, ST_INTERNAL, "a mate ran within the transaction");
    return ST_OK;
}

static enum status look_at_item(struct call *call, const char *value, const char **ret_text)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, &sql_items, "s", value));
    *ret_text = arena_printf(call->arena, "- %s", rows.n ? pg_cell(&rows, 0, "id") : "");
    return ST_OK;
}

static enum status look_after_failure(struct call *call, const char *value, const char **ret_text)
{
    if (pg_text(call, &sql_divide, ret_text, "s", "0") != ST_INTERNAL)
        return call_fail(call, ST_INTERNAL, "dividing by zero went well");
    error_clear(&call->error);
    return pg_text(call, &sql_now, ret_text, "s", value);
}

/* The key says what to do, the value comes back. */
static enum status demo_look(struct call *call, const ProtobufCMessage *request,
                             ProtobufCMessage *reply)
{
    const Mal__Pair *in = (const Mal__Pair *)request;
    Mal__Pair *out = (Mal__Pair *)reply;
    const char *text = "";
    enum status status = ST_OK;

    out->key = in->key;
    if (strcmp(in->key, "now") == 0)
        status = pg_text(call, &sql_now, &text, "s", in->value);
    else if (strcmp(in->key, "twice") == 0)
        status = look_twice(call, in->value, &text);
    else if (strcmp(in->key, "tx") == 0)
        status = look_in_tx(call, in->value, &text);
    else if (strcmp(in->key, "recover") == 0)
        status = look_after_failure(call, in->value, &text);
    else if (strcmp(in->key, "divide") == 0)
        status = pg_text(call, &sql_divide, &text, "s", in->value);
    else if (strcmp(in->key, "sleep") == 0)
        status = pg_text(call, &sql_sleep, &text, "s", in->value);
    else if (strcmp(in->key, "die") == 0)
        status = pg_text(call, &sql_die, &text, "");
    else if (strcmp(in->key, "item") == 0)
        status = look_at_item(call, in->value, &text);
    else if (strcmp(in->key, "broken") == 0)
        status = pg_text(call, &sql_broken, &text, "");
    else if (strcmp(in->key, "bulk") == 0)
        status = pg_text(call, &sql_bulk, &text, "s", in->value);
    out->value = text && *text ? text : in->value;
    return status;
}

/* ---- its process ---- */

static struct pg_server pg;
static struct nats_server nats;
static char pg_url[PG_URL_SIZE];
static struct bus *bus;
static struct bus_server *server;
static atomic_int rounds;

static void *worker_new(void *arg, int index)
{
    struct pg_conn *conn = NULL;
    struct error err = {0};

    (void)arg;
    (void)index;
    ck_assert_int_eq(pg_conn_new(&conn, &(struct pg_options){.url = pg_url}, &err), ST_OK);
    return conn;
}

static void worker_free(void *state)
{
    pg_conn_free(state);
}

static void prepare(struct call *call, void *state, void *arg)
{
    (void)arg;
    call->pg = state;
}

static void one_round(void *state)
{
    atomic_fetch_add(&rounds, 1);
    pg_conn_round(state);
}

static void setup(void)
{
    static const struct endpoint endpoints[] = {
        {&hold_rpc, demo_hold}, {&look_rpc, demo_look}, {&solo_rpc, demo_look}};
    struct error err = {0};

    pg_server_clone(&pg, pg_url);
    pg_server_sql(pg_url, "create table item (id text); insert into item values ('v')");
    nats_server_start(&nats);
    ck_assert_msg(bus_new(&bus, &(struct bus_options){.url = nats.url, .name = "test"}, &err) ==
                      ST_OK,
                  "%s", err.message);
    ck_assert_msg(bus_serve(bus,
                            &(struct bus_service){.name = "demo",
                                                  .version = "1.0.0",
                                                  .description = "Looks.",
                                                  .endpoints = endpoints,
                                                  .n_endpoints = ARRAY_SIZE(endpoints),
                                                  .workers = 1,
                                                  .worker_new = worker_new,
                                                  .worker_free = worker_free,
                                                  .prepare = prepare,
                                                  .round = one_round},
                            &server, &err) == ST_OK,
                  "%s", err.message);
}

static void teardown(void)
{
    bus_server_free(server);
    bus_free(bus);
    nats_server_done(&nats);
}

/* ---- the side that asks ---- */

struct asked {
    const struct rpc *rpc;
    const char *key;
    const char *value; /* of the answer; NULL without */
    pthread_t thread;
    int64_t took_ms;
    struct arena arena;
    struct call call;
    int time_ms;
    enum status status;
    char given[32];
};

static struct asked asked[CALLS_MAX];
static size_t n_asked;

static void *run_ask(void *arg)
{
    struct asked *a = arg;
    Mal__Pair request = MAL__PAIR__INIT;
    ProtobufCMessage *reply = NULL;
    char request_id[UUID_SIZE];
    int64_t start = clock_mono_ms();

    arena_init(&a->arena);
    uuid_v4(request_id);
    request.key = a->key;
    request.value = a->given;
    a->call = (struct call){
        .arena = &a->arena, .request_id = request_id, .actor = "ana", .channel = "mcp"};
    a->status = bus_call(bus, &a->call, a->rpc, &request.base, a->time_ms, &reply);
    a->value = a->status == ST_OK ? ((const Mal__Pair *)reply)->value : NULL;
    a->took_ms = clock_mono_ms() - start;
    return NULL;
}

static struct asked *start_call(const struct rpc *rpc, const char *key, const char *value,
                                int time_ms)
{
    struct asked *a = &asked[n_asked++];

    ck_assert_uint_le(n_asked, CALLS_MAX);
    *a = (struct asked){.rpc = rpc, .key = key, .time_ms = time_ms};
    (void)snprintf(a->given, sizeof(a->given), "%s", value);
    ck_assert_int_eq(pthread_create(&a->thread, NULL, run_ask, a), 0);
    return a;
}

static struct asked *look(const char *key, const char *value)
{
    return start_call(&look_rpc, key, value, TIME_MS);
}

static void join_all(void)
{
    for (size_t i = 0; i < n_asked; i++)
        ck_assert_int_eq(pthread_join(asked[i].thread, NULL), 0);
}

static void forget_all(void)
{
    for (size_t i = 0; i < n_asked; i++)
        arena_done(&asked[i].arena);
    n_asked = 0;
}

static bool was_quick(const struct rpc *rpc)
{
    start_call(rpc, "now", "warm", TIME_MS);
    join_all();
    bool quick = asked[0].status == ST_OK && asked[0].took_ms <= 3;
    forget_all();
    return quick;
}

/* The server counts as quick what took less than five milliseconds. */
static void warm_up(const struct rpc *rpc)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    while (!was_quick(rpc))
        ck_assert_int_lt(clock_mono_ms(), until);
}

/* What is asked from now on waits, until let_go. */
static void hold(void)
{
    atomic_store(&held, true);
    atomic_store(&holding, false);
    start_call(&hold_rpc, "", "", TIME_MS);
    AWAIT(atomic_load(&holding));
}

static void let_go(void)
{
    AWAIT(bus_server_waiting(server) == n_asked - 1);
    atomic_store(&held, false);
    join_all();
}

static bool came_back(const struct asked *a)
{
    const char *blank = a->value ? strrchr(a->value, ' ') : NULL;

    return blank && strcmp(blank + 1, a->given) == 0;
}

static bool same_transaction(const struct asked *a, const struct asked *b)
{
    size_t len = (size_t)(strrchr(a->value, ' ') - a->value);

    return strncmp(a->value, b->value, len + 1) == 0;
}

START_TEST(reads_that_wait_share_a_round)
{
    const struct asked *first;
    int before;

    warm_up(&look_rpc);
    before = atomic_load(&rounds);
    hold();
    first = look("now", "0");
    for (int i = 1; i < 30; i++)
        look("now", (char[]){(char)('a' + i % 26), '\0'});
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        ck_assert_int_eq(asked[i].status, ST_OK);
        ck_assert(came_back(&asked[i]));
        ck_assert(same_transaction(first, &asked[i]));
    }
    ck_assert_int_eq(atomic_load(&rounds) - before, 1);
    forget_all();
}
END_TEST

START_TEST(each_gets_its_own_answers_of_several_rounds)
{
    warm_up(&look_rpc);
    hold();
    for (int i = 0; i < 30; i++)
        look(i % 3 == 0 ? "now" : "twice", (char[]){'v', (char)('a' + i % 26), '\0'});
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        ck_assert_int_eq(asked[i].status, ST_OK);
        ck_assert(came_back(&asked[i]));
    }
    forget_all();
}
END_TEST

/* "In a pipeline one failing statement aborts its innocent mates." */
START_TEST(aborted_pipeline_mates_get_their_answers)
{
    static const char *const keys[] = {"now", "divide", "twice", "broken", "recover", "now"};

    warm_up(&look_rpc);
    hold();
    for (size_t i = 0; i < 30; i++)
        look(keys[i % ARRAY_SIZE(keys)], strcmp(keys[i % ARRAY_SIZE(keys)], "divide") ? "v" : "0");
    look("divide", "4");
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        const struct asked *a = &asked[i];
        bool fails = strcmp(a->key, "broken") == 0 || strcmp(a->given, "0") == 0;

        ck_assert_int_eq(a->status, fails ? ST_INTERNAL : ST_OK);
        if (strcmp(a->given, "v") == 0 && !fails)
            ck_assert(came_back(a));
        if (strcmp(a->given, "4") == 0)
            ck_assert_str_eq(a->value, "25");
    }
    forget_all();
}
END_TEST

START_TEST(a_mate_whose_time_is_over_takes_nobody_with_it)
{
    const struct asked *late;

    warm_up(&look_rpc);
    hold();
    for (int i = 0; i < 10; i++)
        look("now", "before");
    AWAIT(bus_server_waiting(server) == 10);
    late = start_call(&look_rpc, "sleep", "8", 700);
    AWAIT(bus_server_waiting(server) == 11);
    for (int i = 0; i < 10; i++)
        look("twice", "behind");
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        if (&asked[i] == late)
            continue;
        ck_assert_int_eq(asked[i].status, ST_OK);
        ck_assert(came_back(&asked[i]));
        ck_assert_int_lt(asked[i].took_ms, 5000);
    }
    ck_assert_int_eq(late->status, ST_DEADLINE_EXCEEDED);
    forget_all();
}
END_TEST

START_TEST(a_call_that_once_was_slow_is_not_shared_again)
{
    int before;

    warm_up(&look_rpc);
    hold();
    look("sleep", "0.3");
    look("now", "v");
    let_go();
    ck_assert_int_eq(asked[1].status, ST_OK);
    ck_assert_int_eq(asked[2].status, ST_OK);
    forget_all();
    before = atomic_load(&rounds);
    hold();
    look("sleep", "0.3");
    AWAIT(bus_server_waiting(server) == 1);
    look("now", "v");
    let_go();
    ck_assert_int_eq(atomic_load(&rounds), before);
    forget_all();
}
END_TEST

START_TEST(a_backend_killed_under_them_is_unavailable_to_all_and_back_for_the_next)
{
    int lost = 0;

    warm_up(&look_rpc);
    hold();
    for (int i = 0; i < 8; i++)
        look("now", "v");
    AWAIT(bus_server_waiting(server) == 8);
    look("die", "");
    for (int i = 0; i < 8; i++)
        look("now", "v");
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        ck_assert(asked[i].status == ST_UNAVAILABLE || asked[i].status == ST_OK);
        lost += asked[i].status == ST_UNAVAILABLE;
        ck_assert_int_lt(asked[i].took_ms, 5000);
    }
    ck_assert_int_gt(lost, 0);
    forget_all();
    warm_up(&look_rpc);
}
END_TEST

START_TEST(without_postgres_all_are_told_at_once)
{
    warm_up(&look_rpc);
    hold();
    for (int i = 0; i < 10; i++)
        look("now", "v");
    AWAIT(bus_server_waiting(server) == 10);
    pg_server_halt(&pg, true);
    let_go();
    pg_server_resume(&pg);
    for (size_t i = 1; i < n_asked; i++) {
        ck_assert_int_eq(asked[i].status, ST_UNAVAILABLE);
        ck_assert_int_lt(asked[i].took_ms, 8000);
    }
    forget_all();
    warm_up(&look_rpc);
}
END_TEST

START_TEST(a_transaction_waits_until_its_mates_are_done)
{
    warm_up(&look_rpc);
    hold();
    for (int i = 0; i < 24; i++)
        look(i % 4 == 1 ? "tx" : i % 4 == 2 ? "twice" : "now", "v");
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        ck_assert_msg(asked[i].status == ST_OK, "%s", asked[i].call.error.message);
        ck_assert(came_back(&asked[i]));
    }
    forget_all();
}
END_TEST

START_TEST(who_wanted_to_be_alone_is_left_alone)
{
    int before;

    warm_up(&solo_rpc);
    hold();
    start_call(&solo_rpc, "tx", "v", TIME_MS);
    start_call(&solo_rpc, "tx", "v", TIME_MS);
    let_go();
    ck_assert_int_eq(asked[1].status, ST_OK);
    ck_assert_int_eq(asked[2].status, ST_OK);
    forget_all();
    before = atomic_load(&rounds);
    hold();
    for (int i = 0; i < 5; i++)
        start_call(&solo_rpc, "now", "v", TIME_MS);
    let_go();
    ck_assert_int_eq(atomic_load(&rounds), before);
    forget_all();
}
END_TEST

START_TEST(writes_share_with_nobody)
{
    int before;

    warm_up(&look_rpc);
    before = atomic_load(&rounds);
    hold();
    for (int i = 0; i < 4; i++)
        start_call(&hold_rpc, "", "", TIME_MS);
    let_go();
    for (size_t i = 1; i < n_asked; i++)
        ck_assert_int_eq(asked[i].status, ST_OK);
    ck_assert_int_eq(atomic_load(&rounds), before);
    forget_all();
}
END_TEST

START_TEST(a_changed_table_fails_none_of_them)
{
    warm_up(&look_rpc);
    for (int round = 0; round < 2; round++) {
        hold();
        for (int i = 0; i < 9; i++)
            look(i % 3 == 0 ? "now" : i % 3 == 1 ? "item" : "twice", "v");
        let_go();
        for (size_t i = 1; i < n_asked; i++) {
            ck_assert_int_eq(asked[i].status, ST_OK);
            ck_assert(came_back(&asked[i]));
        }
        forget_all();
        pg_server_sql(pg_url, "alter table item add column if not exists extra text");
    }
}
END_TEST

START_TEST(large_answers_come_whole)
{
    warm_up(&look_rpc);
    hold();
    for (int i = 0; i < 12; i++)
        look(i % 2 ? "now" : "bulk", "v");
    let_go();
    for (size_t i = 1; i < n_asked; i++) {
        ck_assert_int_eq(asked[i].status, ST_OK);
        if (strcmp(asked[i].key, "bulk") == 0)
            ck_assert_uint_eq(strlen(asked[i].value), 400000);
        else
            ck_assert(came_back(&asked[i]));
    }
    forget_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("svc gather");
    TCase *tc = tcase_create("gather");
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, reads_that_wait_share_a_round);
    tcase_add_test(tc, each_gets_its_own_answers_of_several_rounds);
    tcase_add_test(tc, aborted_pipeline_mates_get_their_answers);
    tcase_add_test(tc, a_mate_whose_time_is_over_takes_nobody_with_it);
    tcase_add_test(tc, a_call_that_once_was_slow_is_not_shared_again);
    tcase_add_test(tc, a_backend_killed_under_them_is_unavailable_to_all_and_back_for_the_next);
    tcase_add_test(tc, without_postgres_all_are_told_at_once);
    tcase_add_test(tc, a_transaction_waits_until_its_mates_are_done);
    tcase_add_test(tc, who_wanted_to_be_alone_is_left_alone);
    tcase_add_test(tc, writes_share_with_nobody);
    tcase_add_test(tc, a_changed_table_fails_none_of_them);
    tcase_add_test(tc, large_answers_come_whole);
    pg_server_start(&pg);
    failed = suite_run(suite);
    pg_server_stop(&pg);
    return failed;
}
