/* SPDX-License-Identifier: Apache-2.0 */
/* An event that waits in the queue, and how the spool tells it. Only for the
 * event queue. */
#pragma once

#include "bus/bus.h"
#include "spool.h"

enum { ITEM_HEADERS = 15 }; /* its id among them */

/* Behind the struct in the same block lie the data and the strings, each with its
 * zero: subject, id, and names and values of headers. */
struct item {
    struct item *next;
    const void *data;
    const char *subject, *event_id;
    size_t len, bytes, n_strings;
    uint64_t number;     /* of the request that carries it; 0 = to be sent */
    struct spool *spool; /* that keeps it; NULL: none */
    uint64_t place;      /* there */
    int refusals;
    bool settled;                     /* takes no riders any more and is none */
    struct item *riders, *last_rider; /* that share its message; they are done when it is */
    size_t n_riders, riders_bytes;
};

/* NULL: no memory, or too many headers. */
struct item *item_new(const char *subject, const char *event_id, const struct bus_header *headers,
                      const void *data, size_t len);
void item_keep(struct item *item, struct spool *spool);
/* Its id and its headers, ended with a NULL name. */
void item_headers(const struct item *item, struct bus_header out[ITEM_HEADERS + 1]);
/* Whatever becomes of the item, this one shares its message. */
void item_take_rider(struct item *item, struct item *rider);
/* What processes left that are no more: each item in the company it was in, if
 * any. Returns how many events these are. */
size_t items_adopt(struct spool *spool, const char *dir, void (*fn)(struct item *item, void *arg),
                   void *arg);
