/* SPDX-License-Identifier: Apache-2.0 */
/* The one way of calling an operation, for MCP and REST: arguments, guards, bus,
 * outcome, audit. */
#pragma once

#include "inflight.h"
#include "tools.h"
#include "wire/codec.h"

/* One call. Lives on the worker's stack; what it points to, in the arena. */
struct invocation {
    struct exchange *x;
    const struct tool *tool;
    struct call call;
    struct flight flight; /* the caller sets how it can be cancelled */
    ProtobufCMessage *request, *reply;
    bool confirmed;       /* of a tool that the gateway guards */
    const char *resource; /* id in the arguments as given, "" when none */
};

/* A call of the hub's own or a caller's, with the exchange's identity. */
void exchange_call(struct exchange *x, struct call *call, const struct rpc *rpc);

/* Takes a call out of the key's limit. */
enum status exchange_admit(struct exchange *x, struct call *call) MUST_CHECK;

void invocation_init(struct invocation *inv, struct exchange *x, const struct tool *tool);
/* Takes a call out of the key's limit, then builds and checks the request.
 * arguments NULL = {}. */
enum status invocation_arguments(struct invocation *inv, const struct json *json,
                                 const struct json_node *arguments) MUST_CHECK;
/* The id among these is what the call is about, whatever becomes of it. */
void invocation_about_arguments(struct invocation *inv, const struct json *json,
                                const struct json_node *arguments);
void invocation_about(struct invocation *inv, const struct wire_param *params, size_t n);
/* The same from parameters of a path and a query. */
enum status invocation_params(struct invocation *inv, struct wire_param *params,
                              size_t n) MUST_CHECK;
/* Calls the service. FAILED_PRECONDITION with reason CONFIRMATION_REQUIRED when
 * the user has to agree first. */
enum status invocation_run(struct invocation *inv) MUST_CHECK;
/* The user agreed: the next run goes ahead. */
void invocation_confirm(struct invocation *inv);
bool invocation_needs_confirmation(const struct invocation *inv, enum status status);
/* Once per call, with its final status: audit log and metrics. */
void invocation_done(struct invocation *inv, enum status status);
/* Instead of invocation_done, when the call goes on with another request. */
void invocation_pause(struct invocation *inv);
/* Before threads start. */
void invoke_metrics(void);
