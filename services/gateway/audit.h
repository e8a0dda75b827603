/* SPDX-License-Identifier: Apache-2.0 */
/* One event per call: mal.evt.gateway.tool.called of a tool of the hub,
 * mal.evt.gateway.downstream.called of one that is called at its server. */
#pragma once

#include "tools.h"

/* What a call was about. */
struct audit {
    const char *resource;            /* id in the arguments, "" when none */
    const ProtobufCMessage *request; /* NULL when the arguments were refused */
    const ProtobufCMessage *reply;   /* NULL unless it succeeded */
};

/* Never waits: the event is queued and sent by the bus. */
void audit_called(struct exchange *x, const struct tool *tool, enum status status,
                  const struct audit *about);
/* A tool of no service. */
void audit_named(struct exchange *x, const char *tool, enum status status);
/* A tool of a downstream server at an endpoint of its own: server/tool. */
void audit_downstream(struct exchange *x, const char *server, const char *tool, enum status status,
                      bool is_error);
/* Id of the first entity in the reply (its first message field that has an id),
 * else "". */
const char *audit_entity_id(const ProtobufCMessage *reply);
