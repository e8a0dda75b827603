/* SPDX-License-Identifier: Apache-2.0 */
/* Events put into the tables that gather them for a replay. */
#pragma once

#include "bus/bus.h"
#include "gamify.h"

/* mal.evt.gamify.> */
enum status replay_take_game(struct call *call, const struct bus_event *events,
                             size_t n) MUST_CHECK;
/* mal.evt.gateway.tool.called */
enum status replay_take_calls(struct call *call, const struct bus_event *events,
                              size_t n) MUST_CHECK;
