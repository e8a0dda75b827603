/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that another thread sorted to an exchange: all of stdio, and what a
 * legacy HTTP server says on its own stream while a call waits. */
#pragma once

#include "downstream/exchange.h"

/* A message to come, which holds its text and what was read of it; NULL: no JSON. */
struct queued *queued_read(const struct downstream *server, const char *text, size_t len,
                           struct json *ret_json, struct error *err);
void queued_free(struct queued *item); /* accepts NULL */
/* Takes the item; one too many fails the exchange. */
void queue_put(struct downstream_exchange *x, struct queued *item);
/* One of several exchanges that hear the message. */
void queue_put_copy(struct downstream_exchange *x, const struct downstream_message *msg);
/* The oldest, NULL when there is none. */
struct queued *queue_take(struct downstream_exchange *x);
/* With the waiter's lock held. */
struct queued *queue_take_locked(struct downstream_exchange *x);
void queue_fail(struct downstream_exchange *x, enum downstream_fault fault, const char *why);
/* What is left. */
void queue_clear(struct downstream_exchange *x);
