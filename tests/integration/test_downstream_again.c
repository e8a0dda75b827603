/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent again and what is not: sessions that go, answers and streams that break off. */
#include "downstream_script.h"
#include "suite.h"

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

int main(void)
{
    Suite *suite = suite_create("downstream_again");
    TCase *tcase = tcase_create("again");

    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_lost_session_is_initialized_anew_and_the_call_repeated_once, 0, 2);
    tcase_add_test(tcase, a_session_that_is_lost_again_fails_the_call);
    tcase_add_test(tcase, a_400_of_a_living_session_is_the_callers_answer);
    tcase_add_test(tcase, an_answer_to_another_request_is_none);
    tcase_add_test(tcase, a_call_whose_answer_was_lost_is_repeated_only_when_that_does_no_harm);
    tcase_add_test(tcase, a_connection_that_was_closed_while_idle_costs_no_call);
    tcase_add_test(tcase, a_stream_with_ids_is_taken_up_again_where_it_ended);
    tcase_add_test(tcase, a_broken_stream_without_ids_is_lost);
    tcase_add_test(tcase, batches_of_2025_03_26_are_taken_apart);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
