/* SPDX-License-Identifier: Apache-2.0 */
/* The regular look for achievements that members should have by now. */
#pragma once

#include "gamify.h"

/* Looks at every member; each is a transaction of its own. For a job. */
enum status sweep_members(struct call *call, void *arg) MUST_CHECK;
