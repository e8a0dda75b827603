/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the messages of wire_test.proto. */
#pragma once

#include "wire/rule.h"

extern const struct message_rule test_everything_rule, test_change_rule, test_part_rule;
