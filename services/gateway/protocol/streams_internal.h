/* SPDX-License-Identifier: Apache-2.0 */
/* What streams.c and streams_sweep.c have in common. */
#pragma once

#include "streams.h"

#include <pthread.h>

struct stream {
    struct stream *next, *previous;
    struct streams *streams;
    struct http_stream *http; /* NULL while it is being opened */
    char *principal, *session, *subscription, *endpoint;
    char **uris;
    size_t n_uris;
    unsigned kinds;
    unsigned missed; /* kinds that changed while it was being opened */
    bool missed_uris, closed, ending;
    bool shadowed; /* its session has a newer stream here, which carries the messages */
};

/* A session whose last stream on this copy closed. */
struct release {
    struct release *next;
    char session[SESSION_HASH_SIZE];
};

struct streams {
    struct gateway *gw;
    pthread_mutex_t lock;
    struct stream *first; /* newest first */
    struct release *released;
    unsigned keys_seen; /* generation of the keyring at the last check */
    int64_t checked_ms;
};

/* With the lock held; its connection says later, on its own thread, that it is closed. */
void stream_end(struct stream *stream);
