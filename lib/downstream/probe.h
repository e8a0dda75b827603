/* SPDX-License-Identifier: Apache-2.0 */
/* Meeting a server: which era it is of, and the legacy handshake. */
#pragma once

#include "downstream/exchange.h"

/* Asks with server/discover and notes the verdict. */
enum status probe(struct downstream_session *session, int64_t deadline_ms, enum era *ret_era,
                  struct error *err) MUST_CHECK;
/* initialize and notifications/initialized; a new generation of the session. */
enum status initialize(struct downstream_session *session, int64_t deadline_ms,
                       struct error *err) MUST_CHECK;
