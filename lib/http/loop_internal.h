/* SPDX-License-Identifier: Apache-2.0 */
/* What loop.c and guest.c share. */
#pragma once

#include "http/internal.h"

struct list {
    struct item *first, **last;
};

struct http_loop {
    int listener;           /* civetweb's */
    int epoll_fd;           /* the workers' */
    int wake_fd;            /* in it: something is ready */
    int accept_fd, bell_fd; /* the thread's epoll set, and what ends its wait */
    int ticket_fd;          /* counts the tickets offered */
    pthread_t thread;
    int workers, seats;
    atomic_bool stopping, ended;
    atomic_bool somebody_looks; /* for events, awake */

    pthread_mutex_t lock; /* what follows */
    struct guest *guests, *spare_guests;
    struct list ready_guests, ready_jobs;
    struct http_job *jobs, *spare_jobs;
    int n_jobs;
    struct worker *seated, *waiting; /* with a seat; for one */
    int n_seated;
    int n_tickets; /* of workers, or offered */
    int *offered, n_offered;
    int asleep; /* of those seated */
    bool woken; /* by wake_fd, and nobody has come yet */
};

/* ---- loop.c ---- */

/* With the lock held. */
void http_loop_put(struct list *list, struct item *item);
/* Opens the lock, and wakes somebody who sleeps if there is something to do. A worker
 * that has a seat sees to it itself. */
void http_loop_unlock(struct http_loop *loop);

/* ---- guest.c ---- */

/* A new one, busy: the caller's alone. NULL: out of memory. */
struct guest *guest_new(struct http_loop *loop, int fd);
/* Of one that is busy. */
void guest_close(struct http_loop *loop, struct guest *guest);
/* It waits; false when something came meanwhile, and it is still the caller's. */
bool guest_idles(struct guest *guest);
/* One that is busy is to be looked at by a worker. */
void guest_is_ready(struct http_loop *loop, struct guest *guest);
/* Something has come, or it has gone. */
void guest_has_news(struct http_loop *loop, struct guest *guest);
/* Whether the guest, which is the worker's, has a request to be read; else it waits on
 * or is closed. */
bool guest_look(struct http_loop *loop, struct worker *w, struct guest *guest);
/* Ends idle guests whose time is over, or all. */
void guests_expire(struct http_loop *loop, bool all);
