/* SPDX-License-Identifier: Apache-2.0 */
/* How often a key may call and an address may be wrong. Per gateway copy. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct limits;

struct limits *limits_new(int64_t calls_per_second, int64_t failures_per_minute);
void limits_free(struct limits *limits);
/* Takes one call from the key's bucket (a second's worth of burst). False when
 * it is empty; then seconds to wait in *ret_wait_s. */
bool limits_call(struct limits *limits, const char *principal, int64_t now_ms, int *ret_wait_s);
/* Counts a wrong key from the address. */
void limits_failed(struct limits *limits, const char *address, int64_t now_ms);
/* The address has been wrong too often within the last minute. */
bool limits_blocked(struct limits *limits, const char *address, int64_t now_ms, int *ret_wait_s);
/* Remembers that this key worked from this address, so that a stranger behind
 * the same address cannot lock it out. */
void limits_succeeded(struct limits *limits, const char *address, const char *principal,
                      int64_t now_ms);
bool limits_known(struct limits *limits, const char *address, const char *principal,
                  int64_t now_ms);
