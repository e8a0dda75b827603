/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of statuses: AIP-193's canonical codes as far as we use them,
 * with their numbers as in google.rpc.Code, what REST answers and whether the
 * same call may succeed when repeated. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

/* X(name, number, http, retryable, default hint or NULL) */
#define STATUS_TABLE(X)                                                                            \
    X(OK, 0, 200, false, NULL)                                                                     \
    X(CANCELLED, 1, 499, false, NULL)                                                              \
    X(INVALID_ARGUMENT, 3, 400, false, "correct these fields and call again.")                     \
    X(DEADLINE_EXCEEDED, 4, 504, true, "again, or a smaller request.")                             \
    X(NOT_FOUND, 5, 404, false, "the matching list tool to find the id.")                          \
    X(ALREADY_EXISTS, 6, 409, false, "another id.")                                                \
    X(PERMISSION_DENIED, 7, 403, false, "ask the operator of this hub.")                           \
    X(RESOURCE_EXHAUSTED, 8, 429, true, "again in a moment.")                                      \
    X(FAILED_PRECONDITION, 9, 409, false, NULL)                                                    \
    X(INTERNAL, 13, 500, false, "again; if it persists, give the request id to the operator.")     \
    X(UNAVAILABLE, 14, 503, true, "again in a moment; mal_health_check shows what is down.")       \
    X(UNAUTHENTICATED, 16, 401, false, "a valid API key.")

enum status {
#define X(name, number, http, retryable, hint) ST_##name = (number),
    STATUS_TABLE(X)
#undef X
};

/* "INVALID_ARGUMENT"; a number that is no status is "INTERNAL". */
const char *status_name(enum status status);
/* The audit log's spelling: "invalid_argument"; ST_OK is "ok". */
const char *status_lower_name(enum status status);
int status_http(enum status status);
bool status_retryable(enum status status);
/* What to do next when the error gave no hint of its own; may be NULL. */
const char *status_hint(enum status status);
/* The status with that number; ST_INTERNAL when there is none. */
enum status status_from_number(unsigned number);

/* Returns the failed status of EXPR from the calling function. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (expr);                                                          \
        if (try_status_ != ST_OK)                                                                  \
            return try_status_;                                                                    \
    } while (0)
