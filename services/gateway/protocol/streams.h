/* SPDX-License-Identifier: Apache-2.0 */
/* Open event streams of both eras on this copy, and who of them hears of a
 * change. */
#pragma once

#include "downstream/downstream.h"
#include "gateway.h"
#include "session.h"

enum stream_kind {
    STREAM_TOOLS = 1 << 0,
    STREAM_RESOURCES = 1 << 1,
    STREAM_PROMPTS = 1 << 2,
    STREAM_UPDATES = 1 << 3, /* of single resources; of what servers can tell only */
};

/* What a stream wants to hear; strings are copied. */
struct stream_wish {
    const char *session;      /* legacy: hash of the session; NULL = modern */
    const char *subscription; /* modern: id of the listen request as JSON */
    const char *principal;    /* whose it is; streams_open takes that of the exchange */
    const char *capabilities; /* what an older server is told of who asks; NULL = nothing.
                               * Of sessions streams_wishes tells it */
    const char *endpoint;     /* downstream server at whose endpoint it is; NULL = /mcp */
    unsigned kinds;           /* enum stream_kind */
    const char *const *uris;  /* modern: resources; legacy ones are in the session */
    size_t n_uris;
};

struct streams;
struct streams *streams_new(struct gateway *gw);
void streams_free(struct streams *streams);
/* Hands the connection over; first is the first SSE text. Otherwise nothing was sent:
 * NOT_FOUND when the session has ended, RESOURCE_EXHAUSTED when there is no room now. */
enum status streams_open(struct streams *streams, struct exchange *x,
                         const struct stream_wish *wish, const char *headers,
                         const char *first) MUST_CHECK;
/* Tells everybody who wants to know. uris: resources whose contents changed. */
void streams_notify(struct streams *streams, unsigned kinds, const char *const *uris,
                    size_t n_uris);
/* The same for the endpoint of a downstream server. */
void streams_notify_endpoint(struct streams *streams, const char *endpoint, unsigned kinds,
                             const char *const *uris, size_t n_uris);
/* Resources changed, says the program there that callers have for themselves who have this
 * key (child.h). */
void streams_notify_child(struct streams *streams, const char *endpoint, const char *child,
                          const char *const *uris, size_t n_uris);
/* What the streams at endpoints wish to hear, one after the other; texts are valid
 * for the time of the call. */
void streams_wishes(struct streams *streams, void (*fn)(const struct stream_wish *wish, void *arg),
                    void *arg);
/* A notification of a downstream server, but for changes, on the stream of its caller's session, if
 * this copy carries that, and the session's revision knows it and its level wants it. */
void streams_pass_on(struct streams *streams, const char *session,
                     const struct downstream_message *msg);
/* The same of a program that callers share who have this key (child.h): for all of them. */
void streams_pass_on_of_child(struct streams *streams, const char *endpoint, const char *child,
                              const struct downstream_message *msg);
void streams_end_session(struct streams *streams, const char *session);
/* Ends streams whose key or session is no longer valid, keeps sessions of others alive. */
void streams_sweep(struct streams *streams, int64_t now_ms);
/* Ends all; modern ones get their final result. */
void streams_end_all(struct streams *streams);
