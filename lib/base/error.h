/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a failure, gathered where it happens. Messages tell the caller what
 * is wrong and what to do next; never SQL, hosts, paths or secrets. */
#pragma once

#include "base/arena.h"
#include "base/status.h"

struct field_error {
    const char *field;
    const char *message;
};

enum { ERROR_FIELDS_MAX = 64 };

/* Zeroed is "no error". Strings are borrowed from the arena given when set, or
 * stored in text/hint_text when no arena is at hand. */
struct error {
    enum status status;
    const char *reason; /* static or arena; NULL when none */
    char message[1024];
    char hint[512];
    struct field_error *fields; /* in arena */
    unsigned n_fields;
};

/* Sets status and message; returns status, so that
 * `return error_set(err, ST_NOT_FOUND, "no '%s'", id);` reads well.
 * err may be NULL. */
enum status error_set(struct error *err, enum status status, const char *fmt, ...) PRINTF(3, 4);
/* What to do next, in place of the status' default hint. */
void error_hint(struct error *err, const char *fmt, ...) PRINTF(2, 3);
/* Adds a violation; status becomes INVALID_ARGUMENT. Beyond ERROR_FIELDS_MAX
 * further ones are dropped. Field and message are copied into the arena. */
void error_field(struct error *err, struct arena *arena, const char *field, const char *fmt, ...)
    PRINTF(4, 5);
void error_clear(struct error *err);
