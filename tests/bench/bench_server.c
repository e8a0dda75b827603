/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do without the hub: civetweb that answers every POST
 * with a fixed body, or (with a libpq string) with one row read by its key. */
#include <civetweb.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_SIZE = 700, HEAD_SIZE = 256 };

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
                             "80",
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
