/* SPDX-License-Identifier: Apache-2.0 */
/* The criteria of achievements. */
#include "badge.h"

#include "ledger.h"
#include "tools.h"
#include "wire/json.h"

#include <string.h>

static const char *const measures[] = {
    [MEASURE_NONE] = "",
    [MEASURE_COMMIT] = "commit",
    [MEASURE_INTERACTION] = "interaction",
    [MEASURE_UNIQUE_TOOLS] = "unique_tools",
    [MEASURE_SPRINT_COMPLETED] = "sprint_completed",
    [MEASURE_SPRINT_TOP_VELOCITY] = "sprint_top_velocity",
    [MEASURE_BUG_CLOSED] = "bug_closed",
    [MEASURE_STREAK_DAYS] = "streak_days",
    [MEASURE_DECISIONS_LOGGED] = "decisions_logged",
    [MEASURE_LEVEL_REACHED] = "level_reached",
};

static bool read_target(const struct json *json, const struct json_node *node, bool tools,
                        int *ret_target)
{
    int64_t count;

    if (tools && json_is(json, node, "all")) {
        *ret_target = tools_built_in();
        return true;
    }
    if (!json_int(json, node, &count) || count < 1 || count > INT32_MAX)
        return false;
    *ret_target = (int)count;
    return true;
}

bool criteria_read(struct arena *arena, const char *text, enum measure *ret_measure,
                   int *ret_target)
{
    const struct json_node *type, *count;
    struct json json;

    *ret_measure = MEASURE_NONE;
    *ret_target = 0;
    if (json_parse(arena, text, strlen(text), NULL, &json, NULL) != ST_OK ||
        json.nodes->type != JSON_T_OBJECT || json.nodes->count != 2)
        return false;
    type = json_get(&json, json.nodes, "type");
    count = json_get(&json, json.nodes, "count");
    if (!type || !count)
        return false;
    for (size_t i = MEASURE_NONE + 1; i < ARRAY_SIZE(measures); i++)
        if (json_is(&json, type, measures[i]))
            *ret_measure = (enum measure)i;
    return *ret_measure != MEASURE_NONE &&
           read_target(&json, count, *ret_measure == MEASURE_UNIQUE_TOOLS, ret_target);
}

int measure_of(const struct ledger *ledger, enum measure measure)
{
    const struct tally *tally = &ledger->tally;

    switch (measure) {
    case MEASURE_COMMIT:
        return tally->commits;
    case MEASURE_INTERACTION:
        return tally->interactions;
    case MEASURE_UNIQUE_TOOLS:
        return ledger->tools;
    case MEASURE_SPRINT_COMPLETED:
        return tally->sprints;
    case MEASURE_SPRINT_TOP_VELOCITY:
        return tally->top_velocity;
    case MEASURE_BUG_CLOSED:
        return tally->bugs;
    case MEASURE_STREAK_DAYS:
        return tally->longest_run;
    case MEASURE_DECISIONS_LOGGED:
        return tally->decisions;
    case MEASURE_LEVEL_REACHED:
        return ledger->member->level;
    case MEASURE_NONE:
        break;
    }
    return 0;
}
