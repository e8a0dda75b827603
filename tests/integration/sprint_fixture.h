/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of sprint called with JSON on a fresh database, for test_sprint_*. */
#pragma once

#include "mal/sprint/v1/sprint.api.h"
#include "migrations.sql.h"
#include "sprint.h"

#define FIXTURE_SERVICE sprint
#include "handler_fixture.h"
