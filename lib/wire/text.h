/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown of replies and errors, rendered generically from descriptor and
 * rules (docs/tools.md, "Texts"). */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "wire/rule.h"

/* The text block of a success. A reply whose internal text is set gives that. */
void wire_text(struct strbuf *buf, const struct rpc *rpc, const ProtobufCMessage *request,
               const ProtobufCMessage *reply);
/* The value of a table cell: | is escaped, line breaks become spaces. For the
 * reports that services write themselves. */
void wire_text_cell(struct strbuf *buf, const char *text);
/* "Error: …", one bullet per field, "Try: …". tool names the tool in
 * "Validation failed in <tool>:". */
void wire_error_text(struct strbuf *buf, const struct error *err, const char *tool,
                     const char *request_id);
