/* SPDX-License-Identifier: Apache-2.0 */
/* The tools of this build, and who used them. */
#pragma once

#include "bus/bus.h"
#include "gamify.h"
#include "mal/gateway/v1/events.pb-c.h"

/* How many built-in tools this build has. */
int tools_built_in(void);
/* Whether the call counts as use of a tool: a successful one of a built-in tool
 * that no person clicked in the web pages. */
bool tool_use_counts(const Gateway__ToolCalled *called);
/* Applies a batch of mal.evt.gateway.tool.called, each event once. */
enum status tool_use_store(struct call *call, const struct bus_event *events, size_t n) MUST_CHECK;
