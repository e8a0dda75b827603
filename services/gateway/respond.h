/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP answers of the gateway: request id, CORS and JSON in one write. */
#pragma once

#include "gateway.h"

/* Header lines every answer of this exchange carries, and `more` (ready lines,
 * may be NULL). */
const char *respond_headers(struct exchange *x, const char *more);
void respond(struct exchange *x, int status, const char *type, const void *body, size_t len,
             const char *headers);
/* A line of plain text. */
void respond_text(struct exchange *x, int status, const char *text, const char *headers);
/* No body at all. */
void respond_empty(struct exchange *x, int status, const char *headers);
/* Members of an error in JSON that tell programs more: reason, fields, request_id. */
void respond_put_detail(struct strbuf *out, const struct exchange *x, const struct error *err);
