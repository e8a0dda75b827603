/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams: within a call, and idle ones that hold no worker. */
#include "base/clock.h"
#include "http/internal.h"
#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <dirent.h>
#include <malloc.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 2, MANY = 5000, SMALL_MAX = 3, STREAM_BYTES_MAX = 2048, WRITERS = 4 };

#define OPEN "GET /open HTTP/1.1\r\nHost: h\r\n\r\n"
#define HELLO "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

static struct http_server *server;
static int port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct http_stream *opened; /* the last one; NULL once closed */
static int n_opened, n_closed, n_cancelled;
static sem_t entered, go;

static void on_close(struct http_stream *stream, void *arg)
{
    (void)pthread_mutex_lock(&lock);
    ck_assert_ptr_eq(arg, &opened);
    if (opened == stream)
        opened = NULL;
    n_closed++;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static void handle_open(struct http_request *req)
{
    struct http_stream *stream;
    const char *body;
    size_t len;
    int status;

    (void)pthread_mutex_lock(&lock);
    if (http_body(req, 100, &body, &len, &status) == ST_OK &&
        http_stream_open(req, "X-Own: 1\r\n", "data: first\n\n", on_close, &opened, &stream) ==
            ST_OK) {
        opened = stream;
        n_opened++;
        (void)pthread_cond_broadcast(&changed);
    } else {
        http_reply(req, &(struct http_response){.status = 503});
    }
    (void)pthread_mutex_unlock(&lock);
}

static void handle_progress(struct http_request *req)
{
    enum status status = http_sse_begin(req, NULL);
    const char text[] = "{\"a\":1}";
    int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;

    if (status == ST_OK)
        status = http_sse_event(req, "7", text, sizeof text - 1);
    if (status == ST_OK)
        status = http_sse_event(req, NULL, "two\nlines", 9);
    if (status == ST_OK)
        status = http_sse_comment(req);
    if (strcmp(req->query, "stay") == 0)
        while (status == ST_OK && clock_mono_ms() < deadline_ms) {
            (void)usleep(2000);
            status = http_sse_comment(req);
        }
    http_sse_end(req);
    (void)pthread_mutex_lock(&lock);
    n_cancelled += status == ST_CANCELLED;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static void handle(struct http_request *req, void *arg)
{
    (void)arg;
    if (strcmp(req->path, "/open") == 0) {
        handle_open(req);
        return;
    }
    if (strcmp(req->path, "/progress") == 0) {
        handle_progress(req);
        return;
    }
    if (strcmp(req->path, "/wait") == 0) {
        (void)sem_post(&entered);
        while (sem_wait(&go) != 0)
            continue;
    }
    if (strcmp(req->path, "/gone") == 0) {
        int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;

        ck_assert(!http_client_gone(req));
        (void)sem_post(&entered);
        while (!http_client_gone(req) && clock_mono_ms() < deadline_ms)
            (void)usleep(2000);
        if (http_client_gone(req))
            (void)sem_post(&entered);
    }
    http_reply(req, &(struct http_response){.status = 200});
}

static void start_with(int max_streams)
{
    struct http_options options = {
        .bind = "127.0.0.1:0", .workers = WORKERS, .max_streams = max_streams, .handler = handle};
    struct error err = {0};

    ck_assert_msg(http_server_start(&server, &options, &err) == ST_OK, "%s", err.message);
    port = http_server_port(server);
}

static void start(void)
{
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&go, 0, 0);
    start_with(MANY + 10);
}

static void stop(void)
{
    http_server_stop(server);
}

/* Waits until *counter is value. */
static void wait_for(const int *counter, int value)
{
    struct timespec until = clock_in_ms(CLIENT_WAIT_MS);

    (void)pthread_mutex_lock(&lock);
    while (*counter < value && pthread_cond_timedwait(&changed, &lock, &until) == 0)
        continue;
    ck_assert_int_eq(*counter, value);
    (void)pthread_mutex_unlock(&lock);
}

static uint64_t streams(void)
{
    uint64_t n, in_flight;

    http_server_stats(server, &n, &in_flight);
    return n;
}

static void wait_streams(uint64_t want)
{
    int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;

    while (streams() != want && clock_mono_ms() < deadline_ms)
        (void)usleep(1000);
    ck_assert_uint_eq(streams(), want);
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

static void open_stream(struct client *client)
{
    ck_assert(client_open(client, port));
    ck_assert(client_send(client, OPEN));
    ck_assert(client_expect(client, "data: first\n\n", CLIENT_WAIT_MS));
}

START_TEST(a_stream_begins_with_its_head_and_first_text)
{
    struct client client;
    struct answer answer = {0};
    char value[64];

    ck_assert(client_open(&client, port));
    ck_assert(
        client_send(&client, "POST /open HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"));
    ck_assert(client_read_head(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert(answer_header(&answer, "Content-Type", value, sizeof value));
    ck_assert_str_eq(value, "text/event-stream");
    ck_assert(answer_header(&answer, "X-Accel-Buffering", value, sizeof value));
    ck_assert_str_eq(value, "no");
    ck_assert(answer_header(&answer, "Cache-Control", value, sizeof value));
    ck_assert_str_eq(value, "no-cache, no-transform");
    ck_assert(answer_header(&answer, "X-Own", value, sizeof value));
    ck_assert(!answer_header(&answer, "Content-Length", value, sizeof value));
    ck_assert(client_expect(&client, "data: first\n\n", CLIENT_WAIT_MS));
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(texts_reach_the_client_and_the_end_comes_last)
{
    struct client client;

    open_stream(&client);
    wait_for(&n_opened, 1);
    http_stream_send(opened, "data: a\n\n", 9);
    ck_assert(client_expect(&client, "data: a\n\n", CLIENT_WAIT_MS));
    http_stream_end(opened, "data: bye\n\n", 11);
    ck_assert(client_expect(&client, "data: bye\n\n", CLIENT_WAIT_MS));
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    wait_for(&n_closed, 1);
    wait_streams(0);
    client_done(&client);
}
END_TEST

START_TEST(idle_streams_get_pings)
{
    struct client client;

    http_server_stop(server);
    http_limits.sse_keepalive_ms = 100;
    start_with(10);
    open_stream(&client);
    for (int i = 0; i < 3; i++)
        ck_assert(client_expect(&client, ": ping\n\n", 2000));
    client_done(&client);
}
END_TEST

START_TEST(a_client_that_leaves_frees_its_stream_and_descriptors)
{
    struct client clients[100];
    int before = open_descriptors();

    for (int i = 0; i < 100; i++)
        open_stream(&clients[i]);
    wait_streams(100);
    for (int i = 0; i < 100; i++)
        client_done(&clients[i]);
    wait_for(&n_closed, 100);
    wait_streams(0);
    for (int i = 0; i < 1000 && open_descriptors() != before; i++)
        (void)usleep(1000); /* civetweb may still be closing the stand-ins */
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(what_a_client_sends_on_a_stream_is_dropped)
{
    struct client client;

    open_stream(&client);
    wait_for(&n_opened, 1);
    ck_assert(client_send(&client, HELLO));
    http_stream_send(opened, "data: x\n\n", 9);
    ck_assert(client_expect(&client, "data: x\n\n", CLIENT_WAIT_MS));
    ck_assert(!client_expect(&client, "HTTP/1.1", 100));
    client_done(&client);
    wait_for(&n_closed, 1);
}
END_TEST

static long resident_kib(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    long kib = 0;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    (void)fclose(file);
    return kib;
}

START_TEST(thousands_of_idle_streams_hold_no_worker_and_little_memory)
{
    struct client *clients = calloc(MANY, sizeof *clients);
    int64_t start_ms = clock_mono_ms();
    size_t heap;
    long rss;

    ck_assert_ptr_nonnull(clients);
    ck_assert_int_eq(request_status(port, HELLO), 200);
    heap = mallinfo2().uordblks;
    rss = resident_kib();
    for (int i = 0; i < MANY; i++) {
        ck_assert(client_open(&clients[i], port));
        ck_assert(client_send(&clients[i], OPEN));
    }
    wait_for(&n_opened, MANY);
    wait_streams(MANY);
    heap = mallinfo2().uordblks - heap;
    rss = resident_kib() - rss;
    (void)printf("%d streams opened in %d ms: %zu bytes of heap, %ld bytes resident a stream\n",
                 MANY, (int)(clock_mono_ms() - start_ms), heap / MANY, rss * 1024 / MANY);
    ck_assert_uint_lt(heap / MANY, STREAM_BYTES_MAX);
    for (int i = 0; i < 2 * WORKERS; i++)
        ck_assert_int_eq(request_status(port, HELLO), 200);
    for (int i = 0; i < MANY; i++)
        client_done(&clients[i]);
    wait_streams(0);
    free(clients);
}
END_TEST

START_TEST(a_client_that_does_not_read_is_cut_off)
{
    struct client client;
    char text[8192];
    int small = 4096;
    int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;

    memset(text, 'x', sizeof text);
    ck_assert(client_open(&client, port));
    (void)setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert(client_send(&client, OPEN));
    wait_for(&n_opened, 1);
    for (bool open = true; open && clock_mono_ms() < deadline_ms;) {
        (void)pthread_mutex_lock(&lock);
        open = opened != NULL;
        if (open) /* on_close takes the lock, so the handle stays valid */
            http_stream_send(opened, text, sizeof text);
        (void)pthread_mutex_unlock(&lock);
    }
    wait_for(&n_closed, 1);
    client_done(&client);
}
END_TEST

START_TEST(a_slow_reader_within_the_limit_gets_everything)
{
    struct client client;
    int small = 4096;
    char line[64];

    ck_assert(client_open(&client, port));
    (void)setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert(client_send(&client, OPEN));
    wait_for(&n_opened, 1);
    for (int i = 0; i < 4000; i++) {
        int n = snprintf(line, sizeof line, "data: a rather short event %d\n\n", i);

        http_stream_send(opened, line, (size_t)n);
    }
    http_stream_end(opened, NULL, 0);
    for (int i = 0; i < 4000; i += 7) {
        (void)snprintf(line, sizeof line, "data: a rather short event %d\n\n", i);
        ck_assert_msg(client_expect(&client, line, CLIENT_WAIT_MS), "lost %s", line);
    }
    ck_assert(client_expect(&client, "event 3999\n\n", CLIENT_WAIT_MS));
    ck_assert(client_ended(&client, CLIENT_WAIT_MS));
    wait_for(&n_closed, 1);
    client_done(&client);
}
END_TEST

static void *write_events(void *arg)
{
    (void)arg;
    for (int i = 0; i < 500; i++)
        http_stream_send(opened, "data: 0123456789\n\n", 18);
    return NULL;
}

START_TEST(texts_of_several_threads_do_not_mix)
{
    pthread_t threads[WRITERS];
    struct client client;

    open_stream(&client);
    wait_for(&n_opened, 1);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_events, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < WRITERS * 500; i++) {
        while (client.in.len < 18) {
            char byte;

            ck_assert_int_eq(recvfrom(client.fd, &byte, 1, 0, NULL, NULL), 1);
            strbuf_char(&client.in, byte);
        }
        ck_assert_int_eq(strncmp(client.in.data, "data: 0123456789\n\n", 18), 0);
        client.in.len -= 18;
        memmove(client.in.data, client.in.data + 18, client.in.len + 1);
    }
    client_done(&client);
}
END_TEST

START_TEST(streams_past_the_limit_are_refused_and_the_connection_kept)
{
    struct client clients[SMALL_MAX], client;
    struct answer answer = {0};

    http_server_stop(server);
    start_with(SMALL_MAX);
    for (int i = 0; i < SMALL_MAX; i++)
        open_stream(&clients[i]);
    ck_assert(client_open(&client, port));
    for (int i = 0; i < 2; i++) {
        ck_assert(client_send(&client, OPEN));
        ck_assert(client_read(&client, &answer));
        ck_assert_int_eq(answer.status, 503);
    }
    client_done(&clients[0]);
    wait_for(&n_closed, 1);
    wait_streams(SMALL_MAX - 1);
    ck_assert(client_send(&client, OPEN));
    ck_assert(client_read_head(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    answer_done(&answer);
    client_done(&client);
    for (int i = 1; i < SMALL_MAX; i++)
        client_done(&clients[i]);
}
END_TEST

START_TEST(stop_ends_streams_with_on_close_promptly)
{
    struct client clients[50];
    int64_t start_ms;

    for (int i = 0; i < 50; i++)
        open_stream(&clients[i]);
    wait_streams(50); /* the answer begins a little before */
    start_ms = clock_mono_ms();
    http_server_stop(server);
    ck_assert_int_lt(clock_mono_ms() - start_ms, 3000);
    ck_assert_int_eq(n_closed, 50);
    for (int i = 0; i < 50; i++) {
        ck_assert(client_ended(&clients[i], CLIENT_WAIT_MS));
        client_done(&clients[i]);
    }
    start_with(10);
}
END_TEST

static void *stop_thread(void *arg)
{
    (void)arg;
    http_server_stop(server);
    return NULL;
}

START_TEST(stop_lets_running_requests_finish_and_takes_no_more)
{
    struct client client, idle;
    struct answer answer = {0};
    pthread_t thread;
    char value[32];
    int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;

    ck_assert(client_open(&idle, port));
    ck_assert(client_send(&idle, HELLO));
    ck_assert(client_read(&idle, &answer));
    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert_int_eq(sem_wait(&entered), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_thread, NULL), 0);
    ck_assert(client_ended(&idle, CLIENT_WAIT_MS));
    while (request_status(port, HELLO) == 200 && clock_mono_ms() < deadline_ms)
        continue;
    ck_assert_int_le(request_status(port, HELLO), 0);
    (void)sem_post(&go);
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert(answer_header(&answer, "Connection", value, sizeof value));
    ck_assert_str_eq(value, "close");
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    answer_done(&answer);
    client_done(&client);
    client_done(&idle);
    start_with(10);
}
END_TEST

START_TEST(a_call_can_stream_events_before_it_returns)
{
    struct client client;
    struct answer answer = {0};

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /progress HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_read(&client, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "id: 7\ndata: {\"a\":1}\n\ndata: two\ndata: lines\n\n: ping\n\n");
    answer_done(&answer);
    client_done(&client);
}
END_TEST

START_TEST(a_streaming_call_hears_that_its_client_left)
{
    struct client client;

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /progress?stay HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert(client_expect(&client, ": ping\n\n", CLIENT_WAIT_MS));
    client_done(&client);
    wait_for(&n_cancelled, 1);
}
END_TEST

START_TEST(a_waiting_call_hears_that_its_client_left)
{
    struct client client;

    ck_assert(client_open(&client, port));
    ck_assert(client_send(&client, "GET /gone HTTP/1.1\r\nHost: h\r\n\r\n"));
    ck_assert_int_eq(sem_wait(&entered), 0);
    client_done(&client);
    ck_assert_int_eq(sem_wait(&entered), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http streams");
    TCase *tcase = tcase_create("streams");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_stream_begins_with_its_head_and_first_text);
    tcase_add_test(tcase, texts_reach_the_client_and_the_end_comes_last);
    tcase_add_test(tcase, idle_streams_get_pings);
    tcase_add_test(tcase, a_client_that_leaves_frees_its_stream_and_descriptors);
    tcase_add_test(tcase, what_a_client_sends_on_a_stream_is_dropped);
    tcase_add_test(tcase, thousands_of_idle_streams_hold_no_worker_and_little_memory);
    tcase_add_test(tcase, a_client_that_does_not_read_is_cut_off);
    tcase_add_test(tcase, a_slow_reader_within_the_limit_gets_everything);
    tcase_add_test(tcase, texts_of_several_threads_do_not_mix);
    tcase_add_test(tcase, streams_past_the_limit_are_refused_and_the_connection_kept);
    tcase_add_test(tcase, stop_ends_streams_with_on_close_promptly);
    tcase_add_test(tcase, stop_lets_running_requests_finish_and_takes_no_more);
    tcase_add_test(tcase, a_call_can_stream_events_before_it_returns);
    tcase_add_test(tcase, a_streaming_call_hears_that_its_client_left);
    tcase_add_test(tcase, a_waiting_call_hears_that_its_client_left);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
