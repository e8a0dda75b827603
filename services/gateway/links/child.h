/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a program is that callers have for themselves. */
#pragma once

#include "base/arena.h"

/* The key by which the runner knows it: of this principal with what it can be asked, JSON;
 * NULL = nothing. In the arena. */
const char *child_key(struct arena *arena, const char *principal, const char *capabilities);
