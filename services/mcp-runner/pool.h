/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that are made when there is something to wait for. */
#pragma once

#include <stdbool.h>

struct pool;
struct pool *pool_new(int max);
/* Runs fn now, on a thread of its own; false when max of them are busy. */
bool pool_run(struct pool *pool, void (*fn)(void *arg), void *arg);
/* Waits for what runs. Accepts NULL. */
void pool_free(struct pool *pool);
