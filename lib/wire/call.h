/* SPDX-License-Identifier: Apache-2.0 */
/* One call as every process sees it: who asks, until when, and where the answer
 * is built. Lives on the stack of the worker that runs it. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "wire/rule.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_conn;
struct bus;

enum scope {
    SCOPE_READ = 1 << 0,
    SCOPE_WRITE = 1 << 1,
    SCOPE_DESTRUCTIVE = 1 << 2,
    SCOPE_EXECUTE = 1 << 3,
    SCOPE_ADMIN = 1 << 4,
};

struct call {
    struct arena *arena; /* owned by the worker, reset after the call */
    struct error error;
    const struct rpc *rpc;
    const char *request_id;  /* UUID; also the idempotency key of writes */
    const char *actor;       /* name of the API key */
    const char *channel;     /* mcp, rest, web, cli */
    const char *traceparent; /* may be NULL */
    bool trusted;
    unsigned scopes;     /* enum scope */
    int64_t deadline_ms; /* clock_mono_ms() after which nobody waits */
    int64_t now_ms;      /* wall clock of the call; tests set it */
    struct bus *bus;     /* for calls of other services; may be NULL in tests */
    struct pg_conn *pg;  /* the worker's connection; NULL where there is none */
    void *service;       /* state the service gave to svc_main */
};

/* Both return the status, so that a handler can `return call_fail(…)`. */
enum status call_fail(struct call *call, enum status status, const char *fmt, ...) PRINTF(3, 4);
enum status call_fail_reason(struct call *call, enum status status, const char *reason,
                             const char *fmt, ...) PRINTF(4, 5);
/* Hint of the failure that is reported next or was reported last. */
void call_hint(struct call *call, const char *fmt, ...) PRINTF(2, 3);
/* A violation found by a handler; finish with call_invalid. */
void call_field(struct call *call, const char *field, const char *fmt, ...) PRINTF(3, 4);
/* ST_INVALID_ARGUMENT when call_field was used, else ST_OK. */
enum status call_invalid(struct call *call) MUST_CHECK;
