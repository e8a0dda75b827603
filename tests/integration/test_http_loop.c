/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait: at the loop without a thread, or on their own thread without
 * holding up others. */
#include "base/fiber.h"
#include "http/internal.h"
#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 8, PATIENCE_MS = 5000, SHORT_MS = 300, ROUNDS = 50 };

#define HELLO "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static struct http_server *server;
static int port;
static int event_fd; /* waited for, and counted down, by /waits */
static sem_t blocked;
static atomic_int n_waiting, n_timed_out, n_blocked;

static void wait_at_loop(int64_t until_ms)
{
    struct fiber *fiber;
    int fd = dup(event_fd); /* one watches a descriptor */
    uint64_t count;

    fiber_let_wait(true);
    fiber = fiber_that_waits();
    ck_assert_ptr_nonnull(fiber);
    (void)atomic_fetch_add(&n_waiting, 1);
    while (clock_mono_ms() < until_ms && read(fd, &count, sizeof count) != sizeof count) {
        ck_assert(fiber_watch(fiber, fd, POLLIN));
        fiber_wait(fiber, until_ms);
    }
    (void)atomic_fetch_sub(&n_waiting, 1);
    fiber_let_wait(false);
    (void)close(fd);
}

static void handle(struct http_request *req, void *arg)
{
    const char *body, *answer = "well";
    size_t len;
    int status;

    (void)arg;
    if (http_body(req, 1000, &body, &len, &status) != ST_OK) {
        http_reply(req, &(struct http_response){.status = status, .close = true});
        return;
    }
    ck_assert_str_ne(req->path, "/stolen");
    if (strcmp(req->path, "/waits") == 0) {
        wait_at_loop(clock_mono_ms() + PATIENCE_MS);
        answer =
            arena_printf(req->arena, "%s %s %s", http_header(req, "X-Name"), req->query, req->peer);
    } else if (strcmp(req->path, "/briefly") == 0) {
        wait_at_loop(clock_mono_ms() + SHORT_MS);
        (void)atomic_fetch_add(&n_timed_out, 1);
    } else if (strcmp(req->path, "/blocks") == 0) {
        fiber_blocks();
        (void)atomic_fetch_add(&n_blocked, 1);
        (void)sem_wait(&blocked);
    } else if (strcmp(req->path, "/blocks-unsaid") == 0) {
        (void)sem_wait(&blocked);
    }
    http_reply(req, &(struct http_response){.status = 200,
                                            .content_type = "text/plain",
                                            .body = answer,
                                            .len = strlen(answer)});
}

static void start_server(void)
{
    struct http_options options = {.bind = "127.0.0.1:0", .workers = WORKERS, .handler = handle};
    struct error err = {0};

    ck_assert_msg(http_server_start(&server, &options, &err) == ST_OK, "%s", err.message);
    port = http_server_port(server);
}

static void start(void)
{
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    ck_assert_int_eq(sem_init(&blocked, 0, 0), 0);
    start_server();
}

static void stop(void)
{
    http_server_stop(server);
    (void)close(event_fd);
}

static void let_go(int n)
{
    uint64_t count = (uint64_t)n;

    ck_assert_int_eq(write(event_fd, &count, sizeof count), sizeof count);
}

static void wait_for(atomic_int *value, int wanted)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    while (atomic_load(value) != wanted && clock_mono_ms() < until_ms)
        (void)usleep(1000); /* between two looks, up to the deadline */
    ck_assert_int_eq(atomic_load(value), wanted);
}

static void ask(struct client *client, int number)
{
    char request[128];

    (void)snprintf(request, sizeof request,
                   "GET /waits?q%d HTTP/1.1\r\nHost: h\r\nX-Name: n%d\r\n\r\n", number, number);
    ck_assert(client_send(client, request));
}

static void read_answer(struct client *client, int number)
{
    struct answer answer = {0};
    char wanted[64];

    (void)snprintf(wanted, sizeof wanted, "n%d q%d 127.0.0.1", number, number);
    ck_assert(client_read(client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, wanted);
    answer_done(&answer);
}

START_TEST(requests_that_wait_each_get_their_own_answer_and_hold_no_other_up)
{
    struct client clients[WORKERS - 1];

    for (int i = 0; i < WORKERS - 1; i++)
        ck_assert(client_open(&clients[i], port));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WORKERS - 1; i++)
            ask(&clients[i], round * WORKERS + i);
        wait_for(&n_waiting, WORKERS - 1);
        ck_assert_int_eq(request_status(port, HELLO), 200);
        let_go(WORKERS - 1);
        for (int i = 0; i < WORKERS - 1; i++)
            read_answer(&clients[i], round * WORKERS + i);
    }
    for (int i = 0; i < WORKERS - 1; i++)
        client_done(&clients[i]);
}
END_TEST

START_TEST(as_many_run_as_there_are_workers_and_the_rest_waits_its_turn)
{
    struct client clients[2 * WORKERS];

    for (int i = 0; i < 2 * WORKERS; i++) {
        ck_assert(client_open(&clients[i], port));
        ask(&clients[i], i);
    }
    wait_for(&n_waiting, WORKERS);
    (void)usleep(50000); /* that none begins has no event: time in which one would have */
    ck_assert_int_eq(atomic_load(&n_waiting), WORKERS);
    let_go(2 * WORKERS);
    for (int i = 0; i < 2 * WORKERS; i++) {
        read_answer(&clients[i], i);
        client_done(&clients[i]);
    }
}
END_TEST

START_TEST(a_wait_ends_at_its_time)
{
    int64_t start_ms = clock_mono_ms();

    ck_assert_int_eq(request_status(port, "GET /briefly HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    ck_assert_int_ge(clock_mono_ms() - start_ms, SHORT_MS);
    ck_assert_int_eq(atomic_load(&n_timed_out), 1);
}
END_TEST

/* All workers but one are made to wait, for which each leaves its seat or loses it. */
static void others_are_served(const char *request)
{
    struct client clients[WORKERS - 1];
    struct answer answer = {0};

    for (int i = 0; i < WORKERS - 1; i++) {
        ck_assert(client_open(&clients[i], port));
        ck_assert(client_send(&clients[i], request));
    }
    for (int i = 0; i < ROUNDS; i++)
        ck_assert_int_eq(request_status(port, HELLO), 200);
    for (int i = 0; i < WORKERS - 1; i++)
        ck_assert_int_eq(sem_post(&blocked), 0);
    for (int i = 0; i < WORKERS - 1; i++) {
        ck_assert(client_read(&clients[i], &answer));
        ck_assert_int_eq(answer.status, 200);
        client_done(&clients[i]);
    }
    answer_done(&answer);
}

START_TEST(handlers_that_block_hold_no_other_up)
{
    others_are_served("GET /blocks HTTP/1.1\r\nHost: h\r\n\r\n");
}
END_TEST

START_TEST(handlers_that_block_without_a_word_hold_others_up_for_moments_only)
{
    others_are_served("GET /blocks-unsaid HTTP/1.1\r\nHost: h\r\n\r\n");
}
END_TEST

START_TEST(requests_behind_one_that_waits_are_answered_after_it)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ask(&client, 1);
    ck_assert(client_send(&client, HELLO HELLO "GET / HT"));
    wait_for(&n_waiting, 1);
    let_go(1);
    read_answer(&client, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert(client_read(&client, &answer));
        ck_assert_str_eq(answer.body, "well");
    }
    ck_assert(client_send(&client, "TP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert_str_eq(answer.body, "well");
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_client_that_leaves_while_its_request_waits_leaves_nothing_behind)
{
    struct client client;

    for (int i = 0; i < ROUNDS; i++) {
        ck_assert(client_open(&client, port));
        ask(&client, i);
        wait_for(&n_waiting, 1);
        client_done(&client);
        let_go(1);
        wait_for(&n_waiting, 0);
    }
    ck_assert_int_eq(request_status(port, HELLO), 200);
}
END_TEST

/* What one connection leaves behind in a worker must not reach another. */
START_TEST(what_is_left_of_a_refused_request_is_no_part_of_anothers)
{
    CLEANUP(strbuf_done) struct strbuf many = STRBUF_INIT;
    const char *const requests[] = {
        NULL, /* more headers than civetweb takes, the length among the rest */
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 40\r\n\r\n"
        "abcGET /stolen HTTP/1.1\r\nHost: h\r\n\r\n ",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /stolen HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;x\r\nabc\r\n0\r\nX: y\r\n\r\nGET /stolen HTTP/1.1\r\n",
        "\r\n\r\nGET /stolen HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost : h\r\nContent-Length: 9\r\n\r\nGET /s HT",
    };

    strbuf_str(&many, "POST / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 80; i++)
        strbuf_printf(&many, "X-%d: y\r\n", i);
    strbuf_str(&many, "Content-Length: 36\r\n\r\nGET /stolen HTTP/1.1\r\nX: 0123456789\r\n");
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
            struct client client;

            ck_assert(client_open(&client, port));
            ck_assert(client_send(&client, requests[i] ? requests[i] : strbuf_cstr(&many)));
            (void)client_ended(&client, round % 2 ? 50 : CLIENT_WAIT_MS);
            client_done(&client);
            for (int n = 0; n < WORKERS; n++)
                ck_assert_msg(request_status(port, HELLO) == 200, "after request %zu", i);
        }
}
END_TEST

START_TEST(a_request_that_waits_for_a_worker_is_not_given_up)
{
    struct client holders[WORKERS], client;
    struct answer answer = {0};

    http_server_stop(server);
    http_limits.request_timeout_ms = 200;
    start_server();
    for (int i = 0; i < WORKERS; i++) {
        ck_assert(client_open(&holders[i], port));
        ck_assert(client_send(&holders[i], "GET /blocks HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    wait_for(&n_blocked, WORKERS);
    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, HELLO));
    ck_assert(!client_ended(&client, 5 * 200));
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(sem_post(&blocked), 0);
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    answer_done(&answer);
    client_done(&client);
    for (int i = 0; i < WORKERS; i++)
        client_done(&holders[i]);
}
END_TEST

static void *stop_server(void *arg)
{
    http_server_stop(server);
    return arg;
}

START_TEST(a_stop_lets_requests_that_wait_finish)
{
    struct client client;
    pthread_t stopping;

    ck_assert(client_open(&client, port));
    ask(&client, 7);
    wait_for(&n_waiting, 1);
    ck_assert_int_eq(pthread_create(&stopping, NULL, stop_server, NULL), 0);
    let_go(1);
    read_answer(&client, 7);
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    client_done(&client);
    ck_assert_int_eq(pthread_join(stopping, NULL), 0);
    start(); /* for the fixture */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http loop");
    TCase *tcase = tcase_create("loop");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, requests_that_wait_each_get_their_own_answer_and_hold_no_other_up);
    tcase_add_test(tcase, as_many_run_as_there_are_workers_and_the_rest_waits_its_turn);
    tcase_add_test(tcase, a_wait_ends_at_its_time);
    tcase_add_test(tcase, handlers_that_block_hold_no_other_up);
    tcase_add_test(tcase, handlers_that_block_without_a_word_hold_others_up_for_moments_only);
    tcase_add_test(tcase, requests_behind_one_that_waits_are_answered_after_it);
    tcase_add_test(tcase, a_client_that_leaves_while_its_request_waits_leaves_nothing_behind);
    tcase_add_test(tcase, what_is_left_of_a_refused_request_is_no_part_of_anothers);
    tcase_add_test(tcase, a_request_that_waits_for_a_worker_is_not_given_up);
    tcase_add_test(tcase, a_stop_lets_requests_that_wait_finish);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
