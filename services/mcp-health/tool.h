/* SPDX-License-Identifier: Apache-2.0 */
/* Tool definitions: what a server offers, what was approved, what is served. */
#pragma once

#include "health.h"

/* What a server said of itself; JSON texts as it wrote them. */
struct reading {
    const char *protocol_version;
    const char *server_info, *capabilities, *instructions; /* "" when not said */
    const char *const *tools;                              /* each one a Tool */
    size_t n_tools;
    const char *resources, *resource_templates, *prompts; /* arrays */
};

/* Stores a reading: the first one of a server is approved as it is; later ones
 * are compared by the server's pin rule. Tells of a drift by an event. */
enum status reading_store(struct tx *tx, const char *id, const struct reading *reading) MUST_CHECK;

/* The tools that are served, as an array: the approved ones where definitions
 * are held, else those offered last. */
enum status tools_served(struct call *call, const char *id, enum pin_rule rule,
                         const char **ret_array) MUST_CHECK;
