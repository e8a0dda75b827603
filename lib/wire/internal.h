/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of lib/wire only. */
#pragma once

#include "wire/codec.h"

/* A key of the object that stands there twice, NULL when there is none; not
 * quadratic. */
const struct json_node *json_twice(struct arena *arena, const char *text,
                                   const struct json_node *object);
