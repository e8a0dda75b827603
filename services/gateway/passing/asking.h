/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of a downstream server to the client of one legacy call, several at
 * once: put on the call's stream, answered by POSTs that may reach other copies. */
#pragma once

#include "mcp_call.h"

struct asking;

/* What came of the client; texts in the call's arena. */
struct asked {
    unsigned number; /* of the question */
    /* JSON, two of them NULL. progress: params of a progress notification. */
    const char *result, *error, *progress;
};

/* NULL when the bus is away. Counts as a worker that a question holds. */
struct asking *asking_begin(struct mcp *m);
/* The number of the next question; asking_id is to be its progressToken. */
unsigned asking_number(const struct asking *asking);
/* Under which the client knows a question, as JSON. */
const char *asking_id(const struct asking *asking, unsigned number);
/* members: "method":…,"params":…. False when the client has gone. */
bool asking_put(struct asking *asking, const char *members, size_t len);
/* False: nothing came within that time. */
bool asking_next(struct asking *asking, int wait_ms, struct asked *ret_asked);
/* Tells the client that the question has no meaning any more. */
void asking_withdraw(struct asking *asking, unsigned number);
/* Accepts NULL. */
void asking_end(struct asking *asking);
