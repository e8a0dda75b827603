/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by http1.c and http1_head.c. */
#pragma once

#include "downstream/http1.h"

enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_EOF };

void http1_refuse(struct http1 *http, const char *why);
/* Takes bytes of the head; when it is complete, the state is BODY or DONE. */
size_t http1_feed_head(struct http1 *http, const char *bytes, size_t len);
