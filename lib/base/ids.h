/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers from the kernel's random source. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { UUID_SIZE = 37, TOKEN_SIZE = 33 };

/* Fills with getrandom(2); aborts when the kernel has no randomness. */
void random_bytes(void *out, size_t len);
/* RFC 9562 version 4 and 7, lower case. */
void uuid_v4(char out[UUID_SIZE]);
void uuid_v7(char out[UUID_SIZE]);
bool uuid_valid(const char *text);
/* 128 random bits as 32 hexadecimal digits. */
void token_hex(char out[TOKEN_SIZE]);
