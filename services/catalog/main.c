/* SPDX-License-Identifier: Apache-2.0 */
/* mal-catalog: the catalog's process. */
#include "catalog.h"

#include "migrations.sql.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    return svc_main(argc, argv,
                    &(struct svc){.name = "catalog",
                                  .description = "Skills, commands, subagents, downstream MCP "
                                                 "servers and the log of tool calls.",
                                  .settings = catalog_setting_table,
                                  .endpoints = catalog_endpoints,
                                  .n_endpoints = catalog_n_endpoints,
                                  .gather = true,
                                  .migrations = catalog_migrations,
                                  .n_migrations = catalog_n_migrations,
                                  .start = catalog_start,
                                  .stop = catalog_stop});
}
