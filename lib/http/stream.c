/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to idle event streams, from any thread: sent at once or kept, within
 * a bound, until the client reads. */
#include "http/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char ping[] = ": ping\n\n";

void stream_doom(struct http_stream *s)
{
    struct stream_loop *loop = s->loop;
    bool first;

    (void)pthread_mutex_lock(&loop->lock);
    first = !s->doomed;
    if (first) {
        s->doomed = true;
        s->doomed_next = loop->doomed;
        loop->doomed = s;
    }
    (void)pthread_mutex_unlock(&loop->lock);
    if (first)
        stream_loop_wake(loop);
}

/* Sends what fits; false when the connection is broken. Under the lock. */
static bool send_now(int fd, const char **bytes, size_t *len)
{
    while (*len > 0) {
        ssize_t n = send(fd, *bytes, *len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        *bytes += n;
        *len -= (size_t)n;
    }
    return true;
}

bool stream_put(struct http_stream *s, const char *bytes, size_t len)
{
    char *grown;

    if (!s->pending_len && !send_now(s->fd, &bytes, &len))
        return false;
    if (!len)
        return true;
    if (s->pending_len + len > STREAM_PENDING_MAX)
        return false; /* does not read */
    grown = realloc(s->pending, s->pending_len + len);
    if (!grown)
        return false;
    s->pending = grown;
    memcpy(grown + s->pending_len, bytes, len);
    s->pending_len += len;
    return true;
}

bool stream_flush(struct http_stream *s)
{
    bool keep = true;

    (void)pthread_mutex_lock(&s->lock);
    if (s->pending_len > 0 && s->fd >= 0) {
        const char *bytes = s->pending;
        size_t len = s->pending_len;

        keep = send_now(s->fd, &bytes, &len);
        if (len > 0 && len < s->pending_len)
            memmove(s->pending, bytes, len);
        s->pending_len = len;
        if (!len) {
            free(s->pending);
            s->pending = NULL;
            keep = keep && !s->ending;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return keep;
}

static void write_text(struct http_stream *s, const char *text, size_t len, bool end)
{
    bool keep = true;

    (void)pthread_mutex_lock(&s->lock);
    if (s->fd >= 0 && !s->ending) {
        keep = !len || stream_put(s, text, len);
        s->ending = end;
        if (end && !s->pending_len)
            keep = false;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (!keep)
        stream_doom(s);
}

void http_stream_send(struct http_stream *stream, const char *text, size_t len)
{
    write_text(stream, text, len, false);
}

void http_stream_end(struct http_stream *stream, const char *text, size_t len)
{
    write_text(stream, text, text ? len : 0, true);
}

void stream_ping(struct http_stream *s)
{
    bool keep = true;

    (void)pthread_mutex_lock(&s->lock);
    /* An ending stream whose client has not read for so long is cut off. */
    if (s->fd >= 0)
        keep = !s->ending && stream_put(s, ping, sizeof ping - 1);
    (void)pthread_mutex_unlock(&s->lock);
    if (!keep)
        stream_doom(s);
}
