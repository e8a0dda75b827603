/* SPDX-License-Identifier: Apache-2.0 */
/* What the client of mal stdio gets. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

/* One message: compact JSON, one line. */
void client_emit(const char *json, size_t len);
/* One line on stderr. */
void client_complain(const char *fmt, ...) PRINTF(1, 2);
