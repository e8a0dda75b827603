/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit breaker: after so many faults in a row nothing is tried for a while,
 * then once; each fault of such a trial doubles the pause. Pure: time and chance
 * are given. */
#pragma once

#include "downstream/downstream.h"

struct breaker_limits {
    int faults; /* in a row that open it; 0 = never */
    int64_t pause_ms, pause_max_ms;
};

/* Zeroed is closed. */
struct breaker {
    int faults;        /* in a row */
    int64_t pause_ms;  /* the last one; 0 = closed */
    int64_t resume_ms; /* open until then */
    bool trying;       /* half open: the one trial runs */
};

/* Whether a call may go now; *ret_trial: it is the trial, which the others await. */
bool breaker_ask(struct breaker *breaker, int64_t now_ms, bool *ret_trial);

enum breaker_outcome {
    BREAKER_ANSWERED, /* by an error, too */
    BREAKER_FAULT,
    BREAKER_NOTHING, /* says nothing of the server: cancelled, refused here */
};
/* random 0…1. True: it has opened. */
bool breaker_tell(struct breaker *breaker, const struct breaker_limits *limits,
                  enum breaker_outcome outcome, bool trial, int64_t now_ms, double random);
