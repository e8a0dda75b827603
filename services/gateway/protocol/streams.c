/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of open streams. */
#include "streams_internal.h"

#include "respond.h"
#include "stream_text.h"
#include "watching.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
    char *out = text != NULL ? strdup(text) : NULL;

    if (text != NULL && out == NULL)
        abort();
    return out;
}

static void stream_free(struct stream *stream)
{
    for (size_t i = 0; i < stream->n_uris; i++)
        free(stream->uris[i]);
    free(stream->uris);
    free(stream->principal);
    free(stream->session);
    free(stream->subscription);
    free(stream->endpoint);
    free(stream->capabilities);
    free(stream);
}

static struct stream *same_session(struct stream *from, const char *session)
{
    while (from != NULL && (from->session == NULL || strcmp(from->session, session) != 0))
        from = from->next;
    return from;
}

/* With the lock held. */
static void link_stream(struct stream *stream)
{
    struct streams *streams = stream->streams;
    struct stream *older =
        stream->session != NULL ? same_session(streams->first, stream->session) : NULL;

    if (older != NULL)
        older->shadowed = true;
    stream->next = streams->first;
    if (stream->next != NULL)
        stream->next->previous = stream;
    streams->first = stream;
}

/* The session's next newest stream takes over, or another copy may. */
static void hand_over(struct stream *stream)
{
    struct stream *older = same_session(stream->next, stream->session);
    struct release *release;

    if (older != NULL) {
        older->shadowed = false;
        return;
    }
    release = calloc(1, sizeof(*release));
    if (release == NULL)
        abort();
    (void)snprintf(release->session, sizeof(release->session), "%s", stream->session);
    release->next = stream->streams->released;
    stream->streams->released = release;
}

/* With the lock held. */
static void unlink_stream(struct stream *stream)
{
    if (stream->session != NULL && !stream->shadowed)
        hand_over(stream);
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        stream->streams->first = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
}

struct streams *streams_new(struct gateway *gw)
{
    struct streams *streams = calloc(1, sizeof(*streams));

    if (streams == NULL)
        abort();
    streams->gw = gw;
    (void)pthread_mutex_init(&streams->lock, NULL);
    return streams;
}

void streams_free(struct streams *streams)
{
    if (streams == NULL)
        return;
    (void)pthread_mutex_destroy(&streams->lock);
    free(streams);
}

/* On the thread that owns the connections. */
static void closed(struct http_stream *http, void *arg)
{
    struct stream *stream = arg;
    struct streams *streams = stream->streams;

    (void)http;
    (void)pthread_mutex_lock(&streams->lock);
    unlink_stream(stream);
    (void)pthread_mutex_unlock(&streams->lock);
    if (stream->endpoint != NULL)
        watching_wake(streams->gw->watching);
    stream_free(stream);
}

static struct stream *stream_new(struct streams *streams, const struct exchange *x,
                                 const struct stream_wish *wish)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        abort();
    stream->streams = streams;
    stream->principal = copy(x->who.id);
    stream->session = copy(wish->session);
    stream->subscription = copy(wish->subscription);
    stream->endpoint = copy(wish->endpoint);
    stream->capabilities = copy(wish->capabilities);
    stream->kinds = wish->kinds;
    stream->uris = calloc(wish->n_uris + 1, sizeof(*stream->uris));
    if (stream->uris == NULL)
        abort();
    for (size_t i = 0; i < wish->n_uris; i++)
        stream->uris[stream->n_uris++] = copy(wish->uris[i]);
    return stream;
}

/* The resource itself, or a part of it, which servers may tell as well. */
static bool covers(const char *subscribed, const char *uri)
{
    size_t len = strlen(subscribed);

    return strncmp(subscribed, uri, len) == 0 &&
           (uri[len] == '\0' || strchr("/?#", uri[len]) != NULL ||
            (len > 0 && subscribed[len - 1] == '/'));
}

static bool wants_uri(const struct stream *stream, const char *uri)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const char *const *uris = (const char *const *)stream->uris;
    size_t n = stream->n_uris;

    if (stream->session != NULL)
        n = sessions_uris(stream->streams->gw->sessions, stream->session, &arena, &uris);
    for (size_t i = 0; i < n; i++)
        if (covers(uris[i], uri))
            return true;
    return false;
}

/* With the lock held. */
static void tell(struct stream *stream, unsigned kinds, const char *const *uris, size_t n_uris)
{
    struct strbuf out = STRBUF_INIT;

    kinds &= stream->kinds;
    if (kinds & STREAM_TOOLS)
        stream_put_change(&out, stream->subscription, "notifications/tools/list_changed", NULL);
    if (kinds & STREAM_RESOURCES)
        stream_put_change(&out, stream->subscription, "notifications/resources/list_changed", NULL);
    if (kinds & STREAM_PROMPTS)
        stream_put_change(&out, stream->subscription, "notifications/prompts/list_changed", NULL);
    for (size_t i = 0; i < n_uris; i++)
        if (wants_uri(stream, uris[i]))
            stream_put_change(&out, stream->subscription, "notifications/resources/updated",
                              uris[i]);
    if (out.len > 0)
        http_stream_send(stream->http, out.data, out.len);
    strbuf_done(&out);
}

/* With the lock held: nobody sees a stream that is half open, so that whoever ends
 * streams or tells them something misses none. Opening does not wait. */
static enum status open_stream(struct stream *stream, struct exchange *x, const char *headers,
                               const char *first)
{
    enum status status;

    if (x->gw->stopping || !stream_welcome(stream, x->now_ms))
        return ST_RESOURCE_EXHAUSTED;
    if (!stream_has_session(stream))
        return ST_NOT_FOUND;
    link_stream(stream);
    status =
        http_stream_open(x->req, respond_headers(x, headers), first, closed, stream, &stream->http);
    if (status != ST_OK)
        unlink_stream(stream);
    return status;
}

enum status streams_open(struct streams *streams, struct exchange *x,
                         const struct stream_wish *wish, const char *headers, const char *first)
{
    struct stream *stream = stream_new(streams, x, wish);
    enum status status;

    (void)pthread_mutex_lock(&streams->lock);
    status = open_stream(stream, x, headers, first);
    (void)pthread_mutex_unlock(&streams->lock);
    if (status != ST_OK)
        stream_free(stream);
    else if (wish->endpoint != NULL)
        watching_wake(x->gw->watching);
    return status;
}

bool stream_has_session(const struct stream *stream)
{
    return stream->session == NULL ||
           sessions_known(stream->streams->gw->sessions, stream->session);
}

bool stream_carries(const struct stream *stream)
{
    const struct gateway *gw = stream->streams->gw;
    char owner[33];

    if (stream->session == NULL)
        return true;
    return !stream->shadowed && sessions_owner(gw->sessions, stream->session, owner) &&
           (*owner == '\0' || strcmp(owner, gw->instance) == 0);
}

static bool is_at(const struct stream *stream, const char *endpoint)
{
    if (endpoint == NULL || stream->endpoint == NULL)
        return endpoint == stream->endpoint;
    return strcmp(endpoint, stream->endpoint) == 0;
}

static void notify(struct streams *streams, const char *endpoint, unsigned kinds,
                   const char *const *uris, size_t n_uris)
{
    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (is_at(stream, endpoint) && !stream->ending && stream_carries(stream))
            tell(stream, kinds, uris, n_uris);
    (void)pthread_mutex_unlock(&streams->lock);
}

void streams_notify(struct streams *streams, unsigned kinds, const char *const *uris, size_t n_uris)
{
    notify(streams, NULL, kinds, uris, n_uris);
}

void streams_notify_endpoint(struct streams *streams, const char *endpoint, unsigned kinds,
                             const char *const *uris, size_t n_uris)
{
    notify(streams, endpoint, kinds, uris, n_uris);
}

void streams_notify_child(struct streams *streams, const char *endpoint, const char *child,
                          const char *const *uris, size_t n_uris)
{
    struct picture *picture = servers_look(streams->gw->servers);
    const struct server *server = picture_server(picture, endpoint);

    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (stream_has_child(stream, server, child) && !stream->ending && stream_carries(stream))
            tell(stream, 0, uris, n_uris);
    (void)pthread_mutex_unlock(&streams->lock);
    picture_unref(picture);
}

void streams_wishes(struct streams *streams, void (*fn)(const struct stream_wish *wish, void *arg),
                    void *arg)
{
    CLEANUP(arena_done) struct arena arena = {0};

    (void)pthread_mutex_lock(&streams->lock);
    for (const struct stream *stream = streams->first; stream != NULL; stream = stream->next) {
        struct stream_wish wish = {
            .principal = stream->principal,
            .endpoint = stream->endpoint,
            .capabilities = stream_capabilities(stream, &arena),
            .kinds = stream->kinds,
            .uris = (const char *const *)stream->uris,
            .n_uris = stream->n_uris,
        };

        if (stream->endpoint == NULL || stream->ending || !stream_carries(stream))
            continue;
        if (stream->session != NULL)
            wish.n_uris = sessions_uris(streams->gw->sessions, stream->session, &arena, &wish.uris);
        fn(&wish, arg);
    }
    (void)pthread_mutex_unlock(&streams->lock);
}

void stream_end(struct stream *stream)
{
    CLEANUP(strbuf_done) struct strbuf result = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    if (stream->ending)
        return;
    stream->ending = true;
    if (stream->subscription != NULL) {
        stream_put_result(&result, stream->subscription);
        stream_put_event(&out, result.data, result.len);
    }
    http_stream_end(stream->http, out.data, out.len);
}

void streams_end_session(struct streams *streams, const char *session)
{
    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (stream->session != NULL && strcmp(stream->session, session) == 0)
            stream_end(stream);
    (void)pthread_mutex_unlock(&streams->lock);
}

void streams_end_all(struct streams *streams)
{
    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        stream_end(stream);
    (void)pthread_mutex_unlock(&streams->lock);
}
