/* SPDX-License-Identifier: Apache-2.0 */
/* A session with a legacy server that two processes use as one, here two servers
 * with a store between them. */
#include "downstream_script.h"
#include "suite.h"

/* What is saved, and for whom. */
struct store {
    char text[4096];
    int version;
    bool away;  /* it cannot be reached */
    bool blind; /* the next look finds nothing */
};

struct copy {
    struct store *store;
    int seen; /* version that this copy loaded or saved last */
    struct downstream *server;
    struct downstream_session *session;
};

static bool load(struct strbuf *out, void *arg)
{
    struct copy *copy = arg;

    bool blind = copy->store->blind;

    copy->store->blind = false;
    if (blind || copy->store->version == 0 || copy->store->away)
        return false;
    copy->seen = copy->store->version;
    strbuf_str(out, copy->store->text);
    return true;
}

static bool save(const char *text, size_t len, void *arg)
{
    struct copy *copy = arg;

    ck_assert_uint_lt(len, sizeof(copy->store->text));
    if (copy->store->away)
        return true;
    if (copy->seen != copy->store->version)
        return false;
    (void)snprintf(copy->store->text, sizeof(copy->store->text), "%s", text);
    copy->seen = ++copy->store->version;
    return true;
}

static void copy_open(struct copy *copy, struct fixture *f, struct store *store,
                      const char *capabilities)
{
    const struct downstream_session_options options = {
        .capabilities = capabilities, .shared = {.load = load, .save = save, .arg = copy}};

    *copy = (struct copy){.store = store};
    f->options.newest = "2025-11-25";
    f->options.first_id += 1000;
    ck_assert_int_eq(downstream_new(&f->options, &copy->server, &f->err), ST_OK);
    ck_assert_msg(downstream_open(copy->server, &options, &copy->session, &f->err) == ST_OK, "%s",
                  f->err.message);
}

static void copy_close(struct copy *copy, int wait_ms)
{
    downstream_close(copy->session, wait_ms);
    downstream_free(copy->server);
}

static enum status copy_call(struct copy *copy, struct fixture *f)
{
    const struct downstream_request request = {.method = "tools/call",
                                               .params_text = "{\"name\":\"t\"}",
                                               .deadline_ms = clock_mono_ms() + 10000};
    struct downstream_message msg;

    error_clear(&f->err);
    return downstream_call(copy->session, &request, NULL, &f->arena, &msg, &f->err);
}

/* Knows the sessions that began after that request. */
static atomic_int known_after;

static void remembering(struct peer_request *req, void *arg)
{
    const char *id = peer_header(req, "Mcp-Session-Id");

    if (handshake(req, arg))
        return;
    if (*id == '\0' || strtol(id + 2, NULL, 10) <= atomic_load(&known_after))
        peer_reply(req, 404, "", "");
    else
        peer_result(req, "", "{\"content\":[]}");
}

static void forget(struct fixture *f)
{
    atomic_store(&known_after, peer_requests(f->peer));
}

START_TEST(the_second_process_goes_on_with_the_session_of_the_first)
{
    struct store store = {0};
    struct copy a, b;
    struct fixture f;

    fixture_start(&f, remembering);
    copy_open(&a, &f, &store, NULL);
    copy_open(&b, &f, &store, NULL);
    ck_assert_int_eq(copy_call(&a, &f), ST_OK);
    ck_assert_int_eq(copy_call(&b, &f), ST_OK);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 1);
    /* Ending it is not the business of a copy that stops using it. */
    copy_close(&a, 0);
    ck_assert_int_eq(copy_call(&b, &f), ST_OK);
    copy_close(&b, 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_lost_session_is_initialized_by_one_and_taken_by_the_other)
{
    struct store store = {0};
    struct copy a, b;
    struct fixture f;

    fixture_start(&f, remembering);
    copy_open(&a, &f, &store, NULL);
    copy_open(&b, &f, &store, NULL);
    forget(&f);
    ck_assert_int_eq(copy_call(&a, &f), ST_OK);
    ck_assert_int_eq(copy_call(&b, &f), ST_OK);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 2);
    /* What is taken may be lost as well. */
    forget(&f);
    ck_assert_int_eq(copy_call(&a, &f), ST_OK);
    forget(&f);
    ck_assert_int_eq(copy_call(&b, &f), ST_OK);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 4);
    copy_close(&a, 0);
    copy_close(&b, 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(of_two_that_are_opened_at_once_one_is_kept_and_one_ended)
{
    struct store store = {0};
    struct copy a, b;
    struct fixture f;
    char id[64];
    const char *last;

    fixture_start(&f, remembering);
    copy_open(&a, &f, &store, NULL);
    /* The second one looked before the first had saved. */
    store.blind = true;
    copy_open(&b, &f, &store, NULL);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 2);
    (void)snprintf(id, sizeof(id), "%s",
                   peer_header(noted(&f.notes, 1, "DELETE "), "Mcp-Session-Id"));
    ck_assert_int_eq(copy_call(&b, &f), ST_OK);
    last = f.notes.items[f.notes.n - 1].head;
    ck_assert_ptr_null(strstr(last, id));
    ck_assert_ptr_nonnull(strstr(store.text, "\"id\":\"s-"));
    copy_close(&a, 0);
    copy_close(&b, 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(without_the_store_a_session_serves_its_own_process)
{
    struct store store = {.away = true};
    struct copy a;
    struct fixture f;

    fixture_start(&f, remembering);
    copy_open(&a, &f, &store, NULL);
    ck_assert_int_eq(copy_call(&a, &f), ST_OK);
    forget(&f);
    ck_assert_int_eq(copy_call(&a, &f), ST_OK);
    copy_close(&a, 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(what_was_saved_by_others_is_checked)
{
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "{\"id\":1,\"version\":\"2025-11-25\"}",
                                      "{\"id\":\"x\",\"version\":\"1\"}",
                                      "{\"id\":\"x\"}",
                                      "{\"id\":\"x\",\"version\":\"2026-07-28\"}"};
    struct store store = {.version = 1};
    struct copy a;
    struct fixture f;

    (void)snprintf(store.text, sizeof(store.text), "%s", bad[_i]);
    fixture_start(&f, remembering);
    copy_open(&a, &f, &store, NULL);
    ck_assert_int_eq(copy_call(&a, &f), ST_OK);
    ck_assert_int_eq(count(&f.notes, "\"initialize\""), 1);
    copy_close(&a, 0);
    fixture_stop(&f);
}
END_TEST

/* ---- the stream ------------------------------------------------------------------------- */

static atomic_bool answered;
static atomic_int streams;

static void asking(struct peer_request *req, void *arg)
{
    if (strcmp(req->method, "GET") == 0) {
        (void)atomic_fetch_add(&streams, 1);
        peer_events(req, "");
        (void)peer_left(req, 10000);
        peer_hang_up(req);
        return;
    }
    if (strstr(req->body, "\"Turku\"") != NULL)
        atomic_store(&answered, true);
    if (strstr(req->body, "\"Turku\"") != NULL || handshake(req, arg)) {
        if (strstr(req->body, "\"Turku\"") != NULL)
            peer_reply(req, 202, "", "");
        return;
    }
    while (!atomic_load(&answered) && !peer_left(req, 5))
        ;
    peer_result(req, "", "{\"content\":[]}");
}

static void *inject(void *arg)
{
    static const char question[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":"
                                   "\"elicitation/create\",\"params\":{}}";
    struct copy *copy = arg;
    int64_t until = clock_mono_ms() + 10000;

    while (!downstream_inject(copy->session, question, sizeof(question) - 1) &&
           clock_mono_ms() < until)
        (void)usleep(2000);
    return NULL;
}

START_TEST(a_question_that_came_to_another_process_reaches_the_call)
{
    struct store store = {0};
    struct downstream_exchange *x;
    struct downstream_message msg;
    struct copy a;
    struct fixture f;
    pthread_t thread;

    fixture_start(&f, asking);
    copy_open(&a, &f, &store, "{\"elicitation\":{}}");
    ck_assert_int_eq(atomic_load(&streams), 0); /* its stream is somebody else's */
    f.session = a.session;
    ck_assert(!downstream_inject(a.session, "{}", 2));
    x = begin(&f, 10000);
    ck_assert_int_eq(pthread_create(&thread, NULL, inject, &a), 0);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_REQUEST);
    ck_assert_int_eq(downstream_answer(a.session, "7", 1, "{\"city\":\"Turku\"}", NULL, &f.err),
                     ST_OK);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    (void)pthread_join(thread, NULL);
    downstream_end(x);
    ck_assert_int_eq(downstream_hear(a.session, clock_mono_ms() + 10000, &f.err), ST_OK);
    ck_assert_int_eq(atomic_load(&streams), 1);
    f.session = NULL;
    copy_close(&a, 0);
    fixture_stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_share");
    TCase *tcase = tcase_create("share");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, the_second_process_goes_on_with_the_session_of_the_first);
    tcase_add_test(tcase, a_lost_session_is_initialized_by_one_and_taken_by_the_other);
    tcase_add_test(tcase, of_two_that_are_opened_at_once_one_is_kept_and_one_ended);
    tcase_add_test(tcase, without_the_store_a_session_serves_its_own_process);
    tcase_add_loop_test(tcase, what_was_saved_by_others_is_checked, 0, 7);
    tcase_add_test(tcase, a_question_that_came_to_another_process_reaches_the_call);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
