/* SPDX-License-Identifier: Apache-2.0 */
/* What streams.c and streams_sweep.c have in common. */
#pragma once

#include "servers.h"
#include "streams.h"

#include <pthread.h>

struct stream {
    struct stream *next, *previous;
    struct streams *streams;
    struct http_stream *http;
    char *principal, *session, *subscription, *endpoint, *capabilities;
    char **uris;
    size_t n_uris;
    unsigned kinds;
    bool ending;
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

/* All with the lock held. */

/* Its key is valid. */
bool stream_welcome(const struct stream *stream, int64_t now_ms);
/* Its session, if it belongs to one, has not ended. */
bool stream_has_session(const struct stream *stream);
/* Of a session's streams only the newest carries messages, on the copy where it was
 * opened last. */
bool stream_carries(const struct stream *stream);
/* What an older server is told that its caller can be asked; NULL = nothing. */
const char *stream_capabilities(const struct stream *stream, struct arena *arena);
/* It is at the endpoint of this server, and its caller has the program with this key there. */
bool stream_has_child(const struct stream *stream, const struct server *server, const char *child);
/* Its connection says later, on its own thread, that it is closed. */
void stream_end(struct stream *stream);
