/* SPDX-License-Identifier: Apache-2.0 */
/* A team that conversations can mention. */
#pragma once

#include "sprint_fixture.h"

/* Two projects, three sprints, five items. */
static const char team[] =
    "insert into sprint.project (id, name, key) values ('apollo', 'Apollo', 'MAL'),"
    " ('hermes', 'Hermes', 'API');"
    "insert into sprint.sprint (id, name, start_date, end_date, project_id) values"
    " ('sprint-7', 'Sprint 7', '2026-03-02', '2026-03-16', 'apollo'),"
    " ('launch', 'The Sprint 12: launch', '2026-03-16', '2026-03-30', 'hermes'),"
    " ('old-launch', 'Sprint #12', '2025-03-16', '2025-03-30', null),"
    " ('sprint-alpha-2', 'Second alpha', '2026-01-01', '2026-01-14', null);"
    "insert into sprint.work_item (id, title, sprint_id, project_id) values"
    " ('MAL-42', 'Board', 'sprint-7', 'apollo'), ('MAL-43', 'Burndown', null, 'apollo'),"
    " ('API-1', 'Routes', 'launch', 'hermes'), ('MAL-007', 'Bond', null, null),"
    " ('loose', 'No key', null, null);";

static inline void add_team(void)
{
    pg_server_sql(f->url, team);
}
