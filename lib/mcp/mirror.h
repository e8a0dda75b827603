/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrored headers of 2026-07-28, the client's side: x-mcp-header in the schemas
 * of tools, Mcp-Name and Mcp-Param-* of requests. */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"
#include "wire/json.h"

/* The value in its header form: plain text, or =?base64?…?= where that is
 * needed. Never contains CR or LF. */
void mirror_put_value(struct strbuf *out, const char *text, size_t len);

/* Which arguments of a tool are mirrored. */
struct mirror {
    const char *const *path; /* keys from the root of the arguments, NULL-terminated */
    const char *header;      /* behind Mcp-Param- */
};
struct mirrors {
    struct mirror *items;
    size_t n;
};
/* Reads the annotations of an inputSchema. False when one of them is not valid,
 * which makes the whole tool unusable over HTTP; *ret_why says which (static). */
bool mirror_read(struct arena *arena, const struct json *json, const struct json_node *schema,
                 struct mirrors *ret_mirrors, const char **ret_why);
/* Header lines for the arguments that are present and not null. */
void mirror_put_headers(struct strbuf *out, const struct mirrors *mirrors, const struct json *json,
                        const struct json_node *arguments);
