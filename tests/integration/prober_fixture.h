/* SPDX-License-Identifier: Apache-2.0 */
/* A prober on the fixture's database, for tests of what probes find out. */
#pragma once

#include "health_fixture.h"

#include "probe.h"

#include <unistd.h>

#define STATUS "select status from mcp_health.mcp_state"

enum { WAIT_MS = 15000 };

static struct prober *prober;

/* Hands out what is due until the query says so. */
static inline void feed_until(const char *sql, const char *wanted)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    while (strcmp(value(sql), wanted) != 0) {
        ck_assert_msg(clock_mono_ms() < until, "%s is %s", sql, value(sql));
        fresh_call();
        ck_assert_int_eq(prober_feed(&f->call, prober), ST_OK);
        (void)usleep(10000); /* between two looks only */
    }
}

static inline void due_now(void)
{
    pg_server_sql(f->url, "update mcp_health.mcp_state set next_check_at = now()");
}
