/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/remote share; nobody else includes it. */
#pragma once

#include "base/ids.h"
#include "remote/remote.h"

static inline const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* ---- owner.c ---- */

/* Who held the child when it was last opened; it may be another by now. */
bool owner_known(const struct remote_request *request, char out[TOKEN_SIZE]);
/* That one did not answer. */
void owner_forget(const struct remote_request *request, const char *owner);
/* Starts the child unless it lives, and remembers who holds it. */
enum status owner_open(struct bus *bus, const struct remote_request *request, int64_t deadline_ms,
                       char out[TOKEN_SIZE], struct error *err) MUST_CHECK;
