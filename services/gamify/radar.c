/* SPDX-License-Identifier: Apache-2.0 */
/* The radar: shares of a member's work by area. */
#include "radar.h"

#include "radar.sql.h"

enum { AXES = 5 };

static const char *const devops[] = {"mal_execute_command", "mal_health_check",
                                     "mal_proxy_mcp_call", "mal_register_mcp"};
static const char *const data[] = {"mal_export_catalog", "mal_import_catalog",
                                   "mal_get_usage_stats", "mal_get_audit_log",
                                   "mal_get_tool_usage_stats"};
static const char *const documentation[] = {"mal_get_skill_content", "mal_register_skill",
                                            "mal_update_skill"};

/* Rounded down; what is missing to 100 goes to those that lost most by it. */
void radar_percent(Gamify__Radar *radar)
{
    int32_t *const axes[AXES] = {&radar->frontend, &radar->backend, &radar->devops, &radar->data,
                                 &radar->documentation};
    int64_t total = 0, rest[AXES];
    int left = 100;

    for (int i = 0; i < AXES; i++)
        total += *axes[i];
    for (int i = 0; i < AXES && total > 0; i++) {
        int64_t hundredfold = (int64_t)*axes[i] * 100;

        *axes[i] = (int32_t)(hundredfold / total);
        rest[i] = hundredfold % total;
        left -= *axes[i];
    }
    for (; left > 0 && total > 0; left--) {
        int most = 0;

        for (int i = 1; i < AXES; i++)
            if (rest[i] > rest[most])
                most = i;
        ++*axes[most];
        rest[most] = -1;
    }
}

enum status radar_of(struct call *call, const char *user_id, Gamify__Radar *radar)
{
    TRY(pg_one(call, &radar->base, sql_radar_counts, "saaa", user_id, ARRAY_SIZE(devops), devops,
               ARRAY_SIZE(data), data, ARRAY_SIZE(documentation), documentation));
    radar_percent(radar);
    return ST_OK;
}
