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
/* "Error: …", one bullet per field, "Try: …". tool names the tool in
 * "Validation failed in <tool>:". */
void wire_error_text(struct strbuf *buf, const struct error *err, const char *tool,
                     const char *request_id);
