/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a caller that go on to a downstream server: those that its policy
 * names, never credentials or what belongs to the caller's own connection. */
#pragma once

#include "servers.h"

/* In the arena of the exchange; never NULL, so that those of no other request are
 * taken. */
size_t forward_headers(struct exchange *x, const struct server *server,
                       const struct downstream_header **ret_headers);
