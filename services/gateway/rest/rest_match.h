/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and queries of the REST surface. */
#pragma once

#include "base/arena.h"
#include "wire/codec.h"

enum { REST_VARS_MAX = 8, REST_PARAMS_MAX = 256 };

/* The path fits the template (/api/v1/skills/{id}); its variables are appended
 * to vars, which has room for REST_VARS_MAX. */
bool rest_match(struct arena *arena, const char *template, const char *path,
                struct wire_param *vars, size_t *ret_n);
/* Decodes name=value&…; false for broken escapes, NUL or too many parameters. */
bool rest_query(struct arena *arena, const char *query, struct wire_param *params, size_t max,
                size_t *n);
