/* SPDX-License-Identifier: Apache-2.0 */
/* mal-gamify: the game's process. */
#include "gamify.h"

#include "migrations.sql.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    return svc_main(argc, argv,
                    &(struct svc){.name = "gamify",
                                  .description = "Members, contributions and XP, levels, streaks, "
                                                 "achievements and leaderboards.",
                                  .settings = gamify_setting_table,
                                  .endpoints = gamify_endpoints,
                                  .n_endpoints = gamify_n_endpoints,
                                  .migrations = gamify_migrations,
                                  .n_migrations = gamify_n_migrations,
                                  .start = gamify_start,
                                  .stop = gamify_stop});
}
