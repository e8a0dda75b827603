/* SPDX-License-Identifier: Apache-2.0 */
/* mal-sprint: the process of the team's work. */
#include "sprint.h"

#include "migrations.sql.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    return svc_main(argc, argv,
                    &(struct svc){.name = "sprint",
                                  .description = "Projects, sprints, work items, conversations "
                                                 "with their decisions, reports and digests.",
                                  .settings = sprint_setting_table,
                                  .endpoints = sprint_endpoints,
                                  .n_endpoints = sprint_n_endpoints,
                                  .migrations = sprint_migrations,
                                  .n_migrations = sprint_n_migrations,
                                  .start = sprint_start,
                                  .stop = sprint_stop});
}
