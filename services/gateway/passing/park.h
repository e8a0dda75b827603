/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges with older servers that asked something of a modern caller: they wait
 * here until it comes back with the answer, or for MAL_CONFIRM_TIMEOUT_MS. */
#pragma once

#include "pass.h"

struct parking;
/* Listens for retries that came to other copies. */
enum status parking_new(struct parking **ret_parking, struct gateway *gw,
                        struct error *err) MUST_CHECK;
/* Ends what waits, and what runs for other copies. Accepts NULL. */
void parking_free(struct parking *parking);
int64_t parking_count(struct parking *parking);

/* The server asks: writes the question as the answer of this request. False when
 * there is no room or modern callers cannot be asked that. */
bool park(struct pass *pass, const struct downstream_message *msg);
/* Afterwards, when nobody pulls any more: whoever has the state may go on. */
void park_done(struct pass *pass);
/* Goes on with the exchange that the state names. */
enum status park_resume(struct pass *pass, const Gateway__BridgeState *state) MUST_CHECK;
