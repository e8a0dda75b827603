/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and stopping a listener: civetweb with every option given, and one
 * callback that takes every request before its own code sees it. */
#include "http/internal.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NUMBER_SIZE = 24, STOP_POLL_US = 5000 };

/* mg_init_library() is not thread safe; servers of one process share it. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static int library_users;

/* ---- civetweb's callbacks -------------------------------------------------- */

static void *worker_start(const struct mg_context *ctx, int thread_type)
{
    struct http_server *server = mg_get_user_data(ctx);
    struct worker *w;

    if (thread_type == 0)
        handoff_attach_master(server);
    if (thread_type != 1)
        return NULL;
    w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->server = server;
    w->ticket = -1;
    (void)pthread_cond_init(&w->seat.cond, NULL);
    handoff_attach(w);
    return w;
}

static void worker_end(const struct mg_context *ctx, int thread_type, void *pointer)
{
    struct worker *w = pointer;

    (void)ctx;
    if (thread_type != 1)
        return;
    handoff_attach(NULL);
    (void)pthread_cond_destroy(&w->seat.cond);
    free(w->in);
    free(w);
}

/* civetweb closes the ticket. */
static void connection_ends(const struct mg_connection *conn)
{
    struct worker *w = mg_get_thread_pointer(conn);
    struct http_loop *loop = atomic_load(&w->server->loop);

    w->ticket = -1;
    w->closing = false;
    if (!loop)
        return;
    if (w->guest)
        http_loop_give_guest(loop, TAKE(w->guest), true);
    http_loop_ticket_gone(loop, w);
}

static int civetweb_logs(const struct mg_connection *conn, const char *message)
{
    (void)conn;
    log_debug("civetweb: %s", message);
    return 1;
}

/* ---- start ------------------------------------------------------------------- */

static void library_enter(void)
{
    (void)pthread_mutex_lock(&library_lock);
    if (library_users++ == 0)
        (void)mg_init_library(0);
    (void)pthread_mutex_unlock(&library_lock);
}

static void library_leave(void)
{
    (void)pthread_mutex_lock(&library_lock);
    if (--library_users == 0)
        (void)mg_exit_library();
    (void)pthread_mutex_unlock(&library_lock);
}

static const char *number(char out[NUMBER_SIZE], int64_t value)
{
    (void)snprintf(out, NUMBER_SIZE, "%lld", (long long)value);
    return out;
}

static struct mg_context *listen_with(struct http_server *server, struct mg_error_data *error)
{
    static const struct mg_callbacks callbacks = {
        .begin_request = request_begin,
        .http_error = request_refused,
        .init_thread = worker_start,
        .exit_thread = worker_end,
        .connection_close = connection_ends,
        .log_message = civetweb_logs,
        /* No .log_access: with it civetweb makes a line for every request, by
         * localtime(3), which threads must not share. */
    };
    char workers[NUMBER_SIZE], keepalive[NUMBER_SIZE], timeout[NUMBER_SIZE], head[NUMBER_SIZE];
    /* clang-format off */
    const char *options[] = {
        "listening_ports", server->options.bind,
        "num_threads", number(workers, server->options.workers),
        "tcp_nodelay", "1",
        "max_request_size", number(head, HEAD_MAX),
        "connection_queue", "512",
        "listen_backlog", "1024",
        "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", number(keepalive, http_limits.keepalive_ms),
        "request_timeout_ms", number(timeout, http_limits.request_timeout_ms),
        "decode_url", "no",
        "decode_query_string", "no",
        "enable_auth_domain_check", "no",
        "enable_directory_listing", "no",
        "access_control_allow_origin", "",
        "access_control_allow_methods", "",
        "access_control_allow_headers", "",
        NULL};
    /* clang-format on */
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = server, .configuration_options = options};

    return mg_start2(&init, error);
}

static enum status listen_and_serve(struct http_server *server, struct error *err)
{
    char text[256] = "";
    unsigned code = 0;
    struct mg_error_data error = {.code = &code, .text = text, .text_buffer_size = sizeof text};
    struct mg_server_port port = {0};

    server->ctx = listen_with(server, &error);
    if (!server->ctx) {
        log_debug("civetweb: %s", text);
        return error_set(err, ST_UNAVAILABLE,
                         "cannot listen on '%s': give a free port as address:port (IPv4)",
                         server->options.bind);
    }
    if (mg_get_server_ports(server->ctx, 1, &port) == 1)
        server->port = port.port;
    return ST_OK;
}

static void server_free(struct http_server *server)
{
    http_loop_free(atomic_load(&server->loop));
    stream_loop_free(server->streams);
    trusted_free(server->trusted);
    free(server);
    library_leave();
}

enum status http_server_start(struct http_server **ret_server, const struct http_options *options,
                              struct error *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    enum status status;

    if (!server)
        return error_set(err, ST_INTERNAL, "out of memory");
    library_enter();
    handoff_prepare();
    server->options = *options;
    if (server->options.workers <= 0)
        server->options.workers = (int)http_limits.workers;
    if (server->options.max_streams <= 0)
        server->options.max_streams = (int)http_limits.max_streams;
    status = trusted_parse(http_limits.trusted_proxies, &server->trusted, err);
    if (status == ST_OK && !options->admin)
        status = stream_loop_start(&server->streams, server->options.max_streams,
                                   http_limits.sse_keepalive_ms, err);
    if (status == ST_OK) {
        status = listen_and_serve(server, err);
        if (status == ST_OK && (status = handoff_loop(server, err)) != ST_OK)
            mg_stop(server->ctx);
        if (status != ST_OK)
            stream_loop_stop(server->streams);
    }
    if (status != ST_OK) {
        server_free(server);
        return status;
    }
    *ret_server = server;
    return ST_OK;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

int64_t http_workers(void)
{
    return http_limits.workers;
}

void http_server_stats(const struct http_server *server, uint64_t *ret_streams,
                       uint64_t *ret_in_flight)
{
    *ret_streams = stream_loop_count(server->streams);
    *ret_in_flight = (uint64_t)atomic_load(&server->in_flight);
}

/* ---- stop -------------------------------------------------------------------- */

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    atomic_store(&server->stopping, true);
    http_loop_stop(atomic_load(&server->loop));
    stream_loop_stop(server->streams);
    while (atomic_load(&server->in_flight) > 0)
        (void)usleep(STOP_POLL_US);
    http_loop_end(atomic_load(&server->loop));
    mg_stop(server->ctx);
    server_free(server);
}
