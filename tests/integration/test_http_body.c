/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies: limits, deadlines, chunks, and what becomes of the connection
 * when a body is not wanted. */
#include "http/internal.h"
#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BODY_LIMIT = 300 * 1024, TIGHT_LIMIT = 10, BIG_ANSWER = 12 * 1024 * 1024 };

static struct http_server *server;
static int port;
static char *big;

static void answer_body(struct http_request *req, size_t limit)
{
    const char *body;
    size_t len;
    int status;

    if (http_body(req, limit, &body, &len, &status) != ST_OK) {
        http_reply(req, &(struct http_response){.status = status});
        return;
    }
    http_reply(req, &(struct http_response){
                        .status = 200, .content_type = "text/plain", .body = body, .len = len});
}

/* /echo and /tight read the body, /ignore does not, /big answers at length,
 * /silent does not answer. */
static void handle(struct http_request *req, void *arg)
{
    (void)arg;
    if (strcmp(req->path, "/echo") == 0)
        answer_body(req, BODY_LIMIT);
    else if (strcmp(req->path, "/tight") == 0)
        answer_body(req, TIGHT_LIMIT);
    else if (strcmp(req->path, "/big") == 0)
        http_reply(
            req, &(struct http_response){
                     .status = 200, .content_type = "text/plain", .body = big, .len = BIG_ANSWER});
    else if (strcmp(req->path, "/ignore") == 0)
        http_reply(req, &(struct http_response){.status = 401});
}

static void start(void)
{
    struct http_options options = {.bind = "127.0.0.1:0", .workers = 2, .handler = handle};
    struct error err = {0};

    ck_assert_msg(http_server_start(&server, &options, &err) == ST_OK, "%s", err.message);
    port = http_server_port(server);
}

static void stop(void)
{
    http_server_stop(server);
}

static void exchange_is(struct client *client, const char *request, int status, const char *body)
{
    struct answer answer = {0};

    ck_assert(client_send(client, request));
    ck_assert_msg(client_read(client, &answer), "no answer to: %s", request);
    ck_assert_msg(answer.status == status, "%d, not %d, for: %s", answer.status, status, request);
    if (body)
        ck_assert_str_eq(answer.body, body);
    answer_done(&answer);
}

static void alone(const char *request, int status, const char *body)
{
    struct client client;

    ck_assert(client_open(&client, port));
    exchange_is(&client, request, status, body);
    client_done(&client);
}

START_TEST(bodies_come_whole_however_they_are_cut)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    exchange_is(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde", 200,
                "abcde");
    exchange_is(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "");
    exchange_is(&client, "POST /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200, "");
    ck_assert(client_send(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\na"));
    ck_assert(!client_expect(&client, "HTTP", 50));
    ck_assert(client_send(&client, "bcd"));
    ck_assert(!client_expect(&client, "HTTP", 50));
    ck_assert(client_send(&client, "e"));
    ck_assert(client_read(&client, &answer));
    ck_assert_str_eq(answer.body, "abcde");
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(chunked_bodies_keep_the_connection)
{
    struct client client;

    ck_assert(client_open(&client, port));
    for (int i = 0; i < 3; i++)
        exchange_is(&client,
                    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
                    200, "abc0123456789");
    exchange_is(&client,
                "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
                200, "");
    client_done(&client);
}
END_TEST

START_TEST(malformed_chunks_are_refused)
{
    static const char *const bodies[] = {"zz\r\nabc\r\n0\r\n\r\n", "3\r\nabcde\r\n0\r\n\r\n",
                                         "3;ext=1\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n",
                                         "ffffffffffffffff\r\nabc\r\n"};

    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        char request[256];

        (void)snprintf(request, sizeof request,
                       "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%s",
                       bodies[i]);
        alone(request, 400, NULL);
    }
}
END_TEST

static void send_large(struct client *client, size_t len, bool chunked)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;

    strbuf_printf(&request,
                  chunked ? "POST /echo HTTP/1.1\r\nHost: h\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
                          : "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                  len);
    for (size_t i = 0; i < len; i++)
        strbuf_char(&request, (char)('a' + i % 26));
    if (chunked)
        strbuf_str(&request, "\r\n0\r\n\r\n");
    /* The server may refuse before all was sent. */
    (void)client_send_bytes(client, request.data, request.len);
}

START_TEST(bodies_of_exactly_the_limit_pass_and_one_byte_more_does_not)
{
    for (int chunked = 0; chunked <= 1; chunked++) {
        struct client client;
        struct answer answer = {0};

        ck_assert(client_open(&client, port));
        send_large(&client, BODY_LIMIT, chunked);
        ck_assert(client_read(&client, &answer));
        ck_assert_int_eq(answer.status, 200);
        ck_assert_uint_eq(answer.len, BODY_LIMIT);
        ck_assert_int_eq(answer.body[BODY_LIMIT - 1], 'a' + (BODY_LIMIT - 1) % 26);
        send_large(&client, BODY_LIMIT + 1, chunked);
        ck_assert(client_read(&client, &answer));
        ck_assert_int_eq(answer.status, 413);
        ck_assert(client_ended(&client, CLIENT_WAIT_MS));
        answer_done(&answer);
        client_done(&client);
    }
}
END_TEST

START_TEST(a_body_announced_too_large_is_refused_unread)
{
    struct client client;
    struct answer answer = {0};
    int64_t start_ms = clock_mono_ms();

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "POST /tight HTTP/1.1\r\nHost: h\r\n"
                                   "Content-Length: 99999999999\r\n\r\nabc"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 413);
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    ck_assert_int_lt(clock_mono_ms() - start_ms, 2500);
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_body_sent_a_byte_at_a_time_hits_the_deadline)
{
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000000"};

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        struct client client;
        int64_t start_ms = clock_mono_ms();
        bool answered = false;

        ck_assert(client_open(&client, port));
        ck_assert(client_send(&client, heads[i]));
        while (!answered && clock_mono_ms() < start_ms + CLIENT_WAIT_MS) {
            ck_assert(client_send(&client, "0"));
            answered = client_expect(&client, "HTTP/1.1 408 ", 30) ||
                       client_expect(&client, "HTTP/1.1 400 ", 0);
        }
        ck_assert_msg(answered, "body %zu is still being read", i);
        ck_assert_int_lt(clock_mono_ms() - start_ms, 3000);
        client_done(&client);
    }
}
END_TEST

START_TEST(a_body_that_never_comes_is_answered_408)
{
    struct client client;
    int64_t start_ms = clock_mono_ms();
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(
        client_send(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 408);
    ck_assert_int_lt(clock_mono_ms() - start_ms, 3000);
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(expect_100_continue_is_answered_before_the_body)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    for (int i = 0; i < 2; i++) {
        ck_assert(client_send(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                                       "Expect: 100-continue\r\n\r\n"));
        ck_assert(client_read(&client, &answer));
        ck_assert_int_eq(answer.status, 100);
        ck_assert(client_send(&client, "abc"));
        ck_assert(client_read(&client, &answer));
        ck_assert_int_eq(answer.status, 200);
        ck_assert_str_eq(answer.body, "abc");
    }
    ck_assert(client_send(&client, "POST /tight HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n"
                                   "Expect: 100-continue\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 413);
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_small_unwanted_body_keeps_the_connection)
{
    struct client client;

    ck_assert(client_open(&client, port));
    for (int i = 0; i < 3; i++)
        exchange_is(&client,
                    "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 33\r\n\r\n"
                    "GET /echo HTTP/1.1\r\nHost: h\r\n\r\nxx",
                    401, "");
    exchange_is(&client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200, "");
    client_done(&client);
}
END_TEST

START_TEST(a_large_unwanted_body_is_not_read_as_requests)
{
    CLEANUP(strbuf_done) struct strbuf request = STRBUF_INIT;
    struct client client;
    struct answer answer = {0};

    strbuf_str(&request, "POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++)
        strbuf_str(&request, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(client_open(&client, port));
    ck_assert(client_send_bytes(&client, request.data, request.len));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 401);
    ck_assert(!client_expect(&client, "HTTP/1.1", CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_handler_that_does_not_answer_is_500)
{
    alone("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n", 500, "");
}
END_TEST

START_TEST(large_answers_arrive_whole)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert_uint_eq(answer.len, BIG_ANSWER);
    ck_assert_int_eq(memcmp(answer.body, big, BIG_ANSWER), 0);
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_client_that_does_not_read_frees_its_worker)
{
    struct client slow[2], client;
    int small = 4096;
    int64_t start_ms = clock_mono_ms();

    for (int i = 0; i < 2; i++) {
        ck_assert(client_open(&slow[i], port));
        (void)setsockopt(slow[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        ck_assert(client_send(&slow[i], "GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    /* Both workers are held; the third is served when they are given up. */
    ck_assert(client_open(&client, port));
    exchange_is(&client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200, "");
    ck_assert_int_lt(clock_mono_ms() - start_ms, 4000);
    client_done(&client);
    for (int i = 0; i < 2; i++)
        client_done(&slow[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http body");
    TCase *tcase = tcase_create("body");
    int failed;

    big = malloc(BIG_ANSWER);
    if (!big)
        return 1;
    for (int i = 0; i < BIG_ANSWER; i++)
        big[i] = (char)('a' + i % 23);
    http_limits.request_timeout_ms = 1000;
    http_limits.body_timeout_ms = 1000;
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, bodies_come_whole_however_they_are_cut);
    tcase_add_test(tcase, chunked_bodies_keep_the_connection);
    tcase_add_test(tcase, malformed_chunks_are_refused);
    tcase_add_test(tcase, bodies_of_exactly_the_limit_pass_and_one_byte_more_does_not);
    tcase_add_test(tcase, a_body_announced_too_large_is_refused_unread);
    tcase_add_test(tcase, a_body_sent_a_byte_at_a_time_hits_the_deadline);
    tcase_add_test(tcase, a_body_that_never_comes_is_answered_408);
    tcase_add_test(tcase, expect_100_continue_is_answered_before_the_body);
    tcase_add_test(tcase, a_small_unwanted_body_keeps_the_connection);
    tcase_add_test(tcase, a_large_unwanted_body_is_not_read_as_requests);
    tcase_add_test(tcase, a_handler_that_does_not_answer_is_500);
    tcase_add_test(tcase, large_answers_arrive_whole);
    tcase_add_test(tcase, a_client_that_does_not_read_frees_its_worker);
    suite_add_tcase(suite, tcase);
    failed = suite_run(suite);
    free(big);
    return failed;
}
