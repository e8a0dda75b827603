/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of mcp-health called with JSON on a fresh database, for test_health_*. */
#pragma once

#include "health.h"
#include "mal/mcp_health/v1/mcp_health.api.h"
#include "migrations.sql.h"
#include "tool.h"

#define FIXTURE_SERVICE mcp_health
#include "handler_fixture.h"

#define OLD_KEY "old:0000000000000000000000000000000000000000000000000000000000000001"
#define NEW_KEY "new:0000000000000000000000000000000000000000000000000000000000000002"

static inline void fresh_call(void)
{
    arena_reset(&f->arena);
    f->call = (struct call){.arena = &f->arena,
                            .request_id = "018e0000-0000-7000-8000-000000000001",
                            .actor = "ana",
                            .deadline_ms = clock_mono_ms() + 30000,
                            .now_ms = clock_wall_ms(),
                            .pg = f->conn};
}

/* Registers the server as catalog would tell it. */
static inline void store(const char *id, bool inactive)
{
    Catalog__Mcp mcp = CATALOG__MCP__INIT, *rows[] = {&mcp};

    fresh_call();
    mcp.id = mcp.name = id;
    mcp.description = "d";
    mcp.transport = CATALOG__TRANSPORT__TRANSPORT_STREAMABLE_HTTP;
    mcp.endpoint_url = "http://far/mcp";
    mcp.status = inactive ? CATALOG__MCP_STATUS__MCP_STATUS_INACTIVE
                          : CATALOG__MCP_STATUS__MCP_STATUS_ACTIVE;
    ck_assert_int_eq(registry_store(&f->call, 1, rows, false), ST_OK);
}

static inline const char *value(const char *sql)
{
    return pg_server_value(f->url, sql);
}

/* The server was read and offers these tools. */
static inline void store_reading(const char *id, size_t n, const char *const *tools)
{
    CLEANUP(tx_done) struct tx tx = {0};

    fresh_call();
    ck_assert_int_eq(tx_begin(&tx, &f->call), ST_OK);
    ck_assert_int_eq(reading_store(&tx, id,
                                   &(struct reading){.protocol_version = "2025-11-25",
                                                     .server_info = "{}",
                                                     .capabilities = "{}",
                                                     .instructions = "",
                                                     .tools = tools,
                                                     .n_tools = n,
                                                     .resources = "[]",
                                                     .resource_templates = "[]",
                                                     .prompts = "[]"}),
                     ST_OK);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
}
