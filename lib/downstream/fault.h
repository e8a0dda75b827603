/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of a server in the words of the caller. */
#pragma once

#include "downstream/downstream.h"

/* Sets status, reason and "Server 'id' <fmt>."; returns the status. */
enum status fault_set(struct error *err, const char *id, enum downstream_fault fault,
                      const char *fmt, ...) PRINTF(4, 5);
