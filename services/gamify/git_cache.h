/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of clones on disk. Several processes may share it. */
#pragma once

#include "base/arena.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The folder's path, NULL when the operator gave none. */
const char *cache_folder(struct arena *arena);
/* Where the clone of that address is or will be. */
const char *cache_clone(struct arena *arena, const char *cache, const char *url);
/* Makes the folder, and waits until no other process changes that clone. False:
 * not usable, or time is up, or stop. */
bool cache_lock(struct arena *arena, const char *clone, int64_t deadline_ms,
                const atomic_bool *stop, int *ret_lock);
void cache_unlock(int lock);
/* Number of packs; each fetch may add one. */
int cache_packs(struct arena *arena, const char *clone);
/* Removes clones that nobody used for a while, oldest first, until all take at
 * most max bytes. False: the clone alone takes more. */
bool cache_fits(struct arena *arena, const char *cache, const char *clone, int64_t max);
void cache_remove(const char *clone);
