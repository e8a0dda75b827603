/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a program is that callers have for themselves. */
#pragma once

#include "servers.h"

/* The key by which the runner knows it: of this principal with what it can be asked, JSON;
 * NULL = nothing. In the arena. */
const char *child_key(struct arena *arena, const char *principal, const char *capabilities);
/* The same of the program that this caller has for itself at the server; NULL: it is none, or many
 * share it. capabilities: in the words of an older server, which alone is told them at the start.
 */
const char *child_at(struct arena *arena, const struct server *server, const char *principal,
                     const char *capabilities);
