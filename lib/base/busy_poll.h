/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for descriptors without falling asleep. A processor that slept needs tens
 * of microseconds until the thread it is woken for runs, and a call between
 * processes has several such wake-ups; so whoever lately waited for no longer than
 * that looks for a while before it sleeps, and lets everything else run meanwhile. */
#pragma once

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum {
    BUSY_POLL_US = 100,      /* looks so long before it sleeps */
    BUSY_POLL_SOON_US = 500, /* it looks after a wait that was shorter */
};

/* Of one waiting thread at a time; zeros to begin with. */
struct busy_poll {
    bool soon;       /* the last wait was short */
    uint64_t looked; /* so many waits began with looking */
};

/* As poll(2), but for up to BUSY_POLL_US more than timeout_ms. With one processor for
 * this process it never looks. */
int busy_poll(struct busy_poll *state, struct pollfd *fds, nfds_t n, int timeout_ms);
/* As epoll_wait(2) without a timeout, for several threads of which one looks at a time:
 * somebody_looks is theirs, false to begin with. */
int busy_epoll(struct busy_poll *state, atomic_bool *somebody_looks, int epoll_fd,
               struct epoll_event *events, int max);
