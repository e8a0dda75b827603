/* SPDX-License-Identifier: Apache-2.0 */
/* Reading responses: framing of the body, chunks. The head is http1_head.c's. */
#include "downstream/http1_internal.h"

#include <string.h>

enum chunk { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, TRAILER };

enum { SIZE_DIGITS_MAX = 15 };

void http1_reset(struct http1 *http)
{
    struct strbuf text = http->text;

    strbuf_clear(&text);
    *http = (struct http1){.text = text, .head.idle_s = -1, .head.retry_after_s = -1};
}

void http1_done(struct http1 *http)
{
    strbuf_done(&http->text);
}

void http1_refuse(struct http1 *http, const char *why)
{
    http->state = HTTP1_REFUSED;
    http->why = why;
}

/* One byte of the lines between chunks. */
static void chunk_size_byte(struct http1 *http, char c)
{
    int digit = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : -1;

    if (digit >= 0 && http->line_len < SIZE_DIGITS_MAX) {
        http->left = http->left * 16 + (unsigned)digit;
        http->line_len++;
    } else if (http->line_len > 0 && c == '\r') {
        http->chunk = CHUNK_SIZE_LF;
    } else if (http->line_len > 0 && (c == ';' || c == ' ' || c == '\t')) {
        http->chunk = CHUNK_EXTENSION;
    } else {
        http1_refuse(http, "a chunk without a usable size");
    }
}

static void chunk_begin(struct http1 *http)
{
    http->line_len = 0;
    http->chunk = http->left > 0 ? CHUNK_DATA : TRAILER;
}

/* Trailers say nothing to us; an empty line ends them and the body. */
static void trailer_byte(struct http1 *http, char c)
{
    if (++http->head_bytes > HTTP1_HEAD_MAX)
        http1_refuse(http, "too long trailers");
    else if (c == '\n' && http->line_len == 0)
        http->state = HTTP1_DONE;
    else if (c == '\n')
        http->line_len = 0;
    else if (c != '\r')
        http->line_len++;
}

static void chunk_byte(struct http1 *http, char c)
{
    switch (http->chunk) {
    case CHUNK_SIZE:
        chunk_size_byte(http, c);
        break;
    case CHUNK_EXTENSION:
        if (c == '\r')
            http->chunk = CHUNK_SIZE_LF;
        else if (c == '\n' || ++http->line_len > HTTP1_LINE_MAX)
            http1_refuse(http, "a bad chunk extension");
        break;
    case CHUNK_SIZE_LF:
        if (c == '\n')
            chunk_begin(http);
        else
            http1_refuse(http, "a chunk size without line end");
        break;
    case CHUNK_CR:
        if (c != '\r')
            http1_refuse(http, "a chunk longer than its size");
        http->chunk = CHUNK_LF;
        break;
    case CHUNK_LF:
        if (c != '\n')
            http1_refuse(http, "a chunk without line end");
        http->chunk = CHUNK_SIZE;
        http->left = 0;
        break;
    default:
        trailer_byte(http, c);
        break;
    }
}

/* The piece of the body at the beginning of the bytes; counts it. */
static size_t take_body(struct http1 *http, size_t len)
{
    size_t piece = len;

    if (http->framing == FRAMING_EOF)
        return piece;
    if (piece > http->left)
        piece = (size_t)http->left;
    http->left -= piece;
    if (http->left == 0 && http->framing == FRAMING_LENGTH)
        http->state = HTTP1_DONE;
    else if (http->left == 0)
        http->chunk = CHUNK_CR;
    return piece;
}

size_t http1_feed(struct http1 *http, const char *bytes, size_t len, const char **ret_body,
                  size_t *ret_body_len)
{
    size_t used = 0;

    *ret_body = NULL;
    *ret_body_len = 0;
    if (http->state == HTTP1_HEAD)
        return http1_feed_head(http, bytes, len);
    while (used < len && http->state == HTTP1_BODY) {
        if (http->framing == FRAMING_CHUNKED && http->chunk != CHUNK_DATA) {
            chunk_byte(http, bytes[used++]);
            continue;
        }
        *ret_body = bytes + used;
        *ret_body_len = take_body(http, len - used);
        return used + *ret_body_len;
    }
    return used;
}

void http1_eof(struct http1 *http)
{
    if (http->state == HTTP1_BODY && http->framing == FRAMING_EOF)
        http->state = HTTP1_DONE;
    else if (http->state != HTTP1_DONE)
        http1_refuse(http, "the connection ended within the response");
}
