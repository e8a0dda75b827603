/* SPDX-License-Identifier: Apache-2.0 */
/* Awards and reversals that follow from what sprint tells. */
#pragma once

#include "bus/bus.h"
#include "gamify.h"

/* Applies one event of mal.evt.sprint.>, once. */
enum status awards_apply(struct call *call, const struct bus_event *event) MUST_CHECK;
