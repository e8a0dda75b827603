/* SPDX-License-Identifier: Apache-2.0 */
/* What the listener refuses before a handler sees it, and what it lets by. */
#include "http/internal.h"
#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_WANTED = 64 * 1024 };

static struct http_server *server;
static int port;
static atomic_size_t stack_left;

static void note_stack(void)
{
    pthread_attr_t attr;
    void *base;
    size_t size;

    ck_assert_int_eq(pthread_getattr_np(pthread_self(), &attr), 0);
    ck_assert_int_eq(pthread_attr_getstack(&attr, &base, &size), 0);
    (void)pthread_attr_destroy(&attr);
    atomic_store(&stack_left, (size_t)((char *)__builtin_frame_address(0) - (char *)base));
}

/* Answers with what it saw: method, path, query, peer and the header X-Seen. */
static void handle(struct http_request *req, void *arg)
{
    const char *seen = http_header(req, "x-seen");
    char *body = arena_printf(req->arena, "%s %s ?%s %s %s x%d", req->method, req->path, req->query,
                              req->peer, seen ? seen : "-", http_header_count(req, "X-SEEN"));

    (void)arg;
    note_stack();
    http_reply(req, &(struct http_response){.status = 200,
                                            .content_type = "text/plain",
                                            .body = body,
                                            .len = strlen(body),
                                            .headers = strcmp(req->path, "/cached") == 0
                                                           ? "cache-control: max-age=60\r\n"
                                                           : NULL});
}

static void start(void)
{
    struct http_options options = {.bind = "127.0.0.1:0", .workers = 4, .handler = handle};
    struct error err = {0};

    ck_assert_msg(http_server_start(&server, &options, &err) == ST_OK, "%s", err.message);
    port = http_server_port(server);
    ck_assert_int_gt(port, 0);
}

static void stop(void)
{
    http_server_stop(server);
}

static void seen(const char *request, const char *body)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, request));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, body);
    answer_done(&answer);
    client_done(&client);
}

static void refused(const char *request, int status)
{
    struct client client;
    struct answer answer = {0};
    char value[64];

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, request));
    ck_assert_msg(client_read(&client, &answer), "no answer to: %s", request);
    ck_assert_msg(answer.status == status, "%d, not %d, for: %s", answer.status, status, request);
    ck_assert(answer_header(&answer, "Connection", value, sizeof value));
    ck_assert_str_eq(value, "close");
    ck_assert_ptr_nonnull(strstr(answer.head, "HTTP/1.1 "));
    ck_assert_ptr_nonnull(strstr(answer.body, "{\"error\":{\"status\":\""));
    ck_assert_msg(client_ended(&client, CLIENT_WAIT_MS), "kept open after: %s", request);
    answer_done(&answer);
    client_done(&client);
}

START_TEST(handler_sees_method_path_query_and_peer)
{
    seen("GET /a%20b/%C3%A4?x=%20 HTTP/1.1\r\nHost: h\r\nX-Seen:   v \r\n\r\n",
         "GET /a b/\xc3\xa4 ?x=%20 127.0.0.1 v x1");
    seen("GET /a HTTP/1.0\r\n\r\n", "GET /a ? 127.0.0.1 - x0");
}
END_TEST

START_TEST(absolute_uris_are_served_for_this_server_only)
{
    char request[128];

    (void)snprintf(request, sizeof request, "GET http://h:%d/a?q HTTP/1.1\r\nHost: h\r\n\r\n",
                   port);
    seen(request, "GET /a ?q 127.0.0.1 - x0");
    /* civetweb closes without a word: no proxy here. */
    ck_assert_int_eq(
        request_status(port, "GET http://elsewhere/ HTTP/1.1\r\nHost: elsewhere\r\n\r\n"), 0);
    ck_assert_int_eq(request_status(port, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
}
END_TEST

START_TEST(answers_carry_security_headers_unless_the_handler_gave_them)
{
    struct client client;
    struct answer answer = {0};
    char value[128];

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert(answer_header(&answer, "X-Content-Type-Options", value, sizeof value));
    ck_assert_str_eq(value, "nosniff");
    ck_assert(answer_header(&answer, "Referrer-Policy", value, sizeof value));
    ck_assert_str_eq(value, "no-referrer");
    ck_assert(answer_header(&answer, "Content-Security-Policy", value, sizeof value));
    ck_assert(answer_header(&answer, "Cache-Control", value, sizeof value));
    ck_assert_str_eq(value, "no-store");
    ck_assert(!answer_header(&answer, "Access-Control-Allow-Origin", value, sizeof value));
    ck_assert(client_send(&client, "GET /cached HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert_ptr_nonnull(strstr(answer.head, "cache-control: max-age=60\r\n"));
    ck_assert_ptr_null(strstr(answer.head, "no-store"));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(preflights_reach_the_handler)
{
    seen("OPTIONS /a HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\n"
         "Access-Control-Request-Method: POST\r\n\r\n",
         "OPTIONS /a ? 127.0.0.1 - x0");
}
END_TEST

START_TEST(head_requests_get_no_body)
{
    struct client client;
    struct answer answer = {0};
    char length[32];

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
                                   "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_read_head(&client, &answer));
    ck_assert(answer_header(&answer, "Content-Length", length, sizeof length));
    ck_assert_str_ne(length, "0");
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "GET / ? 127.0.0.1 - x0");
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(contradictory_framing_is_refused)
{
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n",
            400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
            400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3x\r\n\r\nabc", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nabc", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400);
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400);
}
END_TEST

START_TEST(malformed_heads_are_refused)
{
    refused("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n folded\r\nX-B: 2\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\n: nameless\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\nX A: 1\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\nX-A\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\nX(A): 1\r\n\r\n", 400);
    refused("GET / HTTP/1.1\nHost: h\nX-A: 1\n\n", 400);
    refused("GET / HTTP/1.1\r\nHost: h\nContent-Length: 3\r\n\r\nabc", 400);
    refused("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    refused("   GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400);
    refused("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505);
    refused("GET /\r\n\r\n", 400);
    refused("\x16\x03\x01\x02 hello\r\n\r\n", 400);
}
END_TEST

START_TEST(one_line_break_may_precede_a_request)
{
    seen("\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a ? 127.0.0.1 - x0");
}
END_TEST

START_TEST(host_is_required_once_and_plain)
{
    refused("GET / HTTP/1.1\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nX-A: 1\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
    seen("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / ? 127.0.0.1 - x0");
}
END_TEST

START_TEST(unknown_methods_and_expectations_are_refused)
{
    refused("CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n", 501);
    refused("PROPFIND /a HTTP/1.1\r\nHost: h\r\n\r\n", 501);
    refused("TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    refused("get /a HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    refused("GET /a HTTP/1.1\r\nHost: h\r\nExpect: cake\r\n\r\n", 417);
}
END_TEST

START_TEST(paths_that_need_normalising_are_refused)
{
    static const char *const paths[] = {
        "/a/../b", "/..",    "/a/%2e%2e/b", "/./a", "//a",   "/a//b", "/a%2Fb", "/a%5cb",
        "/a\\b",   "/a%00b", "/a%",         "/a%4", "/a%zz", "/%ff",  "/a%0Ab", "/a/.."};
    char request[128];

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", paths[i]);
        refused(request, 400);
    }
}
END_TEST

START_TEST(a_path_too_long_is_refused)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;

    strbuf_str(&request, "GET /");
    for (int i = 0; i < 3000; i++)
        strbuf_char(&request, 'a');
    strbuf_str(&request, " HTTP/1.1\r\nHost: h\r\n\r\n");
    refused(strbuf_cstr(&request), 414);
}
END_TEST

static int status_with_headers(int n)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;

    strbuf_str(&request, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 1; i < n; i++)
        strbuf_printf(&request, "X-%d: v\r\n", i);
    strbuf_str(&request, "\r\n");
    return request_status(port, strbuf_cstr(&request));
}

START_TEST(more_than_63_headers_are_refused)
{
    ck_assert_int_eq(status_with_headers(63), 200);
    ck_assert_int_eq(status_with_headers(64), 431);
    ck_assert_int_eq(status_with_headers(65), 431);
    ck_assert_int_eq(status_with_headers(200), 431);
}
END_TEST

START_TEST(a_head_too_large_is_refused)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;

    strbuf_str(&request, "GET / HTTP/1.1\r\nHost: h\r\nX-Big: ");
    for (int i = 0; i < HEAD_MAX; i++)
        strbuf_char(&request, 'a');
    strbuf_str(&request, "\r\n\r\n");
    refused(strbuf_cstr(&request), 431);
}
END_TEST

/* CVE-2025-55763: civetweb 1.14 to 1.16 overflow the heap when their own file
 * code redirects to a directory with a long URI. */
START_TEST(long_directory_uris_never_reach_the_file_code)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;

    for (int len = 1000; len <= 60000; len += 1900) {
        int status;

        strbuf_clear(&request);
        strbuf_str(&request, "GET /");
        for (int i = 0; i < len; i++)
            strbuf_str(&request, i % 3 ? "/" : "%2f");
        strbuf_str(&request, "?a HTTP/1.1\r\nHost: h\r\n\r\n");
        status = request_status(port, strbuf_cstr(&request));
        ck_assert_msg(status == 400 || status == 414 || status == 431, "%d for %d", status, len);
    }
    ck_assert_int_eq(request_status(port, "GET /usr HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}
END_TEST

START_TEST(upgrades_are_answered_and_closed)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(connections_are_kept_for_further_requests)
{
    struct client client;
    struct answer answer = {0};
    char value[32];

    ck_assert(client_open(&client, port));
    for (int i = 0; i < 50; i++) {
        ck_assert(client_send(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        ck_assert(client_read(&client, &answer));
        ck_assert(answer_header(&answer, "Connection", value, sizeof value));
        ck_assert_str_eq(value, "keep-alive");
    }
    ck_assert(client_send(&client, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert(answer_header(&answer, "Connection", value, sizeof value));
    ck_assert_str_eq(value, "close");
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    struct client client;
    struct answer answer = {0};
    char want[64];

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                                   "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"
                                   "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"));
    for (int i = 1; i <= 3; i++) {
        ck_assert(client_read(&client, &answer));
        (void)snprintf(want, sizeof want, "%s /%d ? 127.0.0.1 - x0", i == 2 ? "POST" : "GET", i);
        ck_assert_str_eq(answer.body, want);
    }
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_slow_head_is_cut_off)
{
    struct client client;
    int64_t start_ms = clock_mono_ms();
    bool open = true;

    ck_assert(client_open(&client, port));
    while (open && clock_mono_ms() < start_ms + CLIENT_WAIT_MS) {
        open = client_send(&client, "G");
        open = open && !client_ended(&client, 100);
    }
    ck_assert_int_lt(clock_mono_ms() - start_ms, 4000);
    client_done(&client);
}
END_TEST

START_TEST(an_idle_connection_is_closed)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert(client_ended(&client, 4000));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(handlers_have_most_of_the_worker_stack)
{
    seen("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / ? 127.0.0.1 - x0");
    ck_assert_msg(atomic_load(&stack_left) >= STACK_WANTED, "only %zu bytes left",
                  atomic_load(&stack_left));
}
END_TEST

START_TEST(forwarded_addresses_count_behind_a_trusted_proxy_only)
{
    seen("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n", "GET / ? 127.0.0.1 - x0");
    http_server_stop(server);
    http_limits.trusted_proxies = "127.0.0.0/8, 10.1.0.0/16";
    start();
    seen("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.2.3\r\n\r\n",
         "GET / ? 1.2.3.4 - x0");
}
END_TEST

START_TEST(two_servers_live_in_one_process)
{
    struct http_options options = {
        .bind = "127.0.0.1:0", .workers = 2, .handler = handle, .admin = true};
    struct http_server *admin;
    struct error err = {0};

    ck_assert_int_eq(http_server_start(&admin, &options, &err), ST_OK);
    ck_assert_int_eq(request_status(http_server_port(admin), "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                     200);
    http_server_stop(admin);
    ck_assert_int_eq(request_status(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}
END_TEST

START_TEST(a_taken_port_is_an_error_with_words)
{
    char bind[32];
    struct http_options options = {.bind = bind, .workers = 2, .handler = handle};
    struct http_server *second;
    struct error err = {0};

    (void)snprintf(bind, sizeof bind, "127.0.0.1:%d", port);
    ck_assert_int_eq(http_server_start(&second, &options, &err), ST_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, bind));
    options.bind = "nonsense";
    ck_assert_int_eq(http_server_start(&second, &options, &err), ST_UNAVAILABLE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http limits");
    TCase *tcase = tcase_create("limits");

    http_limits.request_timeout_ms = 1000;
    http_limits.keepalive_ms = 1000;
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, handler_sees_method_path_query_and_peer);
    tcase_add_test(tcase, absolute_uris_are_served_for_this_server_only);
    tcase_add_test(tcase, answers_carry_security_headers_unless_the_handler_gave_them);
    tcase_add_test(tcase, preflights_reach_the_handler);
    tcase_add_test(tcase, head_requests_get_no_body);
    tcase_add_test(tcase, contradictory_framing_is_refused);
    tcase_add_test(tcase, malformed_heads_are_refused);
    tcase_add_test(tcase, one_line_break_may_precede_a_request);
    tcase_add_test(tcase, host_is_required_once_and_plain);
    tcase_add_test(tcase, unknown_methods_and_expectations_are_refused);
    tcase_add_test(tcase, paths_that_need_normalising_are_refused);
    tcase_add_test(tcase, a_path_too_long_is_refused);
    tcase_add_test(tcase, more_than_63_headers_are_refused);
    tcase_add_test(tcase, a_head_too_large_is_refused);
    tcase_add_test(tcase, long_directory_uris_never_reach_the_file_code);
    tcase_add_test(tcase, upgrades_are_answered_and_closed);
    tcase_add_test(tcase, connections_are_kept_for_further_requests);
    tcase_add_test(tcase, pipelined_requests_are_answered_in_order);
    tcase_add_test(tcase, a_slow_head_is_cut_off);
    tcase_add_test(tcase, an_idle_connection_is_closed);
    tcase_add_test(tcase, handlers_have_most_of_the_worker_stack);
    tcase_add_test(tcase, forwarded_addresses_count_behind_a_trusted_proxy_only);
    tcase_add_test(tcase, two_servers_live_in_one_process);
    tcase_add_test(tcase, a_taken_port_is_an_error_with_words);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
