/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that the library keeps for the life of a process, once it needs them. */
#pragma once

#include "downstream/internal.h"

/* The thread of the streams, which also looks after idle connections. */
void loop_start(void);

/* ---- reap.c: idle connections are closed in time ------------------------------- */

/* The server has idle connections from now on. */
void reap_add(struct downstream *server);
void reap_remove(struct downstream *server);
/* Now and then. */
void loop_tick(void);

/* ---- outbox.c: short messages that nobody waits for ------------------------------ */

/* Posts the message soon; takes nothing. One too many is dropped. */
void outbox_add(struct downstream_session *session, const struct strbuf *body);
/* Nothing of the session is being posted any more. */
void outbox_cancel(struct downstream_session *session);
