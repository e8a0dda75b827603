/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator refuses. */
#pragma once

#include "model.h"

/* Notes every mistake in the files to generate. */
void lint(struct model *model);
/* Compares field numbers and enum numbers with those of proto.lock; a file that
 * does not exist locks nothing. */
void lock_check(struct model *model, const char *lock_path);
