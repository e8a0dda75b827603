/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of changes over HTTP: a stream per session that wants it. One thread
 * reads all of them; a few others open them, which may block. */
#pragma once

#include "downstream/exchange.h"

/* Ends the session's stream, if there is one; afterwards on_message is not
 * called any more on its behalf. */
void watch_stop(struct downstream_session *session);
/* The session was initialized anew. */
void watch_renewed(struct downstream_session *session);

enum watch_state {
    WATCH_WAITING, /* until due_ms */
    WATCH_OPENING, /* in the hands of an opener */
    WATCH_OPEN,    /* in the hands of the reader */
    WATCH_OVER,    /* nobody's, and nothing to be done */
};

struct watch {
    struct watch *next, *previous; /* of the loop's list, under its lock */
    struct watch *job;             /* to be opened, likewise */
    enum watch_state state;        /* likewise */
    int64_t due_ms;                /* likewise */
    bool stopping, again;          /* likewise; again: something changed meanwhile */
    bool tried;                    /* likewise: to open it */
    struct downstream_session *session;
    struct waiter waiter;
    /* The wish, under its lock. */
    pthread_mutex_t lock;
    struct arena arena;
    struct downstream_wish wish;
    /* Whoever holds it, by state. */
    struct conn *conn;
    struct sse sse;
    bool has_sse, had_stream;
    unsigned failures;
    uint64_t generation; /* that its resources are subscribed in */
    uint64_t listen_id;
    struct strbuf subscribed; /* uris, each with a NUL behind it */
};

/* ---- watch_open.c ------------------------------------------------------------------- */

enum watch_opened { WATCH_OPENED, WATCH_LATER, WATCH_NEVER };
/* Subscribes and opens the stream, as far as its head. */
enum watch_opened watch_open(struct watch *watch);

/* The wish as it is now. */
void watch_wish(struct watch *watch, struct arena *arena, struct downstream_wish *ret_wish);
/* The JSON-RPC request. */
void watch_put_listen(struct strbuf *out, const struct downstream_session *session, uint64_t id,
                      const struct downstream_wish *wish);

/* ---- watch_read.c --------------------------------------------------------------------- */

/* Reads what is there, tells whom it concerns. False: the stream has ended. */
bool watch_read(struct watch *watch);
/* Tells the session that something may have been missed. */
void watch_tell_stale(struct downstream_session *session);

/* ---- watch_child.c --------------------------------------------------------------------- */

enum status watch_child(struct downstream_session *session, const struct downstream_wish *wish,
                        struct error *err) MUST_CHECK;
