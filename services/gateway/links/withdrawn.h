/* SPDX-License-Identifier: Apache-2.0 */
/* Questions on the streams of shared sessions that their servers withdrew of late. A
 * question may be on its way from one call to another just then, and nobody hears of it
 * there; whoever hands it on looks here first. */
#pragma once

#include "session.h"

#include <pthread.h>

enum { WITHDRAWN_MAX = 256, WITHDRAWN_MS = 15000 };

struct withdrawn {
    pthread_mutex_t lock;
    struct {
        char key[SESSION_HASH_SIZE]; /* of the caller's session */
        unsigned char id[16];        /* hash */
        int64_t until_ms;
    } items[WITHDRAWN_MAX];
    size_t next; /* the oldest */
};
void withdrawn_init(struct withdrawn *withdrawn);
void withdrawn_done(struct withdrawn *withdrawn);
/* id: as JSON. The oldest is forgotten when there are too many. */
void withdrawn_add(struct withdrawn *withdrawn, const char *key, const char *id, size_t len);
bool withdrawn_has(struct withdrawn *withdrawn, const char *key, const char *id, size_t len);
/* The caller's session has a new one with the server, which may use the ids again. */
void withdrawn_forget(struct withdrawn *withdrawn, const char *key);
