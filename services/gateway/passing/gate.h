/* SPDX-License-Identifier: Apache-2.0 */
/* What every call of a downstream server passes in this gateway copy: a place
 * among its calls at once, its circuit breaker, and the count of how calls went.
 * So a server that hangs or fails holds few workers, and soon none. */
#pragma once

#include "gateway.h"

#include "mal/mcp_health/v1/state.pb-c.h"

/* Counted. */
struct gate;
struct gate *gate_new(struct gateway *gw, const char *id);
struct gate *gate_ref(struct gate *gate);
/* Accepts NULL. */
void gate_unref(struct gate *gate);
/* Places as the operator decided; 0 = the setting. */
void gate_allow(struct gate *gate, int places);
/* Closes the breaker: the server answered a probe. */
void gate_reset(struct gate *gate);

/* One call. */
struct passage {
    bool trial;
};
/* Refused, at once or after a moment: MCP_BUSY or MCP_CIRCUIT_OPEN, naming the
 * server. */
enum status gate_enter(struct gate *gate, struct passage *passage, struct error *err) MUST_CHECK;
/* err NULL: answered. hurried: the caller waited less long than the server may
 * take, so that a timeout says little. */
void gate_leave(struct gate *gate, struct passage *passage, const struct error *err, bool hurried);

/* What calls came to since the last time; false: there were none. */
bool gate_report(struct gate *gate, struct arena *arena, McpHealth__ServerReport *ret_report);
void gate_metrics(void);
