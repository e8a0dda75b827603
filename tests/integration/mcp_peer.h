/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a real socket that says exactly what a test tells it to, well or
 * badly. Each connection has a thread; each request is given to the test. */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct peer;

struct peer_request {
    struct peer *peer;
    int fd;
    int connection;     /* from 1 */
    int number;         /* of all requests, from 1 */
    const char *method; /* POST, GET, DELETE */
    const char *head;   /* all of it */
    const char *body;
    size_t len;
    bool closed; /* set by peer_hang_up: no further request is read */
};

/* Runs on the connection's thread. */
typedef void peer_fn(struct peer_request *req, void *arg);

/* Listens on a port of its own; "http://127.0.0.1:PORT/mcp". */
struct peer *peer_start(peer_fn *fn, void *arg);
const char *peer_url(const struct peer *peer);
int peer_requests(const struct peer *peer);
int peer_connections(const struct peer *peer);
/* Connections that are open now. */
int peer_open(const struct peer *peer);
/* Ends everything and frees. */
void peer_stop(struct peer *peer);

/* Value of a header of the request, "" when absent; in a buffer of the thread. */
const char *peer_header(const struct peer_request *req, const char *name);
/* Id of the JSON-RPC request as written: its first "id". */
const char *peer_id(const struct peer_request *req);
bool peer_asks(const struct peer_request *req, const char *method);
/* Bytes as they are; false when the client has gone. */
bool peer_send(struct peer_request *req, const void *bytes, size_t len);
bool peer_text(struct peer_request *req, const char *fmt, ...) PRINTF(2, 3);
/* A whole response with Content-Length; headers each with their end, may be "". */
void peer_reply(struct peer_request *req, int status, const char *headers, const char *body);
/* {"jsonrpc":"2.0","id":<of the request>,"result":<result>} as JSON. */
void peer_result(struct peer_request *req, const char *headers, const char *result);
/* An event stream in chunks: head, events, end. */
void peer_events(struct peer_request *req, const char *headers);
void peer_event(struct peer_request *req, const char *fields_and_data);
void peer_events_end(struct peer_request *req);
void peer_hang_up(struct peer_request *req);
/* Waits until the client has ended the connection. */
bool peer_left(struct peer_request *req, int wait_ms);
