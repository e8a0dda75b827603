/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's side of mcp-runner: exchanges with stdio servers over the bus, in
 * the form of downstream_exchange. A runner that died is MCP_LOST within about a
 * second; what it cannot have carried out goes to the next owner by itself. */
#pragma once

#include "bus/bus.h"
#include "downstream/downstream.h"

struct remote_facts {
    const char *owner, *protocol_version, *capabilities, *server_info, *instructions;
    int32_t generation; /* of the child: another one each time it is started */
};
/* Starts the server's child unless it lives. caller and capabilities are for
 * servers with a child for each caller; NULL = the shared one, all that the hub can
 * bridge. Texts in call->arena; call->deadline_ms bounds it. */
enum status remote_open(struct bus *bus, struct call *call, const char *server, const char *caller,
                        const char *capabilities, struct remote_facts *ret_facts) MUST_CHECK;

/* Copied by remote_begin. */
struct remote_request {
    const char *server;
    const char *caller;       /* as given to remote_open */
    const char *owner;        /* as told by remote_open; NULL asks first */
    const char *method;       /* as in struct downstream_request, all of it */
    const char *params;       /* NULL = {} */
    const char *target;       /* NULL = as is */
    const char *capabilities; /* also for opening */
    const char *log_level;
    const char *client;
    bool progress, repeatable;
    int64_t deadline_ms; /* clock_mono_ms(); 0 = 60 s from now */
};

struct remote_exchange;
/* Sends the request. */
enum status remote_begin(struct bus *bus, const struct remote_request *request,
                         struct remote_exchange **ret_exchange, struct error *err) MUST_CHECK;
/* As downstream_next; the message is borrowed until the next one is pulled. */
enum status remote_next(struct remote_exchange *x, int wait_ms, struct downstream_message *ret_msg,
                        struct error *err) MUST_CHECK;
/* As downstream_answer, for a request that this exchange gave. Any thread. */
enum status remote_answer(struct remote_exchange *x, const char *id, size_t id_len,
                          const char *result, const char *error) MUST_CHECK;
/* Tells the server how far the answer to such a request is. Any thread. */
enum status remote_progress(struct remote_exchange *x, const char *params) MUST_CHECK;
/* The server is told; remote_next ends with MCP_CANCELLED. Any thread. */
void remote_cancel(struct remote_exchange *x);
void remote_extend(struct remote_exchange *x, int64_t deadline_ms);
/* Frees; one that is not finished is cancelled. Accepts NULL. */
void remote_end(struct remote_exchange *x);
/* Who holds the child, as known last; for the next request. */
const char *remote_owner(const struct remote_exchange *x);
