/* SPDX-License-Identifier: Apache-2.0 */
/* Who called what, with which outcome, for the audit log. */
#include "audit.h"

#include "base/clock.h"
#include "base/ids.h"
#include "wire/codec.h"

#include "mal/gateway/v1/events.pb-c.h"

#include <string.h>

#define TOOL "mal.evt.gateway.tool.called"
#define DOWNSTREAM "mal.evt.gateway.downstream.called"

const char *audit_entity_id(const ProtobufCMessage *reply)
{
    const char *id = wire_get_string(reply, "id");

    for (unsigned i = 0; *id == '\0' && i < reply->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &reply->descriptor->fields[i];
        const ProtobufCMessage *entity;

        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        entity = wire_get_message(reply, field->name);
        if (entity != NULL)
            return wire_get_string(entity, "id");
    }
    return id;
}

static void publish(struct exchange *x, const char *subject, Gateway__ToolCalled *event,
                    enum status status)
{
    char event_id[UUID_SIZE], *at = arena_alloc(x->arena, TIMESTAMP_SIZE);
    size_t len;
    void *packed;

    uuid_v7(event_id);
    clock_format(x->now_ms, at);
    event->user_key = x->who.name;
    event->channel = x->channel;
    event->duration_ms = (int32_t)((clock_mono_us() - x->started_us + 500) / 1000);
    event->status = status_lower_name(status);
    event->request_id = x->request_id;
    event->called_at = at;
    packed = wire_pack(x->arena, &event->base, &len);
    bus_event_queue_add(x->gw->audit, subject, event_id,
                        (const struct bus_header[]){{"Mal-Actor", x->who.name},
                                                    {"Mal-Time", at},
                                                    {"Mal-Request-Id", x->request_id},
                                                    {NULL, NULL}},
                        packed, len);
}

void audit_called(struct exchange *x, const struct tool *tool, enum status status,
                  const struct audit *about)
{
    Gateway__ToolCalled event = GATEWAY__TOOL_CALLED__INIT;

    if (tool->rpc->tool_name == NULL)
        return;
    event.tool_name = tool->rpc->tool_name;
    event.resource_id = about->resource;
    if (*event.resource_id == '\0' && about->reply != NULL)
        event.resource_id = audit_entity_id(about->reply);
    event.success =
        status == ST_OK && !(about->reply != NULL && wire_get_bool(about->reply, "is_error"));
    event.mcp_id = about->request != NULL ? wire_get_string(about->request, "mcp_id") : "";
    publish(x, TOOL, &event, status);
}

void audit_named(struct exchange *x, const char *tool, enum status status)
{
    Gateway__ToolCalled event = GATEWAY__TOOL_CALLED__INIT;

    event.tool_name = tool;
    event.success = status == ST_OK;
    publish(x, TOOL, &event, status);
}

void audit_downstream(struct exchange *x, const char *server, const char *tool, enum status status,
                      bool is_error)
{
    Gateway__ToolCalled event = GATEWAY__TOOL_CALLED__INIT;

    event.tool_name = arena_join(x->arena, server, "/", tool, NULL);
    event.resource_id = server;
    event.mcp_id = server;
    event.success = status == ST_OK && !is_error;
    publish(x, DOWNSTREAM, &event, status);
}
