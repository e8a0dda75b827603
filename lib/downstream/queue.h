/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that another thread sorted to an exchange: all of stdio, and what a
 * legacy HTTP server says on its own stream while a call waits. */
#pragma once

#include "downstream/exchange.h"

/* Takes the item; one too many fails the exchange. */
void queue_put(struct downstream_exchange *x, struct queued *item);
/* The oldest, NULL when there is none. */
struct queued *queue_take(struct downstream_exchange *x);
/* With the waiter's lock held. */
struct queued *queue_take_locked(struct downstream_exchange *x);
void queue_fail(struct downstream_exchange *x, enum downstream_fault fault, const char *why);
/* What is left. */
void queue_clear(struct downstream_exchange *x);
void queued_free(struct queued *item); /* accepts NULL */
