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
/* From now on the record goes with its leader: of a process that is no more it is
 * handed over together with that one, and not at all when that one was dropped. */
void spool_join(struct spool *spool, uint64_t place, uint64_t leader);
/* The records are not needed any more; a leader is dropped before its followers.
 * SPOOL_NOWHERE is nothing. Thread safe. */
void spool_drop(struct spool *spool, const uint64_t *places, size_t n);

/* What a process left behind that is no more; it stays there until it is dropped. */
struct spool_record {
    struct spool *spool; /* that of the process, which goes with its last record */
    uint64_t place;
    const struct spool_record *leader; /* another one of them, or NULL; it has none */
    const void *data;
    size_t len;
};
/* Takes over the files of processes that are no more, and hands over the records
 * of each, which are valid in fn only. The files are closed with this spool. */
void spool_adopt(struct spool *spool, const char *dir,
                 void (*fn)(const struct spool_record *records, size_t n, void *arg), void *arg);
