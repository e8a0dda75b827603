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
    w->fd = -1;
    arena_init(&w->arena);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_mutex_lock(&server->lock);
    w->next = server->workers;
    if (w->next)
        w->next->prev = w;
    server->workers = w;
    (void)pthread_mutex_unlock(&server->lock);
    handoff_attach(w);
    return w;
}

static void worker_end(const struct mg_context *ctx, int thread_type, void *pointer)
{
    struct http_server *server = mg_get_user_data(ctx);
    struct worker *w = pointer;

    if (thread_type != 1)
        return;
    handoff_attach(NULL);
    (void)pthread_mutex_lock(&server->lock);
    if (w->prev)
        w->prev->next = w->next;
    else
        server->workers = w->next;
    if (w->next)
        w->next->prev = w->prev;
    (void)pthread_mutex_unlock(&server->lock);
    arena_done(&w->arena);
    strbuf_done(&w->out);
    strbuf_done(&w->answer);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

/* The number may be another connection's as soon as this one is closed. */
static void connection_ends(const struct mg_connection *conn)
{
    struct worker *w = mg_get_thread_pointer(conn);
    struct front *front = atomic_load(&w->server->front);

    if (w->fd >= 0 && front)
        front_ended(front);
    (void)pthread_mutex_lock(&w->lock);
    w->fd = -1;
    (void)pthread_mutex_unlock(&w->lock);
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
    front_free(atomic_load(&server->front));
    stream_loop_free(server->streams);
    trusted_free(server->trusted);
    (void)pthread_mutex_destroy(&server->lock);
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
    (void)pthread_mutex_init(&server->lock, NULL);
    status = trusted_parse(http_limits.trusted_proxies, &server->trusted, err);
    if (status == ST_OK && !options->admin)
        status = stream_loop_start(&server->streams, server->options.max_streams,
                                   http_limits.sse_keepalive_ms, err);
    if (status == ST_OK) {
        status = listen_and_serve(server, err);
        if (status == ST_OK && (status = handoff_front(server, err)) != ST_OK)
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

/* Wakes the workers that wait for a further request, which civetweb would do
 * only after up to two seconds. */
static void end_idle_connections(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    for (struct worker *w = server->workers; w; w = w->next) {
        (void)pthread_mutex_lock(&w->lock);
        if (w->fd >= 0 && !atomic_load(&w->busy))
            (void)shutdown(w->fd, SHUT_RD);
        (void)pthread_mutex_unlock(&w->lock);
    }
    (void)pthread_mutex_unlock(&server->lock);
}

void http_server_stop(struct http_server *server)
{
    int64_t deadline_ms = clock_mono_ms() + STOP_WAIT_MS;

    if (!server)
        return;
    atomic_store(&server->stopping, true);
    front_stop(atomic_load(&server->front));
    stream_loop_stop(server->streams);
    end_idle_connections(server);
    while (atomic_load(&server->in_flight) > 0 && clock_mono_ms() < deadline_ms)
        (void)usleep(STOP_POLL_US);
    end_idle_connections(server);
    mg_stop(server->ctx);
    server_free(server);
}
