/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of changes: streams of sessions over HTTP, and questions on them. */
#include "downstream_fixture.h"
#include "suite.h"

#include <stdatomic.h>

#define JSON "Content-Type: application/json\r\n"

/* What a session was told, as text. */
static struct {
    pthread_mutex_t lock;
    char text[4096];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void hear(struct downstream_session *session, const struct downstream_message *msg,
                 void *arg)
{
    (void)session;
    (void)arg;
    (void)pthread_mutex_lock(&told.lock);
    (void)snprintf(told.text + strlen(told.text), sizeof(told.text) - strlen(told.text), "[%s]",
                   msg->kind == DOWNSTREAM_STALE ? "stale" : msg->method);
    (void)pthread_mutex_unlock(&told.lock);
}

static void until_told(const char *text)
{
    int64_t until = clock_mono_ms() + 10000;
    bool found = false;

    while (!found && clock_mono_ms() < until) {
        (void)pthread_mutex_lock(&told.lock);
        found = strstr(told.text, text) != NULL;
        (void)pthread_mutex_unlock(&told.lock);
        if (!found)
            (void)usleep(2000);
    }
    ck_assert_msg(found, "never told %s, but %s", text, told.text);
}

/* What the scripted server does with its stream. */
static atomic_int streams, answers;
static atomic_bool ask, drop;

static void event(struct peer_request *req, const char *method)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "data: {\"jsonrpc\":\"2.0\",\"method\":\"%s\"}", method);
    peer_event(req, text.data);
}

static void stream(struct peer_request *req)
{
    int number = atomic_fetch_add(&streams, 1) + 1;

    peer_events(req, "");
    peer_event(req, "data: {\"jsonrpc\":\"2.0\",\"method\":"
                    "\"notifications/subscriptions/acknowledged\",\"params\":{}}");
    event(req,
          number == 1 ? "notifications/tools/list_changed" : "notifications/prompts/list_changed");
    peer_event(req, "data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}");
    while (!peer_left(req, 5)) {
        if (atomic_exchange(&ask, false))
            peer_event(req, "data: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}");
        if (atomic_exchange(&drop, false))
            break;
    }
    peer_hang_up(req);
}

static void result_event(struct peer_request *req)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", peer_id(req));
    peer_event(req, text.data);
}

static void serve(struct peer_request *req, void *arg)
{
    note(arg, req);
    if (strcmp(req->method, "GET") == 0 || peer_asks(req, "subscriptions/listen")) {
        stream(req);
    } else if (peer_asks(req, "server/discover")) {
        peer_result(req, "", "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
    } else if (peer_asks(req, "initialize")) {
        peer_result(req, "Mcp-Session-Id: s\r\n",
                    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}");
    } else if (peer_asks(req, "tools/call")) {
        peer_events(req, "");
        atomic_store(&ask, true);
        while (atomic_load(&answers) == 0 && !peer_left(req, 5))
            ;
        result_event(req);
        peer_events_end(req);
    } else if (strstr(req->body, "\"id\":\"q\"") != NULL) {
        peer_reply(req, 202, "", "");
        (void)atomic_fetch_add(&answers, 1);
    } else if (strstr(req->body, "\"method\"") != NULL && strstr(req->body, "\"id\"") != NULL) {
        peer_result(req, "", "{}");
    } else {
        peer_reply(req, 202, "", "");
    }
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

static void until_count(struct notes *notes, const char *text, int n)
{
    int64_t until = clock_mono_ms() + 10000;

    while (count(notes, text) < n && clock_mono_ms() < until)
        (void)usleep(2000);
    ck_assert_int_ge(count(notes, text), n);
}

static void start(struct fixture *f, const char *newest, const char *capabilities)
{
    const struct downstream_session_options options = {.capabilities = capabilities,
                                                       .on_message = hear};

    fixture_start(f, serve);
    f->options.newest = newest;
    ck_assert_int_eq(downstream_new(&f->options, &f->server, &f->err), ST_OK);
    ck_assert_msg(downstream_open(f->server, &options, &f->session, &f->err) == ST_OK, "%s",
                  f->err.message);
}

START_TEST(a_legacy_servers_changes_are_heard)
{
    static const char *const uris[] = {"a://1", "a://2"};
    struct fixture f;
    struct downstream_wish wish = {.tools = true, .uris = uris, .n_uris = 2};

    start(&f, "2025-11-25", NULL);
    ck_assert_int_eq(downstream_watch(f.session, &wish, &f.err), ST_OK);
    until_told("[notifications/tools/list_changed]");
    ck_assert_ptr_null(strstr(told.text, "acknowledged"));
    ck_assert_int_eq(count(&f.notes, "resources/subscribe"), 2);
    until_count(&f.notes, "\"id\":9,\"result\":{}", 1); /* the ping is answered */
    wish.n_uris = 1;
    ck_assert_int_eq(downstream_watch(f.session, &wish, &f.err), ST_OK);
    until_count(&f.notes, "resources/unsubscribe", 1);
    ck_assert_int_eq(count(&f.notes, "resources/subscribe"), 2);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_modern_servers_changes_are_heard)
{
    static const char *const uris[] = {"a://\"1"};
    struct fixture f;
    const struct downstream_wish wish = {.tools = true, .uris = uris, .n_uris = 1};

    start(&f, NULL, NULL);
    ck_assert_int_eq(downstream_watch(f.session, &wish, &f.err), ST_OK);
    until_told("[notifications/tools/list_changed]");
    ck_assert_ptr_null(strstr(told.text, "acknowledged"));
    ck_assert_ptr_nonnull(
        strstr(note_body(&f.notes, 2),
               "\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":false,"
               "\"resourcesListChanged\":false,\"resourceSubscriptions\":[\"a://\\\"1\"]}"));
    ck_assert_str_eq(note_header(&f.notes, 2, "Mcp-Method"), "subscriptions/listen");
    fixture_stop(&f);
}
END_TEST

START_TEST(a_stream_that_ends_is_opened_again_and_what_may_be_missed_is_told)
{
    static const char *const revisions[] = {"2025-11-25", NULL};
    struct fixture f;

    start(&f, revisions[_i], NULL);
    ck_assert_int_eq(
        downstream_watch(f.session, &(struct downstream_wish){.prompts = true}, &f.err), ST_OK);
    until_told("[notifications/tools/list_changed]");
    ck_assert_ptr_null(strstr(told.text, "stale"));
    atomic_store(&drop, true);
    until_told("[stale][notifications/prompts/list_changed]");
    fixture_stop(&f);
}
END_TEST

START_TEST(a_question_on_the_sessions_stream_reaches_the_waiting_call)
{
    const struct downstream_request request = {.method = "tools/call",
                                               .deadline_ms = clock_mono_ms() + 10000};
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;
    const char *id;
    size_t len;

    start(&f, "2025-11-25", "{\"roots\":{}}");
    ck_assert_int_eq(downstream_begin(f.session, &request, &x, &f.err), ST_OK);
    ck_assert_msg(downstream_next(x, -1, &msg, &f.err) == ST_OK, "%s", f.err.message);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_REQUEST);
    ck_assert_str_eq(msg.method, "roots/list");
    id = json_raw(&msg.json, msg.id, &len);
    ck_assert_int_eq(downstream_answer(f.session, id, len, "{\"roots\":[]}", NULL, &f.err), ST_OK);
    ck_assert_msg(downstream_next(x, -1, &msg, &f.err) == ST_OK, "%s", f.err.message);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    downstream_end(x);
    ck_assert_ptr_null(strstr(told.text, "roots"));
    fixture_stop(&f);
}
END_TEST

START_TEST(a_question_is_refused_by_the_library_when_nobody_was_declared_who_can_be_asked)
{
    struct fixture f;

    start(&f, "2025-11-25", NULL);
    ck_assert_int_eq(downstream_watch(f.session, &(struct downstream_wish){.tools = true}, &f.err),
                     ST_OK);
    until_told("[notifications/tools/list_changed]");
    atomic_store(&ask, true);
    until_count(&f.notes, "\"id\":\"q\",\"error\":{\"code\":-32601", 1);
    ck_assert_ptr_null(strstr(told.text, "roots"));
    fixture_stop(&f);
}
END_TEST

START_TEST(closing_a_session_closes_its_stream_at_once)
{
    struct fixture f;
    int64_t began;

    start(&f, "2025-11-25", "{\"roots\":{}}");
    until_told("[notifications/tools/list_changed]");
    began = clock_mono_ms();
    fixture_close(&f);
    ck_assert_int_lt(clock_mono_ms() - began, 2000);
    fixture_stop(&f);
}
END_TEST

START_TEST(idle_connections_are_closed_in_time)
{
    struct fixture f;
    int64_t until;

    fixture_start(&f, serve);
    f.options.limits.idle_ms = 200;
    fixture_open(&f, NULL);
    ck_assert_int_eq(peer_open(f.peer), 1);
    until = clock_mono_ms() + 5000;
    while (peer_open(f.peer) > 0 && clock_mono_ms() < until)
        (void)usleep(2000);
    ck_assert_int_eq(peer_open(f.peer), 0);
    fixture_stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_watch");
    TCase *tcase = tcase_create("watch");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_legacy_servers_changes_are_heard);
    tcase_add_test(tcase, a_modern_servers_changes_are_heard);
    tcase_add_loop_test(tcase, a_stream_that_ends_is_opened_again_and_what_may_be_missed_is_told, 0,
                        2);
    tcase_add_test(tcase, a_question_on_the_sessions_stream_reaches_the_waiting_call);
    tcase_add_test(tcase,
                   a_question_is_refused_by_the_library_when_nobody_was_declared_who_can_be_asked);
    tcase_add_test(tcase, closing_a_session_closes_its_stream_at_once);
    tcase_add_test(tcase, idle_connections_are_closed_in_time);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
