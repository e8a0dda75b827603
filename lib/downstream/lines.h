/* SPDX-License-Identifier: Apache-2.0 */
/* The framing of stdio: one message a line, from bytes as they come. */
#pragma once

#include "base/strbuf.h"
#include "downstream/outline.h"

#include <stdbool.h>
#include <stddef.h>

struct lines {
    size_t max_bytes;   /* of one line; set by the user */
    struct strbuf line; /* what came of it so far, then the one found */
    bool found, skipping;
    struct outline outline; /* of the line that is skipped */
    bool told;              /* it was TOO_LONG */
    size_t looked;          /* bytes of it that were looked into */
};

void lines_init(struct lines *lines, size_t max_bytes);
void lines_done(struct lines *lines);

enum lines_state { LINES_MORE, LINES_LINE, LINES_TOO_LONG };
/* Takes bytes up to the end of the next line that is not empty. LINE: it is in
 * lines->line, without its end (\n or \r\n). TOO_LONG comes once for such a
 * line, as soon as lines->outline says whose it is, at its end or far beyond the
 * bound; the rest of it is skipped by further calls. */
enum lines_state lines_feed(struct lines *lines, const char *bytes, size_t len, size_t *ret_used);
