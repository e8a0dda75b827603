/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering the words of a failure. */
#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum status error_set(struct error *err, enum status status, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return status;
    err->status = status;
    va_start(ap, fmt);
    (void)vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    utf8_mend(err->message);
    return status;
}

void error_hint(struct error *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    utf8_mend(err->hint);
}

void error_field(struct error *err, struct arena *arena, const char *field, const char *fmt, ...)
{
    char *message;
    va_list ap;

    if (!err)
        return;
    err->status = ST_INVALID_ARGUMENT;
    if (err->n_fields >= ERROR_FIELDS_MAX)
        return;
    if (!err->fields)
        err->fields = arena_alloc(arena, ERROR_FIELDS_MAX * sizeof *err->fields);
    va_start(ap, fmt);
    message = arena_vprintf(arena, fmt, ap);
    va_end(ap);
    utf8_mend(message);
    err->fields[err->n_fields++] = (struct field_error){
        .field = arena_strdup(arena, field),
        .message = message,
    };
}

void error_clear(struct error *err)
{
    if (!err)
        return;
    err->status = ST_OK;
    err->reason = NULL;
    err->message[0] = '\0';
    err->hint[0] = '\0';
    err->fields = NULL;
    err->n_fields = 0;
}
