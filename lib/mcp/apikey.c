/* SPDX-License-Identifier: Apache-2.0 */
/* Making and hashing the secrets of API keys. */
#include "mcp/apikey.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

void apikey_make(char ret_secret[APIKEY_SECRET_SIZE])
{
    unsigned char random[32];

    randombytes_buf(random, sizeof(random));
    (void)snprintf(ret_secret, APIKEY_SECRET_SIZE, "mal_");
    (void)sodium_bin2base64(ret_secret + 4, APIKEY_SECRET_SIZE - 4, random, sizeof(random),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
}

void apikey_prefix(const char *secret, char ret_prefix[APIKEY_PREFIX_SIZE])
{
    size_t len = strnlen(secret, APIKEY_PREFIX_SIZE - 1);

    memcpy(ret_prefix, secret, len);
    ret_prefix[len] = '\0';
}

void apikey_pepper(const char *text, unsigned char ret_pepper[APIKEY_PEPPER_SIZE])
{
    (void)crypto_generichash(ret_pepper, APIKEY_PEPPER_SIZE, (const unsigned char *)text,
                             strlen(text), NULL, 0);
}

void apikey_hash(const unsigned char pepper[APIKEY_PEPPER_SIZE], const char *secret, size_t len,
                 unsigned char ret_hash[APIKEY_HASH_SIZE])
{
    (void)crypto_generichash(ret_hash, APIKEY_HASH_SIZE, (const unsigned char *)secret, len, pepper,
                             APIKEY_PEPPER_SIZE);
}

bool apikey_equal(const unsigned char a[APIKEY_HASH_SIZE], const unsigned char b[APIKEY_HASH_SIZE])
{
    return sodium_memcmp(a, b, APIKEY_HASH_SIZE) == 0;
}
