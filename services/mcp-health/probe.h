/* SPDX-License-Identifier: Apache-2.0 */
/* Probing servers: a few threads that reach them, read their definitions and
 * store what they found. One copy of the service hands out what is due. */
#pragma once

#include "health.h"

struct prober;
/* Takes conn, for storing. */
enum status prober_new(struct prober **ret_prober, struct pg_conn *conn, struct bus *bus,
                       struct error *err) MUST_CHECK;
/* Ends what runs, joins. Accepts NULL. */
void prober_free(struct prober *prober);
/* Gives what is due to the threads, as far as they have room; the rest stays due. */
enum status prober_feed(struct call *call, struct prober *prober) MUST_CHECK;
