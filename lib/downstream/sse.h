/* SPDX-License-Identifier: Apache-2.0 */
/* Reading server-sent events from bytes as they come: pure and bounded. */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum { SSE_ID_MAX = 1024 };

struct sse {
    size_t max_bytes;    /* of one event; set by the user */
    struct strbuf data;  /* of the event being read, then of the one found */
    char id[SSE_ID_MAX]; /* last event id; "" = none */
    bool has_id;         /* some event had one */
    long retry_ms;       /* last retry: field, -1 = none */
    bool other;          /* the event's type is neither absent nor message */
    /* The rest is the parser's. */
    struct strbuf line;
    bool after_cr, has_data, began, found, ignore_line;
};

void sse_init(struct sse *sse, size_t max_bytes);
void sse_done(struct sse *sse);

enum sse_state { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE };
/* Takes bytes up to the end of the next event; *ret_used says how many. EVENT:
 * sse->data has the data of an event with data (id and retry of it and of events
 * without data before it are set); call again with the rest. Comments, events
 * without data and the byte order mark at the beginning are skipped. */
enum sse_state sse_feed(struct sse *sse, const char *bytes, size_t len, size_t *ret_used);
