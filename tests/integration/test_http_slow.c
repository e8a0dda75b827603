/* SPDX-License-Identifier: Apache-2.0 */
/* Slow, silent and idle clients hold descriptors, not workers. */
#include "http/internal.h"
#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 2, SLOW = 40, HEALTHY_MS = 200, TURNS = 5, IDLE_US = 60000, PIECE_US = 5000 };

#define HELLO "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static struct http_server *server;
static int port;

static void handle(struct http_request *req, void *arg)
{
    const char *body;
    size_t len;
    int status;

    (void)arg;
    if (http_body(req, 100000, &body, &len, &status) != ST_OK) {
        http_reply(req, &(struct http_response){.status = status});
        return;
    }
    http_reply(req, &(struct http_response){
                        .status = 200, .content_type = "text/plain", .body = body, .len = len});
}

static void start(void)
{
    struct http_options options = {.bind = "127.0.0.1:0", .workers = WORKERS, .handler = handle};
    struct error err = {0};

    ck_assert_msg(http_server_start(&server, &options, &err) == ST_OK, "%s", err.message);
    port = http_server_port(server);
}

static void stop(void)
{
    http_server_stop(server);
}

static void open_all(struct client *clients, int n, const char *text)
{
    for (int i = 0; i < n; i++) {
        ck_assert(client_open(&clients[i], port));
        if (text)
            ck_assert(client_send(&clients[i], text));
    }
}

static void close_all(struct client *clients, int n)
{
    for (int i = 0; i < n; i++)
        client_done(&clients[i]);
}

static void healthy_client_is_served(void)
{
    for (int i = 0; i < 2 * WORKERS; i++) {
        int64_t start_ms = clock_mono_ms();

        ck_assert_int_eq(request_status(port, HELLO), 200);
        ck_assert_int_lt(clock_mono_ms() - start_ms, HEALTHY_MS);
    }
}

START_TEST(slow_clients_do_not_delay_a_healthy_one)
{
    static const char *const beginnings[] = {
        NULL, "G", "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na"};
    struct client clients[SLOW];

    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        open_all(clients, SLOW, beginnings[i]);
        (void)usleep(IDLE_US);
        healthy_client_is_served();
        close_all(clients, SLOW);
    }
}
END_TEST

START_TEST(idle_connections_do_not_delay_a_healthy_client)
{
    struct client clients[SLOW];
    struct answer answer = {0};

    for (int i = 0; i < SLOW; i++) {
        ck_assert(client_open(&clients[i], port));
        ck_assert(client_send(&clients[i], HELLO));
        ck_assert(client_read(&clients[i], &answer));
        ck_assert_int_eq(answer.status, 200);
    }
    healthy_client_is_served();
    answer_done(&answer);
    close_all(clients, SLOW);
}
END_TEST

START_TEST(more_connections_than_workers_are_all_served)
{
    struct client clients[SLOW];
    struct answer answer = {0};

    open_all(clients, SLOW, NULL);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < SLOW; i++)
            ck_assert(client_send(&clients[i], HELLO));
        for (int i = 0; i < SLOW; i++) {
            ck_assert_msg(client_read(&clients[i], &answer), "client %d starves", i);
            ck_assert_int_eq(answer.status, 200);
        }
    }
    answer_done(&answer);
    close_all(clients, SLOW);
}
END_TEST

START_TEST(a_connection_goes_on_after_a_pause)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"};
    static const char *const bodies[] = {"abc", "", "abcd", "ab", "ab"};
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        (void)usleep(IDLE_US); /* so long that it leaves its worker */
        ck_assert(client_send(&client, requests[i]));
        ck_assert_msg(client_read(&client, &answer), "request %zu got no answer", i);
        ck_assert_int_eq(answer.status, 200);
        ck_assert_str_eq(answer.body, bodies[i]);
    }
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(half_of_a_pipelined_request_is_not_lost_in_a_pause)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, HELLO "POST / HTTP/1.1\r\nHost: h\r\nContent-Le"));
    ck_assert(client_read(&client, &answer));
    (void)usleep(IDLE_US);
    ck_assert(client_send(&client, "ngth: 3\r\n\r\nabc"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "abc");
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_head_that_does_not_come_whole_is_answered_408)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET / HTTP/1.1\r\nHost"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 408);
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_further_request_may_come_in_pieces_but_not_for_ever)
{
    static const char *const endless[] = {
        "GET / HTTP/1.1\r\nHost", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc"};
    struct client client;
    struct answer answer = {0};

    for (size_t i = 0; i < ARRAY_SIZE(endless); i++) {
        ck_assert(client_open(&client, port));
        ck_assert(client_send(&client, HELLO));
        ck_assert(client_read(&client, &answer));
        ck_assert(client_send(&client, "POST / HTTP/1.1\r\nHo"));
        /* So that the pieces arrive apart; the answer is right if they do not, too. */
        (void)usleep(PIECE_US);
        ck_assert(client_send(&client, "st: h\r\nContent-Length: 5\r\n\r\nab"));
        (void)usleep(PIECE_US);
        ck_assert(client_send(&client, "cde"));
        ck_assert(client_read(&client, &answer));
        ck_assert_str_eq(answer.body, "abcde");
        ck_assert(client_send(&client, endless[i]));
        ck_assert(client_ended(&client, CLIENT_WAIT_MS));
        client_done(&client);
    }
    answer_done(&answer);
}
END_TEST

START_TEST(requests_sent_with_the_end_of_the_connection_are_answered)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, HELLO));
    ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(stop_closes_waiting_connections_promptly)
{
    struct client clients[SLOW];
    int64_t start_ms;

    open_all(clients, SLOW, "GET /");
    (void)usleep(IDLE_US);
    start_ms = clock_mono_ms();
    http_server_stop(server);
    ck_assert_int_lt(clock_mono_ms() - start_ms, 3000);
    for (int i = 0; i < SLOW; i++)
        ck_assert(client_ended(&clients[i], CLIENT_WAIT_MS));
    close_all(clients, SLOW);
    start();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http slow clients");
    TCase *tcase = tcase_create("front");

    http_limits.request_timeout_ms = 1500;
    http_limits.keepalive_ms = 1500;
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, slow_clients_do_not_delay_a_healthy_one);
    tcase_add_test(tcase, idle_connections_do_not_delay_a_healthy_client);
    tcase_add_test(tcase, more_connections_than_workers_are_all_served);
    tcase_add_test(tcase, a_connection_goes_on_after_a_pause);
    tcase_add_test(tcase, half_of_a_pipelined_request_is_not_lost_in_a_pause);
    tcase_add_test(tcase, a_head_that_does_not_come_whole_is_answered_408);
    tcase_add_test(tcase, a_further_request_may_come_in_pieces_but_not_for_ever);
    tcase_add_test(tcase, requests_sent_with_the_end_of_the_connection_are_answered);
    tcase_add_test(tcase, stop_closes_waiting_connections_promptly);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
