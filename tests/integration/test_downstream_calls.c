/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over HTTP: order, waiting, cancelling, questions in between. */
#include "downstream_script.h"
#include "suite.h"

/* ---- order ----------------------------------------------------------------------- */

static void chatty(struct peer_request *req, void *arg)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    if (handshake(req, arg))
        return;
    peer_events(req, "");
    event(req, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
               "\"info\",\"data\":\"one\"}}");
    strbuf_printf(&text,
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                  "\"progressToken\":%s,\"progress\":1}}",
                  peer_id(req));
    event(req, text.data);
    event(req, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
               "\"progressToken\":\"other\",\"progress\":1}}");
    result_event(req);
    peer_events_end(req);
}

START_TEST(messages_come_in_order_before_the_result)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;

    fixture_start(&f, chatty);
    fixture_open(&f, NULL);
    x = begin(&f, 10000);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_str_eq(msg.method, "notifications/message");
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert(msg.own_progress);
    ck_assert_str_eq(msg.method, "notifications/progress");
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert(!msg.own_progress);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    downstream_end(x);
    /* The connection serves the next call, although the answer was a stream. */
    (void)usleep(20000); /* the end of the stream arrives */
    downstream_end(begin(&f, 10000));
    ck_assert_int_eq(peer_connections(f.peer), 1);
    fixture_stop(&f);
}
END_TEST

/* ---- waiting ------------------------------------------------------------------------ */

static atomic_bool go_on;

static void patient(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    peer_events(req, "");
    event(req, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}");
    while (!atomic_load(&go_on) && !peer_left(req, 5))
        ;
    result_event(req);
    peer_events_end(req);
}

static void *pull_on(void *arg)
{
    struct downstream_message msg;
    static struct error err;

    ck_assert_int_eq(downstream_next(arg, -1, &msg, &err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    return NULL;
}

START_TEST(an_exchange_can_be_parked_and_pulled_on_by_another_thread)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;
    pthread_t thread;

    fixture_start(&f, patient);
    fixture_open(&f, NULL);
    x = begin(&f, 10000);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(downstream_next(x, 50, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_NOTHING);
    ck_assert_int_eq(downstream_next(x, 0, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_NOTHING);
    atomic_store(&go_on, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, pull_on, x), 0);
    (void)pthread_join(thread, NULL);
    downstream_end(x);
    fixture_stop(&f);
}
END_TEST

START_TEST(the_deadline_ends_an_exchange_with_a_typed_error)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;
    int64_t began = clock_mono_ms();

    fixture_start(&f, patient);
    fixture_open(&f, NULL);
    x = begin(&f, 200);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_DEADLINE_EXCEEDED);
    ck_assert_str_eq(f.err.reason, "MCP_TIMEOUT");
    ck_assert_str_eq(f.err.message, "Server 'peer' did not answer in time.");
    ck_assert_int_lt(clock_mono_ms() - began, 3000);
    downstream_end(x);
    fixture_stop(&f);
}
END_TEST

/* ---- cancelling --------------------------------------------------------------------- */

static void *cancel_soon(void *arg)
{
    (void)usleep(50000); /* the other thread waits; sooner would be cancelled as well */
    downstream_cancel(arg);
    return NULL;
}

/* Cancels while it waits. */
static void cancel_one(struct fixture *f)
{
    struct downstream_exchange *x = begin(f, 10000);
    struct downstream_message msg;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, x), 0);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f->err), ST_CANCELLED);
    ck_assert_str_eq(f->err.reason, "MCP_CANCELLED");
    (void)pthread_join(thread, NULL);
    downstream_end(x);
}

static void until_true(atomic_bool *flag)
{
    int64_t until = clock_mono_ms() + 10000;

    while (!atomic_load(flag) && clock_mono_ms() < until)
        (void)usleep(2000);
    ck_assert(atomic_load(flag));
}

START_TEST(a_modern_server_is_told_of_a_cancellation_by_the_closed_stream)
{
    struct fixture f;

    fixture_start(&f, abandoned);
    fixture_open(&f, NULL);
    cancel_one(&f);
    until_true(&saw_the_end);
    ck_assert_int_eq(count(&f.notes, "notifications/cancelled"), 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_legacy_server_is_told_of_a_cancellation_by_a_notification)
{
    struct fixture f;
    const struct peer_request *call, *told;
    CLEANUP(strbuf_done) struct strbuf expected = STRBUF_INIT;

    fixture_start(&f, abandoned);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    cancel_one(&f);
    call = noted(&f.notes, 1, "tools/call");
    told = noted(&f.notes, 1, "notifications/cancelled");
    strbuf_printf(&expected, "{\"requestId\":%s}", peer_id(call));
    ck_assert_ptr_nonnull(strstr(told->body, expected.data));
    ck_assert_str_eq(peer_header(told, "Mcp-Session-Id"), peer_header(call, "Mcp-Session-Id"));
    fixture_stop(&f);
}
END_TEST

START_TEST(an_exchange_that_is_ended_early_is_cancelled)
{
    struct fixture f;

    fixture_start(&f, abandoned);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    downstream_end(begin(&f, 10000));
    (void)noted(&f.notes, 1, "notifications/cancelled");
    fixture_stop(&f);
}
END_TEST

START_TEST(a_stopped_server_ends_its_exchanges_and_takes_no_more)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;

    fixture_start(&f, abandoned);
    fixture_open(&f, NULL);
    x = begin(&f, 10000);
    downstream_stop(f.server);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_UNAVAILABLE);
    ck_assert_str_eq(f.err.reason, "MCP_CLOSED");
    downstream_end(x);
    ck_assert_int_eq(fixture_try_call(&f, "{}", false, 1000, &msg), ST_UNAVAILABLE);
    ck_assert_str_eq(f.err.reason, "MCP_CLOSED");
    fixture_stop(&f);
}
END_TEST

START_TEST(no_more_calls_run_at_once_than_the_server_may_have)
{
    struct fixture f;
    struct downstream_exchange *x[2];
    struct downstream_message msg;

    fixture_start(&f, abandoned);
    f.options.limits.max_calls = 2;
    fixture_open(&f, NULL);
    x[0] = begin(&f, 10000);
    x[1] = begin(&f, 10000);
    ck_assert_int_eq(fixture_try_call(&f, "{}", false, 1000, &msg), ST_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(f.err.reason, "MCP_BUSY");
    downstream_end(x[0]);
    downstream_end(x[1]);
    downstream_end(begin(&f, 10000));
    fixture_stop(&f);
}
END_TEST

/* ---- questions ------------------------------------------------------------------------ */

static atomic_bool answered;

static void asking(struct peer_request *req, void *arg)
{
    if (strstr(req->body, "\"id\":\"q-1\"") != NULL || strstr(req->body, "\"id\":\"p\"") != NULL) {
        note(arg, req);
        peer_reply(req, 202, "", "");
        atomic_store(&answered, strstr(req->body, "q-1") != NULL);
        return;
    }
    if (handshake(req, arg))
        return;
    peer_events(req, "");
    event(req, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}");
    event(req, "{\"jsonrpc\":\"2.0\",\"id\":\"q-1\",\"method\":\"elicitation/create\",\"params\":{"
               "\"message\":\"Site?\"}}");
    until_true(&answered);
    result_event(req);
    peer_events_end(req);
}

static bool say_turku(const char *method, const struct json *json, const struct json_node *params,
                      struct strbuf *result, void *arg)
{
    (void)arg;
    ck_assert_str_eq(method, "elicitation/create");
    ck_assert(json_is(json, json_get(json, params, "message"), "Site?"));
    strbuf_str(result, "{\"action\":\"accept\",\"content\":{\"site\":\"Turku\"}}");
    return true;
}

START_TEST(a_legacy_servers_question_is_answered_while_its_call_waits)
{
    const struct downstream_request request = {.method = "tools/call",
                                               .params_text = "{\"name\":\"t\"}"};
    const struct downstream_talk talk = {.ask = say_turku};
    struct fixture f;
    struct downstream_message msg;
    const struct peer_request *answer;

    fixture_start(&f, asking);
    f.options.newest = "2025-11-25";
    fixture_open(&f, "{\"elicitation\":{}}");
    ck_assert_msg(downstream_call(f.session, &request, &talk, &f.arena, &msg, &f.err) == ST_OK,
                  "%s", f.err.message);
    answer = noted(&f.notes, 1, "\"id\":\"q-1\"");
    ck_assert_str_eq(answer->body, "{\"jsonrpc\":\"2.0\",\"id\":\"q-1\",\"result\":{\"action\":"
                                   "\"accept\",\"content\":{\"site\":\"Turku\"}}}");
    ck_assert_str_ne(peer_header(answer, "Mcp-Session-Id"), "");
    answer = noted(&f.notes, 1, "\"id\":\"p\"");
    ck_assert_str_eq(answer->body, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}");
    fixture_stop(&f);
}
END_TEST

static void rounds(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    if (strstr(req->body, "\"inputResponses\"") == NULL)
        peer_result(req, "",
                    "{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":{\"method\":"
                    "\"elicitation/create\",\"params\":{\"message\":\"Site?\"}}},"
                    "\"requestState\":\"x \\u00e9\\/\"}");
    else if (strstr(req->body, "\"requestState\"") != NULL)
        peer_result(req, "",
                    "{\"resultType\":\"input_required\",\"inputRequests\":{\"b\":{\"method\":"
                    "\"elicitation/create\",\"params\":{\"message\":\"Site?\"}}}}");
    else
        peer_result(req, "", "{\"resultType\":\"complete\",\"content\":[]}");
}

START_TEST(a_modern_servers_questions_are_answered_in_further_requests)
{
    const struct downstream_request request = {
        .method = "tools/call", .params_text = "{\"name\":\"t\",\"arguments\":{\"n\":9}}"};
    const struct downstream_talk talk = {.ask = say_turku};
    struct fixture f;
    struct downstream_message msg;

    fixture_start(&f, rounds);
    fixture_open(&f, "{\"elicitation\":{}}");
    ck_assert_msg(downstream_call(f.session, &request, &talk, &f.arena, &msg, &f.err) == ST_OK,
                  "%s", f.err.message);
    ck_assert(json_is(&msg.json, json_get(&msg.json, msg.result, "resultType"), "complete"));
    /* 1 discover, 2 call, 3 and 4 its rounds: state byte for byte, none where
     * none came, never the same id. */
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 3), "\"requestState\":\"x \\u00e9\\/\""));
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 3),
                                 "\"inputResponses\":{\"a\":{\"action\":\"accept\",\"content\":{"
                                 "\"site\":\"Turku\"}}}"));
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 3), "\"arguments\":{\"n\":9}"));
    ck_assert_str_eq(note_header(&f.notes, 3, "Mcp-Name"), "t");
    ck_assert_ptr_null(strstr(note_body(&f.notes, 4), "requestState"));
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 4), "\"inputResponses\":{\"b\":"));
    ck_assert_int_eq(count(&f.notes, "\"id\":3,"), 1);
    fixture_stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_calls");
    TCase *tcase = tcase_create("calls");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, messages_come_in_order_before_the_result);
    tcase_add_test(tcase, an_exchange_can_be_parked_and_pulled_on_by_another_thread);
    tcase_add_test(tcase, the_deadline_ends_an_exchange_with_a_typed_error);
    tcase_add_test(tcase, a_modern_server_is_told_of_a_cancellation_by_the_closed_stream);
    tcase_add_test(tcase, a_legacy_server_is_told_of_a_cancellation_by_a_notification);
    tcase_add_test(tcase, an_exchange_that_is_ended_early_is_cancelled);
    tcase_add_test(tcase, a_stopped_server_ends_its_exchanges_and_takes_no_more);
    tcase_add_test(tcase, no_more_calls_run_at_once_than_the_server_may_have);
    tcase_add_test(tcase, a_legacy_servers_question_is_answered_while_its_call_waits);
    tcase_add_test(tcase, a_modern_servers_questions_are_answered_in_further_requests);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
