/* SPDX-License-Identifier: Apache-2.0 */
/* What idle clients cost the gateway: streams, sessions, connections, and
 * clients that never finish a request. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_S = 10 };

static int dial(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool say(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Whether the answer's beginning holds the words. */
static bool hears(int fd, const char *words)
{
    char answer[2048];
    size_t len = 0;
    ssize_t n;

    while (len + 1 < sizeof answer &&
           (n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0) {
        len += (size_t)n;
        answer[len] = '\0';
        if (strstr(answer, words))
            return true;
    }
    return false;
}

static void close_all(const int *fds, int n)
{
    for (int i = 0; i < n; i++)
        (void)close(fds[i]);
}

static void raise_files(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static const char *post(struct arena *arena, const struct bench_stack *stack, const char *headers,
                        const char *body)
{
    return arena_printf(arena,
                        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nx-api-key: %s\r\n"
                        "Content-Type: application/json\r\n"
                        "Accept: application/json, text/event-stream\r\n%sContent-Length: %zu\r\n"
                        "\r\n%s",
                        stack->port, stack->key, headers, strlen(body), body);
}

#define ENVELOPE                                                                                   \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

/* Opens up to n connections that each said text and heard words. */
static int open_many(const struct bench_stack *stack, int n, const char *text, const char *words,
                     int *fds)
{
    int opened = 0;

    raise_files();
    while (opened < n) {
        int fd = dial(stack->port);

        if (fd < 0)
            break;
        if (!say(fd, text) || (words && !hears(fd, words))) {
            (void)close(fd);
            break;
        }
        fds[opened++] = fd;
    }
    return opened;
}

enum status bench_streams(struct arena *arena, const struct bench_stack *stack, int n,
                          double *ret_bytes, int *ret_opened, struct error *err)
{
    const char *text = post(
        arena, stack, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"w\",\"method\":\"subscriptions/listen\",\"params\":{"
        "\"notifications\":{\"toolsListChanged\":true}," ENVELOPE "}}");
    int *fds = arena_alloc(arena, (size_t)n * sizeof *fds);
    pid_t gateway = bench_pid(stack, "gateway");
    long before = bench_rss_kib(gateway);

    *ret_opened = open_many(stack, n, text, "subscriptions/acknowledged", fds);
    *ret_bytes =
        *ret_opened ? (double)(bench_rss_kib(gateway) - before) * 1024 / (double)*ret_opened : 0;
    close_all(fds, *ret_opened);
    if (*ret_opened < n)
        return error_set(err, ST_RESOURCE_EXHAUSTED, "only %d of %d streams opened", *ret_opened,
                         n);
    return ST_OK;
}

enum status bench_sessions(struct arena *arena, const struct bench_stack *stack, int n,
                           double *ret_bytes, struct error *err)
{
    const char *text = post(arena, stack, "",
                            "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                            "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
                            "\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}");
    pid_t gateway = bench_pid(stack, "gateway");
    long before = bench_rss_kib(gateway);
    int fd = dial(stack->port);
    int made = 0;

    /* One connection, one initialize after another. */
    while (fd >= 0 && made < n && say(fd, text) && hears(fd, "\"serverInfo\""))
        made++;
    if (fd >= 0)
        (void)close(fd);
    *ret_bytes = made ? (double)(bench_rss_kib(gateway) - before) * 1024 / made : 0;
    if (made < n)
        return error_set(err, ST_RESOURCE_EXHAUSTED, "only %d of %d sessions made", made, n);
    return ST_OK;
}

enum status bench_clients(struct arena *arena, const struct bench_stack *stack, int n,
                          long *ret_kib, struct error *err)
{
    const char *text =
        post(arena, stack, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\n",
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\","
             "\"params\":{" ENVELOPE "}}");
    int *fds = arena_alloc(arena, (size_t)n * sizeof *fds);
    int opened = open_many(stack, n, text, "supportedVersions", fds);

    *ret_kib = bench_rss_kib(bench_pid(stack, "gateway"));
    close_all(fds, opened);
    if (opened < n)
        return error_set(err, ST_RESOURCE_EXHAUSTED, "only %d of %d clients were served", opened,
                         n);
    return ST_OK;
}

enum status bench_slow_clients(struct arena *arena, const struct bench_stack *stack, int n,
                               int seconds, struct bench_load *ret_load, struct error *err)
{
    struct bench_target target = bench_get_skill(stack->url, stack->key, NULL);
    int *fds = arena_alloc(arena, (size_t)n * sizeof *fds);
    int opened = open_many(stack, n, "POST /mcp HTTP/1.1\r\nHost: 127.", NULL, fds);
    enum status st = bench_try(arena, &target, 1, seconds, ret_load, err);

    close_all(fds, opened);
    if (st == ST_OK && opened < n)
        return error_set(err, ST_RESOURCE_EXHAUSTED, "only %d of %d slow clients connected", opened,
                         n);
    return st;
}
