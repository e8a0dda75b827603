/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of this gateway copy with one downstream server, and who uses them. */
#pragma once

#include "downstream/downstream.h"

#include <pthread.h>

/* Beyond LINKS_MAX an unused one makes room for a new one. */
enum { LINK_BUCKETS = 256, LINKS_MAX = 20000 };

struct share;

struct link {
    struct link *next;
    struct downstream_session *session;
    struct share *share; /* other copies use the session, too; NULL = this one only */
    char *key;
    int users;
    bool ended; /* its caller's session is over */
    int64_t used_ms;
};

struct link_map {
    pthread_mutex_t lock; /* of what follows */
    struct link *buckets[LINK_BUCKETS];
    size_t n;
};

void link_map_init(struct link_map *map);
/* Closes all; nobody uses them any more. */
void link_map_done(struct link_map *map);
/* The link with that key, with one user more; NULL when there is none. */
struct link *link_take(struct link_map *map, const char *key);
/* The same, of several with that key one that nobody uses; NULL as long as there may
 * be one more, then the one with the fewest users. */
struct link *link_take_idle(struct link_map *map, const char *key);
/* Adds a link with one user. several: beside others with that key; else, when another
 * worker opened the same meanwhile, that one is used. Takes session and share. */
struct link *link_add(struct link_map *map, const char *key, struct downstream_session *session,
                      struct share *share, bool several);
/* One user less. */
void link_give(struct link_map *map, struct link *link);
/* The caller's session is over: closed when nobody uses it any more. */
void link_drop(struct link_map *map, const char *key);
/* Closes what nobody used for a while. */
void link_sweep(struct link_map *map, int64_t now_ms);
