/* SPDX-License-Identifier: Apache-2.0 */
/* What watching.c and watched.c have in common. */
#pragma once

#include "watching.h"
#include "wishes.h"

#include <pthread.h>

struct watching {
    struct gateway *gw;
    struct bus_sub *heard;
    pthread_mutex_t lock; /* of what follows, and of much of each struct watched */
    pthread_cond_t cond;
    struct watched *first; /* newest first */
    struct expected *expected;
    size_t n, n_own;
    unsigned round; /* of looking at what streams wish */
    bool dirty, stop, running;
    pthread_t thread;
};

/* With the lock held, which is released meanwhile: until something changes, at most so long. */
void watching_wait(struct watching *watching, int64_t ms);

/* ---- watched.c ---------------------------------------------------------------------- */

/* One server that is listened to, or a program of callers who have their own, by a thread
 * of its own. */
struct watched {
    struct watched *next;
    struct watching *watching;
    char *endpoint;
    char *child, *capabilities; /* as in struct gathered */
    pthread_t thread;
    /* Under the lock. */
    struct wish wish, settled; /* settled: what is listened for by now */
    unsigned round;            /* in which it was last wished for */
    bool changed, stop, over;
    bool late;             /* streams were opened before it was listened to */
    int64_t not_before_ms; /* when the next attempt is due */
    bool again;            /* changes may have been missed */
    int32_t generation;    /* of the program that was told, 0 = none */
    int32_t started;       /* such a one was started that we have not told anything; 0 = none */
    /* The thread's. */
    struct upstream *upstream; /* to which the session belongs */
    struct downstream_session *session;
    struct wish told; /* to a program */
    int64_t pause_ms;
};

struct gathered;
/* Starts its thread, which does nothing until `changed`; NULL when none can be had. */
struct watched *watched_new(struct watching *watching, const struct gathered *what);
/* Waits for the thread, which has to be over. */
void watched_free(struct watched *watched);
/* Tells the streams at the endpoint of a notification of its server, of resources of a child those
 * of its callers. */
void watched_tell(struct gateway *gw, const char *endpoint, const char *child, const char *method,
                  const struct json *json, const struct json_node *params);
