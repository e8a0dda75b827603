/* SPDX-License-Identifier: Apache-2.0 */
/* Passive health: what calls say of downstream servers. Of programs the runner
 * that owns them tells. */
#include "base/log.h"
#include "servers.h"
#include "wire/codec.h"

#include "mal/mcp_health/v1/mcp_health.pb-c.h"

enum { REPORT_MAX = 2000 };

void servers_report(struct gateway *gw, const struct picture *picture)
{
    CLEANUP(arena_done) struct arena arena = {0};
    McpHealth__ReportRequest report = MCP_HEALTH__REPORT_REQUEST__INIT;
    size_t len;
    const void *packed;

    arena_init(&arena);
    report.servers = arena_alloc(&arena, picture->n * sizeof(void *));
    for (size_t i = 0; i < picture->n && report.n_servers < REPORT_MAX; i++) {
        McpHealth__ServerReport *one = arena_alloc(&arena, sizeof(*one));

        if (gate_report(picture->servers[i].gate, &arena, one) &&
            picture->servers[i].upstream != NULL) {
            one->revision = picture->servers[i].config->revision;
            report.servers[report.n_servers++] = one;
        }
    }
    if (report.n_servers == 0)
        return;
    packed = wire_pack(&arena, &report.base, &len);
    if (bus_publish(gw->bus, "mal.mcp_health.v1.report", NULL, packed, len) != ST_OK)
        log_debug("the health of servers could not be reported");
}
