/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over HTTP: order, questions in between, cancelling, repeating, lists. */
#include "downstream_fixture.h"

#include <stdatomic.h>

#define JSON "Content-Type: application/json\r\n"

static const char *const discover =
    "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{"
    "\"tools\":{},\"prompts\":{}}}";
static const char *const initialized =
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}";

/* The part that every scripted server shares; false: the test's own. */
static bool handshake(struct peer_request *req, void *arg)
{
    char session[64];

    if (strcmp(req->method, "GET") == 0 && peer_header(req, "Last-Event-ID")[0] == '\0') {
        peer_reply(req, 405, "", "");
        return true;
    }
    note(arg, req);
    if (peer_asks(req, "server/discover"))
        peer_result(req, "", discover);
    else if (peer_asks(req, "initialize")) {
        (void)snprintf(session, sizeof(session), "Mcp-Session-Id: s-%d\r\n", req->number);
        peer_result(req, session, initialized);
    } else if (strstr(req->body, "notifications/") != NULL || strcmp(req->method, "DELETE") == 0)
        peer_reply(req, 202, "", "");
    else
        return false;
    return true;
}

/* The note of the first request that asks for it, from the given one on. */
static const struct peer_request *noted(struct notes *notes, int from, const char *text)
{
    for (int i = from;; i++)
        if (strstr(note_get(notes, i)->body, text) != NULL ||
            strstr(note_get(notes, i)->head, text) != NULL)
            return note_get(notes, i);
}

static int count(struct notes *notes, const char *text)
{
    int n = 0;

    (void)pthread_mutex_lock(&notes->lock);
    for (int i = 0; i < notes->n; i++)
        n += strstr(notes->items[i].body, text) != NULL;
    (void)pthread_mutex_unlock(&notes->lock);
    return n;
}

static void event(struct peer_request *req, const char *json)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "event: message\ndata: %s", json);
    peer_event(req, text.data);
}

static void result_event(struct peer_request *req)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\"}}",
                  peer_id(req));
    event(req, text.data);
}

static struct downstream_exchange *begin(struct fixture *f, int ms)
{
    const struct downstream_request request = {.method = "tools/call",
                                               .params_text = "{\"name\":\"t\"}",
                                               .progress = true,
                                               .deadline_ms = clock_mono_ms() + ms};
    struct downstream_exchange *x;

    ck_assert_msg(downstream_begin(f->session, &request, &x, &f->err) == ST_OK, "%s",
                  f->err.message);
    return x;
}

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
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
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
    downstream_put_notification(&out, &msg, "\"mine\"", 6);
    ck_assert_str_eq(out.data, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
                               "\"params\":{\"progressToken\":\"mine\",\"progress\":1}}");
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

static atomic_bool saw_the_end;

static void abandoned(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    peer_events(req, "");
    if (peer_left(req, 10000))
        atomic_store(&saw_the_end, true);
    peer_hang_up(req);
}

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

/* ---- sessions that go, streams that break ----------------------------------------------- */

static int lost_status;
static bool lost_for_ever;

static void forgetful(struct peer_request *req, void *arg)
{
    bool first = strcmp(peer_header(req, "Mcp-Session-Id"), "s-1") == 0;

    if (strstr(req->body, "notifications/") == NULL && (first || lost_for_ever) &&
        peer_header(req, "Mcp-Session-Id")[0] != '\0') {
        note(arg, req);
        peer_reply(req, lost_status, JSON,
                   "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"which session?\"}"
                   ",\"id\":null}");
    } else if (!handshake(req, arg)) {
        peer_result(req, "", "{\"content\":[]}");
    }
}

START_TEST(a_lost_session_is_initialized_anew_and_the_call_repeated_once)
{
    static const int statuses[] = {404, 400};
    struct fixture f;
    struct downstream_message msg;
    struct downstream_facts facts;

    lost_status = statuses[_i];
    lost_for_ever = false;
    fixture_start(&f, forgetful);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    fixture_call(&f, "{\"name\":\"t\"}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 2);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 2);
    downstream_describe(f.session, &f.arena, &facts);
    ck_assert_uint_eq(facts.generation, 2);
    fixture_call(&f, "{\"name\":\"t\"}", &msg);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 2);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_session_that_is_lost_again_fails_the_call)
{
    struct fixture f;
    struct downstream_message msg;

    lost_status = 404;
    lost_for_ever = true;
    fixture_start(&f, forgetful);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    ck_assert_int_eq(fixture_try_call(&f, "{\"name\":\"t\"}", true, 5000, &msg), ST_UNAVAILABLE);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 2);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 2);
    fixture_stop(&f);
}
END_TEST

static int bad_id; /* what it answers to: 2 is the call */

static void bad_arguments(struct peer_request *req, void *arg)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    if (peer_asks(req, "ping")) {
        peer_result(req, "", "{}");
    } else if (!handshake(req, arg)) {
        strbuf_printf(&text,
                      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":-32602,\"message\":"
                      "\"no\"}}",
                      bad_id);
        peer_reply(req, 400, JSON, text.data);
    }
}

START_TEST(a_400_of_a_living_session_is_the_callers_answer)
{
    struct fixture f;
    struct downstream_message msg;

    bad_id = 2;
    fixture_start(&f, bad_arguments);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    fixture_call(&f, "{\"name\":\"t\"}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_ERROR);
    ck_assert_int_eq(msg.code, -32602);
    ck_assert_int_eq(msg.http_status, 400);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 1);
    fixture_stop(&f);
}
END_TEST

START_TEST(an_answer_to_another_request_is_none)
{
    struct fixture f;
    struct downstream_message msg;

    bad_id = 77;
    fixture_start(&f, bad_arguments);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    ck_assert_int_eq(fixture_try_call(&f, "{\"name\":\"t\"}", false, 5000, &msg), ST_UNAVAILABLE);
    ck_assert_str_eq(f.err.reason, "MCP_PROTOCOL");
    fixture_stop(&f);
}
END_TEST

static atomic_int cuts;

/* Ends the connection in the middle of that many calls. */
static void cutting(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    if (atomic_fetch_sub(&cuts, 1) > 0)
        peer_hang_up(req);
    else
        peer_result(req, "", "{\"resultType\":\"complete\"}");
}

START_TEST(a_call_whose_answer_was_lost_is_repeated_only_when_that_does_no_harm)
{
    struct fixture f;
    struct downstream_message msg;

    fixture_start(&f, cutting);
    fixture_open(&f, NULL);
    atomic_store(&cuts, 1);
    ck_assert_int_eq(fixture_try_call(&f, "{\"name\":\"t\"}", false, 5000, &msg), ST_UNAVAILABLE);
    ck_assert_str_eq(f.err.reason, "MCP_LOST");
    ck_assert_int_eq(count(&f.notes, "tools/call"), 1);
    atomic_store(&cuts, 1);
    ck_assert_int_eq(fixture_try_call(&f, "{\"name\":\"t\"}", true, 5000, &msg), ST_OK);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 3);
    atomic_store(&cuts, 9);
    ck_assert_int_eq(fixture_try_call(&f, "{\"name\":\"t\"}", true, 5000, &msg), ST_UNAVAILABLE);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 5);
    fixture_stop(&f);
}
END_TEST

/* Closes each connection after one answer, without saying so. */
static void one_each(struct peer_request *req, void *arg)
{
    if (!handshake(req, arg))
        peer_result(req, "", "{\"resultType\":\"complete\"}");
    peer_hang_up(req);
}

START_TEST(a_connection_that_was_closed_while_idle_costs_no_call)
{
    struct fixture f;
    struct downstream_message msg;

    fixture_start(&f, one_each);
    fixture_open(&f, NULL);
    for (int i = 0; i < 20; i++) {
        (void)usleep(2000); /* its end arrives */
        fixture_call(&f, "{\"name\":\"t\"}", &msg);
    }
    ck_assert_int_eq(count(&f.notes, "tools/call"), 20);
    fixture_stop(&f);
}
END_TEST

/* Ends the stream of the call; the answer comes on a GET. */
static void polling(struct peer_request *req, void *arg)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    static char id[32];

    if (strcmp(req->method, "GET") == 0) {
        note(arg, req);
        if (strcmp(peer_header(req, "Last-Event-ID"), "e-2") != 0) {
            peer_reply(req, 400, "", "");
            return;
        }
        peer_events(req, "");
        strbuf_printf(&text, "id: e-3\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", id);
        peer_event(req, text.data);
        peer_events_end(req);
    } else if (!handshake(req, arg)) {
        (void)snprintf(id, sizeof(id), "%s", peer_id(req));
        peer_events(req, "");
        peer_event(req, "id: e-1\ndata:");
        peer_event(req, "id: e-2\nretry: 300\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
                        "\"notifications/message\",\"params\":{}}");
        peer_events_end(req);
    }
}

START_TEST(a_stream_with_ids_is_taken_up_again_where_it_ended)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;
    int64_t began;

    fixture_start(&f, polling);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    x = begin(&f, 10000);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    began = clock_mono_ms();
    ck_assert_int_eq(downstream_next(x, 20, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_NOTHING);
    ck_assert_msg(downstream_next(x, -1, &msg, &f.err) == ST_OK, "%s", f.err.message);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_int_ge(clock_mono_ms() - began, 290);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 1);
    downstream_end(x);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_broken_stream_without_ids_is_lost)
{
    struct fixture f;
    struct downstream_message msg;

    fixture_start(&f, abandoned);
    f.options.newest = "2025-11-25";
    fixture_open(&f, NULL);
    ck_assert_int_eq(fixture_try_call(&f, "{}", false, 100, &msg), ST_DEADLINE_EXCEEDED);
    fixture_stop(&f);
}
END_TEST

/* A 2025-03-26 server may answer with several messages at once. */
static void batching(struct peer_request *req, void *arg)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    if (peer_asks(req, "initialize")) {
        peer_result(req, "", "{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{}}");
        return;
    }
    if (handshake(req, arg))
        return;
    strbuf_printf(&text,
                  "[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}},"
                  "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}]",
                  peer_id(req));
    peer_reply(req, 200, JSON, text.data);
}

START_TEST(batches_of_2025_03_26_are_taken_apart)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;

    fixture_start(&f, batching);
    f.options.newest = "2025-03-26";
    fixture_open(&f, NULL);
    x = begin(&f, 10000);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_str_eq(msg.method, "notifications/message");
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_ptr_nonnull(json_get(&msg.json, msg.result, "content"));
    downstream_end(x);
    fixture_stop(&f);
}
END_TEST

/* ---- lists ------------------------------------------------------------------------------ */

static int list_mode; /* 0 three pages, 1 a circle, 2 for ever, 3 no such method */

static void listing(struct peer_request *req, void *arg)
{
    static atomic_int pages;
    char page[256];
    int n;

    if (handshake(req, arg))
        return;
    n = strstr(req->body, "\"cursor\":\"\"") ? 2 : strstr(req->body, "\"cursor\":\"c\"") ? 3 : 1;
    if (list_mode == 2)
        n = 100 + atomic_fetch_add(&pages, 1);
    if (list_mode == 3) {
        peer_reply(req, 404, JSON,
                   "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"no\"}}");
        return;
    }
    (void)snprintf(page, sizeof(page),
                   "{\"prompts\":[{\"name\":\"p%d\"}],\"ttlMs\":%d,"
                   "\"cacheScope\":\"public\"%s}",
                   n, n * 100,
                   list_mode == 2   ? ""
                   : n == 1         ? ",\"nextCursor\":\"\""
                   : n == 2         ? ",\"nextCursor\":\"c\""
                   : list_mode == 1 ? ",\"nextCursor\":\"\""
                                    : "");
    if (list_mode == 2)
        (void)snprintf(page + strlen(page) - 1, 40, ",\"nextCursor\":\"%d\"}", n);
    peer_result(req, "", page);
}

START_TEST(lists_are_read_to_their_end)
{
    struct fixture f;
    struct downstream_list list;

    list_mode = 0;
    fixture_start(&f, listing);
    fixture_open(&f, NULL);
    ck_assert_msg(downstream_list(f.session, "prompts/list", 0, &f.arena, &list, &f.err) == ST_OK,
                  "%s", f.err.message);
    ck_assert_uint_eq(list.n_items, 3);
    ck_assert_str_eq(list.items[2], "{\"name\":\"p3\"}");
    ck_assert_int_eq(list.ttl_ms, 100);
    ck_assert(list.is_public);
    /* Without the capability nobody is asked. */
    ck_assert_int_eq(downstream_list(f.session, "resources/list", 0, &f.arena, &list, &f.err),
                     ST_OK);
    ck_assert_uint_eq(list.n_items, 0);
    ck_assert_int_eq(count(&f.notes, "resources/list"), 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(lists_without_an_end_are_given_up)
{
    static const char *const reasons[] = {"MCP_PROTOCOL", "MCP_TOO_LARGE"};
    struct fixture f;
    struct downstream_list list;

    list_mode = _i + 1;
    fixture_start(&f, listing);
    fixture_open(&f, NULL);
    ck_assert_int_ne(downstream_list(f.session, "prompts/list", 0, &f.arena, &list, &f.err), ST_OK);
    ck_assert_str_eq(f.err.reason, reasons[_i]);
    ck_assert_int_le(peer_requests(f.peer), 70);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_list_that_the_server_does_not_have_is_empty)
{
    struct fixture f;
    struct downstream_list list;

    list_mode = 3;
    fixture_start(&f, listing);
    fixture_open(&f, NULL);
    ck_assert_int_eq(downstream_list(f.session, "prompts/list", 0, &f.arena, &list, &f.err), ST_OK);
    ck_assert_uint_eq(list.n_items, 0);
    fixture_stop(&f);
}
END_TEST

/* ---- mirrored headers ----------------------------------------------------------------------- */

static void mirroring(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    if (peer_asks(req, "tools/list"))
        peer_result(req, "",
                    "{\"tools\":[{\"name\":\"bad\",\"inputSchema\":{\"x-mcp-header\":\"A\"}},"
                    "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{"
                    "\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}}]}");
    else if (strcmp(peer_header(req, "Mcp-Param-Region"), "eu") == 0)
        peer_result(req, "", "{\"resultType\":\"complete\"}");
    else
        peer_reply(req, 400, JSON,
                   "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32020,\"message\":\"header\"}}");
}

START_TEST(mirrored_headers_are_learnt_and_the_call_is_repeated_once)
{
    struct fixture f;
    struct downstream_message msg;
    struct downstream_list list;

    fixture_start(&f, mirroring);
    fixture_open(&f, NULL);
    fixture_call(&f, "{\"name\":\"t\",\"arguments\":{\"a\":\"eu\"}}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_int_eq(count(&f.notes, "tools/list"), 1);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 2);
    fixture_call(&f, "{\"name\":\"t\",\"arguments\":{\"a\":\"eu\"}}", &msg);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 3);
    /* It stays wrong: the second refusal is the answer. */
    fixture_call(&f, "{\"name\":\"t\",\"arguments\":{\"a\":\"us\"}}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_ERROR);
    ck_assert_int_eq(msg.code, MCP_HEADER_MISMATCH);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 5);
    ck_assert_int_eq(downstream_list(f.session, "tools/list", 0, &f.arena, &list, &f.err), ST_OK);
    ck_assert_uint_eq(list.n_items, 1);
    ck_assert_uint_eq(list.n_dropped, 1);
    fixture_stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_calls");
    TCase *tcase = tcase_create("calls");
    SRunner *runner;
    int failed;

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
    tcase_add_loop_test(tcase, a_lost_session_is_initialized_anew_and_the_call_repeated_once, 0, 2);
    tcase_add_test(tcase, a_session_that_is_lost_again_fails_the_call);
    tcase_add_test(tcase, a_400_of_a_living_session_is_the_callers_answer);
    tcase_add_test(tcase, an_answer_to_another_request_is_none);
    tcase_add_test(tcase, a_call_whose_answer_was_lost_is_repeated_only_when_that_does_no_harm);
    tcase_add_test(tcase, a_connection_that_was_closed_while_idle_costs_no_call);
    tcase_add_test(tcase, a_stream_with_ids_is_taken_up_again_where_it_ended);
    tcase_add_test(tcase, a_broken_stream_without_ids_is_lost);
    tcase_add_test(tcase, batches_of_2025_03_26_are_taken_apart);
    tcase_add_test(tcase, lists_are_read_to_their_end);
    tcase_add_loop_test(tcase, lists_without_an_end_are_given_up, 0, 2);
    tcase_add_test(tcase, a_list_that_the_server_does_not_have_is_empty);
    tcase_add_test(tcase, mirrored_headers_are_learnt_and_the_call_is_repeated_once);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
