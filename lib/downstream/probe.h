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

/* ---- level.c ---- */

/* An older session is to begin its work: with the level that its logs had. */
void level_renew(struct downstream_session *session, int64_t deadline_ms);
/* Before a request, which may be the first of its session. */
void level_before(struct downstream_session *session, const struct downstream_request *request);
