/* SPDX-License-Identifier: Apache-2.0 */
/* How a server is: outcomes of probes and calls, and what follows from them. */
#pragma once

#include "health.h"

enum outcome {
    OUTCOME_OK,
    OUTCOME_SLOW,   /* no answer in time; too many of them are a failure */
    OUTCOME_FAILED, /* no connection, a crash, broken protocol: a failure at once */
};

struct health_state {
    bool error;        /* calls are not let through */
    int failures;      /* in a row */
    unsigned outcomes; /* latest ones, a bit each, 1 = not OK, the newest lowest */
    int n_outcomes;
};

enum { OUTCOMES_MAX = 31 };

/* Takes an outcome in; true when error changed. threshold of the last window
 * outcomes not OK make an error, a failed one does at once; one that is OK ends
 * it. */
bool state_step(struct health_state *state, enum outcome outcome, int threshold, int window);
/* When the next probe is due: interval_ms while well; after failures 1, 2, 4, …
 * seconds up to it. random in [0, 1) spreads it by up to a fifth less. */
int64_t state_pause_ms(const struct health_state *state, int64_t interval_ms, double random);

struct evidence {
    enum outcome outcome;
    bool is_probe;                /* else calls of users */
    bool is_due;                  /* of the prober: the next one is due after a pause from now */
    int latency_ms;               /* 0 = no answer */
    const char *error;            /* words; "" when OK */
    int tools_count;              /* -1 = not read */
    const char *protocol_version; /* NULL = not known */
    int revision;                 /* of the registration it is about; 0 = not known */
    int age_ms;                   /* of calls: since the last of them */
};
/* Stores the evidence; a change of status becomes a transition, an event and news
 * for gateways and runners. Nothing happens to a server that is not there or
 * inactive. What is about an earlier registration, or was before the last good
 * answer, turns nothing: it only makes a probe due. *ret_taken (may be NULL): it was
 * taken. */
enum status evidence_store(struct tx *tx, const char *id, const struct evidence *evidence,
                           bool *ret_taken) MUST_CHECK;
