/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an HTTP/1.1 response from bytes as they come: pure, bounded, no copy
 * of the body. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP1_HEAD_MAX = 32 * 1024, /* status line and headers, 1xx and trailers included */
    HTTP1_HEADERS_MAX = 128,
    HTTP1_LINE_MAX = 256, /* of a chunk size with its extensions */
    HTTP1_VALUE_MAX = 256,
};

enum http1_state {
    HTTP1_HEAD,    /* needs more of the head */
    HTTP1_BODY,    /* the head is there; body bytes may follow */
    HTTP1_DONE,    /* the response is complete */
    HTTP1_REFUSED, /* not HTTP, or beyond a limit: why says what */
};

/* What a client of MCP needs to know of the head; texts "" when absent. */
struct http1_head {
    int status;
    char content_type[HTTP1_VALUE_MAX]; /* lower case, without parameters */
    char session_id[HTTP1_VALUE_MAX];   /* Mcp-Session-Id */
    bool session_id_bad;                /* sent, but no session id */
    bool encoded;                       /* Content-Encoding other than identity */
    bool keep;                          /* the connection serves further requests */
    int idle_s;                         /* Keep-Alive: timeout=N, -1 when not said */
    int retry_after_s;                  /* Retry-After in seconds, -1 */
};

struct http1 {
    enum http1_state state;
    struct http1_head head;
    const char *why; /* static */
    /* The rest is the parser's. */
    struct strbuf text; /* of the head, until it is complete */
    unsigned char framing, chunk;
    bool has_length;
    uint64_t left;       /* bytes to come of the body or the chunk */
    unsigned line_len;   /* of a line between chunks, so far */
    unsigned head_bytes; /* of heads and trailers, so far */
};

/* Ready for the next response on the same connection. */
void http1_reset(struct http1 *http);
void http1_done(struct http1 *http);
/* Takes bytes. Returns how many were used up; *ret_body is a piece of the body
 * among them (NULL, 0 when what was used has none). Call again with the rest
 * while some is left and the state is not DONE or REFUSED. */
size_t http1_feed(struct http1 *http, const char *bytes, size_t len, const char **ret_body,
                  size_t *ret_body_len);
/* The connection ended: DONE when the response may end so, else REFUSED. */
void http1_eof(struct http1 *http);
