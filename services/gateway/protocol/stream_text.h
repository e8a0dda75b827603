/* SPDX-License-Identifier: Apache-2.0 */
/* What is written on streams: server-sent events with JSON-RPC messages. */
#pragma once

#include "base/strbuf.h"

/* Notification of a change. subscription: id of the listen request as JSON, NULL =
 * of an older session; uri: of the resource that changed, NULL = a list did. */
void stream_put_change(struct strbuf *out, const char *subscription, const char *method,
                       const char *uri);
/* Final result of a listen request, not yet an event. */
void stream_put_result(struct strbuf *out, const char *subscription);
/* A message as an event. */
void stream_put_event(struct strbuf *out, const char *message, size_t len);
