/* SPDX-License-Identifier: Apache-2.0 */
/* Texts from outside, kept short. */
#pragma once

#include "base/arena.h"

/* At most max bytes of the text, cut between two letters. */
const char *text_cut(struct arena *arena, const char *text, size_t max);
