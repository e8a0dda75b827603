/* SPDX-License-Identifier: Apache-2.0 */
/* /api/v1 and /api/openapi.json, from the same table as the tools. */
#pragma once

#include "gateway.h"

void rest_handle(struct exchange *x);
