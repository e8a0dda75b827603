/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of sprint called with JSON on a fresh database, for test_sprint_*. */
#pragma once

#include "mal/sprint/v1/events.pb-c.h"
#include "mal/sprint/v1/sprint.api.h"
#include "migrations.sql.h"
#include "sprint.h"

#define FIXTURE_SERVICE sprint
#include "handler_fixture.h"

static inline const char *value(const char *sql)
{
    return pg_server_value(f->url, sql);
}

/* Payload of the last event of a kind, say sprint.sprint.created. */
static inline const ProtobufCMessage *last_event(const char *subject,
                                                 const ProtobufCMessageDescriptor *descriptor)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;
    const char *hex = value(
        arena_printf(&f->arena,
                     "select encode(payload, 'hex') from sprint.outbox where subject = 'mal.evt.%s'"
                     " order by id desc limit 1",
                     subject));
    size_t len = strlen(hex) / 2;
    unsigned char *bytes = arena_alloc(&f->arena, len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)strtoul(arena_memdup(&f->arena, hex + 2 * i, 2), NULL, 16);
    ck_assert_int_eq(wire_unpack(&f->arena, descriptor, bytes, len, &message, &err), ST_OK);
    return message;
}
