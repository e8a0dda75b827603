/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an event stream and as the lines of a pipe: whole or in pieces
 * they say the same, and nothing is longer than the limit. The first byte
 * chooses the size of the pieces. */
#include "downstream/lines.h"
#include "downstream/sse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 64 };

static void must(bool held)
{
    if (!held)
        abort();
}

static void read_stream(struct strbuf *out, const char *text, size_t len, size_t piece)
{
    struct sse sse;
    enum sse_state state = SSE_MORE;

    sse_init(&sse, MAX_BYTES);
    for (size_t at = 0; at < len && state != SSE_TOO_LARGE;) {
        size_t used, n = len - at < piece ? len - at : piece;

        state = sse_feed(&sse, text + at, n, &used);
        must(used <= n && (used > 0 || state == SSE_TOO_LARGE));
        at += used;
        if (state == SSE_EVENT) {
            must(sse.data.len > 0 && sse.data.len <= MAX_BYTES);
            strbuf_char(out, '[');
            strbuf_add(out, sse.data.data, sse.data.len);
        }
        must(sse.line.len <= MAX_BYTES + 16 && strlen(sse.id) < SSE_ID_SIZE);
    }
    if (state == SSE_TOO_LARGE)
        strbuf_str(out, "]");
    else
        strbuf_printf(out, "|%s|%ld", sse.id, sse.retry_ms);
    sse_done(&sse);
}

static void read_lines(struct strbuf *out, const char *text, size_t len, size_t piece)
{
    struct lines lines;

    lines_init(&lines, MAX_BYTES);
    for (size_t at = 0; at < len;) {
        size_t used, n = len - at < piece ? len - at : piece;
        enum lines_state state = lines_feed(&lines, text + at, n, &used);

        must(used > 0 && used <= n);
        at += used;
        if (state == LINES_LINE) {
            must(lines.line.len > 0 && lines.line.len <= MAX_BYTES);
            strbuf_add(out, lines.line.data, lines.line.len);
            strbuf_char(out, '\n');
        }
        if (state == LINES_TOO_LONG)
            strbuf_printf(out, "<%d %llu>", (int)lines.outline.kind,
                          (unsigned long long)lines.outline.number);
        must(lines.line.len <= MAX_BYTES);
    }
    lines_done(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void (*const readers[])(struct strbuf *, const char *, size_t, size_t) = {read_stream,
                                                                              read_lines};

    if (size < 2)
        return 0;
    for (unsigned i = 0; i < 2; i++) {
        CLEANUP(strbuf_done) struct strbuf whole = STRBUF_INIT;
        CLEANUP(strbuf_done) struct strbuf split = STRBUF_INIT;

        readers[i](&whole, (const char *)data + 1, size - 1, size);
        readers[i](&split, (const char *)data + 1, size - 1, (size_t)*data % 16 + 1);
        must(whole.len == split.len);
        must(whole.len == 0 || memcmp(whole.data, split.data, whole.len) == 0);
    }
    return 0;
}
