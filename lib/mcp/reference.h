/* SPDX-License-Identifier: Apache-2.0 */
/* Values of env_vars and headers of downstream servers as they are used: opened
 * when sealed, with ${env:NAME} and ${secret:NAME} put in. Where a server is
 * reached, nowhere else; never logged, never part of an error. */
#pragma once

#include "mcp/secret.h"

struct reference_pair {
    const char *name, *value;
};

struct reference_source {
    const struct secret_keys *keys;
    const char *env_allow;                /* comma list of variables; MAL_* are never read */
    const struct reference_pair *secrets; /* sealed values by name */
    size_t n_secrets;
};

/* PERMISSION_DENIED for a variable that is not allowed or not set,
 * FAILED_PRECONDITION for a secret that is not stored or that no key opens; both
 * name it. */
enum status reference_resolve(struct arena *arena, const struct reference_source *source,
                              const char *value, const char **ret_text,
                              struct error *err) MUST_CHECK;
