/* SPDX-License-Identifier: Apache-2.0 */
/* The REST surface as an OpenAPI document. */
#pragma once

#include "model.h"

#include <jansson.h>

/* OpenAPI 3.1 of every route; a new reference. */
json_t *openapi(const struct model *model, const char *version);
