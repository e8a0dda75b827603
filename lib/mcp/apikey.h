/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of API keys: how they are made, hashed and recognised. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    APIKEY_SECRET_SIZE = 4 + 43 + 1, /* mal_, 256 bits in base64url, NUL */
    APIKEY_PREFIX_SIZE = 4 + 6 + 1,
    APIKEY_HASH_SIZE = 32,
    APIKEY_PEPPER_SIZE = 32,
};

/* Where the pepper lives when MAL_KEY_PEPPER is not set: bucket MAL_SECRETS,
 * created (bus_kv_create) with random bytes by whoever needs it first. */
#define APIKEY_PEPPER_ENTRY "key_pepper"
#define APIKEY_BUCKET "MAL_KEYS"
#define APIKEY_SECRETS_BUCKET "MAL_SECRETS"

/* A fresh random secret. */
void apikey_make(char ret_secret[APIKEY_SECRET_SIZE]);
/* What may be shown of it afterwards. */
void apikey_prefix(const char *secret, char ret_prefix[APIKEY_PREFIX_SIZE]);
/* A pepper of 32 bytes from the text of MAL_KEY_PEPPER, whatever its length. */
void apikey_pepper(const char *text, unsigned char ret_pepper[APIKEY_PEPPER_SIZE]);
/* Keyed BLAKE2b-256 of the whole secret. */
void apikey_hash(const unsigned char pepper[APIKEY_PEPPER_SIZE], const char *secret, size_t len,
                 unsigned char ret_hash[APIKEY_HASH_SIZE]);
/* Compares in constant time. */
bool apikey_equal(const unsigned char a[APIKEY_HASH_SIZE], const unsigned char b[APIKEY_HASH_SIZE]);
