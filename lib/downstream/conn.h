/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a server, plain or TLS: bounded in time, ended by whoever
 * cancels. */
#pragma once

#include "base/strbuf.h"
#include "downstream/http1.h"
#include "downstream/resolve.h"
#include "downstream/url.h"
#include "downstream/waiter.h"

enum { CONN_BUFFER = 16 * 1024 };

struct ssl_st;

struct conn {
    int fd;
    struct ssl_st *ssl; /* NULL = plain */
    bool used;          /* for a request before this one */
    int64_t idle_until_ms;
    struct conn *next;    /* in the pool */
    struct strbuf out;    /* what is being sent */
    struct http1 http;    /* the response that is read, or was read last */
    size_t in_at, in_len; /* received and not taken */
    char in[CONN_BUFFER];
};

enum conn_io {
    CONN_OK,
    CONN_EOF,
    CONN_BROKEN,
    CONN_TIMEOUT,
    CONN_CANCELLED,
    CONN_WOKEN, /* conn_recv: the waiter's wake_fd */
    CONN_AGAIN, /* only conn_read_now */
};

/* Connects and shakes hands. NULL: *ret_io and *ret_why (static or the
 * system's words) say what happened. */
struct conn *conn_open(const struct url *url, struct resolver *resolver, struct waiter *waiter,
                       int64_t deadline_ms, enum conn_io *ret_io, const char **ret_why);
/* Accepts NULL. */
void conn_close(struct conn *conn);
/* Sends conn->out; *ret_sent says how much of it, at least. */
enum conn_io conn_send(struct conn *conn, struct waiter *waiter, int64_t deadline_ms,
                       size_t *ret_sent);
/* Waits until something was received that is not taken yet. */
enum conn_io conn_recv(struct conn *conn, struct waiter *waiter, int64_t deadline_ms);
/* The same without waiting; *ret_events is what to poll for on AGAIN. */
enum conn_io conn_read_now(struct conn *conn, short *ret_events);
/* Ready for another request: the last response is complete, or its end has come
 * by now, and nothing else was received. */
bool conn_fresh(struct conn *conn);
