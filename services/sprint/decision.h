/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions taken in conversations. */
#pragma once

#include "sprint.h"

/* Stores each decision of the conversation as a row of its own, with its event. */
enum status decisions_record(struct tx *tx, const Sprint__Interaction *interaction) MUST_CHECK;
