/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a contribution in its metadata. */
#pragma once

#include "ledger.h"

/* Sets base and figures of an award from its type and metadata; what has the
 * wrong shape is INVALID_ARGUMENT. */
enum status award_from_metadata(struct call *call, struct award *award) MUST_CHECK;
