/* SPDX-License-Identifier: Apache-2.0 */
/* The admin listener of a process: /healthz, /readyz, /metrics. */
#pragma once

#include "svc/process.h"

enum status admin_start(struct process *process, const char *bind, struct error *err) MUST_CHECK;
