/* SPDX-License-Identifier: Apache-2.0 */
/* Reading server-sent events from bytes as they come: pure and bounded. */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum { SSE_ID_SIZE = 512 };

struct sse {
    struct strbuf data;   /* of the event that was found */
    char id[SSE_ID_SIZE]; /* of the last event that had one; "" = none */
    long retry_ms;        /* last retry, -1 = none */
    /* The rest is the parser's. */
    size_t max_bytes;
    struct strbuf line;
    bool began, after_cr, comment, other_type, has_data, found, too_large;
};

/* max_bytes: of one event. */
void sse_init(struct sse *sse, size_t max_bytes);
void sse_done(struct sse *sse);

enum sse_state { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE };
/* Takes bytes up to the end of the next event; *ret_used says how many. EVENT:
 * sse->data is what it says; call again with the rest. Comments, events without
 * data and events of another type than message are passed over, their ids and
 * retries are noted. */
enum sse_state sse_feed(struct sse *sse, const char *bytes, size_t len, size_t *ret_used);
