/* SPDX-License-Identifier: Apache-2.0 */
/* stdio: one child's pipes, shared by all exchanges of its session. A thread of
 * their own reads what the child says and sorts it; whoever has something to say
 * writes it, and the thread goes on where the child did not take all. An exchange
 * that is alone reads in the thread's place for a while, so that its answer does not
 * wake two threads. */
#pragma once

#include "downstream/exchange.h"
#include "downstream/lines.h"

struct pipe {
    struct downstream *server;
    struct downstream_session *session;
    pthread_t thread;
    int from_child;
    int watch_fd; /* epoll: whether there is something to read for the thread */
    int wake_fd;  /* eventfd: something is to be written, or it is over */

    pthread_mutex_t reading; /* held by who reads and sorts; what follows */
    struct lines lines;
    char *chunk;

    pthread_mutex_t lock; /* what follows */
    int refs;             /* the session, and exchanges */
    int to_child;
    bool stopping;
    bool deaf;   /* takes nothing any more */
    bool broken; /* says nothing any more */
    struct strbuf unsent;
    size_t unsent_at;
    struct downstream_exchange *waiting;
};

/* ---- pipe.c ----------------------------------------------------------------------- */

/* Starts the program and the thread; session->pipe is it. */
enum status pipe_open(struct downstream_session *session, struct error *err) MUST_CHECK;
/* Ends both; exchanges that wait fail. The session has none afterwards. */
void pipe_close(struct downstream_session *session);
struct pipe *pipe_ref(struct downstream_session *session);
void pipe_unref(struct pipe *pipe);
/* One line; false when the child is gone or does not read. */
bool pipe_write(struct pipe *pipe, const char *text, size_t len);
/* Reads what the child says as long as x is the only exchange, has got nothing and
 * was not cancelled, until then at most; not at all when others read. */
void pipe_read_alone(struct pipe *pipe, struct downstream_exchange *x, int64_t until_ms);
/* Nothing can be said to the child, nor heard of it, any more. */
bool pipe_broken(struct pipe *pipe);

/* ---- pipe_sort.c --------------------------------------------------------------------- */

/* One line of the child. */
void pipe_sort(struct pipe *pipe, const char *text, size_t len);
/* A line that was too long to be taken, and what is known of it. */
void pipe_sort_too_long(struct pipe *pipe, const struct outline *outline);
/* Fails everybody who waits. */
void pipe_fail_all(struct pipe *pipe, enum downstream_fault fault, const char *why);

/* ---- exchange_pipe.c ------------------------------------------------------------------- */

enum status pipe_begin(struct downstream_exchange *x, struct error *err) MUST_CHECK;
enum status pipe_next(struct downstream_exchange *x, int64_t until_ms,
                      struct downstream_message *ret_msg, struct error *err) MUST_CHECK;
void pipe_end(struct downstream_exchange *x);
/* Writes a message that gets no answer. */
enum status pipe_post(struct downstream_session *session, const struct strbuf *body,
                      struct error *err) MUST_CHECK;
