/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of changes: streams that stay open. */
#pragma once

#include "downstream/internal.h"

/* Ends the session's stream, if there is one; afterwards on_message is not
 * called any more on its behalf. */
void watch_stop(struct downstream_session *session);
/* The session was initialized anew. */
void watch_renewed(struct downstream_session *session);
