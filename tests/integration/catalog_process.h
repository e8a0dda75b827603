/* SPDX-License-Identifier: Apache-2.0 */
/* mal-catalog as a process, for test_catalog_process and test_catalog_replay. */
#pragma once

#include "catalog.h"
#include "mal/catalog/v1/catalog.api.h"
#include "mal/gateway/v1/events.pb-c.h"
#include "migrations.sql.h"

#define PROCESS_NAME "mal-catalog"
#define PROCESS_ENV "MAL_EXEC_ENABLED", "true"
#include "service_process.h"

/* As the gateway tells of a call: server/tool is one of a downstream server's. */
static inline const char *subject_of(const char *tool)
{
    return strchr(tool, '/') ? "mal.evt.gateway.downstream.called" : "mal.evt.gateway.tool.called";
}

static inline void tell_call(const char *event_id, const char *tool)
{
    Gateway__ToolCalled called = GATEWAY__TOOL_CALLED__INIT;
    size_t len;
    const void *data;

    called.tool_name = tool;
    called.user_key = "ana";
    called.channel = "rest";
    called.success = true;
    called.status = "ok";
    called.called_at = "2026-03-02T09:30:00.120Z";
    data = wire_pack(&arena, &called.base, &len);
    ck_assert_int_eq(bus_event_publish(bus, subject_of(tool), event_id, NULL, data, len, WAIT_MS),
                     ST_OK);
}

static inline int catalog_tests(int argc, char **argv, Suite *suite)
{
    const struct svc svc = catalog_service();

    return process_tests(argc, argv, suite, &svc);
}
