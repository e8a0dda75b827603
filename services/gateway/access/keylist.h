/* SPDX-License-Identifier: Apache-2.0 */
/* The four forms of MAL_API_KEYS. */
#pragma once

#include "wire/call.h"

struct listed_key {
    const char *name, *secret;
    unsigned scopes;
    int64_t expires_ms; /* 0 = never */
};

enum { KEYLIST_MAX = 1000, SCOPES_ALL = 0x1f };

/* Reads the text into an array in the arena; an empty text is no keys. Failures
 * name the entry, never the secret. */
enum status keylist_parse(struct arena *arena, const char *text, const struct listed_key **ret_keys,
                          size_t *ret_n, struct error *err) MUST_CHECK;
/* Bit of a scope's name, 0 when it is none. */
unsigned scope_bit(const char *name);
