/* SPDX-License-Identifier: Apache-2.0 */
/* mal.evt.gateway.tool.called: one event per call of a known tool. */
#pragma once

#include "tools.h"

/* Never waits: the event is queued and sent by the bus. Either message may be
 * NULL. */
void audit_called(struct exchange *x, const struct tool *tool, enum status status,
                  const ProtobufCMessage *request, const ProtobufCMessage *reply);
/* Id of the first entity in the reply (its first message field that has an id),
 * else "". */
const char *audit_entity_id(const ProtobufCMessage *reply);
