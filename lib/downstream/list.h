/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, as the library itself needs them. */
#pragma once

#include "downstream/internal.h"

/* Learns the tools' mirrored headers anew; failures leave them as they are. */
void list_refresh_tools(struct downstream_session *session, int64_t deadline_ms);
