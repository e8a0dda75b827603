/* SPDX-License-Identifier: Apache-2.0 */
/* Names of exposed tools: stored, and told to gateways. */
#pragma once

#include "health.h"

struct bus_kv;
/* Chooses names anew and writes the entries n.<id> that changed, all of them when
 * all. Within a transaction, by one copy of the service at a time. */
enum status names_publish(struct call *call, struct bus_kv *kv, bool all) MUST_CHECK;
