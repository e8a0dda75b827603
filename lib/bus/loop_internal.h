/* SPDX-License-Identifier: Apache-2.0 */
/* What loop.c and loop_send.c share. */
#pragma once

#include "base/busy_poll.h"
#include "internal.h"

enum { LINGER_US = 1000 }; /* what gathers waits for answers that come so soon */

struct loop {
    natsConnection *nc;
    int epoll_fd, wake_fd, recall_fd;
    atomic_int fd; /* of the connection; -1 while there is none */
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t asking;    /* the kernel */
    pthread_mutex_t reading;   /* held by who reads; the borrower between two reads too */
    pthread_mutex_t *parsing;  /* held while cnats hands out what was read */
    atomic_bool borrowed;      /* this thread does not wait for something to read */
    atomic_uint loans;         /* counts them */
    struct busy_poll waiting;  /* of the borrower */
    atomic_bool want_write;    /* something gathered; whoever clears it sends it */
    atomic_int gathered;       /* so many messages, about */
    const atomic_int *awaited; /* requests that wait for an answer */
    atomic_bool stuck;         /* the socket took only a part */
    atomic_bool polls_write;   /* we asked to be told when it takes more */
    atomic_bool awake;         /* the thread will look at want_write before it sleeps */
    atomic_bool lingers;       /* it does so soon without being woken */
    int64_t not_before_us;     /* when it may linger; its own, as is the next */
    int64_t held_us;           /* since when it holds back what gathered; 0 = it does not */
    pthread_mutex_t lock;      /* the list, and that no drain runs once it was removed */
    struct drain *drains;
};

/* ---- loop.c ---- */

/* Tells the kernel what the thread waits for now; who changes it last says so
 * last. */
natsStatus loop_control(struct loop *loop, int operation);
void loop_wake(struct loop *loop);

/* ---- loop_send.c ---- */

/* Under the lock of the connection. cnats calls it once when its buffer gets its
 * first byte and once when all was sent. */
natsStatus loop_on_write(void *user_data, bool add);
/* On the I/O thread, after everything else it had to do. */
void loop_send(struct loop *loop, bool writable);
/* Whether what gathered is to wait for more answers, now that some came. */
bool loop_holds_back(struct loop *loop);
/* Answers came and more are to come: what is published now may wait for them. */
bool loop_may_linger(const struct loop *loop, bool read);
