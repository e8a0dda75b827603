/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of records in a mapped file: what was put there outlives the process
 * that did it, however it ended, and is taken over by the next one. Only for the
 * event queue. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

/* Makes a file of its own in the folder, which is made too. */
enum status spool_open(struct spool **ret_spool, const char *dir, struct error *err) MUST_CHECK;
/* Removes the file when nothing is left in it; else it waits for another process. */
void spool_close(struct spool *spool);

enum { SPOOL_NOWHERE = 0 };
/* Where the record is now; SPOOL_NOWHERE when there is no room. Thread safe. */
uint64_t spool_put(struct spool *spool, const void *head, size_t head_len, const void *body,
                   size_t body_len);
/* The record is not needed any more. SPOOL_NOWHERE is nothing. Thread safe. */
void spool_drop(struct spool *spool, uint64_t place);

/* Hands over every record that processes left which are no more, then removes
 * their files. Returns how many. */
size_t spool_adopt(struct spool *spool, const char *dir,
                   void (*fn)(const void *record, size_t len, void *arg), void *arg);
