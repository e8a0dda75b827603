/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side of mal stdio: one transfer per message, all on one thread. */
#pragma once

#include "transfer.h"

struct bridge {
    struct channel channel;
    struct strbuf greeting; /* the initialize line, to begin anew after a lost session */
    struct strbuf waiting;  /* lines that wait for the answer to initialize */
    bool initializing;
};

void bridge_open(struct bridge *bridge, const struct hub_address *address);
/* Ends every transfer and the session. */
void bridge_close(struct bridge *bridge);
/* Takes one message from the client. */
void bridge_line(struct bridge *bridge, const char *line, size_t len);
/* Moves transfers on; writes what came to stdout. */
void bridge_step(struct bridge *bridge);
/* Whether a request still waits for its answer (open streams do not count). */
bool bridge_waiting(const struct bridge *bridge);
