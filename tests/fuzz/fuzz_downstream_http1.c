/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an HTTP response: whole or in pieces it says the same. The first
 * byte chooses the size of the pieces. */
#include "downstream/http1.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static bool over(const struct http1 *http)
{
    return http->state == HTTP1_DONE || http->state == HTTP1_REFUSED;
}

static size_t read_all(struct http1 *http, struct strbuf *body, const char *text, size_t len,
                       size_t piece)
{
    size_t at = 0;

    http1_reset(http);
    while (at < len && !over(http)) {
        size_t left = len - at < piece ? len - at : piece;

        while (left > 0 && !over(http)) {
            const char *part;
            size_t part_len, used = http1_feed(http, text + at, left, &part, &part_len);

            must(used <= left && (used > 0 || over(http)));
            if (part_len > 0)
                strbuf_add(body, part, part_len);
            at += used;
            left -= used;
        }
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1 whole = {0}, split = {0};
    CLEANUP(strbuf_done) struct strbuf whole_body = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf split_body = STRBUF_INIT;
    const char *text = (const char *)data + 1;
    size_t used;

    if (size < 2)
        return 0;
    used = read_all(&whole, &whole_body, text, size - 1, size);
    must(used == read_all(&split, &split_body, text, size - 1, (size_t)*data % 16 + 1) ||
         whole.state == HTTP1_REFUSED);
    must(whole.state == split.state);
    must((whole.state == HTTP1_REFUSED) == (whole.why != NULL));
    if (whole.state != HTTP1_REFUSED) {
        must(whole.head.status == split.head.status && whole.head.keep == split.head.keep);
        must(strcmp(whole.head.content_type, split.head.content_type) == 0);
        must(strcmp(whole.head.session_id, split.head.session_id) == 0);
        must(whole_body.len == split_body.len);
        must(whole_body.len == 0 || memcmp(whole_body.data, split_body.data, whole_body.len) == 0);
    }
    http1_eof(&whole);
    must(over(&whole));
    http1_done(&whole);
    http1_done(&split);
    return 0;
}
