/* SPDX-License-Identifier: Apache-2.0 */
/* A request that is carried out. */
#pragma once

#include "runner.h"

enum { ASKED_MAX = 8 };

struct exchange {
    struct exchange *next; /* under runner->lock */
    struct runner *runner;
    struct arena arena;
    const McpRunner__Call *call;
    const char *reply;
    int64_t deadline_ms;
    atomic_int number; /* of the frame sent last */
    enum mcp_version version;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    int taken;
    bool cancelled;
    bool asked;                  /* the server waits for an answer, the caller maybe for a person */
    const char *open[ASKED_MAX]; /* ids of what it asked, as written */
    int64_t word_ms;
    struct downstream_exchange *down;
    struct downstream_session *session;
};

/* Nobody reads: the caller is gone, or the process that it was. With its lock held. */
bool exchange_deserted(const struct exchange *x);

/* ---- asked.c ---- */

/* The child asks, or withdraws that. */
void asked_note(struct exchange *x, const struct downstream_message *msg);
/* It has its answer. With the lock held. */
void asked_forget(struct exchange *x, const char *id, size_t len);
/* Answers what is still open. With the lock held. */
void asked_end(struct exchange *x);

/* ---- wish.c ---- */

/* Carries out what is no request to the child itself; false: it is one. */
bool wish_takes(struct exchange *x, struct slot *slot, enum status *ret_status, struct error *err);

/* ---- frame.c ---- */

/* In as many frames as it needs, never more than the reader keeps up with; false
 * when nobody reads. */
bool frame_send(struct exchange *x, const struct downstream_message *msg);
/* The last one: it failed. */
void frame_fault(struct exchange *x, const char *reason, enum status status, const char *text);
