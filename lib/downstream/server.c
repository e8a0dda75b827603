/* SPDX-License-Identifier: Apache-2.0 */
/* A configured server: its options, its pool of connections, its numbers. */
#include "downstream/internal.h"

#include "downstream/headers.h"
#include "downstream/loop.h"

#include <stdlib.h>

enum { IDLE_MAX = 64, UNFINISHED_MS = 500 };

static void fill_limits(struct downstream_limits *limits, bool stdio)
{
    const struct downstream_limits fallback = {
        .connect_ms = 5000,
        .probe_ms = stdio ? 5000 : 10000,
        .call_ms = 60000,
        .idle_ms = 4000,
        .max_calls = 64,
        .message_bytes = 10U << 20,
        .reply_bytes = 32U << 20,
        .depth = 64,
        .values = 500000,
        .pages = 64,
        .queued = 1000,
    };

#define FILL(name) limits->name = limits->name ? limits->name : fallback.name
    FILL(connect_ms);
    FILL(probe_ms);
    FILL(call_ms);
    FILL(idle_ms);
    FILL(max_calls);
    FILL(message_bytes);
    FILL(reply_bytes);
    FILL(depth);
    FILL(values);
    FILL(pages);
    FILL(queued);
#undef FILL
}

static enum status read_url(struct downstream *server, const struct downstream_options *options,
                            struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf lines = STRBUF_INIT;

    TRY(url_parse(arena_strdup(&server->arena, options->url), &server->url, err));
    TRY(headers_check(options->headers, options->n_headers, err));
    headers_put(&lines, &server->url, options->headers, options->n_headers);
    server->headers = arena_memdup(&server->arena, lines.data, lines.len);
    server->post =
        arena_printf(&server->arena,
                     "POST %s%s HTTP/1.1\r\n%sContent-Type: application/json\r\n"
                     "Accept: application/json, text/event-stream\r\n",
                     *server->url.target == '?' ? "/" : "", server->url.target, server->headers);
    server->resolver = resolver_new(server->url.host, server->url.port, server->url.numeric);
    return ST_OK;
}

static enum status read_revision(struct downstream *server, const char *newest, struct error *err)
{
    server->newest = newest != NULL ? mcp_version_parse(newest) : MCP_2026_07_28;
    if (server->newest == MCP_UNKNOWN)
        return error_set(err, ST_INVALID_ARGUMENT, "There is no revision '%s'.", newest);
    if (server->newest != MCP_2026_07_28)
        server->era = ERA_LEGACY;
    return ST_OK;
}

enum status downstream_new(const struct downstream_options *options, struct downstream **ret_server,
                           struct error *err)
{
    struct downstream *server = calloc(1, sizeof(*server));
    enum status status;

    if (server == NULL)
        abort();
    arena_init(&server->arena);
    arena_init(&server->tools_arena);
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_mutex_init(&server->probe_lock, NULL);
    (void)pthread_mutex_init(&server->tools_lock, NULL);
    server->id = arena_strdup(&server->arena, options->id);
    server->client_info = arena_strdup(
        &server->arena, options->client_info != NULL ? options->client_info : HUB_CLIENT_INFO);
    server->stdio = options->url == NULL;
    server->limits = options->limits;
    fill_limits(&server->limits, server->stdio);
    if (options->program != NULL)
        server->program = *options->program;
    server->next_id = options->first_id;
    server->observe = options->observe;
    server->observe_arg = options->observe_arg;
    status = read_revision(server, options->newest, err);
    if (status == ST_OK && !server->stdio)
        status = read_url(server, options, err);
    else if (status == ST_OK && server->program.start == NULL)
        status = error_set(err, ST_INVALID_ARGUMENT, "A server needs a URL or a program.");
    if (status == ST_OK)
        *ret_server = server;
    else
        downstream_free(server);
    return status;
}

static void close_idle(struct downstream *server)
{
    struct conn *conn;

    (void)pthread_mutex_lock(&server->lock);
    conn = TAKE(server->idle);
    server->n_idle = 0;
    (void)pthread_mutex_unlock(&server->lock);
    while (conn != NULL) {
        struct conn *next = conn->next;

        conn_close(conn);
        conn = next;
    }
}

void downstream_free(struct downstream *server)
{
    if (server == NULL)
        return;
    reap_remove(server);
    close_idle(server);
    resolver_free(server->resolver);
    facts_unref(server->facts);
    (void)pthread_mutex_destroy(&server->lock);
    (void)pthread_mutex_destroy(&server->probe_lock);
    (void)pthread_mutex_destroy(&server->tools_lock);
    arena_done(&server->tools_arena);
    arena_done(&server->arena);
    free(server);
}

void downstream_forget(struct downstream *server)
{
    (void)pthread_mutex_lock(&server->lock);
    if (server->newest == MCP_2026_07_28)
        server->era = ERA_UNKNOWN;
    facts_unref(TAKE(server->facts));
    (void)pthread_mutex_unlock(&server->lock);
}

int64_t server_deadline(const struct downstream *server, int64_t deadline_ms)
{
    return deadline_ms != 0 ? deadline_ms : clock_mono_ms() + server->limits.call_ms;
}

int64_t server_probe_deadline(const struct downstream *server, int64_t deadline_ms)
{
    int64_t probe = clock_mono_ms() + server->limits.probe_ms;

    return deadline_ms != 0 && deadline_ms < probe ? deadline_ms : probe;
}

/* ---- connections -------------------------------------------------------------- */

static struct conn *take_idle(struct downstream *server)
{
    struct conn *conn;

    (void)pthread_mutex_lock(&server->lock);
    conn = server->idle;
    if (conn != NULL) {
        server->idle = conn->next;
        server->n_idle--;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return conn;
}

struct conn *server_connect(struct downstream *server, struct waiter *waiter, int64_t deadline_ms,
                            bool fresh, struct error *err)
{
    int64_t now = clock_mono_ms(), until = now + server->limits.connect_ms;
    const char *why = "no connection";
    struct conn *conn;
    enum conn_io io;

    while (!fresh && (conn = take_idle(server)) != NULL) {
        if (now < conn->idle_until_ms && conn_fresh(conn))
            return conn;
        conn_close(conn);
    }
    conn = conn_open(&server->url, server->resolver, waiter,
                     until < deadline_ms ? until : deadline_ms, &io, &why);
    if (conn == NULL && io == CONN_CANCELLED)
        (void)fault_set(err, server->id, DOWNSTREAM_FAULT_CANCELLED, "was not asked any more");
    else if (conn == NULL)
        (void)fault_set(err, server->id, DOWNSTREAM_FAULT_CONNECT, "cannot be reached: %s", why);
    return conn;
}

/* How long it may wait: shorter than the server waits. */
static int64_t idle_ms(const struct downstream *server, const struct conn *conn)
{
    int64_t said_ms = (int64_t)(conn->http.head.idle_s - 1) * 1000;

    if (conn->http.head.idle_s >= 0 && said_ms < server->limits.idle_ms)
        return said_ms;
    return server->limits.idle_ms;
}

void server_give(struct downstream *server, struct conn *conn)
{
    int64_t ms = idle_ms(server, conn);
    bool keep = conn->http.head.keep && ms > 0 &&
                (conn->http.state == HTTP1_DONE || conn->http.state == HTTP1_BODY);
    bool registered;

    /* What is left of a stream comes at once, if at all. */
    if (conn->http.state == HTTP1_BODY && ms > UNFINISHED_MS)
        ms = UNFINISHED_MS;
    conn->used = true;
    conn->idle_until_ms = clock_mono_ms() + ms;
    (void)pthread_mutex_lock(&server->lock);
    registered = server->has_idle;
    server->has_idle = server->has_idle || keep;
    keep = keep && !server->stopped && server->n_idle < IDLE_MAX;
    if (keep) {
        conn->next = server->idle;
        server->idle = conn;
        server->n_idle++;
    }
    (void)pthread_mutex_unlock(&server->lock);
    if (!keep)
        conn_close(conn);
    else if (!registered)
        reap_add(server);
}

enum status server_fault_io(struct downstream *server, enum conn_io io, const char *verb,
                            struct error *err)
{
    switch (io) {
    case CONN_TIMEOUT:
        return fault_set(err, server->id, DOWNSTREAM_FAULT_TIMEOUT, "did not %s in time", verb);
    case CONN_CANCELLED:
        return fault_set(err, server->id, DOWNSTREAM_FAULT_CANCELLED, "was not asked any more");
    default:
        return fault_set(err, server->id, DOWNSTREAM_FAULT_LOST,
                         "ended the connection before it did %s; whether the request was carried "
                         "out is not known",
                         verb);
    }
}

/* ---- facts ------------------------------------------------------------------------ */

struct facts *facts_new(void)
{
    struct facts *facts = calloc(1, sizeof(*facts));

    if (facts == NULL)
        abort();
    facts->refs = 1;
    return facts;
}

struct facts *facts_ref(struct facts *facts)
{
    (void)atomic_fetch_add(&facts->refs, 1);
    return facts;
}

void facts_unref(struct facts *facts)
{
    if (facts == NULL || atomic_fetch_sub(&facts->refs, 1) > 1)
        return;
    free(facts->capabilities);
    free(facts->server_info);
    free(facts->instructions);
    free(facts);
}
