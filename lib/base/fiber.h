/* SPDX-License-Identifier: Apache-2.0 */
/* A function on a stack of its own, which may stop in its middle and be gone on
 * with later: so that one thread serves several calls that wait, each written as
 * if it were alone. */
#pragma once

#include <stdbool.h>

struct fiber;

/* Its stack has 256 KiB and a guard page below; what is not touched costs no
 * memory. NULL when the system has none left. */
struct fiber *fiber_new(void);
/* Of one that has ended. Accepts NULL. */
void fiber_free(struct fiber *fiber);

/* Runs fn(arg) on it until it ends (true) or stops (false). A fiber that has
 * ended may be started again. */
bool fiber_start(struct fiber *fiber, void (*fn)(void *arg), void *arg);
/* Goes on where it stopped; on the thread that started it. */
bool fiber_resume(struct fiber *fiber);
/* It waits until the others of its thread have ended. */
bool fiber_wants_alone(const struct fiber *fiber);

/* ---- of the code that runs ---- */

/* Whether it is on a fiber and others may be under way on the same thread: then
 * it does not wait itself, but stops. */
bool fiber_shares(void);
/* Returns when the fiber is resumed. */
void fiber_stop(void);
/* Before waiting for something that is not gathered (a transaction, another
 * service): returns when the others have ended, and from then on it does not
 * share. Does nothing where there are no others. */
void fiber_alone(void);
