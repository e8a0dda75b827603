/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do without the hub: civetweb that answers every POST
 * with a fixed body, (with a libpq string) with one row read by its key, or
 * (--mcp) as an MCP server with a tool that echoes; --stdio is that server over
 * pipes. */
#include "echo.h"

#include <civetweb.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_SIZE = 700, HEAD_SIZE = 256, MCP_PIECE = 4096 };

static const char *pg_url;
static const char *row_id;
static char fixed[BODY_SIZE + 1];

/* One connection per worker, prepared once. */
static _Thread_local PGconn *conn;

static PGconn *worker_conn(void)
{
    if (!conn) {
        conn = PQconnectdb(pg_url);
        PQclear(PQprepare(conn, "get",
                          "select id, name, description, version, category, author, asset_path, "
                          "array_to_string(tags, ','), created_at::text, updated_at::text "
                          "from catalog.skill where id = $1",
                          1, NULL));
    }
    return conn;
}

static size_t row_body(char *body, size_t size)
{
    PGresult *result = PQexecPrepared(worker_conn(), "get", 1, &row_id, NULL, NULL, 0);
    size_t len = 0;

    for (int i = 0; PQntuples(result) == 1 && i < PQnfields(result); i++)
        len += (size_t)snprintf(body + len, size - len, "%.100s|", PQgetvalue(result, 0, i));
    PQclear(result);
    return len;
}

/* Of a worker; what it holds is kept for the next request. */
static _Thread_local struct scratch {
    struct arena arena;
    struct strbuf in, out;
} * scratch;

static struct scratch *worker_scratch(void)
{
    if (!scratch)
        scratch = calloc(1, sizeof(*scratch));
    if (!scratch)
        abort();
    arena_reset(&scratch->arena);
    strbuf_clear(&scratch->in);
    strbuf_clear(&scratch->out);
    return scratch;
}

/* The head is written last, into the room left for it, so that one write sends all. */
static int answer_mcp(struct mg_connection *c)
{
    const struct mg_request_info *info = mg_get_request_info(c);
    bool post = strcmp(info->request_method, "POST") == 0;
    struct scratch *s = worker_scratch();
    char head[HEAD_SIZE];
    int n, len;

    do {
        strbuf_reserve(&s->in, MCP_PIECE);
        n = mg_read(c, s->in.data + s->in.len, MCP_PIECE);
        s->in.len += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    memset(head, ' ', sizeof(head));
    strbuf_add(&s->out, head, sizeof(head));
    if (post)
        echo_answer(&s->arena, s->in.data, s->in.len, &s->out);
    len = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n",
                   !post                        ? "405 Method Not Allowed"
                   : s->out.len == sizeof(head) ? "202 Accepted"
                                                : "200 OK",
                   s->out.len > sizeof(head) ? "Content-Type: application/json\r\n" : "",
                   s->out.len - sizeof(head));
    memcpy(s->out.data + sizeof(head) - len, head, (size_t)len);
    (void)mg_write(c, s->out.data + sizeof(head) - len, s->out.len - sizeof(head) + (size_t)len);
    return 200;
}

static int answer(struct mg_connection *c)
{
    char sink[1024], out[HEAD_SIZE + 2048];
    char body[2048];
    size_t len = BODY_SIZE;
    int head;

    while (mg_read(c, sink, sizeof sink) > 0)
        ;
    if (pg_url)
        len = row_body(body, sizeof body);
    head = snprintf(out, HEAD_SIZE,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    len);
    memcpy(out + head, pg_url ? body : fixed, len);
    (void)mg_write(c, out, (size_t)head + len);
    return 200;
}

int main(int argc, char **argv)
{
    struct mg_callbacks callbacks = {.begin_request = answer};
    const char *options[] = {"listening_ports",
                             argc > 1 ? argv[1] : "127.0.0.1:0",
                             "num_threads",
                             "400", /* callers' connections and what gateways keep */
                             "tcp_nodelay",
                             "1",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "10000",
                             "request_timeout_ms",
                             "10000",
                             NULL};
    struct mg_server_port port;
    struct mg_context *ctx;
    sigset_t set;
    int sig;

    if (argc > 1 && strcmp(argv[1], "--stdio") == 0)
        return echo_stdio();
    if (argc > 2 && strcmp(argv[2], "--mcp") == 0)
        callbacks.begin_request = answer_mcp;
    pg_url = argc > 3 ? argv[2] : NULL;
    row_id = argc > 3 ? argv[3] : NULL;
    memset(fixed, 'x', BODY_SIZE);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)mg_init_library(0);
    ctx = mg_start(&callbacks, NULL, options);
    if (!ctx || mg_get_server_ports(ctx, 1, &port) != 1)
        return EXIT_FAILURE;
    (void)printf("%d\n", port.port);
    (void)fflush(stdout);
    (void)sigwait(&set, &sig);
    mg_stop(ctx);
    return EXIT_SUCCESS;
}
