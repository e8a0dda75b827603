/* SPDX-License-Identifier: Apache-2.0 */
/* Closed, open and half open. */
#include "breaker.h"

bool breaker_ask(struct breaker *breaker, int64_t now_ms, bool *ret_trial)
{
    *ret_trial = false;
    if (breaker->pause_ms == 0)
        return true;
    if (breaker->trying || now_ms < breaker->resume_ms)
        return false;
    breaker->trying = *ret_trial = true;
    return true;
}

/* Three quarters of the pause to all of it, so that copies do not try together. */
static void pause_for(struct breaker *breaker, int64_t pause_ms, int64_t now_ms, double random)
{
    breaker->pause_ms = pause_ms;
    breaker->resume_ms = now_ms + pause_ms - (int64_t)((double)pause_ms * random / 4);
}

bool breaker_tell(struct breaker *breaker, const struct breaker_limits *limits,
                  enum breaker_outcome outcome, bool trial, int64_t now_ms, double random)
{
    int64_t pause_ms = breaker->pause_ms * 2;

    if (trial)
        breaker->trying = false;
    if (outcome == BREAKER_ANSWERED)
        *breaker = (struct breaker){0};
    if (outcome != BREAKER_FAULT)
        return false;
    breaker->faults += breaker->faults < INT32_MAX;
    /* Closed meanwhile by somebody who knows better, a trial is a call like others. */
    if (trial && breaker->pause_ms > 0) {
        pause_for(breaker, pause_ms < limits->pause_max_ms ? pause_ms : limits->pause_max_ms,
                  now_ms, random);
        return true;
    }
    /* What began before it opened says nothing new. */
    if (breaker->pause_ms > 0 || limits->faults == 0 || breaker->faults < limits->faults)
        return false;
    pause_for(breaker, limits->pause_ms, now_ms, random);
    return true;
}
