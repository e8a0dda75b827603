/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side of mal stdio: one transfer per message, all on one thread. */
#pragma once

#include "hub.h"

#include "mcp/message.h"

#include <curl/curl.h>

struct transfer;

struct bridge {
    struct hub_address address;
    CURLM *multi;
    struct transfer *transfers;
    char session[160];      /* legacy session id, "" = none */
    char version[16];       /* negotiated legacy version */
    struct strbuf greeting; /* the initialize line, to begin anew after a lost session */
    struct strbuf waiting;  /* lines that wait for the answer to initialize */
    bool initializing;
    bool replaying; /* the answer to the repeated initialize is ours to swallow */
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
/* One line on stderr. */
void bridge_complain(const struct bridge *bridge, const char *fmt, ...) PRINTF(2, 3);
