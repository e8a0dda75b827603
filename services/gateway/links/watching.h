/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that downstream servers tell: for each server at whose endpoint streams
 * are open on this copy, a conversation of its own that listens for what these wish
 * to hear. */
#pragma once

#include "streams.h"

struct watching;
enum status watching_new(struct watching **ret_watching, struct gateway *gw,
                         struct error *err) MUST_CHECK;
/* Listens to nobody any more; watching_wake may still be called. Both accept NULL. */
void watching_stop(struct watching *watching);
void watching_free(struct watching *watching);
/* A stream with this wish is about to be opened: waits, for a moment at most, until
 * its server is listened to accordingly. */
void watching_expect(struct watching *watching, const struct stream_wish *wish);
/* Streams or their wishes may have changed. Accepts NULL. */
void watching_wake(struct watching *watching);
