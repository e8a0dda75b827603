/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of wire_test.proto with their rules. */
#pragma once

#include "test.api.h"

#define EVERYTHING_RULE (wire_rule(&test__everything__descriptor))
#define ALTER_RULE (wire_rule(&test__alter__descriptor))
