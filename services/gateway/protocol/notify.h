/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the catalog become notifications on this copy's streams; and the
 * regular housekeeping of sessions and streams. */
#pragma once

#include "gateway.h"

struct notifier;
enum status notifier_new(struct notifier **ret_notifier, struct gateway *gw,
                         struct error *err) MUST_CHECK;
/* Ends the housekeeping; notifier_tell may still be called. Both accept NULL. */
void notifier_stop(struct notifier *notifier);
void notifier_free(struct notifier *notifier);
/* Lists of /mcp changed: kinds as in streams.h. Accepts NULL. */
void notifier_tell(struct notifier *notifier, unsigned kinds);
