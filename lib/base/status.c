/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups in the table of statuses. */
#include "base/status.h"

#include <stddef.h>

struct status_row {
    enum status status;
    int http;
    bool retryable;
    const char *name, *hint;
};

static const struct status_row rows[] = {
#define X(name_, number, http_, retryable_, hint_)                                                 \
    {.status = ST_##name_,                                                                         \
     .http = (http_),                                                                              \
     .retryable = (retryable_),                                                                    \
     .name = #name_,                                                                               \
     .hint = (hint_)},
    STATUS_TABLE(X)
#undef X
};

static const char *const lower_names[] = {
    "ok",
    "cancelled",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "internal",
    "unavailable",
    "unauthenticated",
};
_Static_assert(ARRAY_SIZE(rows) == ARRAY_SIZE(lower_names), "one lower name per status");

static size_t status_index(enum status status)
{
    size_t internal = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].status == status)
            return i;
        if (rows[i].status == ST_INTERNAL)
            internal = i;
    }
    return internal;
}

const char *status_name(enum status status)
{
    return rows[status_index(status)].name;
}

const char *status_lower_name(enum status status)
{
    return lower_names[status_index(status)];
}

int status_http(enum status status)
{
    return rows[status_index(status)].http;
}

bool status_retryable(enum status status)
{
    return rows[status_index(status)].retryable;
}

const char *status_hint(enum status status)
{
    return rows[status_index(status)].hint;
}

enum status status_from_number(unsigned number)
{
    return rows[status_index((enum status)number)].status;
}
