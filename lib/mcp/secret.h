/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: values of env_vars and headers of downstream servers and named
 * secrets, sealed under a key of the operator (MAL_SECRET_KEYS). The text is
 * "sealed:<key id>:<base64url of XChaCha20-Poly1305>", so that a value says which
 * key opens it and keys can be changed one after the other. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "mcp/seal.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_KEYS_MAX = 8, SECRET_KEY_ID_SIZE = 33 };

struct secret_keys {
    size_t n; /* 0: nothing can be sealed or opened */
    struct secret_key {
        char id[SECRET_KEY_ID_SIZE];
        unsigned char bytes[MCP_SEAL_KEY_SIZE];
    } keys[SECRET_KEYS_MAX]; /* the first one seals, all of them open */
};

/* Reads "id:64 hex digits[,id:64 hex digits…]"; "" = no keys. INVALID_ARGUMENT
 * names what is wrong and never the key. */
enum status secret_keys_read(const char *text, struct secret_keys *ret_keys,
                             struct error *err) MUST_CHECK;

bool secret_is_sealed(const char *text);
/* Whether the newest key sealed it. */
bool secret_is_current(const struct secret_keys *keys, const char *text);
/* NULL without keys. */
const char *secret_seal(struct arena *arena, const struct secret_keys *keys, const char *plain);
/* NULL when no key opens it or it was changed. */
const char *secret_open(struct arena *arena, const struct secret_keys *keys, const char *text);
