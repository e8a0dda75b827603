/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of one call. */
#include "wire/call.h"

#include <stdio.h>

PRINTF(3, 0)
static void set_message(struct call *call, enum status status, const char *fmt, va_list ap)
{
    call->error.status = status;
    call->error.reason = NULL;
    (void)vsnprintf(call->error.message, sizeof call->error.message, fmt, ap);
}

enum status call_fail(struct call *call, enum status status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_message(call, status, fmt, ap);
    va_end(ap);
    return status;
}

enum status call_fail_reason(struct call *call, enum status status, const char *reason,
                             const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_message(call, status, fmt, ap);
    va_end(ap);
    call->error.reason = reason;
    return status;
}

void call_hint(struct call *call, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(call->error.hint, sizeof call->error.hint, fmt, ap);
    va_end(ap);
}

void call_field(struct call *call, const char *field, const char *fmt, ...)
{
    const char *message;
    va_list ap;

    va_start(ap, fmt);
    message = arena_vprintf(call->arena, fmt, ap);
    va_end(ap);
    error_field(&call->error, call->arena, field, "%s", message);
}

enum status call_invalid(struct call *call)
{
    if (call->error.n_fields == 0)
        return ST_OK;
    return error_set(&call->error, ST_INVALID_ARGUMENT, "Validation failed.");
}
