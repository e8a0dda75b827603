/* SPDX-License-Identifier: Apache-2.0 */
/* Serving: sharing, refusing, dropping, stopping, and what $SRV says. */
#include "bus_echo.h"

#include "bus/internal.h"
#include "wire/json.h"

/* All answers to one message within a time. */
struct answers {
    natsMsg *msgs[16];
    int n;
};

static void collect(struct answers *answers, const char *subject, const void *data, int len,
                    int wanted)
{
    natsInbox *inbox = NULL;
    natsSubscription *sub = NULL;

    answers->n = 0;
    ck_assert_int_eq(natsInbox_Create(&inbox), NATS_OK);
    ck_assert_int_eq(natsConnection_SubscribeSync(&sub, bus->nc, inbox), NATS_OK);
    ck_assert_int_eq(natsConnection_PublishRequest(bus->nc, subject, inbox, data, len), NATS_OK);
    while (answers->n < 16 && natsSubscription_NextMsg(&answers->msgs[answers->n], sub,
                                                       answers->n < wanted ? 3000 : 200) == NATS_OK)
        answers->n++;
    natsSubscription_Destroy(sub);
    natsInbox_Destroy(inbox);
}

static void answers_done(struct answers *answers)
{
    for (int i = 0; i < answers->n; i++)
        natsMsg_Destroy(answers->msgs[i]);
}

static int count_all(struct bus_server *server)
{
    (void)server;
    return atomic_load(&echo_calls);
}

static _Thread_local int worker_index = -1;
static atomic_int used_workers, prepared, observed, workers_made;

static void *worker_new(void *arg, int index)
{
    (void)arg;
    worker_index = index;
    atomic_fetch_add(&workers_made, 1);
    return &worker_index;
}

static void worker_free(void *state)
{
    ck_assert_ptr_eq(state, &worker_index);
    atomic_fetch_sub(&workers_made, 1);
}

static void prepare(struct call *call, void *state, void *arg)
{
    ck_assert_ptr_eq(state, &worker_index);
    ck_assert_ptr_eq(arg, &prepared);
    call->service = arg;
    atomic_fetch_or(&used_workers, 1 << worker_index);
    atomic_fetch_add(&prepared, 1);
}

static void observe(const struct call *call, enum status status, int64_t duration_us, void *arg)
{
    (void)arg;
    ck_assert_ptr_nonnull(call->rpc);
    ck_assert_int_ge(duration_us, 0);
    atomic_fetch_add(&observed, status == ST_OK ? 1 : 100);
}

START_TEST(every_worker_has_its_state_and_every_call_is_seen)
{
    struct bus_server *server = NULL;
    struct error err = {0};
    struct asked asked;
    struct bus_service service = {.name = "echo",
                                  .version = "0.1.0",
                                  .description = "Echo",
                                  .endpoints = echo_endpoints,
                                  .n_endpoints = 2,
                                  .workers = 3,
                                  .worker_new = worker_new,
                                  .worker_free = worker_free,
                                  .prepare = prepare,
                                  .observe = observe,
                                  .arg = &prepared};

    ck_assert_int_eq(bus_serve(bus, &service, &server, &err), ST_OK);
    AWAIT(atomic_load(&workers_made) == 3, 2000);
    for (int i = 0; i < 3; i++) {
        ask(&asked, "a", "b", 2000);
        ck_assert_int_eq(asked.status, ST_OK);
        asked_done(&asked);
    }
    ask(&asked, "fail", "b", 2000);
    asked_done(&asked);
    AWAIT(atomic_load(&observed) == 103, 2000);
    ck_assert_int_eq(atomic_load(&prepared), 4);
    bus_server_free(server);
    ck_assert_int_eq(atomic_load(&workers_made), 0);
}
END_TEST

START_TEST(two_servers_share_the_requests)
{
    struct bus *other = connect_bus("other");
    struct bus_server *first = serve(bus, 1), *second = serve(other, 1);
    struct answers answers;
    unsigned long long requests[2] = {0};

    for (int i = 0; i < 200; i++) {
        CLEANUP(asked_done) struct asked asked;
        ask(&asked, "a", "b", 2000);
        ck_assert_int_eq(asked.status, ST_OK);
    }
    ck_assert_int_eq(count_all(first), 200); /* each was run once */
    collect(&answers, "$SRV.STATS.echo", NULL, 0, 2);
    ck_assert_int_eq(answers.n, 2);
    for (int i = 0; i < 2; i++) {
        const char *found = strstr(natsMsg_GetData(answers.msgs[i]), "\"num_requests\":");
        requests[i] = strtoull(found + strlen("\"num_requests\":"), NULL, 10);
        ck_assert_uint_gt(requests[i], 20);
    }
    ck_assert_uint_eq(requests[0] + requests[1], 200);
    answers_done(&answers);
    bus_server_free(first);
    bus_server_free(second);
    bus_free(other);
}
END_TEST

START_TEST(an_unknown_operation_is_not_found)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);

    arena_init(&asked.arena);
    ask_as(&asked, &echo_absent_rpc, "a", "b", 2000);
    ck_assert_int_eq(asked.status, ST_NOT_FOUND);
    ck_assert_str_eq(asked.call.error.message, "There is no such operation.");
    bus_server_free(server);
}
END_TEST

START_TEST(bytes_that_are_no_message_are_invalid)
{
    struct bus_server *server = serve(bus, 1);
    struct bus_message reply;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\xff\xff\xff\xff", 4}, /* no tag */
        {"\x0a\x7f", 2},         /* longer than the message */
        {"\x0a\x02\xc3\x28", 4}, /* no UTF-8 */
        {"\x0a\x03"
         "a\0b",
         5},                             /* NUL */
        {"\x0a\xff\xff\xff\xff\x0f", 6}, /* 4 GiB */
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(
            bus_request(bus, "mal.echo.v1.echo", NULL, bad[i].bytes, bad[i].len, 2000, &reply),
            ST_OK);
        const char *code = bus_message_header(&reply, "Nats-Service-Error-Code");
        ck_assert_msg(code != NULL, "case %zu was accepted", i);
        ck_assert_str_eq(code, "400");
        ck_assert_ptr_nonnull(bus_message_header(&reply, "Nats-Service-Error"));
        bus_message_release(&reply);
    }
    bus_server_free(server);
}
END_TEST

START_TEST(a_request_whose_time_is_over_is_not_run)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);
    struct bus_message reply;
    const struct bus_header soon[] = {{"Mal-Deadline-Ms", "100"}, {NULL, NULL}};

    arena_init(&asked.arena);
    atomic_store(&echo_hold, 1);
    ask_as(&asked, &echo_write_rpc, "hold", "", 100); /* keeps the only worker */
    ck_assert_int_eq(asked.status, ST_DEADLINE_EXCEEDED);
    ck_assert_int_eq(atomic_load(&echo_calls), 1);
    ck_assert_int_eq(bus_request(bus, "mal.echo.v1.write", soon,
                                 "\x0a\x01"
                                 "a",
                                 3, 300, &reply),
                     ST_DEADLINE_EXCEEDED);
    atomic_store(&echo_hold, 0);
    ask_as(&asked, &echo_write_rpc, "a", "b", 2000); /* queued behind it */
    ck_assert_int_eq(asked.status, ST_OK);
    ck_assert_int_eq(atomic_load(&echo_calls), 2);
    bus_server_free(server);
}
END_TEST

START_TEST(too_many_waiting_requests_are_refused_at_once)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);

    arena_init(&asked.arena);
    atomic_store(&echo_hold, 1);
    ask_as(&asked, &echo_write_rpc, "hold", "", 100);
    for (int i = 0; i < BUS_QUEUE_MESSAGES; i++)
        ck_assert_int_eq(bus_publish(bus, "mal.echo.v1.write", NULL,
                                     "\x0a\x01"
                                     "a",
                                     3),
                         ST_OK);
    ask_as(&asked, &echo_write_rpc, "a", "b", 5000);
    ck_assert_int_eq(asked.status, ST_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(asked.call.error.message, "The service is overloaded.");
    atomic_store(&echo_hold, 0);
    AWAIT(atomic_load(&echo_calls) == 1 + BUS_QUEUE_MESSAGES, 10000);
    bus_server_free(server);
}
END_TEST

START_TEST(what_goes_to_clients_ends_at_six_mebibytes)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);

    arena_init(&asked.arena);
    ask_as(&asked, &echo_write_rpc, "big", "6500000", 5000);
    ck_assert_int_eq(asked.status, ST_FAILED_PRECONDITION);
    ck_assert_str_eq(asked.call.error.reason, "REPLY_TOO_LARGE");
    asked_done(&asked);
    asked = (struct asked){0};
    arena_init(&asked.arena);
    ask_as(&asked, &echo_write_rpc, "big", "6200000", 5000);
    ck_assert_int_eq(asked.status, ST_OK);
    bus_server_free(server);
}
END_TEST

START_TEST(an_answer_too_large_to_send_is_said_in_words)
{
    CLEANUP(asked_done) struct asked asked;
    struct bus_server *server = serve(bus, 1);

    ask(&asked, "big", "9000000", 5000);
    ck_assert_int_eq(asked.status, ST_FAILED_PRECONDITION);
    ck_assert_str_eq(asked.call.error.reason, "REPLY_TOO_LARGE");
    ck_assert_ptr_nonnull(strstr(asked.call.error.message, "too many to send"));
    asked_done(&asked);
    ask(&asked, "big", "8000000", 5000);
    ck_assert_int_eq(asked.status, ST_OK);
    ck_assert_uint_eq(strlen(asked.reply->value), 8000000);
    bus_server_free(server);
}
END_TEST

static void *stop_soon(void *arg)
{
    AWAIT(atomic_load(&echo_calls) == 1, 2000);
    bus_server_stop(arg, 5000);
    return NULL;
}

static void *release_later(void *arg)
{
    (void)arg;
    AWAIT(atomic_load(&echo_calls) == 1, 2000);
    usleep(200000);
    atomic_store(&echo_hold, 0);
    return NULL;
}

START_TEST(a_stop_lets_running_calls_end)
{
    CLEANUP(asked_done) struct asked asked = {0};
    struct bus_server *server = serve(bus, 1);
    pthread_t stopper, releaser;

    arena_init(&asked.arena);
    atomic_store(&echo_hold, 1);
    pthread_create(&stopper, NULL, stop_soon, server);
    pthread_create(&releaser, NULL, release_later, NULL);
    ask_as(&asked, &echo_write_rpc, "hold", "kept", 5000);
    ck_assert_int_eq(asked.status, ST_OK);
    ck_assert_str_eq(asked.reply->value, "kept");
    pthread_join(stopper, NULL);
    pthread_join(releaser, NULL);
    ask_as(&asked, &echo_write_rpc, "a", "b", 2000);
    ck_assert_int_eq(asked.status, ST_UNAVAILABLE); /* nobody listens any more */
    bus_server_free(server);
}
END_TEST

/* ---- $SRV ---- */

static const char *text_of(struct arena *arena, const struct json *json, const char *key)
{
    const char *text = json_text(arena, json, json_get(json, json->nodes, key));

    ck_assert_msg(text != NULL, "no text '%s'", key);
    return text;
}

static void check_answer(const char *subject, const char *type, int n, struct arena *arena,
                         struct json *ret_first)
{
    struct answers answers;

    collect(&answers, subject, NULL, 0, n);
    ck_assert_msg(answers.n == n, "%s: %d answers", subject, answers.n);
    for (int i = n - 1; i >= 0; i--) {
        struct error err = {0};
        size_t len = (size_t)natsMsg_GetDataLength(answers.msgs[i]);
        const char *text = arena_memdup(arena, natsMsg_GetData(answers.msgs[i]), len);
        ck_assert_msg(json_parse(arena, text, len, NULL, ret_first, &err) == ST_OK, "%s: %s", text,
                      err.message);
        ck_assert_str_eq(text_of(arena, ret_first, "type"), type);
        ck_assert_str_eq(text_of(arena, ret_first, "name"), "echo");
        ck_assert_str_eq(text_of(arena, ret_first, "version"), "0.1.0");
        ck_assert_uint_gt(strlen(text_of(arena, ret_first, "id")), 10);
        const struct json_node *metadata = json_get(ret_first, ret_first->nodes, "metadata");
        ck_assert(metadata && metadata->type == JSON_T_OBJECT);
    }
    answers_done(&answers);
}

START_TEST(ping_info_and_stats_follow_adr_32)
{
    CLEANUP(arena_done) struct arena arena;
    struct bus *other = connect_bus("other");
    struct bus_server *first = serve(bus, 1), *second = serve(other, 1);
    struct json json;
    char subject[128];
    struct asked asked;
    int64_t value = 0, ms = 0;
    static const char *const verbs[] = {"PING", "INFO", "STATS"};
    static const char *const types[] = {"io.nats.micro.v1.ping_response",
                                        "io.nats.micro.v1.info_response",
                                        "io.nats.micro.v1.stats_response"};

    arena_init(&arena);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(subject, sizeof(subject), "$SRV.%s", verbs[i]);
        check_answer(subject, types[i], 2, &arena, &json);
        (void)snprintf(subject, sizeof(subject), "$SRV.%s.echo", verbs[i]);
        check_answer(subject, types[i], 2, &arena, &json);
        (void)snprintf(subject, sizeof(subject), "$SRV.%s.echo.%s", verbs[i],
                       text_of(&arena, &json, "id"));
        check_answer(subject, types[i], 1, &arena, &json);
    }
    bus_server_free(second);
    bus_free(other);

    check_answer("$SRV.INFO.echo", types[1], 1, &arena, &json);
    ck_assert_str_eq(text_of(&arena, &json, "description"), "Echo for tests");
    const struct json_node *endpoints = json_get(&json, json.nodes, "endpoints");
    ck_assert(endpoints && endpoints->type == JSON_T_ARRAY);
    ck_assert_uint_eq(endpoints->count, 2);
    const struct json_node *one = json_first(endpoints);
    ck_assert(json_is(&json, json_get(&json, one, "name"), "echo"));
    ck_assert(json_is(&json, json_get(&json, one, "subject"), "mal.echo.v1.echo"));
    ck_assert(json_is(&json, json_get(&json, one, "queue_group"), "q"));

    ask(&asked, "a", "b", 2000);
    asked_done(&asked);
    ask(&asked, "fail", "\"x\"", 2000);
    asked_done(&asked);
    check_answer("$SRV.STATS.echo", types[2], 1, &arena, &json);
    ck_assert(clock_parse(text_of(&arena, &json, "started"), &ms));
    ck_assert_int_le(llabs(clock_wall_ms() - ms), 60000);
    bool found = false;
    endpoints = json_get(&json, json.nodes, "endpoints");
    one = json_first(endpoints);
    for (uint32_t i = 0; i < endpoints->count; i++, one = json_next(one)) {
        if (!json_is(&json, json_get(&json, one, "name"), "echo"))
            continue;
        found = true;
        ck_assert(json_int(&json, json_get(&json, one, "num_requests"), &value) && value == 2);
        ck_assert(json_int(&json, json_get(&json, one, "num_errors"), &value) && value == 1);
        ck_assert(json_is(&json, json_get(&json, one, "last_error"), "409:No luck with '\"x\"'."));
        ck_assert(json_int(&json, json_get(&json, one, "processing_time"), &value) && value > 0);
        ck_assert(json_int(&json, json_get(&json, one, "average_processing_time"), &ms) &&
                  ms == value / 2);
    }
    ck_assert(found);
    bus_server_free(first);
}
END_TEST

START_TEST(a_process_without_endpoints_is_listed_too)
{
    CLEANUP(arena_done) struct arena arena;
    const struct bus_service service = {.name = "echo", .version = "0.1.0"};
    struct bus_server *server = NULL;
    struct error err = {0};
    struct json json;

    arena_init(&arena);
    ck_assert_int_eq(bus_serve(bus, &service, &server, &err), ST_OK);
    check_answer("$SRV.PING", "io.nats.micro.v1.ping_response", 1, &arena, &json);
    check_answer("$SRV.STATS.echo", "io.nats.micro.v1.stats_response", 1, &arena, &json);
    check_answer("$SRV.INFO.echo", "io.nats.micro.v1.info_response", 1, &arena, &json);
    ck_assert_uint_eq(json_get(&json, json.nodes, "endpoints")->count, 0);
    bus_server_free(server);
}
END_TEST

START_TEST(a_service_of_another_name_does_not_answer)
{
    struct bus_server *server = serve(bus, 1);
    struct answers answers;

    collect(&answers, "$SRV.PING.other", NULL, 0, 1);
    ck_assert_int_eq(answers.n, 0); /* the 503 of the server is an error, no message */
    answers_done(&answers);
    bus_server_free(server);
}
END_TEST

START_TEST(bad_services_are_refused)
{
    struct bus_server *server = NULL;
    struct error err = {0};
    struct bus_service service = {.name = "no dots.please",
                                  .version = "0.1.0",
                                  .endpoints = echo_endpoints,
                                  .n_endpoints = 2,
                                  .workers = 1};

    ck_assert_int_eq(bus_serve(bus, &service, &server, &err), ST_INVALID_ARGUMENT);
    service.name = "echo";
    service.workers = 0;
    ck_assert_int_eq(bus_serve(bus, &service, &server, &err), ST_INVALID_ARGUMENT);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, every_worker_has_its_state_and_every_call_is_seen);
    ADD_TEST(tests, two_servers_share_the_requests);
    ADD_TEST(tests, an_unknown_operation_is_not_found);
    ADD_TEST(tests, bytes_that_are_no_message_are_invalid);
    ADD_TEST(tests, a_request_whose_time_is_over_is_not_run);
    ADD_TEST(tests, too_many_waiting_requests_are_refused_at_once);
    ADD_TEST(tests, what_goes_to_clients_ends_at_six_mebibytes);
    ADD_TEST(tests, an_answer_too_large_to_send_is_said_in_words);
    ADD_TEST(tests, a_stop_lets_running_calls_end);
    ADD_TEST(tests, ping_info_and_stats_follow_adr_32);
    ADD_TEST(tests, a_process_without_endpoints_is_listed_too);
    ADD_TEST(tests, a_service_of_another_name_does_not_answer);
    ADD_TEST(tests, bad_services_are_refused);
}

RUN_TESTS("bus server", add)
