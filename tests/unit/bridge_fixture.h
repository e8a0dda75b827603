/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the translation between revisions share. */
#pragma once

#include "mcp/bridge.h"
#include "suite.h"

#include <check.h>
#include <string.h>

#define OURS "{\"name\":\"hub\",\"version\":\"1\"}"
#define LABEL "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" OURS "}"
#define THEIRS                                                                                     \
    "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"d\",\"version\":\"2\"}}"
#define COMPLETE "\"resultType\":\"complete\""
#define STALE ",\"ttlMs\":0,\"cacheScope\":\"private\""

enum {
    OLDEST = MCP_2024_11_05,
    V03 = MCP_2025_03_26,
    V06 = MCP_2025_06_18,
    V11 = MCP_2025_11_25,
    NEW = MCP_2026_07_28
};

static struct arena arena;

static inline void setup(void)
{
    arena_init(&arena);
}

static inline void teardown(void)
{
    arena_done(&arena);
}

static inline const struct json *parse(const char *text)
{
    struct json *json = arena_alloc(&arena, sizeof(*json));
    struct error err = {0};

    ck_assert_msg(json_parse(&arena, text, strlen(text), NULL, json, &err) == ST_OK, "%s: %s", text,
                  err.message);
    return json;
}

static inline struct bridge between(int server, int caller)
{
    return (struct bridge){.server = (enum mcp_version)server,
                           .caller = (enum mcp_version)caller,
                           .server_info = OURS};
}

/* Runs the tests that fill puts into the case. */
static inline int run_bridge_tests(const char *name, void (*fill)(TCase *tcase))
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    fill(tcase);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
