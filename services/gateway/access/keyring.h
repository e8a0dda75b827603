/* SPDX-License-Identifier: Apache-2.0 */
/* All API keys: those of MAL_API_KEYS and those of the bucket MAL_KEYS, which is
 * watched, so that a new or revoked key counts at once on every copy. */
#pragma once

#include "gateway.h"

struct keyring;

/* Loads MAL_API_KEYS, opens and watches the bucket, and waits until its present
 * entries are known. pepper is borrowed. */
enum status keyring_new(struct keyring **ret_ring, struct bus *bus, const unsigned char *pepper,
                        struct error *err) MUST_CHECK;
void keyring_free(struct keyring *ring);
/* No key was ever configured. */
bool keyring_empty(struct keyring *ring);
/* Finds the key that hashes to this secret and may be used now; its strings are
 * copied into the arena. */
bool keyring_find(struct keyring *ring, struct arena *arena, const char *secret, int64_t now_ms,
                  struct principal *ret_who);
/* A key with that id may still be used, for what outlives a request. */
bool keyring_valid(struct keyring *ring, const char *id, int64_t now_ms);
/* Grows with every change of the table. */
unsigned keyring_generation(struct keyring *ring);
