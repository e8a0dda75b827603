/* SPDX-License-Identifier: Apache-2.0 */
/* A request to a downstream server on behalf of an exchange: whether it may go,
 * and what comes back until the answer. */
#pragma once

#include "inflight.h"
#include "servers.h"

/* ---- relay_permit.c ----------------------------------------------------------------- */

/* The picture of servers that this exchange works with. */
const struct picture *exchange_picture(struct exchange *x);
/* The caller's key may use the server of that id. */
bool principal_may_use(const struct principal *who, const char *id);
/* The server, when the caller's key may use it; else NULL, as if there were none. */
const struct server *exchange_server(struct exchange *x, const char *id);

/* NOT_FOUND and how to find one. */
enum status relay_unknown(struct call *call, const char *id);
/* Server there and active, reachable from here. */
enum status relay_permit(struct call *call, const struct server *server) MUST_CHECK;
/* Further: tool exposed and known. */
enum status relay_permit_tool(struct call *call, const struct server *server,
                              const char *tool) MUST_CHECK;
bool relay_exposed(const struct server *server, const char *tool);
/* Milliseconds that the tool (NULL = another method) may take. */
int64_t relay_timeout_ms(const struct server *server, const char *tool);

/* Whether the request may be sent again when it is not known whether it was carried
 * out: it only reads, or operator or server declare the tool idempotent. */
bool relay_repeatable(const struct server *server, const char *method, const char *tool);

/* ---- relay.c ------------------------------------------------------------------------- */

/* A running exchange with a server. It may outlive the request that began it. */
struct line {
    struct picture *picture; /* in which the server is */
    const struct server *server;
    /* Over HTTP, or with a program through its runner. */
    struct link *link;
    struct downstream_exchange *exchange;
    struct remote_exchange *remote;
};
/* Answers a request of the server with result or error as JSON, the other NULL;
 * id as written. */
void line_answer(struct line *line, const char *id, size_t id_len, const char *result,
                 const char *error);
/* Tells the server how far such an answer is: params of notifications/progress. */
void line_progress(struct line *line, const char *params);
void line_extend(struct line *line, int64_t deadline_ms);
/* Frees; an exchange that has not ended is cancelled. Accepts NULL. */
void line_end(struct line *line);

struct relay {
    struct exchange *x;
    const struct server *server;
    struct flight *flight;
    const char *caller_session; /* hash of the caller's session at the server's endpoint, for
                                   one of its own with a legacy server; NULL = shared */
    const char *capabilities;   /* of the caller, declared to a legacy server; NULL = none */
    struct downstream_request request;
    bool hurried; /* the caller waits less long than the server may take */
    int quiet_ms; /* silence after which quiet is called; -1 = never; may change */
    /* Of the caller's; on the worker. heard: notifications and, of legacy
     * servers, requests, which it answers. */
    void (*heard)(struct relay *relay, const struct downstream_message *msg);
    void (*quiet)(struct relay *relay);
    void (*answered)(struct relay *relay, const struct downstream_message *msg);
    void (*over)(struct relay *relay); /* it was answered or cancelled; may be NULL */
    void *arg;
    bool park;         /* set by heard: stop pulling, the line goes on without this request */
    struct line *line; /* while it runs, and after it was parked */
};
/* Answers a request that heard got: result or error as JSON, the other NULL. */
void relay_answer(struct relay *relay, const struct downstream_message *msg, const char *result,
                  const char *error);
void relay_extend(struct relay *relay, int64_t deadline_ms);
/* Fails as lib/downstream does; a server's JSON-RPC error is an answer. Parked:
 * ST_OK, and the line is left to the caller. */
enum status relay_run(struct relay *relay, struct error *err) MUST_CHECK;
/* Tells the server, in the conversation that this caller's requests belong to, what
 * is no request: request.method is that of the notification. */
enum status relay_notify(struct relay *relay, struct error *err) MUST_CHECK;
/* Goes on with the line that is there, as relay_run. */
enum status relay_go_on(struct relay *relay, struct error *err) MUST_CHECK;
