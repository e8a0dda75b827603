/* SPDX-License-Identifier: Apache-2.0 */
/* mal-mcp-health: the process that decides about downstream servers. */
#include "health.h"

#include "migrations.sql.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    return svc_main(argc, argv,
                    &(struct svc){.name = "mcp-health",
                                  .description = "Health, policy and tool definitions of "
                                                 "downstream MCP servers.",
                                  .settings = health_setting_table,
                                  .endpoints = mcp_health_endpoints,
                                  .n_endpoints = mcp_health_n_endpoints,
                                  .migrations = mcp_health_migrations,
                                  .n_migrations = mcp_health_n_migrations,
                                  .start = health_start,
                                  .stop = health_stop});
}
