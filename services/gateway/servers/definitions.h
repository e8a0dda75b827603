/* SPDX-License-Identifier: Apache-2.0 */
/* Last known good definitions of a downstream server, read once and then shared
 * by all workers. */
#pragma once

#include "mcp/version.h"
#include "wire/json.h"

#include "mal/mcp_health/v1/state.pb-c.h"

#include <stdatomic.h>

enum definition_kind {
    DEFINITION_TOOL,
    DEFINITION_RESOURCE,
    DEFINITION_TEMPLATE,
    DEFINITION_PROMPT,
    DEFINITION_KINDS
};

/* One object of a list. */
struct definition {
    const char *key;              /* name, uri or uriTemplate */
    const struct json *json;      /* of the whole list */
    const struct json_node *node; /* this object */
    const char *text;             /* as the server wrote it */
    size_t len;
    bool mirrored; /* x-mcp-header may be in it */
};

struct definition_list {
    struct json json;
    struct definition *items; /* in the server's order */
    size_t n;
    const struct definition **by_key; /* sorted */
};

/* Immutable and counted. */
struct definitions {
    atomic_int refs;
    struct arena arena;
    McpHealth__Definitions *record; /* owned */
    enum mcp_version version;
    struct definition_list lists[DEFINITION_KINDS];
    struct json capabilities; /* n_nodes 0: none */
};

/* Takes the record. Lists that cannot be read are empty. */
struct definitions *definitions_new(McpHealth__Definitions *record);
struct definitions *definitions_ref(struct definitions *definitions);
/* Accepts NULL. */
void definitions_unref(struct definitions *definitions);
/* NULL when there is none. */
const struct definition *definitions_find(const struct definitions *definitions,
                                          enum definition_kind kind, const char *key);
