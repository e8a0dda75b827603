/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions that this gateway copy knows of; inside of session.c and
 * session_change.c. */
#pragma once

#include "session.h"

#include "mal/gateway/v1/state.pb-c.h"

#include <pthread.h>

enum { SESSION_BUCKETS = 4096 };

struct item {
    struct item *next;
    char hash[SESSION_HASH_SIZE];
    Gateway__Session *record; /* owned */
    int64_t used_ms;          /* last use as far as this copy knows */
    int64_t written_ms;       /* last use as written to the bucket */
    bool local;               /* the last use was here */
    unsigned round;           /* of the watch in which it was last seen */
};

struct sessions {
    struct gateway *gw;
    struct bus_kv *kv;
    struct bus_kv_watch *watch;
    pthread_mutex_t lock;
    struct item *buckets[SESSION_BUCKETS];
    int64_t n;
    unsigned round;
};

/* All with the lock held. */

/* Where the item is, or would be (*place NULL). */
struct item **session_place(struct sessions *sessions, const char *hash);
/* Adds, or replaces what is older; takes the record. */
void session_store(struct sessions *sessions, const char *hash, Gateway__Session *record);
void session_remove(struct sessions *sessions, struct item **at);
/* The watch has told everything: what it did not mention is gone. */
void session_round_over(struct sessions *sessions);
/* Idle for too long. Another copy writes its uses down only now and then. */
bool session_expired(const struct item *item, int64_t now_ms);
/* A number written in decimal. */
int64_t session_number(const char *text);

/* Without the lock: puts packed bytes that are now in the bucket into the map as well,
 * so that this copy need not wait for its watch. known: unless the map has no such
 * session any more, as it ended meanwhile. */
void session_remember(struct sessions *sessions, const char *hash, const void *data, size_t len,
                      bool known);
/* Without the lock: it has ended, and its streams end; so does the session with its
 * server. remove: by this copy, which looks for that one also when it does not know the
 * session itself. */
void session_forget(struct sessions *sessions, const char *hash, bool remove);
