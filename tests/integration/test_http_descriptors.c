/* SPDX-License-Identifier: Apache-2.0 */
/* Running out of descriptors: refusals, no spinning, and recovery. */
#include "http/internal.h"
#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 128, CONNECTIONS = 300, CPU_MS_MAX = 400, WATCH_MS = 1000 };

#define HELLO "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define OPEN "GET /open HTTP/1.1\r\nHost: h\r\n\r\n"

static void handle(struct http_request *req, void *arg)
{
    struct http_stream *stream;

    (void)arg;
    if (strcmp(req->path, "/open") == 0 &&
        http_stream_open(req, NULL, "data: first\n\n", NULL, NULL, &stream) == ST_OK)
        return;
    http_reply(req, &(struct http_response){.status = strcmp(req->path, "/") == 0 ? 200 : 503});
}

static int64_t cpu_ms(pid_t pid)
{
    char path[64], text[1024], *p;
    unsigned long user = 0, system = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    (void)fclose(file);
    p = strrchr(text, ')'); /* field 2; 14 and 15 are the times */
    for (int field = 2; p && field < 14; field++)
        p = strchr(p + 1, ' ');
    ck_assert_ptr_nonnull(p);
    user = strtoul(p, &p, 10);
    system = strtoul(p, &p, 10);
    return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

/* A server in a process of its own with few descriptors; it uses up those that
 * are left at the word of the test, and gives them back. */
struct child {
    pid_t pid;
    int port;
    int command; /* 'e' exhaust, 'r' release; closed: stop */
    int report;
};

static void exhaust(int *held, int *n)
{
    while (*n < LIMIT && (held[*n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        (*n)++;
}

static int serve(int command, int report)
{
    struct http_options options = {
        .bind = "127.0.0.1:0", .workers = 16, .max_streams = 1000, .handler = handle};
    struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = LIMIT};
    struct http_server *server;
    struct error err = {0};
    int held[LIMIT], n = 0, port;
    char c;

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        http_server_start(&server, &options, &err) != ST_OK)
        return 1;
    port = http_server_port(server);
    if (write(report, &port, sizeof port) != sizeof port)
        return 1;
    while (read(command, &c, 1) == 1) {
        if (c == 'e')
            exhaust(held, &n);
        while (c == 'r' && n > 0)
            (void)close(held[--n]);
        if (write(report, &c, 1) != 1)
            return 1;
    }
    http_server_stop(server);
    return 0;
}

static struct child child_start(void)
{
    int command[2], report[2];
    struct child child = {0};

    ck_assert_int_eq(pipe(command), 0);
    ck_assert_int_eq(pipe(report), 0);
    child.pid = fork();
    ck_assert_int_ge(child.pid, 0);
    if (child.pid == 0) {
        (void)close(command[1]);
        (void)close(report[0]);
        _exit(serve(command[0], report[1]));
    }
    (void)close(command[0]);
    (void)close(report[1]);
    child.command = command[1];
    child.report = report[0];
    ck_assert_int_eq(read(child.report, &child.port, sizeof child.port), sizeof child.port);
    return child;
}

static void child_do(struct child *child, char c)
{
    ck_assert_int_eq(write(child->command, &c, 1), 1);
    ck_assert_int_eq(read(child->report, &c, 1), 1);
}

static void child_stop(struct child *child)
{
    int status = -1;

    (void)close(child->command);
    ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
    ck_assert_int_eq(status, 0);
    (void)close(child->report);
}

START_TEST(connections_past_the_limit_are_turned_away_without_spinning)
{
    struct child child = child_start();
    struct client clients[CONNECTIONS];
    int64_t before_ms;

    for (int i = 0; i < CONNECTIONS; i++)
        ck_assert(client_open(&clients[i], child.port));
    before_ms = cpu_ms(child.pid);
    (void)usleep(WATCH_MS * 1000); /* the measured time itself */
    ck_assert_int_lt(cpu_ms(child.pid) - before_ms, CPU_MS_MAX);
    for (int i = 0; i < CONNECTIONS; i++)
        client_done(&clients[i]);
    ck_assert_int_eq(request_status(child.port, HELLO), 200);
    child_stop(&child);
}
END_TEST

START_TEST(no_descriptor_left_at_all_neither_spins_nor_hangs_clients)
{
    struct child child = child_start();
    struct client clients[20];
    int64_t before_ms, start_ms = clock_mono_ms();

    child_do(&child, 'e');
    before_ms = cpu_ms(child.pid);
    for (int i = 0; i < 20; i++) {
        ck_assert(client_open(&clients[i], child.port));
        ck_assert_msg(client_ended(&clients[i], CLIENT_WAIT_MS), "client %d hangs", i);
        client_done(&clients[i]);
    }
    while (clock_mono_ms() < start_ms + WATCH_MS)
        (void)usleep(10000);
    ck_assert_int_lt(cpu_ms(child.pid) - before_ms, CPU_MS_MAX);
    child_do(&child, 'r');
    ck_assert_int_eq(request_status(child.port, HELLO), 200);
    child_stop(&child);
}
END_TEST

START_TEST(streams_near_the_limit_are_refused_and_requests_still_served)
{
    struct child child = child_start();
    struct client clients[CONNECTIONS];
    struct answer answer = {0};
    int refused = 0, n = 0, status;
    int64_t deadline_ms;

    while (n < CONNECTIONS && !refused) {
        ck_assert(client_open(&clients[n], child.port));
        ck_assert(client_send(&clients[n], OPEN));
        ck_assert(client_read_head(&clients[n], &answer));
        refused += answer.status == 503;
        n++;
    }
    ck_assert_int_gt(n, LIMIT / 3);
    ck_assert_int_eq(refused, 1);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(request_status(child.port, HELLO), 200);
    for (int i = 0; i < n; i++)
        client_done(&clients[i]);
    /* The server sees the streams' ends one by one, a moment later. */
    deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;
    while ((status = request_status(child.port, HELLO)) == 503 && clock_mono_ms() < deadline_ms)
        (void)usleep(10000);
    ck_assert_int_eq(status, 200);
    answer_done(&answer);
    child_stop(&child);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http descriptors");
    TCase *tcase = tcase_create("descriptors");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, connections_past_the_limit_are_turned_away_without_spinning);
    tcase_add_test(tcase, no_descriptor_left_at_all_neither_spins_nor_hangs_clients);
    tcase_add_test(tcase, streams_near_the_limit_are_refused_and_requests_still_served);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
