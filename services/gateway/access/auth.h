/* SPDX-License-Identifier: Apache-2.0 */
/* Who sent this request. */
#pragma once

#include "gateway.h"

/* Sets x->who. False: the refusal has been answered. */
bool auth_check(struct exchange *x);

enum auth_credential { AUTH_NONE, AUTH_SECRET, AUTH_MALFORMED };
/* The secret in the two headers (NULL = not sent); both may carry the same. */
enum auth_credential auth_credential(const char *api_key, const char *authorization,
                                     const char **ret_secret);
