/* SPDX-License-Identifier: Apache-2.0 */
/* An idle event stream and the loop it belongs to; stream.c writes, stream_loop.c
 * watches. */
#pragma once

#include "http/internal.h"

struct http_stream {
    struct stream_loop *loop;
    struct http_stream *prev, *next; /* in order of ping_ms; under the loop's lock */
    struct http_stream *doomed_next; /* under the loop's lock */
    bool doomed;                     /* likewise: in the doomed list */
    int64_t ping_ms;                 /* epoll thread only, once added */
    void (*on_close)(struct http_stream *stream, void *arg);
    void *arg;
    pthread_mutex_t lock; /* the rest; before the loop's lock when both are taken */
    int fd;               /* -1 once broken or closed */
    bool ending;          /* close when pending is sent */
    char *pending;        /* owned; NULL when all was sent */
    size_t pending_len;
};

struct stream_loop {
    int epoll_fd, wake_fd;
    int64_t ping_every_ms;
    size_t max_streams;
    pthread_t thread;
    pthread_mutex_t lock;
    struct http_stream *first, *last; /* by ping_ms */
    struct http_stream *doomed;
    atomic_size_t count;
    bool stopping; /* under lock */
};

/* Has the epoll thread close it; any thread, any number of times. */
void stream_doom(struct http_stream *s);
/* Sends what fits and keeps the rest. False when the stream is to be closed.
 * Under its lock. */
bool stream_put(struct http_stream *s, const char *bytes, size_t len);
/* The socket takes more. False when the stream is to be closed. */
bool stream_flush(struct http_stream *s);
void stream_ping(struct http_stream *s);
/* Has the epoll thread look at its lists. */
void stream_loop_wake(struct stream_loop *loop);
